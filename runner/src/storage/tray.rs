//! The front of the CD-ROM drive: what the person at the machine can do with it.

use super::atapi::Cdrom;
use super::channel::Channel;
use super::device::Unit;
use super::medium::Medium;
use disk::ReadAt;
use std::sync::Arc;

/// A handle to the CD-ROM drive, for the control socket and the window. It works while the machine runs.
#[derive(Clone)]
pub struct CdromHandle {
    channel: Arc<Channel>,
    device: usize,
}

impl CdromHandle {
    pub(super) fn new(channel: &Arc<Channel>, device: usize) -> Self {
        CdromHandle {
            channel: channel.clone(),
            device,
        }
    }

    /// Puts another disc in, or takes it out, even if the guest has locked the tray. The guest learns of it at
    /// its next command. A read that is running ends with the old disc's data.
    pub fn set_disc(&self, disc: Option<Arc<dyn ReadAt>>) {
        let disc = disc.map(|disc| Medium::disc("CD-ROM".to_owned(), disc));
        self.with(|cdrom| cdrom.set_disc(disc));
    }

    /// Presses the eject button: `true` if the disc came out, `false` if the guest has locked the tray. Then the
    /// guest was told, and may let go of the disc by itself.
    pub fn press_eject(&self) -> bool {
        self.with(Cdrom::press_eject).unwrap_or(false)
    }

    /// Whether the guest has locked the tray.
    pub fn is_locked(&self) -> bool {
        self.with(|cdrom| cdrom.is_locked()).unwrap_or(false)
    }

    /// Whether there is a disc.
    pub fn has_disc(&self) -> bool {
        self.with(|cdrom| cdrom.has_disc()).unwrap_or(false)
    }

    fn with<T>(&self, use_it: impl FnOnce(&mut Cdrom) -> T) -> Option<T> {
        match &mut self.channel.lock().devices[self.device].unit {
            Unit::Cdrom(cdrom) => Some(use_it(cdrom)),
            _ => None,
        }
    }
}
