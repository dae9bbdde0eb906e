//! The machine's time, and the thread that wakes devices whose time has come.

use crate::bus::{Shared, lock};
use crate::device::{Clock, PortDevice, Timed};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Nanoseconds since the machine was made, without the time it was paused.
pub(super) struct MachineClock(Mutex<State>);

struct State {
    /// What the clock shows at `since`, or for ever while it stands.
    shown: u64,
    since: Option<Instant>,
}

impl MachineClock {
    /// A running clock.
    pub(super) fn new() -> Arc<Self> {
        Arc::new(MachineClock(Mutex::new(State {
            shown: 0,
            since: Some(Instant::now()),
        })))
    }

    /// Stands still from now on.
    pub(super) fn stop(&self) {
        let mut state = lock(&self.0);
        state.shown = state.now();
        state.since = None;
    }

    /// Goes on.
    pub(super) fn start(&self) {
        let mut state = lock(&self.0);
        if state.since.is_none() {
            state.since = Some(Instant::now());
        }
    }

    fn running(&self) -> bool {
        lock(&self.0).since.is_some()
    }
}

impl State {
    fn now(&self) -> u64 {
        let passed = self.since.map_or(Duration::ZERO, |since| since.elapsed());
        self.shown
            .saturating_add(u64::try_from(passed.as_nanos()).unwrap_or(u64::MAX))
    }
}

impl Clock for MachineClock {
    fn now(&self) -> u64 {
        lock(&self.0).now()
    }
}

/// All devices that do something at a time of their own.
pub(super) struct Timers {
    clock: Arc<MachineClock>,
    devices: Mutex<Vec<Shared<dyn TimedDevice>>>,
    next: Mutex<Next>,
    changed: Condvar,
}

/// What the thread waits for: the earliest deadline (`u64::MAX` for none), and whether it must look again.
struct Next {
    at: u64,
    look: bool,
    ended: bool,
}

/// A [`Timed`] that may move between threads.
pub(super) trait TimedDevice: Timed + Send {}
impl<T: Timed + Send> TimedDevice for T {}

impl Timers {
    /// No devices yet.
    pub(super) fn new(clock: Arc<MachineClock>) -> Arc<Self> {
        Arc::new(Timers {
            clock,
            devices: Mutex::default(),
            next: Mutex::new(Next {
                at: u64::MAX,
                look: true,
                ended: false,
            }),
            changed: Condvar::new(),
        })
    }

    /// Adds a device.
    pub(super) fn add(&self, device: Shared<dyn TimedDevice>) {
        lock(&self.devices).push(device);
        self.look();
    }

    /// Deadlines may have changed in a way that the thread does not know: it looks at all of them.
    pub(super) fn look(&self) {
        lock(&self.next).look = true;
        self.changed.notify_one();
    }

    /// A device now wants to be woken at `at`.
    pub(super) fn nudge(&self, at: Option<u64>) {
        let mut next = lock(&self.next);
        if at.is_some_and(|at| at < next.at) {
            next.look = true;
            drop(next);
            self.changed.notify_one();
        }
    }

    /// Ends [`run`](Self::run).
    pub(super) fn end(&self) {
        lock(&self.next).ended = true;
        self.changed.notify_one();
    }

    /// The body of the timer thread.
    pub(super) fn run(&self) {
        loop {
            let now = self.clock.now();
            let mut earliest = u64::MAX;
            {
                let mut next = lock(&self.next);
                next.look = false;
                // While devices are being asked, any deadline that the guest sets may be one of a device that has
                // answered already: `nudge` must take it for an earlier one.
                next.at = u64::MAX;
            }
            // The list is copied: a device's interrupt must not be raised under the list's lock.
            let devices = lock(&self.devices).clone();
            for device in devices {
                let mut device = lock(&device);
                if device.deadline().is_some_and(|at| at <= now) {
                    device.expire(now);
                }
                earliest = earliest.min(device.deadline().unwrap_or(u64::MAX));
            }
            let mut next = lock(&self.next);
            if next.ended {
                return;
            }
            if next.look {
                continue;
            }
            next.at = earliest;
            let wait = earliest.saturating_sub(self.clock.now());
            if earliest == u64::MAX || !self.clock.running() {
                drop(self.changed.wait(next).unwrap_or_else(PoisonError::into_inner));
            } else if wait > 0 {
                let wait = Duration::from_nanos(wait);
                drop(
                    self.changed
                        .wait_timeout(next, wait)
                        .unwrap_or_else(PoisonError::into_inner),
                );
            }
        }
    }
}

