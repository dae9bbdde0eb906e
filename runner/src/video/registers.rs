//! The registers of a VGA and the ports they lie behind.
//! Source: IBM VGA Technical Reference; the FreeVGA project's register pages.

/// Sequencer registers by index.
pub(super) mod sequencer {
    /// Bit 0: characters are 8 dots wide, else 9. Bit 3: every dot is drawn twice. Bit 5: screen off.
    pub(crate) const CLOCKING: usize = 1;
    /// Which planes writes reach.
    pub(crate) const MAP_MASK: usize = 2;
    /// Which fonts of plane 2 text uses.
    pub(crate) const CHARACTER_MAP: usize = 3;
    /// Bit 2: sequential addresses, else odd/even. Bit 3: chain 4.
    pub(crate) const MEMORY_MODE: usize = 4;
}

/// Graphics controller registers by index.
pub(super) mod graphics {
    pub(crate) const SET_RESET: usize = 0;
    pub(crate) const ENABLE_SET_RESET: usize = 1;
    pub(crate) const COLOR_COMPARE: usize = 2;
    /// Bits 0–2: rotation. Bits 3–4: logical function.
    pub(crate) const ROTATE: usize = 3;
    pub(crate) const READ_MAP: usize = 4;
    /// Bits 0–1: write mode. Bit 3: read mode. Bit 4: odd/even. Bits 5–6: how pixels are shifted out.
    pub(crate) const MODE: usize = 5;
    /// Bit 0: graphics. Bits 2–3: where the memory window lies.
    pub(crate) const MISC: usize = 6;
    pub(crate) const COLOR_DONT_CARE: usize = 7;
    pub(crate) const BIT_MASK: usize = 8;
}

/// CRT controller registers by index.
pub(super) mod crtc {
    pub(crate) const H_TOTAL: usize = 0x00;
    pub(crate) const H_DISPLAY_END: usize = 0x01;
    pub(crate) const V_TOTAL: usize = 0x06;
    /// High bits of vertical values; bit 4: bit 8 of line compare.
    pub(crate) const OVERFLOW: usize = 0x07;
    /// Bits 0–4: rows before the first in the first text line.
    pub(crate) const PRESET_ROW: usize = 0x08;
    /// Bits 0–4: height of a character minus 1. Bit 6: bit 9 of line compare. Bit 7: every row is drawn twice.
    pub(crate) const MAX_SCAN: usize = 0x09;
    pub(crate) const CURSOR_START: usize = 0x0A;
    pub(crate) const CURSOR_END: usize = 0x0B;
    pub(crate) const START_HIGH: usize = 0x0C;
    pub(crate) const START_LOW: usize = 0x0D;
    pub(crate) const CURSOR_HIGH: usize = 0x0E;
    pub(crate) const CURSOR_LOW: usize = 0x0F;
    pub(crate) const V_RETRACE_START: usize = 0x10;
    /// Bit 7: registers 0–7 are write-protected.
    pub(crate) const V_RETRACE_END: usize = 0x11;
    pub(crate) const V_DISPLAY_END: usize = 0x12;
    pub(crate) const OFFSET: usize = 0x13;
    pub(crate) const MODE: usize = 0x17;
    pub(crate) const LINE_COMPARE: usize = 0x18;
}

/// Attribute controller registers by index; 0–15 are the palette.
pub(super) mod attribute {
    /// Bit 2: line graphics characters are 9 dots wide. Bit 3: attribute bit 7 blinks. Bit 5: panning stops at line
    /// compare. Bit 7: palette bits 4–5 come from [`COLOR_SELECT`].
    pub(crate) const MODE: usize = 0x10;
    pub(crate) const PLANE_ENABLE: usize = 0x12;
    pub(crate) const PANNING: usize = 0x13;
    pub(crate) const COLOR_SELECT: usize = 0x14;
}

/// Bits of each register that can be set.
const SEQUENCER_MASK: [u8; 8] = [0x03, 0x3D, 0x0F, 0x3F, 0x0E, 0, 0, 0xFF];
const GRAPHICS_MASK: [u8; 16] = [
    0x0F, 0x0F, 0x0F, 0x1F, 0x03, 0x7B, 0x0F, 0x0F, 0xFF, 0, 0, 0, 0, 0, 0, 0,
];
const ATTRIBUTE_MASK: [u8; 32] = {
    let mut mask = [0; 32];
    let mut index = 0;
    while index < 0x10 {
        mask[index] = 0x3F;
        index += 1;
    }
    mask[0x10] = 0xEF;
    mask[0x11] = 0xFF;
    mask[0x12] = 0x3F;
    mask[0x13] = 0x0F;
    mask[0x14] = 0x0F;
    mask
};

