//! One channel: two drives on a cable, one interrupt line, one bus master, and the worker that serves them.

use super::device::{Device, Transfer};
use super::dma::BusMaster;
use super::registers::control;
use super::worker::{Ending, Work};
use crate::device::{GuestMemory, IrqLine};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// A channel, shared by the ports and the worker.
pub(super) struct Channel {
    state: Mutex<State>,
    /// Signalled when there is work, or when the worker shall end.
    wake: Condvar,
    /// Signalled when the worker has finished something.
    idle: Condvar,
    pub(super) memory: Arc<dyn GuestMemory>,
}

/// What the channel's lock protects.
pub(super) struct State {
    pub(super) devices: [Device; 2],
    pub(super) bus_master: BusMaster,
    pub(super) selected: usize,
    pub(super) control: u8,
    irq: Arc<dyn IrqLine>,
    irq_level: bool,
    /// Handed to the worker, not yet taken.
    pub(super) work: Option<Work>,
    /// The worker is at it.
    pub(super) working: bool,
    /// Counts resets: work of an older generation is cancelled.
    pub(super) generation: u64,
    submitted: u64,
    finished: u64,
    pub(super) quit: bool,
}

impl Channel {
    pub(super) fn new(devices: [Device; 2], irq: Arc<dyn IrqLine>, memory: Arc<dyn GuestMemory>) -> Arc<Self> {
        Arc::new(Channel {
            state: Mutex::new(State {
                devices,
                bus_master: BusMaster::default(),
                selected: 0,
                control: 0,
                irq,
                irq_level: false,
                work: None,
                working: false,
                generation: 0,
                submitted: 0,
                finished: 0,
                quit: false,
            }),
            wake: Condvar::new(),
            idle: Condvar::new(),
            memory,
        })
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The worker sleeps until something is submitted.
    pub(super) fn wait_for_work<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.wake.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    /// The worker is done with what it took.
    pub(super) fn work_finished(&self, state: &mut State) {
        state.working = false;
        state.finished += 1;
        self.idle.notify_all();
    }

    /// Ends the worker's thread after what it is doing now.
    pub(super) fn quit(&self) {
        self.lock().quit = true;
        self.wake.notify_all();
    }

    /// Waits until everything submitted before this call is finished.
    pub(super) fn drain(&self) {
        let state = self.lock();
        drop(self.wait_for_worker(state));
    }

    pub(super) fn wait_for_worker<'a>(&self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        let target = state.submitted;
        while state.finished < target && !state.quit {
            state = self.idle.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state
    }

    /// The hardware reset line: as at power-on, after the worker has let go.
    pub(super) fn reset(&self) {
        let mut state = self.cancel(self.lock());
        state.bus_master.reset();
        state.control = 0;
        state.selected = 0;
        for device in &mut state.devices {
            device.reset(true);
        }
        state.update_irq();
    }

    /// Takes the running command away and waits until the worker has noticed.
    pub(super) fn cancel<'a>(&self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        state.generation += 1;
        if state.work.take().is_some() {
            state.finished += 1;
        }
        self.wait_for_worker(state)
    }

    pub(super) fn submit(&self, state: &mut State, work: Work) {
        state.submitted += 1;
        state.work = Some(work);
        self.wake.notify_one();
    }

    /// Hands a DMA command to the worker once both the drive and the bus master are ready.
    pub(super) fn start_dma(&self, state: &mut State) {
        if !state.bus_master.is_started() {
            return;
        }
        let transfer = &mut state.devices[state.selected].interface.transfer;
        if let Transfer::AwaitDma(_) = transfer
            && let Transfer::AwaitDma(work) = std::mem::replace(transfer, Transfer::Working)
        {
            self.submit(state, work);
        }
    }
}

impl State {
    pub(super) fn selected_device(&mut self) -> &mut Device {
        &mut self.devices[self.selected]
    }

    /// A register of the selected drive. Where there is no drive everything reads 0, as SeaBIOS and Linux expect
    /// of an empty connector; the device register keeps what was written.
    pub(super) fn register(&self, register: u16) -> u8 {
        let device = &self.devices[self.selected];
        let interface = &device.interface;
        let task = &interface.task;
        let hob = self.control & control::HOB != 0;
        if !device.is_present() && register != 6 {
            return 0;
        }
        match register {
            1 => interface.error,
            2 => task.count.read(hob),
            3 => task.low.read(hob),
            4 => task.mid.read(hob),
            5 => task.high.read(hob),
            6 => task.device | 0xA0,
            _ => interface.status,
        }
    }

    /// EXECUTE DEVICE DIAGNOSTIC: both drives show their signature; device 0 interrupts.
    pub(super) fn diagnose(&mut self) {
        for device in &mut self.devices {
            device.reset(false);
        }
        self.selected = 0;
        let first = &mut self.devices[0];
        first.interface.interrupt = first.is_present();
    }

    /// The worker has ended `work` for the drive that is busy.
    pub(super) fn complete(&mut self, work: &Work, ending: Ending) {
        if work.is_dma() {
            match ending {
                Ending::ShortTable => self.bus_master.table_ended(),
                Ending::MemoryFault => self.bus_master.memory_failed(),
                _ => self.bus_master.transfer_ended(),
            }
        }
        for device in &mut self.devices {
            if matches!(device.interface.transfer, Transfer::Working) {
                device.work_done(ending);
            }
        }
        self.update_irq();
    }

    /// Sets the interrupt line to what the selected drive and nIEN say.
    pub(super) fn update_irq(&mut self) {
        let pending = self.devices[self.selected].interface.interrupt;
        let level = pending && self.control & control::NIEN == 0;
        if level != self.irq_level {
            self.irq_level = level;
            if level {
                self.bus_master.drive_interrupted();
            }
            self.irq.set(level);
        }
    }
}
