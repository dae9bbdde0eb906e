//! The Bochs VBE registers (DISPI): an index port and a data port, 16 bits wide, that set linear modes.
//! Source: the VBE interface description of the Bochs VGA BIOS.

use super::layout::{self, Layout};

/// Register indices.
pub(super) const ID: u16 = 0;
pub(super) const XRES: u16 = 1;
pub(super) const YRES: u16 = 2;
pub(super) const BPP: u16 = 3;
pub(super) const ENABLE: u16 = 4;
pub(super) const BANK: u16 = 5;
pub(super) const VIRT_WIDTH: u16 = 6;
pub(super) const VIRT_HEIGHT: u16 = 7;
pub(super) const X_OFFSET: u16 = 8;
pub(super) const Y_OFFSET: u16 = 9;
/// Size of video memory in units of 64 KiB.
pub(super) const VIDEO_MEMORY_64K: u16 = 10;

const REGISTERS: usize = 10;

/// Bits of [`ENABLE`].
pub(super) const ENABLED: u16 = 0x01;
const GET_CAPABILITIES: u16 = 0x02;
const DAC_8BIT: u16 = 0x20;
pub(super) const NO_CLEAR: u16 = 0x80;

/// Widest and highest mode offered.
const MAX_WIDTH: u16 = layout::MAX_WIDTH as u16;
const MAX_HEIGHT: u16 = layout::MAX_HEIGHT as u16;

/// Identities: the oldest interface to the newest.
const ID_FIRST: u16 = 0xB0C0;
const ID_LAST: u16 = 0xB0C5;

/// The registers as the guest wrote them.
#[derive(Clone, Debug)]
pub(super) struct Vbe {
    pub(super) index: u16,
    registers: [u16; REGISTERS],
    /// Bytes of video memory.
    memory: u32,
}

impl Vbe {
    pub(super) fn new(memory: u32) -> Self {
        let mut vbe = Vbe {
            index: 0,
            registers: [0; REGISTERS],
            memory,
        };
        vbe.registers[usize::from(ID)] = ID_LAST;
        vbe
    }

    fn register(&self, index: u16) -> u16 {
        self.registers.get(usize::from(index)).copied().unwrap_or(0)
    }

    fn set(&mut self, index: u16, value: u16) {
        if let Some(register) = self.registers.get_mut(usize::from(index)) {
            *register = value;
        }
    }

    /// Whether a linear mode is on.
    pub(super) fn enabled(&self) -> bool {
        self.register(ENABLE) & ENABLED != 0
    }

    /// Whether palette entries have 8 bits instead of 6.
    pub(super) fn dac_8bit(&self) -> bool {
        self.register(ENABLE) & DAC_8BIT != 0
    }

    /// Where the window at A0000h shows video memory, in bytes.
    pub(super) fn bank_offset(&self) -> usize {
        if self.enabled() {
            usize::from(self.register(BANK)) << 16
        } else {
            0
        }
    }

    /// Reads register `index`.
    pub(super) fn read(&self, index: u16) -> u16 {
        if index == VIDEO_MEMORY_64K {
            return u16::try_from(self.memory >> 16).unwrap_or(u16::MAX);
        }
        if self.register(ENABLE) & GET_CAPABILITIES != 0 {
            match index {
                XRES => return MAX_WIDTH,
                YRES => return MAX_HEIGHT,
                BPP => return 32,
                _ => {}
            }
        }
        match (index, self.layout()) {
            // While a mode is on, these tell what is really there.
            (VIRT_WIDTH, Some(layout)) => low(virtual_width(&layout)),
            (VIRT_HEIGHT, Some(layout)) => low(self.memory / layout.row_bytes),
            _ => self.register(index),
        }
    }

    /// Writes register `index`. True if that turned a mode on: the caller sets the VGA up for it, and clears the
    /// picture unless `NO_CLEAR` is written.
    pub(super) fn write(&mut self, index: u16, value: u16) -> bool {
        match index {
            ID if (ID_FIRST..=ID_LAST).contains(&value) => self.set(ID, value),
            XRES if value <= MAX_WIDTH => self.set(XRES, value & !7),
            YRES if value <= MAX_HEIGHT => self.set(YRES, value),
            BPP => self.set(BPP, if value == 0 { 8 } else { value }),
            BANK => {
                let banks = self.memory >> 16;
                if u32::from(value) < banks {
                    self.set(BANK, value);
                }
            }
            VIRT_WIDTH | X_OFFSET | Y_OFFSET => self.set(index, value),
            ENABLE => {
                let turned_on = value & ENABLED != 0 && !self.enabled();
                if turned_on {
                    for index in [VIRT_WIDTH, X_OFFSET, Y_OFFSET] {
                        self.set(index, 0);
                    }
                }
                if value & ENABLED == 0 {
                    self.set(BANK, 0);
                }
                self.set(ENABLE, value);
                return turned_on;
            }
            _ => {}
        }
        false
    }

