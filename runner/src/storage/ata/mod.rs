//! An ATA hard disk: what each command does to its registers and its medium.

mod address;
mod commands;
pub(super) mod identify;
mod transfer;

use super::device::Interface;
use super::medium::Medium;
use super::worker::{Ending, Work};
use address::{Span, Translation};
use identify::Position;
use std::sync::Arc;

/// Bytes a sector.
pub(super) const SECTOR: u64 = 512;
/// Multiword DMA mode 2 as SET FEATURES 03h names it: the fastest that the PIIX3 can do.
const DEFAULT_MODE: u8 = 0x22;

/// A hard disk.
pub(super) struct Disk {
    pub(super) medium: Arc<Medium>,
    /// Size in sectors; an incomplete last sector cannot be reached.
    sectors: u64,
    model: String,
    serial: String,
    position: Position,
    translation: Translation,
    /// Sectors of a DRQ block of the MULTIPLE commands; 0 until SET MULTIPLE MODE.
    multiple: u8,
    write_cache: bool,
    look_ahead: bool,
    /// As SET FEATURES 03h takes it.
    transfer_mode: u8,
    standby: bool,
    /// What the running command is about.
    span: Option<Span>,
    pio: transfer::Pio,
}

impl Disk {
    pub(super) fn new(medium: Arc<Medium>, model: String, serial: String, position: Position) -> Self {
        let sectors = medium.size() / SECTOR;
        Disk {
            medium,
            sectors,
            model,
            serial,
            position,
            translation: Translation::default_for(sectors),
            multiple: 0,
            write_cache: true,
            look_ahead: true,
            transfer_mode: DEFAULT_MODE,
            standby: false,
            span: None,
            pio: transfer::Pio::default(),
        }
    }

    /// After power-on or a hardware reset everything is at its default; a software reset keeps the settings.
    pub(super) fn reset(&mut self, hard: bool) {
        self.span = None;
        self.pio = transfer::Pio::default();
        self.standby = false;
        if hard {
            self.set_defaults();
        }
    }

    fn set_defaults(&mut self) {
        self.translation = self.default_translation();
        self.multiple = 0;
        self.write_cache = true;
        self.look_ahead = true;
        self.transfer_mode = DEFAULT_MODE;
    }

    fn default_translation(&self) -> Translation {
        Translation::default_for(self.sectors)
    }

    /// The worker has ended this disk's work.
    pub(super) fn work_done(&mut self, interface: &mut Interface, ending: Ending) {
        match ending {
            Ending::Done => self.succeed(interface),
            Ending::ShortTable => {
                interface.finish();
                interface.interrupt = false;
            }
            Ending::MemoryFault => interface.abort(),
            Ending::ReadFailed(done) => self.read_failed(interface, done / SECTOR),
            Ending::WriteFailed(done) => self.write_failed(interface, done / SECTOR),
        }
    }

    /// The running command is done; the registers tell the last sector.
    fn succeed(&mut self, interface: &mut Interface) {
        if let Some(span) = self.span.take() {
            interface.task.count.set(0);
            address::encode(&mut interface.task, span.end() - 1, span.ext, self.translation);
        }
        interface.finish();
    }

    /// Sector `index` of the running command cannot be read.
    fn read_failed(&mut self, interface: &mut Interface, index: u64) {
        self.tell_sector(interface, index);
        interface.fail(super::registers::error::UNC);
    }

    /// Sector `index` of the running command, or a later one, cannot be written.
    fn write_failed(&mut self, interface: &mut Interface, index: u64) {
        self.tell_sector(interface, index);
        interface.fault();
    }

    fn tell_sector(&mut self, interface: &mut Interface, index: u64) {
        if let Some(span) = self.span.take() {
            let lba = span.lba.saturating_add(index);
            address::encode(&mut interface.task, lba, span.ext, self.translation);
        }
    }

    /// Busy until the medium has made everything durable.
    fn flush(&mut self, interface: &mut Interface) -> Option<Work> {
        interface.work();
        Some(Work::Flush(self.medium.clone()))
    }
}
