//! Ports that are a register or less: port 92h, the DMA controllers nobody uses, empty ACPI hot-plug blocks.

use crate::device::{PortDevice, Power};
use std::sync::Arc;

/// System control port A (92h): bit 0 resets, bit 1 opens address line 20, which is always open here.
pub struct Port92 {
    value: u32,
    power: Arc<dyn Power>,
}

impl Port92 {
    /// Address line 20 starts open, as SeaBIOS leaves it.
    pub fn new(power: Arc<dyn Power>) -> Self {
        Port92 { value: 2, power }
    }
}

impl PortDevice for Port92 {
    fn read(&mut self, _: u16, _: u8) -> u32 {
        self.value
    }
    fn write(&mut self, _: u16, _: u8, value: u32) {
        let rises = value & !self.value & 1 != 0;
        self.value = value & 2;
        if rises {
            self.power.reset();
        }
    }
}

/// Ports that keep what is written to them: DMA controllers and page registers (no device uses ISA DMA), and the
/// port where firmware shows its progress (80h).
pub struct Latches {
    base: u16,
    values: Vec<u8>,
}

impl Latches {
    /// `count` ports from `base`.
    pub fn new(base: u16, count: usize) -> Self {
        Latches {
            base,
            values: vec![0; count],
        }
    }
}

impl PortDevice for Latches {
    fn read(&mut self, port: u16, _: u8) -> u32 {
        let at = usize::from(port.wrapping_sub(self.base));
        self.values.get(at).copied().unwrap_or(0xff).into()
    }
    fn write(&mut self, port: u16, _: u8, value: u32) {
        let at = usize::from(port.wrapping_sub(self.base));
        if let Some(byte) = self.values.get_mut(at) {
            [*byte, ..] = value.to_le_bytes();
        }
    }
}

/// Ports that read as fixed bytes and ignore writes: the firmware's ACPI code looks here for hot-plugged devices
/// (none) and processors (a bit each).
pub struct Fixed {
    base: u16,
    bytes: Vec<u8>,
}

impl Fixed {
    /// `bytes` from port `base`.
    pub fn new(base: u16, bytes: Vec<u8>) -> Self {
        Fixed { base, bytes }
    }
}

impl PortDevice for Fixed {
    fn read(&mut self, port: u16, _: u8) -> u32 {
        let at = usize::from(port.wrapping_sub(self.base));
        self.bytes.get(at).copied().unwrap_or(0).into()
    }
    fn write(&mut self, _: u16, _: u8, _: u32) {}
}
