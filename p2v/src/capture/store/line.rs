//! A connection that plans share until one of them is carried out: what ssh asks is asked once.

use super::address::Address;
use super::remote::{Found, Remote};
use super::ssh::{Asks, Way};
use super::wire::Wish;
use crate::error::{Exit, Failure, Result};
use crate::signals::Stop;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A connection to another computer. Clones are the same one.
#[derive(Clone)]
pub(crate) struct Line {
    address: Address,
    remote: Arc<Mutex<Option<Remote>>>,
}

impl Line {
    /// Connects. `stop` ends the wait.
    pub(crate) fn connect(address: &Address, way: &Way, asks: &Asks, stop: &Stop) -> Result<Self> {
        let remote = Remote::connect(address, way, asks, stop)?;
        Ok(Line {
            address: address.clone(),
            remote: Arc::new(Mutex::new(Some(remote))),
        })
    }

    fn remote(&self) -> MutexGuard<'_, Option<Remote>> {
        self.remote.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The other computer, for messages.
    pub(crate) fn host(&self) -> &str {
        self.address.host()
    }

    /// Whether it still stands and leads there.
    pub(crate) fn leads_to(&self, address: &Address) -> bool {
        self.address.is_same_pc(address) && self.remote().as_mut().is_some_and(Remote::is_there)
    }

    /// Asks what is in a place. Only a [refusal](Line::is_refusal) leaves a connection over which more can be asked.
    pub(crate) fn ask(&self, wish: Wish, stop: &Stop) -> Result<Found> {
        let mut remote = self.remote();
        // The last one who asks decides what the other computer begins: nobody who was told to stop.
        stop.check()?;
        let asked = remote.as_mut().ok_or_else(|| self.used())?.ask(wish, stop);
        if let Err(failure) = &asked
            && !Line::is_refusal(failure)
        {
            *remote = None;
        }
        asked
    }

    /// Whether the other computer has refused the place that it was asked for.
    pub(crate) fn is_refusal(failure: &Failure) -> bool {
        failure.exit == Exit::Refused && failure.was_told_there()
    }

    /// Takes the connection out of it, for a capture.
    pub(crate) fn take(&self) -> Result<Remote> {
        self.remote().take().ok_or_else(|| self.used())
    }

    fn used(&self) -> Failure {
        Failure::failed(format!("the connection to {} was used before", self.host())).advice("Start again.")
    }
}