/// Index registers, data registers, and the palette RAM of a VGA.
#[derive(Clone, Debug)]
pub(super) struct Registers {
    /// Miscellaneous output. Bit 0: CRTC at 3D4h, else 3B4h. Bits 2–3: dot clock.
    pub(super) misc: u8,
    feature: u8,
    pub(super) sequencer_index: u8,
    pub(super) sequencer: [u8; 8],
    pub(super) graphics_index: u8,
    pub(super) graphics: [u8; 16],
    crtc_index: u8,
    pub(super) crtc: [u8; 32],
    /// Bits 0–4: index. Bit 5: the screen is on.
    pub(super) attribute_index: u8,
    /// Port 3C0h takes data next, else an index.
    pub(super) attribute_data: bool,
    pub(super) attribute: [u8; 32],
    pub(super) pel_mask: u8,
    /// Red, green, blue of 256 colours, 6 or 8 bits each.
    pub(super) palette: [[u8; 3]; 256],
    pub(super) palette_write: u8,
    pub(super) palette_read: u8,
    /// Which of red, green, blue comes next.
    palette_part: u8,
    /// The parts of a colour that are written so far: a colour changes when its blue arrives.
    palette_latch: [u8; 3],
    palette_reading: bool,
}

impl Registers {
    pub(super) fn new() -> Self {
        Registers {
            misc: 0,
            feature: 0,
            sequencer_index: 0,
            sequencer: [0; 8],
            graphics_index: 0,
            graphics: [0; 16],
            crtc_index: 0,
            crtc: [0; 32],
            attribute_index: 0,
            attribute_data: false,
            attribute: [0; 32],
            pel_mask: 0xFF,
            palette: [[0; 3]; 256],
            palette_write: 0,
            palette_read: 0,
            palette_part: 0,
            palette_latch: [0; 3],
            palette_reading: false,
        }
    }

    /// Whether the attribute controller lets the picture through, and the sequencer does not blank it.
    pub(super) fn screen_on(&self) -> bool {
        self.attribute_index & 0x20 != 0 && self.sequencer[sequencer::CLOCKING] & 0x20 == 0
    }

    /// Whether the registers describe graphics rather than text.
    pub(super) fn is_graphics(&self) -> bool {
        self.graphics[graphics::MISC] & 1 != 0
    }

    /// Whether `port` is one of the CRTC's that the monochrome/colour switch hides.
    pub(super) fn is_hidden(&self, port: u16) -> bool {
        match port {
            0x3B0..=0x3BF => self.misc & 1 != 0,
            0x3D0..=0x3DF => self.misc & 1 == 0,
            _ => false,
        }
    }

    /// Reads a byte port; the input status register 1 is the caller's.
    pub(super) fn read(&mut self, port: u16) -> u8 {
        if self.is_hidden(port) {
            return 0xFF;
        }
        match port {
            0x3C0 => self.attribute_index,
            0x3C1 => self.attribute[usize::from(self.attribute_index & 0x1F)],
            // Input status 0: a colour monitor answers the switch sense.
            0x3C2 => 0x10,
            0x3C4 => self.sequencer_index,
            0x3C5 => self.sequencer[usize::from(self.sequencer_index & 7)],
            0x3C6 => self.pel_mask,
            0x3C7 => {
                if self.palette_reading {
                    3
                } else {
                    0
                }
            }
            0x3C8 => self.palette_write,
            0x3C9 => {
                let color = self.palette[usize::from(self.palette_read)];
                let part = color[usize::from(self.palette_part.min(2))];
                self.palette_part += 1;
                if self.palette_part >= 3 {
                    self.palette_part = 0;
                    self.palette_read = self.palette_read.wrapping_add(1);
                }
                part
            }
            0x3CA => self.feature,
            0x3CC => self.misc,
            0x3CE => self.graphics_index,
            0x3CF => self.graphics[usize::from(self.graphics_index & 15)],
            0x3B4 | 0x3D4 => self.crtc_index,
            0x3B5 | 0x3D5 => self.crtc[usize::from(self.crtc_index & 31)],
            _ => 0xFF,
        }
    }

