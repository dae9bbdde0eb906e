//! One channel: two drives on a cable, their registers at ten ports, one interrupt line, one bus master.

use super::device::{Device, Transfer};
use super::dma::BusMaster;
use super::registers::{DEVICE_SELECT, control, status};
use super::worker::{Ending, Work};
use crate::device::{GuestMemory, IrqLine};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// EXECUTE DEVICE DIAGNOSTIC: the one command that both drives obey, whichever is selected.
const EXECUTE_DEVICE_DIAGNOSTIC: u8 = 0x90;
/// DEVICE RESET: the one command that a busy packet device obeys.
const DEVICE_RESET: u8 = 0x08;

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
    selected: usize,
    control: u8,
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

    fn wait_for_worker<'a>(&self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
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
    fn cancel<'a>(&self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        state.generation += 1;
        if state.work.take().is_some() {
            state.finished += 1;
        }
        self.wait_for_worker(state)
    }

    fn submit(&self, state: &mut State, work: Work) {
        state.submitted += 1;
        state.work = Some(work);
        self.wake.notify_one();
    }

    /// Hands a DMA command to the worker once both the drive and the bus master are ready.
    fn start_dma(&self, state: &mut State) {
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

    /// Reads register 1–7 of the command block.
    pub(super) fn read_register(&self, register: u16) -> u8 {
        let mut state = self.lock();
        let value = state.register(register);
        if register == 7 {
            let selected = state.selected;
            state.devices[selected].interface.interrupt = false;
            state.update_irq();
        }
        value
    }

    /// Reads the alternate status register: as register 7, but the interrupt stays.
    pub(super) fn read_alternate_status(&self) -> u8 {
        self.lock().register(7)
    }

    /// Writes register 1–7 of the command block.
    pub(super) fn write_register(&self, register: u16, value: u8) {
        let mut state = self.lock();
        state.control &= !control::HOB;
        if register == 7 {
            self.write_command(&mut state, value);
            return;
        }
        if state.control & control::SRST != 0 || state.devices[state.selected].interface.is_busy() {
            return;
        }
        for device in &mut state.devices {
            let task = &mut device.interface.task;
            match register {
                1 => task.features.push(value),
                2 => task.count.push(value),
                3 => task.low.push(value),
                4 => task.mid.push(value),
                5 => task.high.push(value),
                _ => task.device = value,
            }
        }
        if register == 6 {
            state.selected = usize::from(value & DEVICE_SELECT != 0);
            state.update_irq();
        }
    }

    fn write_command(&self, state: &mut State, command: u8) {
        let device = &mut state.devices[state.selected];
        let busy = device.interface.is_busy();
        if state.control & control::SRST != 0 || !device.is_present() || (busy && command != DEVICE_RESET) {
            return;
        }
        if command == EXECUTE_DEVICE_DIAGNOSTIC {
            state.diagnose();
        } else if command == DEVICE_RESET && matches!(device.interface.transfer, Transfer::Working) {
            // Not while the worker holds the command: its results would arrive after the reset.
            return;
        } else if let Some(work) = device.command(command) {
            self.submit(state, work);
        }
        self.start_dma(state);
        state.update_irq();
    }

    /// Writes the device control register.
    pub(super) fn write_control(&self, value: u8) {
        let mut state = self.lock();
        let (was, is) = (state.control & control::SRST, value & control::SRST);
        if was == 0 && is != 0 {
            state = self.cancel(state);
            for device in &mut state.devices {
                device.reset(false);
                if device.is_present() {
                    device.interface.status = status::BSY;
                }
            }
        } else if was != 0 && is == 0 {
            for device in &mut state.devices {
                device.reset(false);
            }
            state.selected = 0;
        }
        state.control = value & (control::HOB | control::SRST | control::NIEN);
        state.update_irq();
    }

    /// `rep insw` (or `insd`, or single reads): fills `data` from the data port.
    pub(super) fn read_data(&self, data: &mut [u8]) {
        let mut state = self.lock();
        let mut rest = data;
        while !rest.is_empty() {
            let device = state.selected_device();
            let Transfer::ToHost { block, position } = &mut device.interface.transfer else {
                rest.fill(0xFF);
                return;
            };
            let from = &block[*position..];
            let len = from.len().min(rest.len());
            let (now, later) = rest.split_at_mut(len);
            now.copy_from_slice(&from[..len]);
            rest = later;
            *position += len;
            if *position == block.len() {
                let work = device.block_sent();
                self.after_block(&mut state, work);
            }
        }
    }

    /// `rep outsw`: feeds `data` to the data port.
    pub(super) fn write_data(&self, data: &[u8]) {
        let mut state = self.lock();
        let mut rest = data;
        while !rest.is_empty() {
            let device = state.selected_device();
            let Transfer::FromHost { block, position } = &mut device.interface.transfer else {
                return;
            };
            let to = &mut block[*position..];
            let len = to.len().min(rest.len());
            let (now, later) = rest.split_at(len);
            to[..len].copy_from_slice(now);
            rest = later;
            *position += len;
            if *position == block.len() {
                let block = std::mem::take(block);
                let work = device.block_received(&block);
                self.after_block(&mut state, work);
            }
        }
    }

    fn after_block(&self, state: &mut State, work: Option<Work>) {
        if let Some(work) = work {
            self.submit(state, work);
        }
        self.start_dma(state);
        state.update_irq();
    }

    /// Reads a bus-master register, 0–7.
    pub(super) fn read_bus_master(&self, offset: u8) -> u8 {
        self.lock().bus_master.read(offset)
    }

    /// Writes a bus-master register, 0–7.
    pub(super) fn write_bus_master(&self, offset: u8, value: u8) {
        let mut state = self.lock();
        match offset {
            0 => {
                if state.bus_master.would_stop(value) {
                    // A half-finished transfer would leave half a sector on the disk: let it end first.
                    state = self.wait_for_worker(state);
                }
                state.bus_master.write_command(value);
                self.start_dma(&mut state);
            }
            2 => state.bus_master.write_status(value),
            4..=7 => state.bus_master.write_table(offset - 4, value),
            _ => {}
        }
    }
}

impl State {
    fn selected_device(&mut self) -> &mut Device {
        &mut self.devices[self.selected]
    }

    /// A register of the selected drive. Where there is no drive everything reads 0, as SeaBIOS and Linux expect
    /// of an empty connector; the device register keeps what was written.
    fn register(&self, register: u16) -> u8 {
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
    fn diagnose(&mut self) {
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
