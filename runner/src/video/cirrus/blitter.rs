//! The blitter: copies and fills rectangles of video memory with one of sixteen raster operations, expands bits to
//! pixels, and takes pixels from the processor.
//! Source: QEMU's device, by its behaviour and its published source; the chip's manual was not consulted. It is
//! what the drivers of old systems were run on most in the last twenty years.

use super::drawing::Work;
use crate::video::memory::VideoMemory;

/// Bits of the mode register (GR30).
pub(super) const BACKWARDS: u8 = 0x01;
const TO_PROCESSOR: u8 = 0x02;
const FROM_PROCESSOR: u8 = 0x04;
pub(super) const TRANSPARENT: u8 = 0x08;
pub(super) const PATTERN: u8 = 0x40;
pub(super) const EXPAND: u8 = 0x80;
/// Bits of its extension (GR33).
const DWORD_ROWS: u8 = 0x01;
pub(super) const INVERT: u8 = 0x02;
const SOLID: u8 = 0x04;

/// Longest row of pixels that the processor sends, in bytes.
const LONGEST_ROW: usize = 8192;

/// What the registers say when a blit starts. Pitches, width and addresses are bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Order {
    pub(super) mode: u8,
    pub(super) extension: u8,
    pub(super) operation: u8,
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) to_pitch: usize,
    pub(super) from_pitch: usize,
    pub(super) to: usize,
    pub(super) from: usize,
    /// Colours, all four bytes.
    pub(super) background: u32,
    pub(super) foreground: u32,
    /// GR2F: pixels that are left out at the left edge; bytes with 24 bits a pixel.
    pub(super) skip: u8,
    /// GR34, GR35: the colour that is not drawn.
    pub(super) key: [u8; 2],
}

/// The engine. While it waits for the processor, whatever is written to video memory goes to it.
#[derive(Debug, Default)]
pub(super) struct Blitter {
    order: Order,
    /// What came from the processor for the row that is next.
    row: Vec<u8>,
    /// Bytes of a row from the processor.
    row_bytes: usize,
    /// Rows that are still to come.
    rows: usize,
}

impl Blitter {
    /// Whether it waits for the processor.
    pub(super) fn waits(&self) -> bool {
        self.rows > 0
    }

    /// Forgets what it was doing.
    pub(super) fn reset(&mut self) {
        self.rows = 0;
        self.row = Vec::new();
    }

    /// Carries out an order, or begins to wait for its pixels. What cannot be done is left undone.
    pub(super) fn start(&mut self, order: Order, memory: &VideoMemory, size: usize) {
        self.reset();
        let mut order = order;
        if order.mode & FROM_PROCESSOR != 0 {
            // What the processor sends comes forwards.
            order.mode &= !BACKWARDS;
        }
        let asks = |bits: u8| order.mode & bits == bits;
        // From memory to the processor is done by reading memory.
        if order.mode & TO_PROCESSOR != 0 {
            return;
        }
        let flags = TRANSPARENT | PATTERN | EXPAND;
        let work = Work { order, memory, size };
        if order.extension & SOLID != 0 && order.mode & flags == PATTERN | EXPAND {
            if work.target_fits() {
                work.fill();
            }
        } else if order.mode & (TRANSPARENT | EXPAND | PATTERN) == TRANSPARENT && order.pixel_bytes() > 2 {
            // A colour key needs 8 or 16 bits.
        } else if asks(FROM_PROCESSOR) {
            self.wait(order, work.target_fits());
        } else if asks(PATTERN) {
            work.pattern_in_memory();
        } else if asks(EXPAND) {
            if work.target_fits() && work.source_fits() {
                work.expand_from_memory();
            }
        } else if work.target_fits() && work.source_fits() {
            work.copy();
        }
    }

    fn wait(&mut self, order: Order, fits: bool) {
        let pixels = order.width / order.pixel_bytes();
        let (row_bytes, rows) = match (order.mode & PATTERN != 0, order.mode & EXPAND != 0) {
            (true, true) => (8, 1),
            // Rows of patterns with 24 bits have room for 32.
            (true, false) if order.pixel_bytes() == 3 => (256, 1),
            (true, false) => (64 * order.pixel_bytes(), 1),
            (false, true) if order.extension & DWORD_ROWS != 0 => (pixels.div_ceil(32) * 4, order.height),
            (false, true) => (pixels.div_ceil(8), order.height),
            (false, false) => (order.width.next_multiple_of(4), order.height),
        };
        if fits && (1..=LONGEST_ROW).contains(&row_bytes) {
            (self.order, self.row_bytes, self.rows) = (order, row_bytes, rows);
        }
    }

    /// A byte from the processor.
    pub(super) fn take(&mut self, byte: u8, memory: &VideoMemory, size: usize) {
        self.row.push(byte);
        if self.row.len() < self.row_bytes {
            return;
        }
        let row = std::mem::take(&mut self.row);
        // A pattern is for all rows; else each has its own pixels.
        let is_pattern = self.order.mode & PATTERN != 0;
        let height = if is_pattern { self.order.height } else { 1 };
        let order = Order { height, ..self.order };
        let work = Work { order, memory, size };
        if is_pattern {
            let first = order.from & 7;
            if order.mode & EXPAND != 0 {
                work.expand_pattern(&row, first);
            } else {
                work.pattern(&row, first);
            }
        } else if order.mode & EXPAND != 0 {
            work.expand(&mut row.iter().copied());
        } else {
            work.copy_row(&row);
        }
        self.order.to = self.order.to.wrapping_add(self.order.to_pitch) & (size - 1);
        self.rows -= 1;
        if self.rows > 0 {
            self.row = row;
            self.row.clear();
        }
    }
}

impl Order {
    /// Bytes of a pixel.
    pub(super) fn pixel_bytes(&self) -> usize {
        usize::from(self.mode >> 4 & 3) + 1
    }

    /// What is left out at the left edge: pixels, and bytes. With 24 bits a pixel it is given in bytes, except where
    /// both colours of a bit are drawn.
    pub(super) fn skipped(&self) -> (usize, usize) {
        let both_colors = self.mode & (EXPAND | TRANSPARENT) == EXPAND;
        if self.pixel_bytes() == 3 && !both_colors {
            let bytes = usize::from(self.skip & 0x1F);
            (bytes / 3, bytes)
        } else {
            let pixels = usize::from(self.skip & 7);
            (pixels, pixels * self.pixel_bytes())
        }
    }
}
