//! Where the blocks of an inode are: extent trees and lists of pointers.

use super::geometry::Geometry;
use crate::bytes::Fields;
use crate::io::ReadAt;
use std::ops::Range;

const EXTENT_MAGIC: u16 = 0xF30A;
/// An extent tree is no deeper (`EXT4_MAX_EXTENT_DEPTH`).
pub(super) const MOST_DEPTH: u16 = 5;

/// Where the blocks of one inode are, in bytes.
pub(super) struct Blocks<'a, D: ?Sized> {
    pub(super) volume: &'a D,
    pub(super) geometry: &'a Geometry,
    pub(super) data: Vec<Range<u64>>,
    /// Blocks of the lists themselves.
    pub(super) lists: Vec<Range<u64>>,
    pub(super) budget: u64,
    pub(super) doubtful: bool,
}

impl<D: ReadAt + ?Sized> Blocks<'_, D> {
    /// A node of an extent tree, at most `depth` deep.
    pub(super) fn extents(&mut self, node: &[u8], depth: u16) {
        let fields = Fields(node);
        let (magic, entries, level) = (fields.le16(0), usize::from(fields.le16(2)), fields.le16(6));
        if magic != EXTENT_MAGIC || level > depth {
            self.doubtful = true;
            return;
        }
        for entry in fields.from(12).chunks_exact(12).take(entries) {
            let fields = Fields(entry);
            if level == 0 {
                // Longer than 32768 means: not written yet.
                let length = u64::from(fields.le16(4));
                let length = if length > 32_768 {
                    length.saturating_sub(32_768)
                } else {
                    length
                };
                let first = u64::from(fields.le16(6)) << 32 | u64::from(fields.le32(8));
                self.add(first, length);
            } else {
                let first = u64::from(fields.le16(8)) << 32 | u64::from(fields.le32(4));
                if let Some(node) = self.list(first) {
                    self.extents(&node, level.saturating_sub(1));
                }
            }
        }
    }

    /// Twelve blocks, then lists of blocks, of lists, and of lists of lists.
    pub(super) fn pointers(&mut self, root: &[u8; 60]) {
        let fields = Fields(root);
        for place in (0..48).step_by(4) {
            self.add(u64::from(fields.le32(place)), 1);
        }
        for (place, level) in [(48, 1), (52, 2), (56, 3)] {
            self.indirect(u64::from(fields.le32(place)), level);
        }
    }

    fn indirect(&mut self, block: u64, level: u32) {
        if block == 0 {
            return;
        }
        let Some(list) = self.list(block) else { return };
        for pointer in list.as_chunks::<4>().0 {
            let pointer = u64::from(u32::from_le_bytes(*pointer));
            if pointer == 0 {
                continue;
            }
            if level == 1 {
                self.add(pointer, 1);
            } else {
                self.indirect(pointer, level.saturating_sub(1));
            }
        }
    }

    fn list(&mut self, block: u64) -> Option<Vec<u8>> {
        if !self.charge(1) {
            return None;
        }
        let range = self.geometry.range(block, 1);
        let mut bytes = vec![0; usize::try_from(self.geometry.block).unwrap_or(1024)];
        let read = range
            .clone()
            .and_then(|range| self.volume.read_at(range.start, &mut bytes).ok());
        if read.is_none() {
            self.doubtful = true;
        }
        self.lists.extend(range);
        read.map(|()| bytes)
    }

    fn add(&mut self, first: u64, count: u64) {
        if first == 0 || count == 0 || !self.charge(count) {
            return;
        }
        match (self.geometry.range(first, count), self.data.last_mut()) {
            (Some(range), Some(last)) if last.end == range.start => last.end = range.end,
            (Some(range), _) => self.data.push(range),
            (None, _) => self.doubtful = true,
        }
    }

    /// Counts blocks that are looked at; `false` when there cannot be so many.
    fn charge(&mut self, blocks: u64) -> bool {
        let left = self.budget.checked_sub(blocks);
        self.budget = left.unwrap_or(0);
        self.doubtful |= left.is_none();
        left.is_some()
    }
}
