//! Compressed clusters of a new image: one right behind the other, across the clusters of the file.

use super::Qcow2Error;
use super::output::{Output, Run};
use super::space::Space;

/// Compressed data is packed into areas of this many bytes, between which plain clusters and tables may lie.
const PACKED_AREA: u64 = 1 << 20;
/// A cluster of the file takes no more pieces of compressed data than its reference count can tell.
const MOST_PIECES: u32 = u16::MAX as u32 - 1;

/// Where compressed clusters go, one right behind the other.
#[derive(Default)]
pub(super) struct PackedArea {
    run: Run,
    /// Where the next byte goes.
    at: u64,
    /// Where the area ends.
    end: u64,
    /// Pieces in the cluster of the file that `at` is in.
    pieces: u32,
}

impl PackedArea {
    /// Stores `data`; its offset in bytes.
    pub(super) fn push(&mut self, out: &mut Output, space: &mut Space, data: &[u8]) -> Result<u64, Qcow2Error> {
        let cluster_size = 1u64 << space.cluster_bits();
        if self.pieces >= MOST_PIECES {
            self.at = self.at.next_multiple_of(cluster_size).min(self.end);
        }
        let len = data.len() as u64;
        if self.at + len > self.end {
            let grown = space.reserve((PACKED_AREA >> space.cluster_bits()).max(2));
            // If nothing was put behind the area, the data goes across the border; else what is left of it is lost.
            if grown != self.end {
                self.at = grown;
            }
            self.end = space.end();
        }
        let offset = self.at;
        self.run.push(out, offset, data)?;
        self.at += len;
        let last = (self.at - 1) & !(cluster_size - 1);
        let mut referred = offset & !(cluster_size - 1);
        while referred <= last {
            self.pieces = space.refer(out, referred)?.into();
            referred += cluster_size;
        }
        Ok(offset)
    }

    /// Writes what was gathered; what comes next still follows it.
    pub(super) fn flush(&mut self, out: &mut Output) -> Result<(), Qcow2Error> {
        self.run.flush(out)
    }

    /// Writes what is left, and gives back the room that was not used if the file ends there.
    pub(super) fn finish(&mut self, out: &mut Output, space: &mut Space) -> Result<(), Qcow2Error> {
        self.run.flush(out)?;
        if self.end == space.end() && self.end > 0 {
            space.give_back(self.at.next_multiple_of(1 << space.cluster_bits()));
        }
        Ok(())
    }
}
