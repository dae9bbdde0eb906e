//! The blitter: copies and fills rectangles of video memory with one of sixteen raster operations, expands bits to
//! pixels, and takes pixels from the processor.
//! Source: Cirrus Logic CL-GD5446 Technical Reference Manual, "BitBLT engine"; where that leaves things open, QEMU's
//! device decides, which the drivers of old systems were run on most in the last twenty years.

use super::raster::{Operation, operation};
use crate::kvm::Region;

/// Bits of the mode register (GR30).
const BACKWARDS: u8 = 0x01;
const TO_PROCESSOR: u8 = 0x02;
const FROM_PROCESSOR: u8 = 0x04;
const TRANSPARENT: u8 = 0x08;
const PATTERN: u8 = 0x40;
const EXPAND: u8 = 0x80;
/// Bits of its extension (GR33).
const DWORD_ROWS: u8 = 0x01;
const INVERT: u8 = 0x02;
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
    /// Bits a pixel of the mode that is shown.
    pub(super) shown_bits: u32,
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
    pub(super) fn start(&mut self, order: Order, memory: &Region, size: usize) {
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
    pub(super) fn take(&mut self, byte: u8, memory: &Region, size: usize) {
        self.row.push(byte);
        if self.row.len() < self.row_bytes {
            return;
        }
        let row = std::mem::take(&mut self.row);
        let order = Order {
            height: 1,
            ..self.order
        };
        let work = Work { order, memory, size };
        if order.mode & PATTERN != 0 {
            let order = self.order;
            let work = Work { order, memory, size };
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
    fn pixel_bytes(&self) -> usize {
        usize::from(self.mode >> 4 & 3) + 1
    }

    /// What is left out at the left edge: pixels, and bytes. With 24 bits a pixel it is given in bytes, except where
    /// both colours of a bit are drawn.
    fn skipped(&self) -> (usize, usize) {
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

/// An order that is carried out.
struct Work<'a> {
    order: Order,
    memory: &'a Region,
    /// Bytes of video memory, a power of two.
    size: usize,
}

impl Work<'_> {
    fn backwards(&self) -> bool {
        let flags = PATTERN | EXPAND;
        self.order.mode & (BACKWARDS | flags) == BACKWARDS
    }

    /// Whether `height` rows from `start` lie in video memory.
    fn fits(&self, start: usize, pitch: usize) -> bool {
        let rows = (self.order.height - 1) * pitch;
        if self.backwards() {
            start < self.size && rows + self.order.width <= start + 1
        } else {
            start + rows + self.order.width <= self.size
        }
    }

    fn target_fits(&self) -> bool {
        self.order.to_pitch != 0 && self.fits(self.order.to, self.order.to_pitch)
    }

    fn source_fits(&self) -> bool {
        self.order.from_pitch != 0 && self.fits(self.order.from, self.order.from_pitch)
    }

    /// Reads a row of the target, lets `draw` change it, and writes it back.
    fn on_row(&self, row: usize, draw: impl FnOnce(&mut [u8])) {
        // A last pixel that the width cuts is drawn whole.
        let bytes = self.order.width.next_multiple_of(self.order.pixel_bytes()) + 2;
        let start = self.order.to + row * self.order.to_pitch;
        let bytes = bytes.min(self.size.saturating_sub(start));
        let mut target = vec![0; bytes];
        self.memory.read(start, &mut target);
        draw(&mut target);
        self.memory.write(start, &target);
    }

    fn fill(&self) {
        let operation = operation(self.order.operation);
        for row in 0..self.order.height {
            self.on_row(row, |target| {
                for x in (0..self.order.width).step_by(self.order.pixel_bytes()) {
                    self.put(target, x, self.order.foreground, operation);
                }
            });
        }
    }

    /// Draws a pixel at byte `x` of a row.
    fn put(&self, target: &mut [u8], x: usize, color: u32, operation: Operation) {
        let color = color.to_le_bytes();
        let pixel = target.iter_mut().skip(x).take(self.order.pixel_bytes());
        for (to, from) in pixel.zip(color) {
            *to = operation(*to, from);
        }
    }

    /// A pattern of 8 by 8 pixels, or bits, in memory.
    fn pattern_in_memory(&self) {
        if !self.target_fits() {
            return;
        }
        let bytes = match self.order.shown_bits {
            8 => 64,
            15 | 16 => 128,
            _ => 256,
        };
        // It is aligned to the size that patterns have in the mode that is shown, even if it is larger.
        let start = self.order.from & !(bytes - 1);
        let mut pattern = vec![0; 256.min(self.size - start)];
        self.memory.read(start, &mut pattern);
        if self.order.mode & EXPAND != 0 {
            self.expand_pattern(&pattern, 0);
        } else {
            self.pattern(&pattern, 0);
        }
    }

    /// Row `first` of the pattern comes first.
    fn pattern(&self, pattern: &[u8], first: usize) {
        let operation = operation(self.order.operation);
        let bytes = self.order.pixel_bytes();
        // Rows of patterns with 24 bits have room for 32.
        let pitch = if bytes == 3 { 32 } else { 8 * bytes };
        let (skipped, start) = self.order.skipped();
        for row in 0..self.order.height {
            self.on_row(row, |target| {
                for (column, x) in (skipped..).zip((start..self.order.width).step_by(bytes)) {
                    let at = ((row + first) & 7) * pitch + (column & 7) * bytes;
                    let mut color = [0; 4];
                    for (to, from) in color.iter_mut().zip(pattern.iter().skip(at).take(bytes)) {
                        *to = *from;
                    }
                    self.put(target, x, u32::from_le_bytes(color), operation);
                }
            });
        }
    }

    /// The colour of a bit; `None` where nothing is drawn.
    fn color(&self, bit: bool) -> Option<u32> {
        let order = &self.order;
        if order.mode & TRANSPARENT == 0 {
            return Some(if bit { order.foreground } else { order.background });
        }
        let invert = order.extension & INVERT != 0;
        let color = if invert { order.background } else { order.foreground };
        (bit != invert).then_some(color)
    }

    fn expand_pattern(&self, pattern: &[u8], first: usize) {
        let operation = operation(self.order.operation);
        let (skipped, start) = self.order.skipped();
        for row in 0..self.order.height {
            let bits = pattern.get((row + first) & 7).copied().unwrap_or(0);
            self.on_row(row, |target| {
                let places = (start..self.order.width).step_by(self.order.pixel_bytes());
                for (column, x) in (skipped..).zip(places) {
                    if let Some(color) = self.color(bits << (column & 7) & 0x80 != 0) {
                        self.put(target, x, color, operation);
                    }
                }
            });
        }
    }

    fn expand_from_memory(&self) {
        let mut at = self.order.from;
        let mut bytes = std::iter::from_fn(|| {
            let mut byte = [0];
            self.memory.read(at & (self.size - 1), &mut byte);
            at += 1;
            Some(byte[0])
        });
        self.expand(&mut bytes);
    }

    /// Each row begins with a byte of its own.
    fn expand(&self, source: &mut impl Iterator<Item = u8>) {
        let operation = operation(self.order.operation);
        let (skipped, start) = self.order.skipped();
        for row in 0..self.order.height {
            self.on_row(row, |target| {
                let mut bits = source.next().unwrap_or(0);
                let mut mask = 0x80u8.checked_shr(u32::try_from(skipped).unwrap_or(8)).unwrap_or(0);
                for x in (start..self.order.width).step_by(self.order.pixel_bytes()) {
                    if mask == 0 {
                        mask = 0x80;
                        bits = source.next().unwrap_or(0);
                    }
                    if let Some(color) = self.color(bits & mask != 0) {
                        self.put(target, x, color, operation);
                    }
                    mask >>= 1;
                }
            });
        }
    }

    fn copy_row(&self, source: &[u8]) {
        self.on_row(0, |target| {
            let width = self.order.width;
            let mut both = [target.get(..width).unwrap_or_default(), source].concat();
            self.combine(&mut both, 0, width);
            if let (Some(to), Some(from)) = (target.get_mut(..width), both.get(..width)) {
                to.copy_from_slice(from);
            }
        });
    }

    fn copy(&self) {
        let order = &self.order;
        // A row that is longer than the pitch would run into the next one: the engine does not begin.
        if !self.backwards() && order.height > 1 && (order.to_pitch < order.width || order.from_pitch < order.width) {
            return;
        }
        for row in 0..order.height {
            let (mut to, mut from) = if self.backwards() {
                // Addresses are those of the last byte.
                let first = |last: usize, pitch: usize| last + 1 - order.width - row * pitch;
                (first(order.to, order.to_pitch), first(order.from, order.from_pitch))
            } else {
                (order.to + row * order.to_pitch, order.from + row * order.from_pitch)
            };
            let target = to;
            let mut both;
            if to.abs_diff(from) < order.width {
                // What was just written is read again.
                let start = to.min(from);
                both = vec![0; to.max(from) - start + order.width];
                self.memory.read(start, &mut both);
                (to, from) = (to - start, from - start);
            } else {
                both = vec![0; 2 * order.width];
                let (left, right) = both.split_at_mut(order.width);
                self.memory.read(to, left);
                self.memory.read(from, right);
                (to, from) = (0, order.width);
            }
            self.combine(&mut both, to, from);
            let drawn = both.get(to..to + order.width).unwrap_or_default();
            self.memory.write(target, drawn);
        }
    }

    /// Combines a row at `from` in `bytes` with the one at `to`, in the order in which the engine goes over them.
    fn combine(&self, bytes: &mut [u8], to: usize, from: usize) {
        let operation = operation(self.order.operation);
        let unit = if self.order.mode & TRANSPARENT != 0 {
            self.order.pixel_bytes()
        } else {
            1
        };
        let width = self.order.width;
        let mut one = |x: usize| {
            let mut pixel = [0; 2];
            for (part, at) in pixel.iter_mut().zip(x..x + unit) {
                if let (Some(target), Some(source)) = (bytes.get(to + at), bytes.get(from + at)) {
                    *part = operation(*target, *source);
                }
            }
            let drawn = pixel.get(..unit).unwrap_or_default();
            if self.order.mode & TRANSPARENT != 0 && self.order.key.get(..unit) == Some(drawn) {
                return;
            }
            for (part, at) in drawn.iter().zip(x..width) {
                if let Some(target) = bytes.get_mut(to + at) {
                    *target = *part;
                }
            }
        };
        if self.backwards() {
            (0..width)
                .rev()
                .step_by(unit)
                .for_each(|x| one((x + 1).saturating_sub(unit)));
        } else {
            (0..width).step_by(unit).for_each(one);
        }
    }
}
