//! Cirrus Logic GD5446: what it has beyond a VGA. Windows 95 to XP have a driver for it of their own.
//!
//! ```text
//! ports 3C4h, 3C6h, 3CEh, 3D4h → registers ┬→ layout, cursor → Scene
//! BAR 1                        → registers ┴→ blitter → video memory
//! A0000h, BAR 0                → banks, or the blitter while it waits for the processor
//! ```
//!
//! Source: QEMU's device, by its behaviour and its published source. The chip's manual was not consulted: where QEMU and the
//! chip differ, this is QEMU's way unless a comment says otherwise.

mod blitter;
mod cursor;
mod drawing;
mod ports;
mod raster;
mod window;

#[cfg(test)]
mod tests;

pub(crate) use cursor::Cursor;

use super::layout::{Layout, MAX_HEIGHT, MAX_WIDTH};
use super::registers::{Registers, crtc};
use crate::video::memory::VideoMemory;
use blitter::{Blitter, Order};

/// Bytes of video memory.
pub(super) const SIZE: usize = 4 << 20;

/// Sequencer registers.
mod sr {
    pub(super) const UNLOCK: usize = 0x06;
    /// Bit 0: packed pixels. Bits 1–3: how wide they are.
    pub(super) const MODE: usize = 0x07;
    pub(super) const MEMORY: usize = 0x0F;
    pub(super) const CURSOR_X: usize = 0x10;
    pub(super) const CURSOR_Y: usize = 0x11;
    /// Bit 0: shown. Bit 1: the palette's ports lead to its colours. Bit 2: 64 by 64 pixels.
    pub(super) const CURSOR: usize = 0x12;
    pub(super) const PATTERN: usize = 0x13;
    pub(super) const CONFIGURATION: usize = 0x15;
    /// Bits 2, 6: the blitter's registers are in memory: at B8000h, or at the end of the linear window.
    pub(super) const CONTROL: usize = 0x17;
    pub(super) const CLOCK: usize = 0x1F;
}

/// Graphics registers.
mod gr {
    pub(super) const MODE: usize = 0x05;
    pub(super) const BANK: usize = 0x09;
    /// Bit 0: two banks. Bit 1: eight bytes an address. Bit 2: write modes 4 and 5. Bit 4: 16 bits a pixel there.
    /// Bit 5: banks of 16 KiB, else of 4 KiB.
    pub(super) const BANKING: usize = 0x0B;
    pub(super) const WIDTH: usize = 0x20;
    pub(super) const HEIGHT: usize = 0x22;
    pub(super) const TO_PITCH: usize = 0x24;
    pub(super) const FROM_PITCH: usize = 0x26;
    pub(super) const TO: usize = 0x28;
    pub(super) const FROM: usize = 0x2C;
    pub(super) const SKIP: usize = 0x2F;
    pub(super) const BLT_MODE: usize = 0x30;
    pub(super) const BLT: usize = 0x31;
    pub(super) const OPERATION: usize = 0x32;
    pub(super) const EXTENSION: usize = 0x33;
    pub(super) const KEY: usize = 0x34;
    pub(super) const COUNT: usize = 0x3A;
}

/// Bits of [`gr::BLT`].
const BUSY: u8 = 0x01;
const START: u8 = 0x02;
const RESET: u8 = 0x04;
const BUFFER_USED: u8 = 0x10;
const AUTOSTART: u8 = 0x80;

/// CRTC registers beyond the VGA's.
mod cr {
    pub(super) const INTERLACE: usize = 0x1A;
    pub(super) const EXTENDED: usize = 0x1B;
    pub(super) const OVERLAY: usize = 0x1D;
    pub(super) const IDENTITY: usize = 0x27;
    pub(super) const COUNT: usize = 0x40;
}

/// The chip, as CR27 says it.
const GD5446: u8 = 0xB8;

/// The registers beyond the VGA's, and the blitter.
#[derive(Debug)]
pub(super) struct Cirrus {
    sequencer_index: u8,
    graphics_index: u8,
    crtc_index: u8,
    sequencer: [u8; 0x20],
    graphics: [u8; gr::COUNT],
    crtc: [u8; cr::COUNT],
    cursor: (u32, u32),
    cursor_palette: [[u8; 3]; 16],
    /// Reads of port 3C6h in a row: after four, the next access is of the hidden register.
    dac_reads: u8,
    hidden_dac: u8,
    blitter: Blitter,
}

