//! What happens in the machine, told to everybody who is connected.

use crossbeam_channel::{Sender, TrySendError};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// Something that happened, named as in QMP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The machine was reset: by the guest, or else by the reset button.
    Reset {
        /// The guest asked for it.
        guest: bool,
    },
    /// The power button was pressed.
    Powerdown,
    /// The machine ends: the guest powered off, or else `quit` or a signal.
    Shutdown {
        /// The guest asked for it.
        guest: bool,
    },
    /// The virtual processors were halted.
    Stop,
    /// They run again.
    Resume,
}

impl Event {
    /// The event's name in QMP.
    pub fn name(self) -> &'static str {
        match self {
            Event::Reset { .. } => "RESET",
            Event::Powerdown => "POWERDOWN",
            Event::Shutdown { .. } => "SHUTDOWN",
            Event::Stop => "STOP",
            Event::Resume => "RESUME",
        }
    }

    fn message(self) -> Value {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut message = json!({
            "timestamp": { "seconds": now.as_secs(), "microseconds": now.subsec_micros() },
            "event": self.name(),
        });
        let reason = |guest, ours, host| if guest { ours } else { host };
        let data = match self {
            Event::Reset { guest } => Some((guest, reason(guest, "guest-reset", "host-qmp-system-reset"))),
            Event::Shutdown { guest } => Some((guest, reason(guest, "guest-shutdown", "host-qmp-quit"))),
            Event::Powerdown | Event::Stop | Event::Resume => None,
        };
        if let Some((guest, reason)) = data {
            message["data"] = json!({ "guest": guest, "reason": reason });
        }
        message
    }
}

/// The machine's end of the event stream. It is made first, handed to the machine and to [`super::Server`], and may
/// be cloned freely. The machine emits each event, whoever caused it; without a server nobody hears it.
#[derive(Clone, Debug, Default)]
pub struct Events {
    listeners: Arc<Mutex<Vec<Sender<String>>>>,
}

impl Events {
    /// An event stream that nobody listens to yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Tells everybody. Never blocks: a client that does not read what it is sent is dropped.
    pub fn emit(&self, event: Event) {
        let line = event.message().to_string();
        let mut listeners = self.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        listeners.retain(|listener| match listener.try_send(line.clone()) {
            Ok(()) => true,
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => false,
        });
    }

    /// Lines of events go to `listener` from now on.
    pub(super) fn subscribe(&self, listener: Sender<String>) {
        let mut listeners = self.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        listeners.push(listener);
    }

    /// Forgets a listener, so that its channel closes.
    pub(super) fn unsubscribe(&self, listener: &Sender<String>) {
        let mut listeners = self.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        listeners.retain(|other| !other.same_channel(listener));
    }
}
