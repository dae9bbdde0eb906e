//! An ATAPI CD-ROM drive that shows an ISO image.

use super::device::Interface;
use super::medium::Medium;
use super::worker::{Ending, Work};
use std::sync::Arc;

/// A CD-ROM drive.
pub(super) struct Cdrom {
    #[allow(dead_code)]
    disc: Option<Arc<Medium>>,
}

impl Cdrom {
    pub(super) fn new(disc: Option<Arc<Medium>>) -> Self {
        Cdrom { disc }
    }
    pub(super) fn reset(&mut self, _hard: bool) {}
    pub(super) fn command(&mut self, interface: &mut Interface, _command: u8) -> Option<Work> {
        interface.abort();
        None
    }
    pub(super) fn block_sent(&mut self, interface: &mut Interface) {
        interface.finish();
    }
    pub(super) fn block_received(&mut self, interface: &mut Interface, _block: &[u8]) -> Option<Work> {
        interface.finish();
        None
    }
    pub(super) fn work_done(&mut self, interface: &mut Interface, _ending: Ending) {
        interface.finish();
    }
}
