//! How the processor sees video memory: in banks at A0000h, whole behind BAR 0; and the blitter's registers there.

use super::{Cirrus, SIZE, gr, sr};
use crate::video::memory::VideoMemory;

impl Cirrus {
    /// Whether video memory is plain memory to the processor.
    pub(in crate::video) fn is_plain(&self) -> bool {
        let banking = self.graphics[gr::BANKING];
        let expands = banking & 4 != 0 && matches!(self.graphics[gr::MODE] & 7, 4 | 5);
        !self.blitter.waits()
            && !expands
            && banking & 2 == 0
            && banking & 0x14 != 0x14
            && self.sequencer[sr::CONTROL] & 0x44 != 0x44
    }

    /// Where the window at A0000h shows video memory, if that is in one piece of 64 KiB.
    pub(in crate::video) fn window(&self) -> Option<usize> {
        let start = self.bank(0)?;
        let single = self.graphics[gr::BANKING] & 1 == 0;
        (single && self.is_plain() && start + 0x1_0000 <= SIZE).then_some(start)
    }

    /// Where half `half` of the window begins.
    fn bank(&self, half: usize) -> Option<usize> {
        let banking = self.graphics[gr::BANKING];
        let dual = banking & 1 != 0;
        let number = usize::from(self.graphics[gr::BANK + if dual { half } else { 0 }]);
        let start = number << if banking & 0x20 != 0 { 14 } else { 12 };
        let start = if dual { start } else { start + half * 0x8000 };
        (start < SIZE).then_some(start)
    }

    /// An address in memory as the processor's writes and reads reach it.
    fn address(&self, address: usize) -> usize {
        let banking = self.graphics[gr::BANKING];
        let shift = if banking & 0x14 == 0x14 {
            4
        } else if banking & 2 != 0 {
            3
        } else {
            0
        };
        (address << shift) & (SIZE - 1)
    }

    /// Reads the window at A0000h.
    pub(in crate::video) fn read_window(&self, offset: u64, memory: &VideoMemory) -> u8 {
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        match offset {
            0..0x1_0000 => self.in_bank(offset).map_or(0xFF, |address| read(memory, address)),
            0x1_8000..0x1_8100 if self.sequencer[sr::CONTROL] & 0x44 == 0x04 => self.read_blitter(offset & 0xFF),
            _ => 0xFF,
        }
    }

    fn in_bank(&self, offset: usize) -> Option<usize> {
        let start = self.bank(offset >> 15)?;
        let address = start + (offset & 0x7FFF);
        (address < SIZE).then(|| self.address(address))
    }

    /// Writes to the window at A0000h.
    pub(in crate::video) fn write_window(&mut self, offset: u64, value: u8, memory: &VideoMemory) {
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        match offset {
            0..0x1_0000 if self.blitter.waits() => self.feed(value, memory),
            0..0x1_0000 => {
                if let Some(address) = self.in_bank(offset) {
                    self.write_pixels(address, value, memory);
                }
            }
            0x1_8000..0x1_8100 if self.sequencer[sr::CONTROL] & 0x44 == 0x04 => {
                self.write_blitter(offset & 0xFF, value, memory);
            }
            _ => {}
        }
    }

    /// The blitter's registers at the end of the linear window.
    fn blitter_at_end(&self, offset: usize) -> Option<usize> {
        let there = self.sequencer[sr::CONTROL] & 0x44 == 0x44 && offset >= SIZE - 256;
        there.then_some(offset & 0xFF)
    }

    /// Reads the linear window (BAR 0).
    pub(in crate::video) fn read_linear(&self, offset: u64, memory: &VideoMemory) -> u8 {
        let offset = usize::try_from(offset).unwrap_or(0) & (SIZE - 1);
        match self.blitter_at_end(offset) {
            Some(register) => self.read_blitter(register),
            None => read(memory, self.address(offset)),
        }
    }

    /// Writes to the linear window (BAR 0).
    pub(in crate::video) fn write_linear(&mut self, offset: u64, value: u8, memory: &VideoMemory) {
        let offset = usize::try_from(offset).unwrap_or(0) & (SIZE - 1);
        if let Some(register) = self.blitter_at_end(offset) {
            self.write_blitter(register, value, memory);
        } else if self.blitter.waits() {
            self.feed(value, memory);
        } else {
            self.write_pixels(self.address(offset), value, memory);
        }
    }

    /// Whether a blit waits for pixels from the processor. What an access has beyond the last of them is dropped.
    pub(in crate::video) fn waits(&self) -> bool {
        self.blitter.waits()
    }

    /// Takes a byte where only the blitter does.
    pub(in crate::video) fn write_pixel(&mut self, value: u8, memory: &VideoMemory) {
        if self.blitter.waits() {
            self.feed(value, memory);
        }
    }

    /// In write modes 4 and 5 a byte is eight pixels of two colours.
    fn write_pixels(&self, address: usize, value: u8, memory: &VideoMemory) {
        let banking = self.graphics[gr::BANKING];
        let mode = self.graphics[gr::MODE] & 7;
        if banking & 4 == 0 || !matches!(mode, 4 | 5) {
            memory.write(address, &[value]);
            return;
        }
        let wide = banking & 0x14 == 0x14;
        let color = |bit: bool| {
            let [low, high] = if bit { [0x01, 0x11] } else { [0x00, 0x10] };
            [self.graphics[low], self.graphics[high]]
        };
        for pixel in 0..8 {
            let bit = value << pixel & 0x80 != 0;
            if !bit && mode == 4 {
                continue;
            }
            if wide {
                memory.write((address + 2 * pixel) & (SIZE - 2), &color(bit));
            } else {
                memory.write((address + pixel) & (SIZE - 1), &color(bit)[..1]);
            }
        }
    }

    fn feed(&mut self, value: u8, memory: &VideoMemory) {
        self.blitter.take(value, memory, SIZE);
        if !self.blitter.waits() {
            self.end_blit();
        }
    }
}

fn read(memory: &VideoMemory, address: usize) -> u8 {
    let mut byte = [0xFF];
    memory.read(address, &mut byte);
    byte[0]
}
