//! Ctrl-C, SIGTERM and SIGHUP, noticed between two pieces of work so that nothing half-finished stays behind.

use crate::error::{Exit, Failure, Result};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Remembers that a signal asked to stop. Clones share the memory.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stop {
    signal: Arc<AtomicUsize>,
}

impl Stop {
    /// Takes over the signals of this process. The second Ctrl-C ends it at once: a disk that hangs in a read
    /// must not keep its user waiting.
    pub(crate) fn on_signals() -> Result<Self> {
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
            // In this order: the first signal finds the flag down and raises it, the second finds it up.
            signal_hook::flag::register_conditional_shutdown(signal, code, Arc::clone(&armed)).map_err(failed)?;
            signal_hook::flag::register(signal, Arc::clone(&armed)).map_err(failed)?;
            signal_hook::flag::register_usize(signal, Arc::clone(&stop.signal), number).map_err(failed)?;
        }
        Ok(stop)
    }

    /// `Err` with the right exit code if a signal asked to stop.
    pub(crate) fn check(&self) -> Result<()> {
        match self.signal.load(Ordering::Relaxed) {
            0 => Ok(()),
            signal if i32::try_from(signal) == Ok(SIGINT) => Err(Failure::interrupted(Exit::Interrupted)),
            _ => Err(Failure::interrupted(Exit::Terminated)),
        }
    }
}
