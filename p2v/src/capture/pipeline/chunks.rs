//! Cutting what must be read into chunks, in ascending order, without touching what need not be read.

use crate::capture::CHUNK;
use disk::ExtentSet;
use std::ops::Range;

/// Bytes to read of which a chunk has little.
const LITTLE: u64 = 64 << 10;

/// A chunk that holds something to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Chunk {
    /// Position in the order of chunks.
    pub(super) sequence: u64,
    /// Number on the disk: offset / [`CHUNK`].
    pub(super) index: u64,
    /// First byte on the disk.
    pub(super) offset: u64,
    /// Length in bytes: [`CHUNK`], less at the disk's end.
    pub(super) length: usize,
    /// What must be read, in bytes relative to the chunk; never empty.
    pub(super) ranges: Vec<Range<usize>>,
}

impl Chunk {
    /// How many bytes must be read.
    pub(super) fn bytes_read(&self) -> u64 {
        self.ranges.iter().map(|range| range.len() as u64).sum()
    }

    /// Whether packing it takes no longer than handing it to another thread.
    pub(super) fn is_little(&self) -> bool {
        self.bytes_read() <= LITTLE
    }

    /// What must be read, in bytes of the disk.
    pub(super) fn on_disk(&self) -> impl Iterator<Item = Range<u64>> + '_ {
        let ranges = self.ranges.iter();
        ranges.map(|range| self.offset + range.start as u64..self.offset + range.end as u64)
    }
}

/// The chunks of a set of ranges.
pub(super) struct Chunks {
    set: ExtentSet,
    size: u64,
    position: u64,
    sequence: u64,
}

impl Chunks {
    /// Of a disk of `size` bytes.
    pub(super) fn new(set: ExtentSet, size: u64) -> Self {
        Chunks {
            set,
            size,
            position: 0,
            sequence: 0,
        }
    }

    /// One past the last byte of the chunk that was given out last.
    pub(super) fn position(&self) -> u64 {
        self.position
    }
}

impl Iterator for Chunks {
    type Item = Chunk;

    fn next(&mut self) -> Option<Chunk> {
        let start = self.set.within(self.position..self.size).next()?.start;
        let index = start / CHUNK;
        let offset = index * CHUNK;
        let end = offset.saturating_add(CHUNK).min(self.size);
        // Differences below CHUNK fit into usize.
        let relative = |at: u64| usize::try_from(at - offset).unwrap_or(usize::MAX);
        let ranges = self
            .set
            .within(offset..end)
            .map(|r| relative(r.start)..relative(r.end))
            .collect();
        let sequence = self.sequence;
        self.position = end;
        self.sequence += 1;
        Some(Chunk {
            sequence,
            index,
            offset,
            length: relative(end),
            ranges,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nothing_to_read_makes_no_chunks() {
        assert_eq!(Chunks::new(ExtentSet::new(), 1 << 44).count(), 0);
    }

    proptest! {
        #[test]
        fn chunks_hold_exactly_the_set(ranges in prop::collection::vec((0u64..40 << 20, 1u64..5 << 20), 0..20)) {
            let size = 45 << 20;
            let set: ExtentSet = ranges.into_iter().map(|(start, len)| start..start + len).collect();
            let chunks: Vec<_> = Chunks::new(set.clone(), size).collect();
            let mut back = ExtentSet::new();
            for (i, chunk) in chunks.iter().enumerate() {
                prop_assert_eq!(chunk.sequence, i as u64);
                prop_assert_eq!(chunk.offset, chunk.index * CHUNK);
                prop_assert!(!chunk.ranges.is_empty());
                prop_assert!(chunk.ranges.iter().all(|r| r.end <= chunk.length));
                back.extend(chunk.ranges.iter().map(|r| chunk.offset + r.start as u64..chunk.offset + r.end as u64));
            }
            prop_assert_eq!(back, set);
            prop_assert!(chunks.windows(2).all(|pair| pair[0].index < pair[1].index));
        }
    }
}
