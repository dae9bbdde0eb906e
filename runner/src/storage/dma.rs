//! The bus master of one channel: its registers, and the walk along the guest's table of memory regions.
#![warn(clippy::arithmetic_side_effects, clippy::as_conversions, clippy::indexing_slicing)]

use crate::device::{DmaError, GuestMemory};

/// Command register: run.
const START: u8 = 0x01;
/// Command register: the bus master writes to memory (the disk is read).
const TO_MEMORY: u8 = 0x08;
/// Status register: a transfer is going on.
const ACTIVE: u8 = 0x01;
/// Status register: memory could not be reached. Written 1 to clear.
const ERROR: u8 = 0x02;
/// Status register: the drive has interrupted. Written 1 to clear.
const INTERRUPT: u8 = 0x04;
/// Status register: drives 0 and 1 can do DMA (set by the firmware, means nothing to the hardware).
const CAPABLE: u8 = 0x60;

/// A table may not cross a 64 KiB boundary, so it has at most this many entries.
const MAX_ENTRIES: u32 = 0x1_0000 / 8;

/// How far a copy between buffer and guest memory got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Copied {
    /// All of it.
    All,
    /// The table ended after this many bytes.
    Short(usize),
}

/// Registers of the bus master of one channel, and its place in the table.
#[derive(Debug, Default)]
pub(super) struct BusMaster {
    command: u8,
    status: u8,
    table: u32,
    walk: Walk,
}

/// Where the bus master is in the table (Bus Master IDE 1.0, 1.2).
#[derive(Debug, Default)]
struct Walk {
    /// Entries fetched so far.
    fetched: u32,
    /// The rest of the current region.
    address: u64,
    left: usize,
    /// The current region is the table's last.
    last: bool,
}

impl BusMaster {
    /// Reads the register at `offset` 0–7.
    pub(super) fn read(&self, offset: u8) -> u8 {
        match offset {
            0 => self.command,
            2 => self.status,
            4..=7 => {
                let [a, b, c, d] = self.table.to_le_bytes();
                match offset {
                    4 => a,
                    5 => b,
                    6 => c,
                    _ => d,
                }
            }
            _ => 0xFF,
        }
    }

    /// Writes the table's address: one byte of it, `index` 0–3.
    pub(super) fn write_table(&mut self, index: u8, value: u8) {
        let [a, b, c, d] = self.table.to_le_bytes();
        let bytes = match index {
            0 => [value & 0xFC, b, c, d],
            1 => [a, value, c, d],
            2 => [a, b, value, d],
            _ => [a, b, c, value],
        };
        self.table = u32::from_le_bytes(bytes);
    }

    /// Writes the status register.
    pub(super) fn write_status(&mut self, value: u8) {
        let cleared = value & (ERROR | INTERRUPT);
        self.status = (self.status & (ACTIVE | ERROR | INTERRUPT) & !cleared) | (value & CAPABLE);
    }

    /// Writes the command register. A rising START bit begins at the table's first entry.
    pub(super) fn write_command(&mut self, value: u8) {
        let started = value & START != 0 && self.command & START == 0;
        self.command = value & (START | TO_MEMORY);
        if started {
            self.status |= ACTIVE;
            self.walk = Walk::default();
        } else if value & START == 0 {
            self.status &= !ACTIVE;
        }
    }

    /// Whether writing `value` to the command register would stop a running bus master.
    pub(super) fn would_stop(&self, value: u8) -> bool {
        self.is_started() && value & START == 0
    }

    /// Whether the START bit is set.
    pub(super) fn is_started(&self) -> bool {
        self.command & START != 0
    }

    /// The drive raised its interrupt line.
    pub(super) fn drive_interrupted(&mut self) {
        self.status |= INTERRUPT;
    }

    /// Memory could not be reached: the transfer is over.
    pub(super) fn memory_failed(&mut self) {
        self.status = (self.status | ERROR) & !ACTIVE;
    }

    /// The drive has no more data. ACTIVE stays if the table has regions left (Bus Master IDE 1.0, 3.1).
    pub(super) fn transfer_ended(&mut self) {
        if self.walk.last && self.walk.left == 0 {
            self.status &= !ACTIVE;
        }
    }

    /// The table ended before the drive's data did.
    pub(super) fn table_ended(&mut self) {
        self.status &= !ACTIVE;
    }

    /// The state after a reset.
    pub(super) fn reset(&mut self) {
        *self = BusMaster::default();
    }

    /// Copies `data` to the regions of the table, going on where the last copy ended.
    pub(super) fn write_guest(&mut self, memory: &dyn GuestMemory, data: &[u8]) -> Result<Copied, DmaError> {
        let mut rest = data;
        while !rest.is_empty() {
            let Some((address, len)) = self.next_region(memory, rest.len())? else {
                return Ok(Copied::Short(data.len().saturating_sub(rest.len())));
            };
            let Some((now, later)) = rest.split_at_checked(len) else {
                break;
            };
            memory.write(address, now)?;
            rest = later;
        }
        Ok(Copied::All)
    }

    /// Fills `buffer` from the regions of the table, going on where the last copy ended.
    pub(super) fn read_guest(&mut self, memory: &dyn GuestMemory, buffer: &mut [u8]) -> Result<Copied, DmaError> {
        let total = buffer.len();
        let mut rest = buffer;
        while !rest.is_empty() {
            let Some((address, len)) = self.next_region(memory, rest.len())? else {
                return Ok(Copied::Short(total.saturating_sub(rest.len())));
            };
            let Some((now, later)) = rest.split_at_mut_checked(len) else {
                break;
            };
            memory.read(address, now)?;
            rest = later;
        }
        Ok(Copied::All)
    }

    /// The next region of at most `wanted` bytes (1 or more); `None` when the table has ended.
    fn next_region(&mut self, memory: &dyn GuestMemory, wanted: usize) -> Result<Option<(u64, usize)>, DmaError> {
        if self.walk.left == 0 {
            if self.walk.last || self.walk.fetched >= MAX_ENTRIES {
                return Ok(None);
            }
            // Bits 15:3 of the entry's address wrap inside the table's 64 KiB, as the data sheet's counter does.
            let offset = (self.table & 0xFFFF).wrapping_add(self.walk.fetched.wrapping_mul(8)) & 0xFFFF;
            let entry_address = u64::from((self.table & 0xFFFF_0000) | offset);
            let mut entry = [0; 8];
            memory.read(entry_address, &mut entry)?;
            let [a0, a1, a2, a3, c0, c1, _, flags] = entry;
            self.walk.fetched = self.walk.fetched.saturating_add(1);
            self.walk.address = u64::from(u32::from_le_bytes([a0 & 0xFE, a1, a2, a3]));
            self.walk.left = match u16::from_le_bytes([c0 & 0xFE, c1]) {
                0 => 0x1_0000,
                count => usize::from(count),
            };
            self.walk.last = flags & 0x80 != 0;
        }
        let len = self.walk.left.min(wanted);
        let address = self.walk.address;
        self.walk.left = self.walk.left.saturating_sub(len);
        self.walk.address = address.saturating_add(u64::try_from(len).unwrap_or(u64::MAX));
        Ok(Some((address, len)))
    }
}
