//! The adapter's ports: the VGA's registers, those of its extension, and what a write to them changes.

use super::super::layout::Layout;
use super::super::registers::{crtc, graphics, sequencer};
use super::super::vbe;
use super::{Extension, Vga};
use crate::device::PortDevice;

const VBE_INDEX: u16 = 0x1CE;
const VBE_DATA: u16 = 0x1CF;

impl Vga {
    /// One byte of ports 3B0h–3DFh.
    pub(in crate::video) fn read_register(&mut self, port: u16) -> u8 {
        if self.registers.reads_status(port) {
            return self.beam.status(&self.registers, self.clock.now());
        }
        if let Extension::Cirrus(cirrus) = &mut self.extension
            && let Some(value) = cirrus.read_port(port, &mut self.registers)
        {
            return value;
        }
        self.registers.read(port)
    }

    /// Whether a byte written to `port` can change the picture, beyond memory and the hardware cursor. Index registers
    /// cannot, nor what steers only the processor's accesses and the blitter.
    fn is_seen(&self, port: u16) -> bool {
        match port {
            0x3B4 | 0x3C4 | 0x3C7 | 0x3C8 | 0x3CE | 0x3D4 => false,
            0x3C5 => {
                let index = match &self.extension {
                    Extension::Bochs(_) => self.registers.sequencer_index,
                    Extension::Cirrus(cirrus) => cirrus.sequencer_index(),
                };
                usize::from(index) != sequencer::MAP_MASK && !matches!(index & 0x1F, 0x10..=0x13)
            }
            0x3CF => {
                let index = match &self.extension {
                    Extension::Bochs(_) => self.registers.graphics_index,
                    Extension::Cirrus(cirrus) => cirrus.graphics_index(),
                };
                [graphics::MODE, graphics::MISC].contains(&usize::from(index))
            }
            _ => true,
        }
    }

    /// What the picture depends on beside memory and the hardware cursor may have changed.
    pub(super) fn touch(&mut self) {
        self.version = self.version.wrapping_add(1);
    }

    /// One byte to ports 3B0h–3DFh.
    pub(in crate::video) fn write_register(&mut self, port: u16, value: u8) {
        if self.is_seen(port) {
            self.touch();
        }
        let for_vga = match &mut self.extension {
            Extension::Bochs(_) => true,
            Extension::Cirrus(cirrus) => cirrus.write_port(port, value, &mut self.registers, &self.memory),
        };
        if for_vga {
            self.registers.write(port, value);
        }
        self.follow_text();
    }

    /// Reads DISPI register `index`.
    pub(in crate::video) fn read_vbe(&self, index: u16) -> u16 {
        match &self.extension {
            Extension::Bochs(vbe) => vbe.read(index),
            Extension::Cirrus(_) => 0xFFFF,
        }
    }

    /// Writes DISPI register `index`.
    pub(in crate::video) fn write_vbe(&mut self, index: u16, value: u16) {
        self.touch();
        let Extension::Bochs(vbe) = &mut self.extension else {
            return;
        };
        let turned_on = vbe.write(index, value);
        self.follow_text();
        if let Some(layout) = self.layout().filter(|_| turned_on) {
            self.set_up_linear_mode(&layout);
            if value & vbe::NO_CLEAR == 0 {
                self.clear(u64::from(layout.row_bytes) * u64::from(layout.height));
            }
            self.follow_text();
        }
    }

    /// A linear mode sets the VGA registers that drivers and the VGA BIOS read back, and the window at A0000h.
    fn set_up_linear_mode(&mut self, layout: &Layout) {
        let low = |value: u32| value.to_le_bytes()[0];
        let registers = &mut self.registers;
        registers.graphics[graphics::MISC] = registers.graphics[graphics::MISC] & !0x0C | 0x05;
        registers.crtc[crtc::MODE] |= 3;
        registers.crtc[crtc::OFFSET] = low(layout.row_bytes >> 3);
        registers.crtc[crtc::H_DISPLAY_END] = low((layout.width >> 3) - 1);
        let last_row = layout.height - 1;
        registers.crtc[crtc::V_DISPLAY_END] = low(last_row);
        let overflow = registers.crtc[crtc::OVERFLOW] & !0x42;
        registers.crtc[crtc::OVERFLOW] = overflow | low(last_row >> 7 & 0x02) | low(last_row >> 3 & 0x40) | 0x10;
        registers.crtc[crtc::LINE_COMPARE] = 0xFF;
        registers.crtc[crtc::MAX_SCAN] = registers.crtc[crtc::MAX_SCAN] & !0x9F | 0x40;
        let shift = if layout.bits == 4 {
            registers.sequencer[sequencer::CLOCKING] &= !8;
            0
        } else {
            registers.sequencer[sequencer::MEMORY_MODE] |= 8;
            registers.sequencer[sequencer::MAP_MASK] |= 15;
            0x40
        };
        registers.graphics[graphics::MODE] = registers.graphics[graphics::MODE] & !0x60 | shift;
    }

    fn clear(&self, bytes: u64) {
        let zeros = vec![0; 64 << 10];
        let end = usize::try_from(bytes).unwrap_or(self.size).min(self.size);
        for start in (0..end).step_by(zeros.len()) {
            self.memory.write(start, &zeros[..zeros.len().min(end - start)]);
        }
    }
}

impl PortDevice for Vga {
    fn read(&mut self, port: u16, size: u8) -> u32 {
        match port {
            VBE_INDEX | VBE_DATA => {
                return match &self.extension {
                    Extension::Bochs(vbe) if port == VBE_INDEX => vbe.index.into(),
                    Extension::Bochs(vbe) => vbe.read(vbe.index).into(),
                    Extension::Cirrus(_) => u32::MAX,
                };
            }
            _ => {}
        }
        let mut value = [0; 4];
        for (byte, port) in value.iter_mut().zip(port..=u16::MAX).take(usize::from(size)) {
            *byte = self.read_register(port);
        }
        u32::from_le_bytes(value)
    }

    fn write(&mut self, port: u16, size: u8, value: u32) {
        let low = u16::try_from(value & 0xFFFF).unwrap_or(0);
        match port {
            VBE_INDEX | VBE_DATA => match &mut self.extension {
                Extension::Bochs(vbe) if port == VBE_INDEX => vbe.index = low,
                Extension::Bochs(vbe) => {
                    let index = vbe.index;
                    self.write_vbe(index, low);
                }
                Extension::Cirrus(_) => {}
            },
            _ => {
                // A word to an index port is the index and the data behind it.
                for (byte, port) in value
                    .to_le_bytes()
                    .into_iter()
                    .zip(port..=u16::MAX)
                    .take(usize::from(size))
                {
                    self.write_register(port, byte);
                }
            }
        }
    }

    fn has_moved(&mut self) -> bool {
        Vga::has_moved(self)
    }
}
