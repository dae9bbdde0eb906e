//! How far a capture is, for whoever draws it: written by the capture's threads, looked at by another one.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Shared by a capture and its viewer.
#[derive(Debug, Default)]
pub(crate) struct Live {
    state: Mutex<Snapshot>,
    // Changed with every chunk, so kept out of the lock.
    done: AtomicU64,
    position: AtomicU64,
}

/// One look at it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Snapshot {
    /// Bytes to be read.
    pub(crate) total: u64,
    /// Bytes that were read and are in the image.
    pub(crate) done: u64,
    /// Where on the disk it is, in bytes.
    pub(crate) position: u64,
    /// What is done after, or beside, the plain copying; empty at first.
    pub(crate) note: &'static str,
    /// How long the disk has not answered.
    pub(crate) waiting: Option<Duration>,
    /// How many reads failed. A place that is tried several times counts each time.
    pub(crate) failed_reads: u64,
    /// Where the last of them was, in bytes.
    pub(crate) last_failure: u64,
}

impl Live {
    /// What is known now.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        Snapshot {
            done: self.done.load(Ordering::Relaxed),
            position: self.position.load(Ordering::Relaxed),
            ..state.clone()
        }
    }

    pub(super) fn add(&self, bytes: u64) {
        self.done.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn at(&self, offset: u64) {
        self.position.store(offset, Ordering::Relaxed);
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut Snapshot)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
