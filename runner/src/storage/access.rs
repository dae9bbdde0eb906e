//! Port accesses of one channel: registers, commands, data port, bus master.

use super::channel::{Channel, State};
use super::device::Transfer;
use super::registers::{DEVICE_SELECT, control, status};
use super::worker::Work;

/// EXECUTE DEVICE DIAGNOSTIC: the one command that both drives obey, whichever is selected.
const EXECUTE_DEVICE_DIAGNOSTIC: u8 = 0x90;
/// DEVICE RESET: the one command that a busy packet device obeys.
const DEVICE_RESET: u8 = 0x08;

impl Channel {
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
        let heard = device.is_present() || command == EXECUTE_DEVICE_DIAGNOSTIC;
        if state.control & control::SRST != 0 || !heard || (busy && command != DEVICE_RESET) {
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
