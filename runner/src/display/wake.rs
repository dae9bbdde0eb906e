//! Wakes a thread that waits in poll(), from any other.

use rustix::event::{EventfdFlags, eventfd};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A wake-up call, and the word that it is time to end. Clones are the same.
#[derive(Clone, Debug)]
pub(super) struct Wake(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    fd: OwnedFd,
    ended: AtomicBool,
}

impl Wake {
    pub(super) fn new() -> io::Result<Self> {
        let fd = eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?;
        Ok(Wake(Arc::new(Inner {
            fd,
            ended: AtomicBool::new(false),
        })))
    }

    /// Readable after a call.
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.0.fd.as_fd()
    }

    /// Wakes the thread, now or when it next waits.
    pub(super) fn call(&self) {
        // It fails only if more calls than 64 bits count were not answered.
        let _ = rustix::io::write(&self.0.fd, &1u64.to_ne_bytes());
    }

    /// Forgets calls so far.
    pub(super) fn answer(&self) {
        let _ = rustix::io::read(&self.0.fd, &mut [0; 8]);
    }

    /// Asks the thread to end.
    pub(super) fn end(&self) {
        self.0.ended.store(true, Ordering::SeqCst);
        self.call();
    }

    pub(super) fn ended(&self) -> bool {
        self.0.ended.load(Ordering::SeqCst)
    }
}
