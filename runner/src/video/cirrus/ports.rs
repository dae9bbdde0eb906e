//! The registers at their ports and in memory. Those of the VGA are the VGA's; the others are kept here.

use super::{AUTOSTART, Cirrus, RESET, START, gr, sr};
use crate::video::memory::VideoMemory;
use crate::video::registers::Registers;

/// Whether a graphics register can be written.
fn is_writable(index: usize) -> bool {
    !matches!(index, 0x0C..=0x0F | 0x16..=0x1F | 0x2B | 0x36 | 0x37)
}

/// Bits of the graphics registers that can be set.
fn mask(index: usize) -> u8 {
    match index {
        0x21 | 0x23 | 0x25 | 0x27 => 0x1F,
        0x2A | 0x2E => 0x3F,
        _ => 0xFF,
    }
}

/// The graphics register behind offset `offset` of the blitter's registers in memory.
fn blitter_register(offset: usize) -> Option<usize> {
    Some(match offset {
        0x00 => 0x00,
        0x01 => 0x10,
        0x02 => 0x12,
        0x03 => 0x14,
        0x04 => 0x01,
        0x05 => 0x11,
        0x06 => 0x13,
        0x07 => 0x15,
        0x08..=0x0F => gr::WIDTH + offset - 0x08,
        0x10..=0x12 => gr::TO + offset - 0x10,
        0x14..=0x16 => gr::FROM + offset - 0x14,
        0x17 => gr::SKIP,
        0x18 => gr::BLT_MODE,
        0x1A => gr::OPERATION,
        0x1B => gr::EXTENSION,
        0x1C | 0x1D => gr::KEY + offset - 0x1C,
        0x20 | 0x21 => 0x38 + offset - 0x20,
        0x40 => gr::BLT,
        _ => return None,
    })
}

impl Cirrus {
    /// The sequencer register that port 3C5h leads to.
    pub(in crate::video) fn sequencer_index(&self) -> u8 {
        self.sequencer_index
    }

    /// The graphics register that port 3CFh leads to.
    pub(in crate::video) fn graphics_index(&self) -> u8 {
        self.graphics_index
    }

    /// Reads a byte port; `None` if it is the VGA's.
    pub(in crate::video) fn read_port(&mut self, port: u16, registers: &mut Registers) -> Option<u8> {
        if registers.is_hidden(port) {
            return None;
        }
        match port {
            0x3C4 => Some(self.sequencer_index),
            0x3C5 if self.sequencer_index > 4 => Some(self.read_sequencer()),
            0x3C6 => {
                self.dac_reads = self.dac_reads.saturating_add(1);
                (self.dac_reads == 5).then_some(self.hidden_dac)
            }
            0x3C8 => {
                self.dac_reads = 0;
                None
            }
            0x3C9 if self.sequencer[sr::CURSOR] & 2 != 0 => {
                let index = usize::from(registers.palette_read);
                let shown = std::mem::replace(&mut registers.palette[index], self.cursor_palette[index & 15]);
                let part = registers.read(port);
                registers.palette[index] = shown;
                Some(part)
            }
            0x3CE => Some(self.graphics_index),
            0x3CF => self.read_graphics(usize::from(self.graphics_index)),
            0x3B4 | 0x3D4 => Some(self.crtc_index),
            0x3B5 | 0x3D5 => match usize::from(self.crtc_index) {
                0x00..=0x18 => None,
                0x24 => Some(u8::from(registers.attribute_data) << 7),
                0x26 => Some(registers.attribute_index & 0x3F),
                index => Some(self.crtc.get(index).copied().unwrap_or(0xFF)),
            },
            _ => None,
        }
    }