/// A device behind ports that is also timed: whenever the guest has touched it, its deadline is looked at.
pub(super) struct TimedPorts<T> {
    device: Shared<T>,
    timers: Arc<Timers>,
}

impl<T: PortDevice + Timed> TimedPorts<T> {
    /// Wraps `device`; it must have been added to `timers`.
    pub(super) fn new(device: Shared<T>, timers: Arc<Timers>) -> Shared<Self> {
        Arc::new(Mutex::new(TimedPorts { device, timers }))
    }

    fn access<R>(&self, serve: impl FnOnce(&mut T) -> R) -> R {
        let mut device = lock(&self.device);
        let result = serve(&mut device);
        let deadline = device.deadline();
        drop(device);
        self.timers.nudge(deadline);
        result
    }
}

impl<T: PortDevice + Timed> PortDevice for TimedPorts<T> {
    fn read(&mut self, port: u16, size: u8) -> u32 {
        self.access(|device| device.read(port, size))
    }
    fn write(&mut self, port: u16, size: u8, value: u32) {
        self.access(|device| device.write(port, size, value));
    }
    fn read_string(&mut self, port: u16, size: u8, data: &mut [u8]) {
        self.access(|device| device.read_string(port, size, data));
    }
    fn write_string(&mut self, port: u16, size: u8, data: &[u8]) {
        self.access(|device| device.write_string(port, size, data));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::sync::mpsc::{Sender, channel};

    /// A device that is to be woken at the time in `at`, and says so when it is.
    struct Alarm {
        at: Arc<AtomicU64>,
        woken: Sender<()>,
    }

    impl Timed for Alarm {
        fn deadline(&self) -> Option<u64> {
            Some(self.at.load(Ordering::SeqCst)).filter(|at| *at != u64::MAX)
        }
        fn expire(&mut self, _: u64) {
            self.at.store(u64::MAX, Ordering::SeqCst);
            let _ = self.woken.send(());
        }
    }

    /// A device that is asked after the alarm; meanwhile the guest sets the alarm anew, once.
    struct GuestInBetween {
        timers: Arc<Timers>,
        alarm: Arc<AtomicU64>,
        done: bool,
    }

    impl Timed for GuestInBetween {
        fn deadline(&self) -> Option<u64> {
            (!self.done).then_some(1)
        }
        fn expire(&mut self, now: u64) {
            self.done = true;
            let at = now + 1_000_000;
            self.alarm.store(at, Ordering::SeqCst);
            self.timers.nudge(Some(at));
        }
    }

    #[test]
    fn a_deadline_set_while_devices_are_asked_is_kept() {
        let timers = Timers::new(MachineClock::new());
        let (woken, seen) = channel();
        let alarm = Arc::new(AtomicU64::new(1));
        timers.add(Arc::new(Mutex::new(Alarm {
            at: alarm.clone(),
            woken,
        })));
        timers.add(Arc::new(Mutex::new(GuestInBetween {
            timers: timers.clone(),
            alarm,
            done: false,
        })));
        // What the thread waited for until now: the time that both devices have just reached.
        lock(&timers.next).at = 1;
        let thread = std::thread::spawn({
            let timers = timers.clone();
            move || timers.run()
        });
        for _ in 0..2 {
            seen.recv_timeout(Duration::from_secs(20)).expect("the alarm is lost");
        }
        timers.end();
        thread.join().unwrap();
    }
}
