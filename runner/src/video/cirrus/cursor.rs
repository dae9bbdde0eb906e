//! The hardware cursor: two bits a pixel from the end of video memory, drawn over the picture.
//! Source: the behaviour of QEMU's device; the chip's manual was not consulted.

use crate::video::Frame;
use crate::video::memory::VideoMemory;
use std::ops::Range;

/// Patterns lie in the last 16 KiB of video memory, 256 bytes each.
const PATTERNS: usize = 16 << 10;
const PATTERN: usize = 256;

/// A cursor as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cursor {
    /// Pixels of a side: 32 or 64.
    side: u32,
    x: u32,
    /// Less than 0 if it begins above the rows that are drawn.
    y: i64,
    /// Background and foreground, `0x00RRGGBB`.
    colors: [u32; 2],
    /// Both planes, row by row.
    rows: Vec<[u64; 2]>,
}

impl Cursor {
    /// Rows of the picture that it covers, or would if the picture were high enough.
    pub(crate) fn rows(&self) -> Range<i64> {
        self.y..self.y + i64::from(self.side)
    }

    /// Reads pattern number `number` of a cursor.
    pub(super) fn read(
        memory: &VideoMemory,
        size: usize,
        number: u8,
        large: bool,
        (x, y): (u32, u32),
        colors: [u32; 2],
    ) -> Self {
        let start = size - PATTERNS + usize::from(number) * PATTERN;
        let mut bytes = [0; 1024];
        // Patterns at the end repeat from the beginning of the 16 KiB in no driver.
        memory.read(start, &mut bytes);
        let rows = if large {
            bytes
                .chunks_exact(16)
                .map(|row| [whole(&row[..8]), whole(&row[8..])])
                .collect()
        } else {
            let (first, second) = bytes[..PATTERN].split_at(PATTERN / 2);
            let planes = first.chunks_exact(4).zip(second.chunks_exact(4));
            planes.map(|(first, second)| [whole(first), whole(second)]).collect()
        };
        Cursor {
            side: if large { 64 } else { 32 },
            x,
            y: y.into(),
            colors,
            rows,
        }
    }

    /// The same for a picture that begins at row `row` of the screen.
    pub(in crate::video) fn above(&self, row: u32) -> Self {
        Cursor {
            y: self.y - i64::from(row),
            ..self.clone()
        }
    }

    /// Draws it over a picture.
    pub(in crate::video) fn draw(&self, frame: &mut Frame) {
        let width = frame.width as usize;
        if width == 0 {
            return;
        }
        for (row, y) in self.rows.iter().zip(self.y..) {
            let Some(start) = usize::try_from(y).ok().filter(|y| *y < frame.height as usize) else {
                continue;
            };
            let left = (self.x as usize).min(width);
            let line = frame.pixels.iter_mut().skip(start * width).take(width).skip(left);
            for (column, pixel) in (0..self.side).zip(line) {
                let bit = |plane: u64| plane << column >> 63;
                match (bit(row[0]), bit(row[1])) {
                    (0, 0) => {}
                    (_, 0) => *pixel ^= 0x00FF_FFFF,
                    (0, _) => *pixel = self.colors[0],
                    _ => *pixel = self.colors[1],
                }
            }
        }
    }
}

/// The bits of a row, the leftmost in bit 63.
fn whole(bytes: &[u8]) -> u64 {
    let mut all = [0; 8];
    for (to, from) in all.iter_mut().zip(bytes) {
        *to = *from;
    }
    u64::from_be_bytes(all)
}
