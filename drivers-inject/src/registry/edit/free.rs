//! Which cells are free, by place and by size.

use std::collections::{BTreeMap, BTreeSet};

/// The free cells of a hive. Offsets are those of the cells, sizes are bytes with the size field.
#[derive(Clone, Debug, Default)]
pub(super) struct FreeCells {
    by_offset: BTreeMap<u32, u32>,
    /// Size first: the smallest that is large enough comes first, then the one nearest to the start.
    by_size: BTreeSet<(u32, u32)>,
}

impl FreeCells {
    pub(super) fn insert(&mut self, offset: u32, size: u32) {
        self.by_offset.insert(offset, size);
        self.by_size.insert((size, offset));
    }

    pub(super) fn remove(&mut self, offset: u32) {
        if let Some(size) = self.by_offset.remove(&offset) {
            self.by_size.remove(&(size, offset));
        }
    }

    /// Offset and size of the smallest cell of at least `size` bytes.
    pub(super) fn best(&self, size: u32) -> Option<(u32, u32)> {
        let (size, offset) = self.by_size.range((size, 0)..).next()?;
        Some((*offset, *size))
    }

    /// The size of the free cell that starts at `offset`.
    pub(super) fn starting_at(&self, offset: u32) -> Option<u32> {
        self.by_offset.get(&offset).copied()
    }

    /// Offset and size of the free cell that ends at `offset`.
    pub(super) fn ending_at(&self, offset: u32) -> Option<(u32, u32)> {
        let (start, size) = self.by_offset.range(..offset).next_back()?;
        (start.checked_add(*size) == Some(offset)).then_some((*start, *size))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_that_fits_is_best() {
        let mut free = FreeCells::default();
        for (offset, size) in [(0x20, 64), (0x100, 16), (0x200, 32), (0x300, 16)] {
            free.insert(offset, size);
        }
        assert_eq!(free.best(8), Some((0x100, 16)));
        assert_eq!(free.best(24), Some((0x200, 32)));
        assert_eq!(free.best(65), None);
        free.remove(0x100);
        assert_eq!(free.best(8), Some((0x300, 16)));
    }

    #[test]
    fn neighbours_are_found() {
        let mut free = FreeCells::default();
        free.insert(0x20, 0x10);
        assert_eq!(free.ending_at(0x30), Some((0x20, 0x10)));
        assert_eq!(free.ending_at(0x38), None);
        assert_eq!(free.starting_at(0x20), Some(0x10));
        assert_eq!(free.starting_at(0x30), None);
    }
}
