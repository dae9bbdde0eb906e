//! An ATAPI CD-ROM drive that shows an ISO image: the ATA side of it, and its tray.

mod identity;
mod mode;
mod packet;
mod phase;
mod read;
mod sense;
mod toc;

use super::ata::identify::Position;
use super::device::Interface;
use super::medium::Medium;
use super::worker::{Ending, Work};
use phase::Phase;
use sense::Sense;
use std::sync::Arc;

/// Multiword DMA mode 2, as SET FEATURES 03h names it.
const DEFAULT_MODE: u8 = 0x22;
/// Discs larger than this many bytes are DVDs: a CD ends at 80 minutes, some at 99.
const CD_MAX: u64 = 99 * 60 * 75 * 2048;

/// A media event for GET EVENT STATUS NOTIFICATION (MMC-3, table 90).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Event {
    #[default]
    None = 0,
    EjectRequest = 1,
    NewMedium = 2,
    Removed = 3,
}

/// A CD-ROM drive.
pub(super) struct Cdrom {
    disc: Option<Arc<Medium>>,
    /// An open tray may hold a disc; it cannot be read until the tray closes.
    tray_open: bool,
    locked: bool,
    position: Position,
    transfer_mode: u8,
    /// Why the last command failed.
    sense: Sense,
    /// Something happened that the next command reports instead of doing what it should.
    attention: Option<Sense>,
    event: Event,
    phase: Phase,
}

impl Cdrom {
    pub(super) fn new(disc: Option<Arc<Medium>>, position: Position) -> Self {
        Cdrom {
            disc,
            tray_open: false,
            locked: false,
            position,
            transfer_mode: DEFAULT_MODE,
            sense: Sense::NONE,
            attention: None,
            event: Event::None,
            phase: Phase::Idle,
        }
    }

    /// Power-on or hardware reset unlocks the tray and is reported to the next command; a software reset only
    /// ends what was going on.
    pub(super) fn reset(&mut self, hard: bool) {
        self.phase = Phase::Idle;
        if hard {
            self.locked = false;
            self.transfer_mode = DEFAULT_MODE;
            self.sense = Sense::NONE;
            self.attention = Some(Sense::RESET_OCCURRED);
        }
    }

    /// Changes the disc, whatever the lock says: somebody used the hole in the front.
    pub(super) fn set_disc(&mut self, disc: Option<Arc<Medium>>) {
        let had_disc = self.disc.is_some();
        self.disc = disc;
        self.close_tray();
        if self.disc.is_none() && had_disc {
            self.event = Event::Removed;
            self.attention = None;
        }
    }

    /// Somebody pressed the button. A locked drive tells the guest, which may then eject by itself.
    pub(super) fn press_eject(&mut self) -> bool {
        if self.locked {
            self.event = Event::EjectRequest;
        } else {
            self.set_disc(None);
        }
        !self.locked
    }

    pub(super) fn is_locked(&self) -> bool {
        self.locked
    }

    pub(super) fn has_disc(&self) -> bool {
        self.disc.is_some()
    }

    fn is_ready(&self) -> bool {
        self.disc.is_some() && !self.tray_open
    }

    fn is_dvd(&self) -> bool {
        self.disc.as_ref().is_some_and(|disc| disc.size() > CD_MAX)
    }

    /// The disc, or why it cannot be used.
    fn medium(&self) -> Result<&Arc<Medium>, Sense> {
        match &self.disc {
            _ if self.tray_open => Err(Sense::NO_MEDIUM_TRAY_OPEN),
            None => Err(Sense::NO_MEDIUM_TRAY_CLOSED),
            Some(disc) => Ok(disc),
        }
    }

    /// Executes an ATA command (ATA/ATAPI-6, clause 8: the PACKET feature set).
    pub(super) fn command(&mut self, interface: &mut Interface, command: u8) -> Option<Work> {
        match command {
            0xA0 => self.await_packet(interface),
            0xA1 => {
                self.phase = Phase::Idle;
                interface.send(identity::identify_packet(self.transfer_mode, self.position));
            }
            // DEVICE RESET ends without an interrupt; the drive stays selected.
            0x08 => {
                let device = interface.task.device;
                self.phase = Phase::Idle;
                interface.reset(true);
                interface.task.device = device;
            }
            // The commands of disks: the signature says what this is.
            0xEC | 0x20 | 0x21 | 0x24 => {
                interface.task.set_signature(true);
                interface.abort();
            }
            0xEF => self.set_features(interface),
            // CHECK POWER MODE: active
            0xE5 | 0x98 => {
                interface.task.count.set(0xFF);
                interface.finish();
            }
            // IDLE, STANDBY (IMMEDIATE), SLEEP; FLUSH CACHE has nothing to do.
            0xE0..=0xE3 | 0xE6 | 0x94..=0x97 | 0x99 | 0xE7 => interface.finish(),
            _ => interface.abort(),
        }
        None
    }

    fn set_features(&mut self, interface: &mut Interface) {
        match (interface.task.features.now, interface.task.count.now) {
            (0x03, mode @ (0x10..=0x12 | 0x20..=0x22 | 0x40..=0x45)) => self.transfer_mode = mode,
            (0x03, 0x00 | 0x01 | 0x08..=0x0C) | (0x66 | 0xCC, _) => {}
            _ => {
                interface.abort();
                return;
            }
        }
        interface.finish();
    }

    /// The worker has moved the data of a packet command.
    pub(super) fn work_done(&mut self, interface: &mut Interface, ending: Ending) {
        match ending {
            Ending::Done => self.good(interface),
            Ending::ShortTable => {
                self.good(interface);
                interface.interrupt = false;
            }
            Ending::MemoryFault => self.check(interface, Sense::DATA_PHASE_ERROR),
            Ending::ReadFailed(_) | Ending::WriteFailed(_) => self.check(interface, Sense::UNRECOVERED_READ_ERROR),
        }
    }
}
