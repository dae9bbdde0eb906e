//! What can be done to a running machine: reset, pause, keys, the power button.

use super::board::Board;
use super::requests::Request;
use crate::bus::lock;
use crate::config::RunError;
use crate::control::{Event, RunState};
use crate::device::Timed;
use crate::input::InputEvent;
use crate::kvm::vcpu::ResetKind;
use crate::video::Frame;

/// The device that an event is for.
enum Taker {
    Ps2,
    Tablet,
    VmMouse,
}

impl Board {
    /// The reset line reaches every device; memory and CMOS stay. The processors must be parked.
    pub(super) fn reset(&self) -> Result<(), RunError> {
        self.drain_or_warn();
        for (_, body) in lock(&self.root).functions() {
            lock(body).reset();
        }
        lock(&self.root).reset();
        lock(&self.cmos).reset();
        lock(&self.keyboard).reset();
        lock(&self.vmmouse).reset();
        lock(&self.fw_cfg).reset();
        self.vm.reset_chips()?;
        self.follow_all()?;
        self.timers.look();
        Ok(())
    }

    /// Waits for what the disks are doing and makes it durable. The processors must be parked.
    pub(super) fn drain(&self) -> Result<(), RunError> {
        self.ide.drain_and_flush().map_err(|source| RunError::System {
            what: "write what the guest has written through to the disk; the last changes may be lost".into(),
            source,
        })
    }

    /// As [`drain`](Self::drain), where the machine goes on: the guest will see the error at its own next flush.
    fn drain_or_warn(&self) {
        if let Err(error) = self.drain() {
            eprintln!("warning: {error}");
        }
    }

    /// The power button: the guest decides.
    pub(super) fn power_button(&self) {
        lock(&self.pm).power_button();
    }

    /// Keys, buttons and movements, in order.
    pub(super) fn input(&self, events: &[InputEvent]) {
        for event in events {
            match self.taker(event) {
                Taker::Tablet => lock(&self.usb).input(event),
                Taker::VmMouse => {
                    if lock(&self.vmmouse).input(event) {
                        // Its driver wakes when the PS/2 mouse says something.
                        lock(&self.keyboard).input(&InputEvent::Move { dx: 0, dy: 0 });
                    }
                }
                Taker::Ps2 => lock(&self.keyboard).input(event),
            }
        }
        let deadline = lock(&self.keyboard).deadline();
        self.timers.nudge(deadline);
    }

    /// The keyboard's lamps.
    pub(super) fn leds(&self) -> u8 {
        lock(&self.keyboard).leds()
    }

    /// Whether the guest has yet to read keys.
    pub(super) fn is_behind(&self) -> bool {
        lock(&self.keyboard).is_behind()
    }

    /// A button goes where the pointer is told; one that is let go, where it was pressed. A guest with drivers for both
    /// absolute pointers is told by the tablet.
    fn taker(&self, event: &InputEvent) -> Taker {
        let (usb, vmmouse) = (lock(&self.usb), lock(&self.vmmouse));
        let (tablet, vm) = match event {
            InputEvent::Key { .. } | InputEvent::Move { .. } => (false, false),
            InputEvent::Point { .. } => (usb.has_pointer() || !vmmouse.is_used(), true),
            InputEvent::Button { name, down: true } => (usb.takes(name), vmmouse.is_used() && vmmouse.has(name)),
            InputEvent::Button { name, down: false } => (usb.holds(name), vmmouse.holds(name)),
        };
        match (tablet, vm) {
            (true, _) => Taker::Tablet,
            (false, true) => Taker::VmMouse,
            (false, false) => Taker::Ps2,
        }
    }

    /// Whether the guest has an absolute pointer that it listens to.
    pub(super) fn has_absolute_pointer(&self) -> bool {
        lock(&self.usb).has_pointer() || lock(&self.vmmouse).is_used()
    }

    /// The screen as it is now.
    pub(super) fn screenshot(&self) -> Frame {
        let snapshot = lock(&self.vga).snapshot();
        snapshot.render()
    }

    /// Running, paused or ending.
    pub(super) fn state(&self) -> RunState {
        *lock(&self.phase)
    }

    /// Halts processors and clock and flushes the disks; nothing if that was done already.
    pub(super) fn pause(&self) {
        let mut phase = lock(&self.phase);
        if *phase != RunState::Running {
            return;
        }
        self.gate.hold();
        self.gate.wait_parked();
        self.clock.stop();
        self.drain_or_warn();
        *phase = RunState::Paused;
        drop(phase);
        self.events.emit(Event::Stop);
    }

    /// Goes on after [`pause`](Self::pause).
    pub(super) fn resume(&self) {
        let mut phase = lock(&self.phase);
        if *phase != RunState::Paused {
            return;
        }
        *phase = RunState::Running;
        drop(phase);
        self.clock.start();
        self.timers.look();
        self.gate.release();
        self.events.emit(Event::Resume);
    }

    /// Carries out a request that does not end the machine.
    pub(super) fn serve_reset(&self, guest: bool) -> Result<(), RunError> {
        self.reset()?;
        self.gate.reset(ResetKind::PowerOn);
        self.gate.release();
        self.events.emit(Event::Reset { guest });
        Ok(())
    }

    /// The processors' reset line. Systems of the 286's time return from protected mode this way: the shutdown byte
    /// in CMOS then says where to go on, and everything else must stay as it is. Without such a wish the firmware
    /// would go on to reset the whole machine, so that is done at once.
    pub(super) fn serve_init(&self) -> Result<(), RunError> {
        if !lock(&self.cmos).returns_from_reset() {
            return self.serve_reset(true);
        }
        self.gate.reset(ResetKind::Init);
        self.gate.release();
        Ok(())
    }

    /// The registers of PCI function `function` were written: ports and memory follow.
    pub(super) fn follow(&self, function: u8) {
        if let Err(error) = self.try_follow(|number| number == function) {
            self.requests.ask(Request::Failed(error));
        }
    }

    /// The display adapter's window has moved: memory follows.
    pub(super) fn follow_memory(&self) {
        if let Err(error) = self.try_follow(|_| false) {
            self.requests.ask(Request::Failed(error));
        }
    }
}
