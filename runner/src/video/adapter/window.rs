//! The adapter's window at A0000h: what is plain memory in it, and accesses to the rest.

use super::super::planes::{self, Addressing};
use super::super::registers::sequencer;
use super::{Extension, Vga};
use crate::device::MemoryDevice;

/// Where the window lies in guest-physical memory.
const WINDOW: u64 = 0xA_0000;

/// The part of the legacy window (A0000h–BFFFFh) that is plain memory now; the rest traps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Guest-physical address.
    pub address: u64,
    /// Bytes.
    pub size: u64,
    /// Where in [`Vga::memory`] it begins, in bytes.
    pub offset: usize,
}

impl Vga {
    /// Where the VGA's window shows video memory, in bytes.
    fn bank_offset(&self) -> usize {
        match &self.extension {
            Extension::Bochs(vbe) => vbe.bank_offset(),
            Extension::Cirrus(_) => 0,
        }
    }

    /// What the board may map into the guest instead of trapping: text memory, or 256-colour memory.
    pub fn window(&self) -> Option<Window> {
        if let Some(cirrus) = self.packed() {
            return cirrus.window().map(|offset| Window {
                address: WINDOW,
                size: 0x1_0000,
                offset,
            });
        }
        let (start, size) = planes::window(&self.registers);
        let offset = if self.text_in_memory {
            self.size
        } else if self.is_plain_chain4() {
            self.bank_offset()
        } else {
            return None;
        };
        Some(Window {
            address: WINDOW + start,
            size,
            offset,
        })
    }

    fn is_plain_chain4(&self) -> bool {
        let (_, size) = planes::window(&self.registers);
        let end = self
            .bank_offset()
            .saturating_add(usize::try_from(size).unwrap_or(usize::MAX));
        planes::addressing(&self.registers) == Addressing::Chain4
            && self.registers.sequencer[sequencer::MAP_MASK] & 15 == 15
            && end <= self.size
    }

    /// Where an offset in the 128 KiB from A0000h lies in the window that is open now.
    fn in_window(&self, offset: u64) -> Option<usize> {
        let (start, size) = planes::window(&self.registers);
        let inside = offset.checked_sub(start).filter(|inside| *inside < size)?;
        usize::try_from(inside).ok()
    }

    fn read_window(&mut self, offset: u64) -> u8 {
        if let Some(cirrus) = self.packed() {
            return cirrus.read_window(offset, &self.memory);
        }
        let Some(inside) = self.in_window(offset) else {
            return 0xFF;
        };
        if self.text_in_memory {
            let mut byte = [0xFF];
            self.memory.read(self.size + inside, &mut byte);
            return byte[0];
        }
        let base = self.bank_offset();
        planes::read(&self.registers, &mut self.latch, &self.memory, base, inside)
    }

    fn write_window(&mut self, offset: u64, value: u8) {
        if let Extension::Cirrus(cirrus) = &mut self.extension
            && cirrus.is_packed()
        {
            return cirrus.write_window(offset, value, &self.memory);
        }
        let Some(inside) = self.in_window(offset) else { return };
        if self.text_in_memory {
            self.memory.write(self.size + inside, &[value]);
            return;
        }
        let base = self.bank_offset();
        planes::write(&self.registers, self.latch, &self.memory, base, inside, value);
    }
}

impl MemoryDevice for Vga {
    fn read(&mut self, offset: u64, data: &mut [u8]) {
        for (byte, offset) in data.iter_mut().zip(offset..) {
            *byte = self.read_window(offset);
        }
    }

    fn write(&mut self, offset: u64, data: &[u8]) {
        let waited = self.waits() && offset < 0x1_0000;
        for (byte, offset) in data.iter().zip(offset..) {
            self.write_window(offset, *byte);
            if waited && !self.waits() {
                break;
            }
        }
    }

    fn has_moved(&mut self) -> bool {
        Vga::has_moved(self)
    }
}
