//! What the blitter draws: copies, fills, patterns, bits that become pixels.

use super::blitter::{BACKWARDS, EXPAND, INVERT, Order, PATTERN, TRANSPARENT};
use super::raster::{Operation, operation};
use crate::video::memory::VideoMemory;

/// An order that is carried out.
pub(super) struct Work<'a> {
    pub(super) order: Order,
    pub(super) memory: &'a VideoMemory,
    /// Bytes of video memory, a power of two.
    pub(super) size: usize,
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

    pub(super) fn target_fits(&self) -> bool {
        self.order.to_pitch != 0 && self.fits(self.order.to, self.order.to_pitch)
    }

    pub(super) fn source_fits(&self) -> bool {
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

    pub(super) fn fill(&self) {
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
    pub(super) fn pattern_in_memory(&self) {
        if !self.target_fits() {
            return;
        }
        let bytes = match (self.order.mode & EXPAND, self.order.pixel_bytes()) {
            (0, 1) => 64,
            (0, 2) => 128,
            (0, _) => 256,
            _ => 8,
        };
        // It is aligned to its size; the lowest bits of the address say which row comes first. (QEMU begins with the
        // first row, and aligns to the size that patterns have in the mode that is shown; drivers go by the chip.)
        let start = self.order.from & !(bytes - 1);
        let first = self.order.from & 7;
        let mut pattern = vec![0; bytes];
        self.memory.read(start, &mut pattern);
        if self.order.mode & EXPAND != 0 {
            self.expand_pattern(&pattern, first);
        } else {
            self.pattern(&pattern, first);
        }
    }

    /// Row `first` of the pattern comes first.
    pub(super) fn pattern(&self, pattern: &[u8], first: usize) {
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

    pub(super) fn expand_pattern(&self, pattern: &[u8], first: usize) {
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

    pub(super) fn expand_from_memory(&self) {
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
    pub(super) fn expand(&self, source: &mut impl Iterator<Item = u8>) {
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

    pub(super) fn copy_row(&self, source: &[u8]) {
        self.on_row(0, |target| {
            let width = self.order.width;
            let mut both = [target.get(..width).unwrap_or_default(), source].concat();
            self.combine(&mut both, 0, width);
            if let (Some(to), Some(from)) = (target.get_mut(..width), both.get(..width)) {
                to.copy_from_slice(from);
            }
        });
    }

    pub(super) fn copy(&self) {
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
