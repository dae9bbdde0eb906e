//! Pictures of the screen: a pure function of the registers and a copy of video memory.

mod linear;
mod planar;
mod text;

use super::Frame;
use super::cirrus::Cursor;
use super::layout::{Layout, MAX_HEIGHT, MAX_WIDTH};
use super::registers::{Registers, attribute};

/// Size of the picture while the registers describe none, as before the firmware has set a mode.
const NO_MODE: (u32, u32) = (720, 400);

/// Everything the picture depends on.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub(super) registers: Registers,
    /// The linear mode, if one is on.
    pub(super) layout: Option<Layout>,
    /// The hardware cursor over a linear mode.
    pub(super) cursor: Option<Cursor>,
    pub(super) dac_8bit: bool,
    /// In a linear mode the pixels, one row behind the other; else the first 256 KiB, the planes interleaved.
    pub(super) memory: Vec<u8>,
    /// The blinking cursor is in its visible phase.
    pub cursor_shown: bool,
    /// Blinking characters are in their visible phase.
    pub blink_shown: bool,
}

impl Snapshot {
    /// Draws the picture.
    pub fn render(&self) -> Frame {
        if let Some(layout) = &self.layout {
            return if !self.registers.screen_on() {
                Frame::black(layout.width, layout.height)
            } else if layout.bits == 4 {
                planar::render_linear(self, layout)
            } else {
                let mut frame = linear::render(self, layout);
                if let Some(cursor) = &self.cursor {
                    cursor.draw(&mut frame);
                }
                frame
            };
        }
        let size = if self.registers.is_graphics() {
            planar::size(&self.registers)
        } else {
            text::size(&self.registers)
        };
        let (width, height) = match size {
            // Passing states while a mode is being set.
            (0..=15, _) | (_, 0..=15) => NO_MODE,
            (width, height) => (width.min(MAX_WIDTH), height.min(MAX_HEIGHT)),
        };
        if !self.registers.screen_on() {
            return Frame::black(width, height);
        }
        if self.registers.is_graphics() {
            planar::render(self, width, height)
        } else {
            text::render(self, width, height)
        }
    }

    /// The colour of a palette entry.
    fn color(&self, index: u8) -> u32 {
        let [red, green, blue] = self.registers.palette[usize::from(index & self.registers.pel_mask)];
        // 6 bits become 8 the way QEMU does it: the lowest bit fills the two new ones.
        let expand = |part: u8| {
            if self.dac_8bit {
                part
            } else {
                let low = part & 1;
                part << 2 | low << 1 | low
            }
        };
        u32::from_be_bytes([0, expand(red), expand(green), expand(blue)])
    }

    /// The colours of the 16 attribute codes.
    fn palette16(&self) -> [u32; 16] {
        let select = self.registers.attribute[attribute::COLOR_SELECT];
        let whole = self.registers.attribute[attribute::MODE] & 0x80 != 0;
        std::array::from_fn(|code| {
            let entry = self.registers.attribute[code];
            self.color(if whole {
                (select & 0x0F) << 4 | (entry & 0x0F)
            } else {
                (select & 0x0C) << 4 | (entry & 0x3F)
            })
        })
    }

    fn palette256(&self) -> [u32; 256] {
        let mut index = 0u8;
        [(); 256].map(|()| {
            let color = self.color(index);
            index = index.wrapping_add(1);
            color
        })
    }

    /// The byte at `address` of the 256 KiB, which repeat.
    fn byte(&self, address: u32) -> u8 {
        let address = usize::try_from(address & 0x3_FFFF).unwrap_or(0);
        self.memory.get(address).copied().unwrap_or(0)
    }

    /// The four planes at plane offset `offset`.
    fn planes(&self, offset: u32) -> [u8; 4] {
        let address = usize::try_from(offset & 0xFFFF).unwrap_or(0) * 4;
        let bytes = self.memory.get(address..address + 4);
        bytes.and_then(|bytes| bytes.try_into().ok()).unwrap_or([0; 4])
    }
}