impl Cirrus {
    /// As after power-on.
    pub(super) fn new() -> Self {
        let mut cirrus = Cirrus {
            sequencer_index: 0,
            graphics_index: 0,
            crtc_index: 0,
            sequencer: [0; 0x20],
            graphics: [0; gr::COUNT],
            crtc: [0; cr::COUNT],
            cursor: (0, 0),
            cursor_palette: [[0; 3]; 16],
            dac_reads: 5,
            hidden_dac: 0,
            blitter: Blitter::default(),
        };
        cirrus.sequencer[sr::UNLOCK] = 0x0F;
        cirrus.sequencer[sr::MEMORY] = 0x98;
        cirrus.sequencer[sr::CONFIGURATION] = 0x04; // 4 MiB
        cirrus.sequencer[sr::CONTROL] = 0x20; // on PCI
        cirrus.sequencer[sr::CLOCK] = 0x2D;
        cirrus.graphics[0x18] = 0x0F;
        cirrus.crtc[cr::IDENTITY] = GD5446;
        cirrus
    }

    /// Whether video memory holds packed pixels: then the window at A0000h shows banks.
    pub(super) fn is_packed(&self) -> bool {
        self.sequencer[sr::MODE] & 1 != 0
    }

    /// Bits a pixel.
    fn bits(&self) -> u32 {
        let high_color = if self.hidden_dac & 0x0F == 0 { 15 } else { 16 };
        match self.sequencer[sr::MODE] & 0x0E {
            0x02 | 0x06 => high_color,
            0x04 => 24,
            0x08 => 32,
            _ => 8,
        }
    }

    /// The mode that is shown, if it is one of packed pixels.
    pub(super) fn layout(&self, registers: &Registers) -> Option<Layout> {
        if !self.is_packed() || !registers.is_graphics() || self.graphics[gr::MODE] & 0x40 == 0 {
            return None;
        }
        let bits = self.bits();
        let width = (u32::from(registers.crtc[crtc::H_DISPLAY_END]) + 1) * 8;
        let rows = registers.displayed_rows() << (self.crtc[cr::INTERLACE] & 1);
        let extended = self.crtc[cr::EXTENDED];
        let pitch = registers.row_bytes() | u32::from(extended & 0x10) << 7;
        let start = registers.start_address()
            | u32::from(extended & 0x01) << 16
            | u32::from(extended & 0x0C) << 15
            | u32::from(self.crtc[cr::OVERLAY] & 0x80) << 12;
        let max_scan = u32::from(registers.crtc[crtc::MAX_SCAN]);
        Some(Layout {
            width: width.min(MAX_WIDTH),
            height: rows.min(MAX_HEIGHT),
            bits,
            row_bytes: pitch,
            start: start * 4,
            repeat: ((max_scan & 0x1F) + 1) << (max_scan >> 7),
            split: registers.line_compare(),
            memory: u32::try_from(SIZE).unwrap_or(u32::MAX),
        })
    }

    /// The cursor that is shown over packed pixels.
    pub(super) fn cursor(&self, memory: &VideoMemory) -> Option<Cursor> {
        let control = self.sequencer[sr::CURSOR];
        if control & 1 == 0 || !self.is_packed() {
            return None;
        }
        let large = control & 4 != 0;
        let number = self.sequencer[sr::PATTERN] & if large { 0x3C } else { 0x3F };
        let color = |index: usize| {
            let [red, green, blue] = self.cursor_palette[index].map(|part| {
                let part = part & 0x3F;
                part << 2 | (part & 1) << 1 | part & 1
            });
            u32::from_be_bytes([0, red, green, blue])
        };
        let colors = [color(0), color(15)];
        Some(Cursor::read(memory, SIZE, number, large, self.cursor, colors))
    }

    fn end_blit(&mut self) {
        self.blitter.reset();
        self.graphics[gr::BLT] &= !(START | BUSY | BUFFER_USED);
    }

    fn start_blit(&mut self, memory: &VideoMemory) {
        let word = |index: usize| usize::from(self.graphics[index]) | usize::from(self.graphics[index + 1]) << 8;
        let address = |index: usize| (word(index) | usize::from(self.graphics[index + 2]) << 16) & (SIZE - 1);
        let color = |low: usize| {
            let parts = [low, low + 0x10, low + 0x12, low + 0x14];
            let color = u32::from_le_bytes(parts.map(|index| self.graphics[index]));
            let bytes = u32::from(self.graphics[gr::BLT_MODE] >> 4 & 3) + 1;
            color & u32::MAX >> (32 - 8 * bytes)
        };
        let order = Order {
            mode: self.graphics[gr::BLT_MODE],
            extension: self.graphics[gr::EXTENSION],
            operation: self.graphics[gr::OPERATION],
            width: word(gr::WIDTH) + 1,
            height: word(gr::HEIGHT) + 1,
            to_pitch: word(gr::TO_PITCH),
            from_pitch: word(gr::FROM_PITCH),
            to: address(gr::TO),
            from: address(gr::FROM),
            background: color(0),
            foreground: color(1),
            skip: self.graphics[gr::SKIP],
            key: [self.graphics[gr::KEY], self.graphics[gr::KEY + 1]],
        };
        self.graphics[gr::BLT] |= BUSY;
        self.blitter.start(order, memory, SIZE);
        if !self.blitter.waits() {
            self.end_blit();
        }
    }
}
