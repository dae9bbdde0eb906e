//! The command register of a hard disk.

use super::super::device::Interface;
use super::super::registers::error;
use super::super::worker::Work;
use super::Disk;
use super::address::{self, Span, Translation};
use super::identify::{MAX_MULTIPLE, identify};
use super::transfer::Method;

/// Count register after CHECK POWER MODE.
const POWER_ACTIVE: u8 = 0xFF;
const POWER_STANDBY: u8 = 0x00;

impl Disk {
    /// Executes `command` (ATA/ATAPI-6, clause 8, and the old opcodes that DOS-era software still uses).
    pub(in super::super) fn command(&mut self, interface: &mut Interface, command: u8) -> Option<Work> {
        self.span = None;
        match command {
            // RECALIBRATE
            0x10..=0x1F => interface.finish(),
            0x20 | 0x21 => self.read_pio(interface, false, Method::Single),
            0x24 => self.read_pio(interface, true, Method::Single),
            0xC4 => self.read_pio(interface, false, Method::Multiple),
            0x29 => self.read_pio(interface, true, Method::Multiple),
            0x30 | 0x31 | 0x3C => self.write_pio(interface, false, Method::Single, false),
            0x34 => self.write_pio(interface, true, Method::Single, false),
            0xC5 => self.write_pio(interface, false, Method::Multiple, false),
            0x39 => self.write_pio(interface, true, Method::Multiple, false),
            0xCE => self.write_pio(interface, true, Method::Multiple, true),
            0xC8 | 0xC9 => self.read_dma(interface, false),
            0x25 => self.read_dma(interface, true),
            0xCA | 0xCB => self.write_dma(interface, false, false),
            0x35 => self.write_dma(interface, true, false),
            0x3D => self.write_dma(interface, true, true),
            0x40 | 0x41 => return self.verify(interface, false),
            0x42 => return self.verify(interface, true),
            // SEEK
            0x70..=0x7F => self.seek(interface),
            0x91 => self.initialize_device_parameters(interface),
            0xC6 => self.set_multiple_mode(interface),
            0xE7 | 0xEA => return self.flush(interface),
            0xF8 => self.read_native_max(interface, false),
            0x27 => self.read_native_max(interface, true),
            0xEC => interface.send(identify(self)),
            0xEF => return self.set_features(interface),
            // STANDBY IMMEDIATE, STANDBY, SLEEP: what a drive wrote into its cache reaches the platters first.
            0xE0 | 0x94 | 0xE2 | 0x96 | 0xE6 | 0x99 => {
                self.standby = true;
                return self.flush(interface);
            }
            // IDLE IMMEDIATE, IDLE
            0xE1 | 0x95 | 0xE3 | 0x97 => {
                self.standby = false;
                interface.finish();
            }
            // CHECK POWER MODE
            0xE5 | 0x98 => {
                interface
                    .task
                    .count
                    .set(if self.standby { POWER_STANDBY } else { POWER_ACTIVE });
                interface.finish();
            }
            // IDENTIFY PACKET DEVICE: the signature says that this is no packet device.
            0xA1 => {
                interface.task.set_signature(false);
                interface.abort();
            }
            // NOP, SMART, PACKET, security, and everything unknown.
            _ => interface.abort(),
        }
        None
    }

    /// The sectors of a read or write command that lie on the disk; tells the host otherwise.
    pub(super) fn span(&mut self, interface: &mut Interface, ext: bool) -> Option<Span> {
        self.standby = false;
        let span = Span::decode(&interface.task, ext, self.translation).filter(|span| span.end() <= self.sectors);
        if span.is_none() {
            interface.fail(error::IDNF);
        }
        self.span = span;
        span
    }

    fn seek(&mut self, interface: &mut Interface) {
        // SEEK has no count: whatever the register holds is not looked at.
        let first = Span::decode(&interface.task, false, self.translation);
        match first {
            Some(span) if span.lba < self.sectors => interface.finish(),
            _ => interface.fail(error::IDNF),
        }
    }

    fn initialize_device_parameters(&mut self, interface: &mut Interface) {
        let sectors = interface.task.count.now;
        if sectors == 0 {
            interface.abort();
            return;
        }
        let heads = (interface.task.device & 0x0F) + 1;
        self.translation = Translation::new(heads, sectors, self.sectors);
        interface.finish();
    }

    fn set_multiple_mode(&mut self, interface: &mut Interface) {
        let count = interface.task.count.now;
        if count > MAX_MULTIPLE || !(count == 0 || count.is_power_of_two()) {
            interface.abort();
            return;
        }
        self.multiple = count;
        interface.finish();
    }

    fn read_native_max(&mut self, interface: &mut Interface, ext: bool) {
        let last = self.sectors.saturating_sub(1);
        let last = if ext { last } else { last.min(0x0FFF_FFFE) };
        address::encode(&mut interface.task, last, ext, self.translation);
        interface.finish();
    }

    fn set_features(&mut self, interface: &mut Interface) -> Option<Work> {
        match interface.task.features.now {
            0x02 => self.write_cache = true,
            0x82 => {
                // From now on every write is durable when it ends; what came before must be, too.
                self.write_cache = false;
                return self.flush(interface);
            }
            0xAA => self.look_ahead = true,
            0x55 => self.look_ahead = false,
            0x03 => match interface.task.count.now {
                // PIO modes mean nothing here.
                0x00 | 0x01 | 0x08..=0x0C => {}
                mode @ (0x10..=0x12 | 0x20..=0x22 | 0x40..=0x45) => self.transfer_mode = mode,
                _ => {
                    interface.abort();
                    return None;
                }
            },
            // Keep, or drop, settings at a software reset: kept always.
            0x66 | 0xCC => {}
            _ => {
                interface.abort();
                return None;
            }
        }
        interface.finish();
        None
    }
}
