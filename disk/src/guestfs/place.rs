//! Where the bytes of a file lie on its volume: what must be known to change them in place.
//!
//! A change in place touches no structure of the filesystem. It is therefore always of the same length.
#![warn(clippy::arithmetic_side_effects, clippy::as_conversions, clippy::indexing_slicing)]

use crate::io::{BlockDevice, past_end};
use std::io;
use std::ops::Range;

/// The places of a file's bytes, in the order of the file. Ranges are bytes from the start of the volume.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placement {
    /// Size of the file in bytes: what [`data`](Self::data) covers.
    pub size: u64,
    /// Where the file's bytes are.
    pub data: Vec<Range<u64>>,
    /// Allocated to the file behind its last byte.
    pub slack: Vec<Range<u64>>,
}

impl Placement {
    /// Splits the allocation of a file of `size` bytes into what holds its bytes and what lies behind them. `None` if
    /// the allocation is smaller than the file, or two parts of it overlap.
    pub(super) fn new(size: u64, allocation: impl IntoIterator<Item = Range<u64>>) -> Option<Self> {
        let mut placement = Placement {
            size,
            ..Placement::default()
        };
        let mut left = size;
        let mut all = Vec::new();
        for range in allocation.into_iter().filter(|range| !range.is_empty()) {
            all.push(range.clone());
            let len = range.end.saturating_sub(range.start).min(left);
            let middle = range.start.saturating_add(len);
            push(&mut placement.data, range.start..middle);
            push(&mut placement.slack, middle..range.end);
            left = left.saturating_sub(len);
        }
        all.sort_unstable_by_key(|range| range.start);
        let overlap = all.windows(2).any(|pair| match pair {
            [one, next] => one.end > next.start,
            _ => false,
        });
        (left == 0 && !overlap).then_some(placement)
    }

    /// Bytes that the file may have without new clusters.
    pub fn allocated(&self) -> u64 {
        let ranges = self.data.iter().chain(&self.slack);
        ranges.fold(0, |sum, range| {
            sum.saturating_add(range.end.saturating_sub(range.start))
        })
    }

    /// Where `len` bytes of the file from `offset` are, in the order of the file; `None` if they are not all in it.
    pub fn pieces(&self, offset: u64, len: u64) -> Option<Vec<Range<u64>>> {
        let end = offset.checked_add(len).filter(|end| *end <= self.size)?;
        let mut pieces = Vec::new();
        // Position in the file of the range that is looked at.
        let mut at = 0u64;
        for range in &self.data {
            let next = at.saturating_add(range.end.saturating_sub(range.start));
            let from = offset.max(at);
            let to = end.min(next);
            if from < to {
                let start = range.start.saturating_add(from.saturating_sub(at));
                push(&mut pieces, start..start.saturating_add(to.saturating_sub(from)));
            }
            at = next;
        }
        Some(pieces)
    }

    /// Writes `data` over the file's bytes from `offset` on. The volume starts at byte `volume` of `device`.
    ///
    /// An error of kind [`UnexpectedEof`](io::ErrorKind::UnexpectedEof), with nothing written, if the file is shorter.
    pub fn write_at(&self, device: &dyn BlockDevice, volume: u64, offset: u64, data: &[u8]) -> io::Result<()> {
        let len = u64::try_from(data.len()).unwrap_or(u64::MAX);
        let pieces = self.pieces(offset, len);
        let mut rest = data;
        for piece in pieces.ok_or_else(|| past_end(offset, data.len(), self.size))? {
            let len = usize::try_from(piece.end.saturating_sub(piece.start)).unwrap_or(usize::MAX);
            let (now, later) = rest.split_at_checked(len).unwrap_or((rest, &[]));
            device.write_at(volume.saturating_add(piece.start), now)?;
            rest = later;
        }
        Ok(())
    }
}

/// Appends a range, joined with the last one if it goes on from there.
fn push(ranges: &mut Vec<Range<u64>>, range: Range<u64>) {
    match ranges.last_mut() {
        _ if range.is_empty() => {}
        Some(last) if last.end == range.start => last.end = range.end,
        _ => ranges.push(range),
    }
}

#[cfg(test)]
#[allow(clippy::single_range_in_vec_init, reason = "lists of ranges with one range")]
mod tests {
    use super::*;

    #[test]
    fn slack_is_told_apart_from_the_file() {
        let place = Placement::new(10, [20..28, 28..30, 4..10]).unwrap();
        assert_eq!(place.data, [20..30]);
        assert_eq!(place.slack, [4..10]);
        assert_eq!(place.allocated(), 16);
        let place = Placement::new(10, [20..28, 4..10]).unwrap();
        assert_eq!(place.data, [20..28, 4..6]);
        assert_eq!(place.slack, [6..10]);
        assert_eq!(place.pieces(7, 2).unwrap(), [27..28, 4..5]);
        assert_eq!(place.pieces(0, 10).unwrap(), [20..28, 4..6]);
        assert_eq!(place.pieces(10, 0).unwrap(), []);
        assert_eq!(place.pieces(7, 4), None);
        assert_eq!(place.pieces(u64::MAX, 2), None);
    }

    #[test]
    fn allocations_that_make_no_sense_are_refused() {
        assert_eq!(Placement::new(10, [0..9]), None);
        assert_eq!(Placement::new(10, [0..8, 4..12]), None);
        assert!(Placement::new(0, []).is_some());
    }
}