    /// Writes a byte port; true if the VGA is to see it, too.
    pub(in crate::video) fn write_port(
        &mut self,
        port: u16,
        value: u8,
        registers: &mut Registers,
        memory: &VideoMemory,
    ) -> bool {
        if registers.is_hidden(port) {
            return false;
        }
        match port {
            0x3C4 => self.sequencer_index = value,
            0x3C5 if self.sequencer_index > 4 => {
                self.write_sequencer(value);
                return false;
            }
            0x3C6 => {
                let hidden = std::mem::take(&mut self.dac_reads) == 4;
                if hidden {
                    self.hidden_dac = value;
                }
                return !hidden;
            }
            0x3C9 if self.sequencer[sr::CURSOR] & 2 != 0 => {
                let index = usize::from(registers.palette_write);
                let shown = registers.palette[index];
                registers.write(port, value);
                if usize::from(registers.palette_write) != index {
                    self.cursor_palette[index & 15] = std::mem::replace(&mut registers.palette[index], shown);
                }
                return false;
            }
            0x3CE => self.graphics_index = value,
            0x3CF => {
                let index = usize::from(self.graphics_index);
                self.write_graphics(index, value, memory);
                return index <= 8;
            }
            0x3B4 | 0x3D4 => self.crtc_index = value,
            0x3B5 | 0x3D5 => {
                let index = usize::from(self.crtc_index);
                if index > 0x18 {
                    if let 0x19..=0x1D = index {
                        self.crtc[index] = value;
                    }
                    return false;
                }
            }
            _ => {}
        }
        true
    }

    fn read_sequencer(&self) -> u8 {
        let index = usize::from(self.sequencer_index);
        match index & 0x1F {
            // The index holds more bits of the place.
            low @ (sr::CURSOR_X | sr::CURSOR_Y) => self.sequencer[low],
            _ => self.sequencer.get(index).copied().unwrap_or(0xFF),
        }
    }

    fn write_sequencer(&mut self, value: u8) {
        let index = usize::from(self.sequencer_index);
        let place = u32::from(value) << 3 | u32::from(self.sequencer_index >> 5);
        match index & 0x1F {
            sr::CURSOR_X => {
                self.sequencer[sr::CURSOR_X] = value;
                self.cursor.0 = place;
                return;
            }
            sr::CURSOR_Y => {
                self.sequencer[sr::CURSOR_Y] = value;
                self.cursor.1 = place;
                return;
            }
            _ => {}
        }
        let Some(register) = self.sequencer.get_mut(index) else {
            return;
        };
        *register = match index {
            sr::UNLOCK if value & 0x17 == 0x12 => 0x12,
            sr::UNLOCK => 0x0F,
            sr::CONTROL => *register & 0x38 | value & 0xC7,
            5 => 0,
            _ => value,
        };
    }

    /// A graphics register; `None` if it is the VGA's.
    fn read_graphics(&self, index: usize) -> Option<u8> {
        match index {
            0 | 1 | gr::MODE => Some(self.graphics[index]),
            2..=8 => None,
            _ => Some(self.graphics.get(index).copied().unwrap_or(0xFF)),
        }
    }

    fn write_graphics(&mut self, index: usize, value: u8, memory: &VideoMemory) {
        let Some(register) = self.graphics.get_mut(index).filter(|_| is_writable(index)) else {
            return;
        };
        let before = std::mem::replace(register, value & mask(index));
        match index {
            gr::MODE => self.graphics[gr::MODE] = value & 0x7F,
            gr::BLT => {
                if before & RESET != 0 && value & RESET == 0 {
                    self.end_blit();
                } else if before & START == 0 && value & START != 0 {
                    self.start_blit(memory);
                }
            }
            // The last part of the target's address.
            0x2A if self.graphics[gr::BLT] & AUTOSTART != 0 => self.start_blit(memory),
            _ => {}
        }
    }

    /// Reads a byte of the blitter's registers in memory.
    pub(in crate::video) fn read_blitter(&self, offset: usize) -> u8 {
        blitter_register(offset).map_or(0xFF, |index| self.graphics[index])
    }

    /// Writes a byte of the blitter's registers in memory.
    pub(in crate::video) fn write_blitter(&mut self, offset: usize, value: u8, memory: &VideoMemory) {
        if let Some(index) = blitter_register(offset) {
            self.write_graphics(index, value, memory);
        }
    }
}
