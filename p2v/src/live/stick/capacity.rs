//! Sticks that claim more room than they have: what is written beyond it is lost, or overwrites what came before.
//!
//! Marks are written all over the place for captures, each one different, and read back once all are there.

use super::target::Target;
use crate::capture::Buffer;
use crate::error::{Failure, Result};
use crate::signals::Stop;
use disk::source::Source;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

/// Bytes of one mark.
const MARK: usize = 4096;
/// How far marks are apart, unless there would be too many.
const STEP: u64 = 256 << 20;
/// How many marks there may be.
const MOST: u64 = 512;

/// Refused if the disk does not keep what is written to `place`.
pub(super) fn check(disk: &File, target: &Target, place: Range<u64>, stop: &Stop) -> Result<()> {
    let failed = |error: io::Error| Failure::target_write(target.path(), &error);
    let offsets = offsets(&place);
    for offset in &offsets {
        super::copy::going_on(stop)?;
        disk.write_all_at(&mark(*offset), *offset).map_err(failed)?;
    }
    disk.sync_all().map_err(failed)?;
    super::copy::forget(disk);
    let source = Source::open(target.path())?;
    let mut buffer = Buffer::new();
    for offset in offsets {
        super::copy::going_on(stop)?;
        let read = buffer.bytes_mut().get_mut(..MARK).unwrap_or_default();
        source.read_bulk(offset, read).map_err(failed)?;
        if read != mark(offset) {
            return Err(Failure::failed(format!(
                "{} does not keep what is written to it: byte {offset} holds something else. It has less room than it \
                 claims, or is broken",
                target.path().display()
            ))
            .advice("Do not use it for anything. Take another stick."));
        }
    }
    // Nothing that looks like a filesystem or a mark stays in the first place.
    disk.write_all_at(&[0; MARK], place.start).map_err(failed)
}

/// Where marks go: from the first to the last 4 KiB.
fn offsets(place: &Range<u64>) -> Vec<u64> {
    let length = place.end.saturating_sub(place.start);
    let step = STEP.max((length / MOST).next_multiple_of(MARK as u64));
    let last = place.end.saturating_sub(MARK as u64);
    let mut offset = place.start;
    let mut offsets = Vec::new();
    while offset < last {
        offsets.push(offset);
        offset = offset.saturating_add(step);
    }
    offsets.push(last);
    offsets
}

/// What no other place has.
fn mark(offset: u64) -> Vec<u8> {
    let mut mark = vec![0; MARK];
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"p2v capacity").update(&offset.to_le_bytes());
    hasher.finalize_xof().fill(&mut mark);
    mark
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_reach_the_end_and_are_few() {
        for length in [64 << 20, 3 << 30, 1_u64 << 41] {
            let place = 1 << 28..(1 << 28) + length;
            let offsets = offsets(&place);
            assert!(offsets.len() as u64 <= MOST + 2);
            assert_eq!(offsets.first(), Some(&place.start));
            assert_eq!(offsets.last(), Some(&(place.end - MARK as u64)));
            assert!(offsets.windows(2).all(|pair| pair[0] < pair[1]));
        }
    }
}
