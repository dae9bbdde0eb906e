//! What devices, signals and the control socket ask of the thread that owns the machine.

use super::gate::Gate;
use crate::config::RunError;
use crate::device::Power;
use crossbeam_channel::Sender;
use std::sync::Arc;

/// A request. The processors are held from the moment it is made; serving it ends with one release of the gate.
#[derive(Debug)]
pub(super) enum Request {
    /// The reset line: pulled by the guest, or by the user.
    Reset {
        /// By the guest.
        guest: bool,
    },
    /// The processors' reset line only: keyboard controller, port 92h, triple fault.
    Init,
    /// The guest cut the power.
    PowerOff,
    /// The user ends the machine.
    Quit,
    /// Something failed that ends the machine.
    Failed(RunError),
}

/// The asking side.
#[derive(Clone)]
pub(super) struct Requests {
    gate: Arc<Gate>,
    sender: Sender<Request>,
}

impl Requests {
    pub(super) fn new(gate: Arc<Gate>, sender: Sender<Request>) -> Self {
        Requests { gate, sender }
    }

    /// Holds the processors and asks. Does not wait, so it may be called under a device's lock.
    pub(super) fn ask(&self, request: Request) {
        self.gate.hold();
        // Nobody listens any more when the machine is ending already.
        let _ = self.sender.send(request);
    }
}

impl Power for Requests {
    fn reset(&self) {
        self.ask(Request::Reset { guest: true });
    }
    fn power_off(&self) {
        self.ask(Request::PowerOff);
    }
}

/// The reset that reaches only the processors, for devices that pull that line.
pub(super) struct InitLine(pub(super) Requests);

impl Power for InitLine {
    fn reset(&self) {
        self.0.ask(Request::Init);
    }
    fn power_off(&self) {
        self.0.power_off();
    }
}
