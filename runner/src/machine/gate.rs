//! The gate between processor threads and the guest: it lets them in, gets them out, and holds them.

use crate::bus::lock;
use crate::kvm::kick::Thread;
use crate::kvm::vcpu::ResetKind;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Where a processor thread is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Not started, or ended.
    Absent,
    /// In `KVM_RUN`.
    Guest,
    /// Serving an exit.
    Host,
    /// Waiting at the gate.
    Parked,
}

struct State {
    holds: usize,
    /// Grows with every reset; a processor that has not seen it yet resets itself at the gate.
    generation: u64,
    kind: ResetKind,
    ended: bool,
    places: Vec<(Place, Thread, u64)>,
}

/// What a processor thread does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pass {
    /// Enter the guest.
    Enter,
    /// Reset the processor, then ask again.
    Reset(ResetKind),
    /// End the thread.
    End,
}

/// The gate. All its waits end without any device lock, so it may be used while serving an exit.
pub(super) struct Gate {
    state: Mutex<State>,
    changed: Condvar,
}

impl Gate {
    /// A gate for `cpus` processors, held once: nobody enters before the first [`release`](Gate::release).
    pub(super) fn new(cpus: u8) -> Arc<Self> {
        Arc::new(Gate {
            state: Mutex::new(State {
                holds: 1,
                generation: 0,
                kind: ResetKind::PowerOn,
                ended: false,
                places: vec![(Place::Absent, Thread::current(), 0); cpus.into()],
            }),
            changed: Condvar::new(),
        })
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    /// Processor `cpu`, on the calling thread, asks to enter the guest.
    pub(super) fn enter(&self, cpu: usize) -> Pass {
        let mut state = lock(&self.state);
        loop {
            let generation = state.generation;
            let State {
                holds,
                ended,
                kind,
                places,
                ..
            } = &mut *state;
            let place = &mut places[cpu];
            if *ended {
                place.0 = Place::Absent;
                self.changed.notify_all();
                return Pass::End;
            }
            if place.2 != generation {
                place.2 = generation;
                // Not parked until it comes back: `reset` waits for that.
                place.0 = Place::Host;
                return Pass::Reset(*kind);
            }
            if *holds == 0 {
                *place = (Place::Guest, Thread::current(), generation);
                return Pass::Enter;
            }
            *place = (Place::Parked, Thread::current(), generation);
            self.changed.notify_all();
            state = self.wait(state);
        }
    }

    /// Processor `cpu` has come out of the guest.
    pub(super) fn leave(&self, cpu: usize) {
        let mut state = lock(&self.state);
        state.places[cpu].0 = Place::Host;
        if state.holds > 0 {
            self.changed.notify_all();
        }
    }

    /// Processor `cpu`'s thread ends on its own (an error).
    pub(super) fn retire(&self, cpu: usize) {
        lock(&self.state).places[cpu].0 = Place::Absent;
        self.changed.notify_all();
    }

    fn kick(state: &State) {
        for (place, thread, _) in &state.places {
            if *place == Place::Guest {
                // SAFETY: a thread that is in the guest has not ended, and cannot leave it unnoticed while the
                // state is locked, which it is: the caller holds the guard.
                unsafe { thread.kick() };
            }
        }
    }

    /// Keeps processors from entering the guest until [`release`](Gate::release), and kicks those inside. Does not
    /// wait.
    pub(super) fn hold(&self) {
        let mut state = lock(&self.state);
        state.holds += 1;
        Self::kick(&state);
    }

    /// Waits until no processor is in the guest. Hold first.
    pub(super) fn wait_outside(&self) {
        let mut state = lock(&self.state);
        while state.places.iter().any(|place| place.0 == Place::Guest) {
            state = self.wait(state);
        }
    }

    /// Waits until every processor is parked (none serves an exit either). Hold first. Not for processor threads.
    pub(super) fn wait_parked(&self) {
        let mut state = lock(&self.state);
        while state
            .places
            .iter()
            .any(|place| matches!(place.0, Place::Guest | Place::Host))
        {
            state = self.wait(state);
        }
    }

    /// Lets every processor reset itself and waits until all have. Hold and wait first.
    pub(super) fn reset(&self, kind: ResetKind) {
        let mut state = lock(&self.state);
        state.kind = kind;
        state.generation += 1;
        self.changed.notify_all();
        let pending = |state: &State| {
            let generation = state.generation;
            let done = |place: &(Place, Thread, u64)| {
                place.0 == Place::Absent || place.0 == Place::Parked && place.2 == generation
            };
            !state.places.iter().all(done)
        };
        while pending(&state) {
            state = self.wait(state);
        }
    }

    /// Takes back one [`hold`](Gate::hold).
    pub(super) fn release(&self) {
        let mut state = lock(&self.state);
        state.holds = state.holds.saturating_sub(1);
        self.changed.notify_all();
    }

    /// Ends all processor threads.
    pub(super) fn end(&self) {
        let mut state = lock(&self.state);
        state.ended = true;
        Self::kick(&state);
        self.changed.notify_all();
    }
}