    /// The mode that is on, with everything a guest may get wrong brought into range. `None` if none is.
    pub(super) fn layout(&self) -> Option<Layout> {
        if !self.enabled() {
            return None;
        }
        let bits = match self.register(BPP) {
            bits @ (4 | 8 | 15 | 16 | 24 | 32) => u32::from(bits),
            _ => 8,
        };
        let width = u32::from(self.register(XRES)).clamp(8, u32::from(MAX_WIDTH));
        // A row may be wider than the picture, but no wider than 16 bits say.
        let virtual_width = (u32::from(self.register(VIRT_WIDTH)) & !7).max(width);
        let row_bytes = match bits {
            4 => virtual_width / 2,
            _ => virtual_width * bits.div_ceil(8),
        };
        let virtual_height = self.memory / row_bytes;
        let height = u32::from(self.register(YRES))
            .clamp(1, u32::from(MAX_HEIGHT))
            .min(virtual_height);
        let x = u32::from(self.register(X_OFFSET)).min(virtual_width - width);
        let y = u32::from(self.register(Y_OFFSET)).min(virtual_height - height);
        let x_bytes = match bits {
            // 8 pixels are 4 bytes: one in each plane.
            4 => x / 8 * 4,
            _ => x * bits.div_ceil(8),
        };
        Some(Layout {
            width,
            height,
            bits,
            row_bytes,
            start: y * row_bytes + x_bytes,
            repeat: 1,
            split: u32::MAX,
            memory: self.memory,
        })
    }
}

/// Pixels between two rows.
fn virtual_width(layout: &Layout) -> u32 {
    match layout.bits {
        4 => layout.row_bytes * 2,
        bits => layout.row_bytes / bits.div_ceil(8),
    }
}

fn low(value: u32) -> u16 {
    u16::try_from(value).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MEMORY: u32 = 16 << 20;

    #[test]
    fn a_mode_is_set_as_the_vga_bios_does() {
        let mut vbe = Vbe::new(MEMORY);
        assert_eq!(vbe.read(ID), 0xB0C5);
        vbe.write(ID, 0xB0C4);
        assert_eq!(vbe.read(ID), 0xB0C4);
        assert_eq!(vbe.read(VIDEO_MEMORY_64K), 256);
        vbe.write(ENABLE, GET_CAPABILITIES);
        assert_eq!((vbe.read(XRES), vbe.read(YRES), vbe.read(BPP)), (2560, 1600, 32));
        vbe.write(ENABLE, 0);
        for (index, value) in [(XRES, 1024), (YRES, 768), (BPP, 32)] {
            vbe.write(index, value);
        }
        assert!(vbe.write(ENABLE, ENABLED | 0x40));
        assert!(!vbe.write(ENABLE, ENABLED | 0x40), "it is on already");
        assert_eq!((vbe.read(VIRT_WIDTH), vbe.read(VIRT_HEIGHT)), (1024, 4096));
        vbe.write(Y_OFFSET, 768);
        let layout = vbe.layout().unwrap();
        assert_eq!((layout.start, layout.row_bytes), (768 * 4096, 4096));
    }

    proptest! {
        #[test]
        fn every_pixel_lies_in_video_memory(writes in proptest::collection::vec((0..12u16, any::<u16>()), 0..40)) {
            let mut vbe = Vbe::new(MEMORY);
            for (index, value) in writes {
                vbe.write(index, value);
                vbe.read(index);
            }
            vbe.write(ENABLE, ENABLED);
            let layout = vbe.layout().unwrap();
            let row = layout.width * layout.bits.div_ceil(8).max(1) / if layout.bits == 4 { 2 } else { 1 };
            prop_assert!(layout.start + (layout.height - 1) * layout.row_bytes + row <= MEMORY);
            prop_assert!(vbe.bank_offset() + 0x10000 <= MEMORY as usize);
        }
    }
}