    /// Input status register 1 was read: the attribute controller takes an index next. Whether it is at this port.
    pub(super) fn reads_status(&mut self, port: u16) -> bool {
        let here = matches!(port, 0x3BA | 0x3DA) && !self.is_hidden(port);
        if here {
            self.attribute_data = false;
        }
        here
    }

    /// Writes a byte port.
    pub(super) fn write(&mut self, port: u16, value: u8) {
        if self.is_hidden(port) {
            return;
        }
        match port {
            0x3C0 => {
                if self.attribute_data {
                    let index = usize::from(self.attribute_index & 0x1F);
                    self.attribute[index] = value & ATTRIBUTE_MASK[index];
                } else {
                    self.attribute_index = value & 0x3F;
                }
                self.attribute_data = !self.attribute_data;
            }
            0x3C2 => self.misc = value & !0x10,
            0x3C4 => self.sequencer_index = value & 7,
            0x3C5 => {
                let index = usize::from(self.sequencer_index & 7);
                self.sequencer[index] = value & SEQUENCER_MASK[index];
            }
            0x3C6 => self.pel_mask = value,
            0x3C7 => {
                self.palette_read = value;
                self.palette_part = 0;
                self.palette_reading = true;
            }
            0x3C8 => {
                self.palette_write = value;
                self.palette_part = 0;
                self.palette_reading = false;
            }
            0x3C9 => {
                self.palette_latch[usize::from(self.palette_part.min(2))] = value;
                self.palette_part += 1;
                if self.palette_part >= 3 {
                    self.palette_part = 0;
                    self.palette[usize::from(self.palette_write)] = self.palette_latch;
                    self.palette_write = self.palette_write.wrapping_add(1);
                }
            }
            0x3CE => self.graphics_index = value & 15,
            0x3CF => {
                let index = usize::from(self.graphics_index & 15);
                self.graphics[index] = value & GRAPHICS_MASK[index];
            }
            0x3B4 | 0x3D4 => self.crtc_index = value & 31,
            0x3B5 | 0x3D5 => self.write_crtc(value),
            0x3BA | 0x3DA => self.feature = value & 0x10,
            _ => {}
        }
    }

    fn write_crtc(&mut self, value: u8) {
        let index = usize::from(self.crtc_index & 31);
        let protected = self.crtc[crtc::V_RETRACE_END] & 0x80 != 0;
        match index {
            // Line compare's bit stays open.
            crtc::OVERFLOW if protected => {
                let kept = self.crtc[index] & !0x10;
                self.crtc[index] = kept | (value & 0x10);
            }
            0..=crtc::OVERFLOW if protected => {}
            _ => self.crtc[index] = value,
        }
    }

    /// A CRTC value whose bits 8 and 9 lie in the overflow register.
    fn vertical(&self, index: usize, bit8: u8, bit9: u8) -> u32 {
        let overflow = self.crtc[crtc::OVERFLOW];
        let bit = |mask: u8, value: u32| if overflow & mask != 0 { value } else { 0 };
        u32::from(self.crtc[index]) | bit(bit8, 0x100) | bit(bit9, 0x200)
    }

    /// Rows that are displayed (register value plus 1).
    pub(super) fn displayed_rows(&self) -> u32 {
        self.vertical(crtc::V_DISPLAY_END, 0x02, 0x40) + 1
    }

    /// Rows of a whole frame, retrace included.
    pub(super) fn total_rows(&self) -> u32 {
        self.vertical(crtc::V_TOTAL, 0x01, 0x20) + 2
    }

    /// The row at which vertical retrace begins.
    pub(super) fn retrace_row(&self) -> u32 {
        self.vertical(crtc::V_RETRACE_START, 0x04, 0x80)
    }

    /// The row after which the display starts over at address 0.
    pub(super) fn line_compare(&self) -> u32 {
        let bit9 = u32::from(self.crtc[crtc::MAX_SCAN] & 0x40) << 3;
        self.vertical(crtc::LINE_COMPARE, 0x10, 0) | bit9
    }

    /// Where the picture begins, in units of 4 bytes (one byte a plane).
    pub(super) fn start_address(&self) -> u32 {
        u32::from(self.crtc[crtc::START_HIGH]) << 8 | u32::from(self.crtc[crtc::START_LOW])
    }

    /// Distance of two rows, in bytes over all four planes.
    pub(super) fn row_bytes(&self) -> u32 {
        u32::from(self.crtc[crtc::OFFSET]) << 3
    }
}
