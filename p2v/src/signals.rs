//! Ctrl-C, SIGTERM and SIGHUP, noticed between two pieces of work so that nothing half-finished stays behind; and what a
//! person at the guided interface asks for: pause, go on, stop.

use crate::error::{Exit, Failure, Result};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// How often a paused thread looks for signals.
const POLL: Duration = Duration::from_millis(100);

/// Remembers that a signal asked to stop. Clones share the memory.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stop {
    signal: Arc<AtomicUsize>,
    work: Arc<Work>,
}

/// One piece of work that can be paused and cancelled.
#[derive(Debug, Default)]
struct Work {
    cancelled: AtomicBool,
    paused: Mutex<bool>,
    changed: Condvar,
}

impl Stop {
    /// Takes over the signals of this process. The second Ctrl-C ends it at once: a disk that hangs in a read
    /// must not keep its user waiting.
    pub(crate) fn on_signals() -> Result<Self> {
        Self::watch(true)
    }

    /// The same for work that always stops soon, and cleans up: a second Ctrl-C does not end it.
    pub(crate) fn on_signals_patiently() -> Result<Self> {
        Self::watch(false)
    }

    fn watch(second_ends: bool) -> Result<Self> {
        let stop = Stop::default();
        let armed = Arc::new(AtomicBool::new(false));
        let failed = |error| Failure::failed(format!("cannot watch for Ctrl-C: {error}"));
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            let number = usize::try_from(signal).unwrap_or_default();
            let code = if signal == SIGINT {
                Exit::Interrupted
            } else {
                Exit::Terminated
            } as i32;
            // A terminal that is closed sends SIGHUP more than once: that is no second wish.
            // In this order: the first signal finds the flag down and raises it, the second finds it up.
            if second_ends && signal != SIGHUP {
                signal_hook::flag::register_conditional_shutdown(signal, code, Arc::clone(&armed)).map_err(failed)?;
            }
            signal_hook::flag::register(signal, Arc::clone(&armed)).map_err(failed)?;
            signal_hook::flag::register_usize(signal, Arc::clone(&stop.signal), number).map_err(failed)?;
        }
        Ok(stop)
    }

    /// The same signals for another piece of work, which is neither paused nor cancelled.
    pub(crate) fn for_other_work(&self) -> Stop {
        Stop {
            signal: Arc::clone(&self.signal),
            work: Arc::default(),
        }
    }

    /// Asks this piece of work to stop, as Ctrl-C does.
    pub(crate) fn cancel(&self) {
        self.work.cancelled.store(true, Ordering::Relaxed);
        self.work.changed.notify_all();
    }

    /// Holds this piece of work before its next read, or lets it go on.
    pub(crate) fn pause(&self, paused: bool) {
        *self.work.paused.lock().unwrap_or_else(PoisonError::into_inner) = paused;
        self.work.changed.notify_all();
    }

    /// Comes back when the work is not paused, or is asked to stop.
    pub(crate) fn wait_while_paused(&self) {
        let mut paused = self.work.paused.lock().unwrap_or_else(PoisonError::into_inner);
        while *paused && self.check().is_ok() {
            let waited = self.work.changed.wait_timeout(paused, POLL);
            paused = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// `Err` with the right exit code if a signal asked to stop.
    pub(crate) fn check(&self) -> Result<()> {
        match self.signal.load(Ordering::Relaxed) {
            0 if self.work.cancelled.load(Ordering::Relaxed) => Err(Failure::interrupted(Exit::Interrupted)),
            0 => Ok(()),
            signal if i32::try_from(signal) == Ok(SIGINT) => Err(Failure::interrupted(Exit::Interrupted)),
            _ => Err(Failure::interrupted(Exit::Terminated)),
        }
    }
}
