//! The IDE controller of the PIIX3: ATA disks, the ATAPI CD-ROM drive, bus-master DMA.
//!
//! Data flows one way: port access → [`controller`] → `access` (registers, data port) and `channel` (selection,
//! interrupt) → `ata` or `atapi` (what a command means) → `medium` (backend with read-ahead). DMA, FLUSH CACHE and VERIFY run on the
//! channel's `worker` thread, so that the guest's processor goes on; PIO is served in the caller's thread.
//!
//! Sources: ATA/ATAPI-6 (T13 1410D), SFF-8020i and MMC-3 for the CD-ROM drive, "Programming Interface for Bus
//! Master IDE Controller" 1.0, and Intel's PIIX3 data sheet (82371SB) for the PCI function.

use crate::config::{CdromConfig, DiskConfig};

mod access;
mod ata;
mod atapi;
mod channel;
pub mod controller;
mod device;
mod dma;
mod medium;
mod registers;
mod tray;
mod worker;

#[cfg(test)]
mod tests;

pub use controller::{BusMasterPorts, CommandPorts, IdeController};
pub use tray::CdromHandle;

/// What hangs on one of the two connectors of an IDE cable.
#[derive(Clone)]
pub enum Drive {
    /// A hard disk.
    Disk(DiskConfig),
    /// A CD-ROM drive; [`CdromConfig::Absent`] means that there is none.
    Cdrom(CdromConfig),
}
