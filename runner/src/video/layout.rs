//! A linear mode: where each row of the picture lies in video memory.

use crate::kvm::Region;
use std::ops::Range;

/// Largest picture of a linear mode, and of any other.
pub(super) const MAX_WIDTH: u32 = 2560;
pub(super) const MAX_HEIGHT: u32 = 1600;

/// A linear mode, checked: every pixel lies in video memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    /// Pixels a row, 8–[`MAX_WIDTH`], a multiple of 8.
    pub(super) width: u32,
    /// Rows, 1–[`MAX_HEIGHT`].
    pub(super) height: u32,
    /// 4, 8, 15, 16, 24 or 32.
    pub(super) bits: u32,
    /// Distance of two rows in bytes; in a 4-bit mode over all four planes.
    pub(super) row_bytes: u32,
    /// Where the first visible pixel is, in bytes of video memory.
    pub(super) start: u32,
    /// How often each row is drawn, at least once.
    pub(super) repeat: u32,
    /// The row after which the picture starts over at the beginning of video memory.
    pub(super) split: u32,
    /// Bytes of video memory: what lies behind its end is its beginning.
    pub(super) memory: u32,
}

impl Layout {
    /// Bytes of the pixels of a row.
    pub(super) fn pixel_bytes(&self) -> usize {
        let bytes = match self.bits {
            4 => self.width / 2,
            bits => self.width * bits.div_ceil(8),
        };
        usize::try_from(bytes).unwrap_or(0)
    }

    /// Where row `row` lies in video memory, in bytes: up to its end, and from its beginning on.
    pub(super) fn row(&self, row: u32) -> [Range<usize>; 2] {
        let (first, row) = match row.checked_sub(self.split.saturating_add(1)) {
            Some(below) => (0, below),
            None => (u64::from(self.start), row),
        };
        let place = first + u64::from(row / self.repeat.max(1)) * u64::from(self.row_bytes);
        let memory = usize::try_from(self.memory).unwrap_or(0);
        let start = usize::try_from(place % u64::from(self.memory.max(1))).unwrap_or(0);
        let end = start + self.pixel_bytes();
        [start..end.min(memory), 0..end.saturating_sub(memory).min(memory)]
    }

    /// The pixels of `rows`, one row behind the other.
    pub(super) fn read(&self, memory: &Region, rows: Range<u32>) -> Vec<u8> {
        let row_bytes = self.pixel_bytes();
        let count = usize::try_from(rows.end.saturating_sub(rows.start)).unwrap_or(0);
        let mut pixels = vec![0; row_bytes * count];
        for (row, bytes) in rows.zip(pixels.chunks_exact_mut(row_bytes.max(1))) {
            let [head, tail] = self.row(row);
            let (to_head, to_tail) = bytes.split_at_mut(head.len().min(row_bytes));
            memory.read(head.start, to_head);
            let tail_bytes = tail.len().min(to_tail.len());
            memory.read(tail.start, &mut to_tail[..tail_bytes]);
        }
        pixels
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_repeat_start_over_and_wrap() {
        let layout = Layout {
            width: 8,
            height: 10,
            bits: 8,
            row_bytes: 16,
            start: 4096 - 20,
            repeat: 2,
            split: 5,
            memory: 4096,
        };
        let starts: Vec<usize> = (0..10).map(|row| layout.row(row)[0].start).collect();
        assert_eq!(starts, [4076, 4076, 4092, 4092, 12, 12, 0, 0, 16, 16]);
        assert_eq!(layout.row(2), [4092..4096, 0..4]);
        let memory = Region::new(4096).unwrap();
        memory.write(4092, &[1, 2, 3, 4]);
        memory.write(0, &[5, 6, 7, 8]);
        assert_eq!(layout.read(&memory, 2..3), [1, 2, 3, 4, 5, 6, 7, 8]);
    }
}
