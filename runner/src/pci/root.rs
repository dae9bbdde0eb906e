//! The functions on bus 0, and configuration mechanism #1: the address latch at CF8h, the data window at CFCh.

use super::PciFunction;
use std::sync::{Arc, Mutex, PoisonError};

/// Bus 0 and the address latch.
#[derive(Default)]
pub struct PciRoot {
    address: u32,
    functions: Vec<(u8, Arc<Mutex<dyn PciFunction>>)>,
}

impl PciRoot {
    /// Puts a function at `device` (0–31) and `function` (0–7) of bus 0.
    pub fn add(&mut self, device: u8, function: u8, body: Arc<Mutex<dyn PciFunction>>) {
        self.functions.push((device << 3 | function & 7, body));
    }

    /// All functions with their device/function numbers (device in the upper five bits).
    pub fn functions(&self) -> &[(u8, Arc<Mutex<dyn PciFunction>>)] {
        &self.functions
    }

    /// Reads the address latch (CF8h, 32 bits).
    pub fn address(&self) -> u32 {
        self.address
    }

    /// Writes the address latch.
    pub fn set_address(&mut self, value: u32) {
        self.address = value & 0x80ff_fffc;
    }

    /// The function the latch selects, and the offset of the byte at data port CFCh + `lane`.
    fn selected(&self, lane: u8) -> Option<(&Arc<Mutex<dyn PciFunction>>, u8)> {
        let [register, slot, bus, enable] = self.address.to_le_bytes();
        if enable & 0x80 == 0 || bus != 0 {
            return None;
        }
        let (_, body) = self.functions.iter().find(|(at, _)| *at == slot)?;
        Some((body, register & 0xfc | lane & 3))
    }

    /// Reads the data window at CFCh + `lane`; all ones where no function answers.
    pub fn read(&self, lane: u8, size: u8) -> u32 {
        self.selected(lane).map_or(u32::MAX, |(body, offset)| {
            body.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .read_config(offset, size)
        })
    }

    /// Writes the data window at CFCh + `lane`. Returns the number of the function that was written.
    pub fn write(&self, lane: u8, size: u8, value: u32) -> Option<u8> {
        let (body, offset) = self.selected(lane)?;
        body.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .write_config(offset, size, value);
        Some(self.address.to_le_bytes()[1])
    }

    /// The reset line.
    pub fn reset(&mut self) {
        self.address = 0;
    }
}
