//! The ISA bridge 00:01.0: routing of PCI interrupts, and the reset register CF9h.
//!
//! Source: Intel 82371FB/SB (PIIX/PIIX3) datasheet.

use crate::bus::{Shared, lock};
use crate::device::{IrqLine, PortDevice, Power};
use crate::pci::{ConfigSpace, Identity, PciFunction};
use std::sync::{Arc, Mutex};

const PIRQRC: u8 = 0x60;

/// The interrupt side of the bridge: which of the four PCI lines are high, and where they lead.
struct Lines {
    /// A bit a source, for each of PIRQA#–PIRQD#.
    levels: [u32; 4],
    routes: [u8; 4],
    /// The ISA interrupts; only those that PCI may use are ever set.
    isa: Vec<Arc<dyn IrqLine>>,
}

impl Lines {
    fn update(&self) {
        for (irq, line) in (0u8..).zip(&self.isa) {
            // Interrupts 0, 1, 2, 8 and 13 cannot be routed to (datasheet, PIRQRC).
            if !matches!(irq, 0 | 1 | 2 | 8 | 13) {
                let high = self
                    .levels
                    .iter()
                    .zip(&self.routes)
                    .any(|(level, route)| *level != 0 && *route == irq);
                line.set(high);
            }
        }
    }
}

/// The ISA bridge.
pub struct Piix3 {
    config: ConfigSpace,
    lines: Shared<Lines>,
}

impl Piix3 {
    /// A bridge that drives `isa`, the lines of ISA interrupts 0–15.
    pub fn new(isa: Vec<Arc<dyn IrqLine>>) -> Self {
        let mut config = ConfigSpace::new(Identity {
            vendor: 0x8086,
            device: 0x7000,
            revision: 0,
            class: 0x06_0100,
            multifunction: true,
        });
        config.preset(0x04, 2, 0x0007);
        config.preset(0x06, 2, 0x0200);
        for (register, value) in [(0x4c, 0x4d), (0x4e, 0x03), (0x69, 0x02), (0x70, 0x80), (0x76, 0x0c)] {
            config.preset(register, 1, value);
        }
        for register in PIRQRC..PIRQRC + 4 {
            config.preset(register, 1, 0x80);
            config.allow(register, 1, 0x8f);
        }
        for register in [0x4c, 0x4e, 0x4f, 0x69, 0x6a, 0x70, 0x71, 0x76, 0x77, 0x82] {
            config.allow(register, 1, 0xff);
        }
        let lines = Lines {
            levels: [0; 4],
            routes: [0x80; 4],
            isa,
        };
        Piix3 {
            config,
            lines: Arc::new(Mutex::new(lines)),
        }
    }

    /// The interrupt line of the function `device` (0–31) that uses pin `pin` (1 = INTA#).
    pub fn interrupt(&self, device: u8, pin: u8) -> Arc<dyn IrqLine> {
        // Each slot's pins are turned by one, as SeaBIOS assumes for this board.
        let pirq = usize::from(device.wrapping_add(pin).wrapping_sub(2) & 3);
        Arc::new(PciLine {
            lines: self.lines.clone(),
            pirq,
            bit: 1 << (device & 31),
        })
    }

    fn update(&self) {
        let mut lines = lock(&self.lines);
        for (register, route) in (PIRQRC..).zip(&mut lines.routes) {
            [*route, ..] = self.config.read(register, 1).to_le_bytes();
        }
        lines.update();
    }
}

impl PciFunction for Piix3 {
    fn config(&self) -> &ConfigSpace {
        &self.config
    }
    fn config_mut(&mut self) -> &mut ConfigSpace {
        &mut self.config
    }
    fn write_config(&mut self, offset: u8, size: u8, value: u32) {
        self.config.write(offset, size, value);
        self.update();
    }
    fn reset(&mut self) {
        self.config.reset();
        lock(&self.lines).levels = [0; 4];
        self.update();
    }
}

struct PciLine {
    lines: Shared<Lines>,
    pirq: usize,
    bit: u32,
}

impl IrqLine for PciLine {
    fn set(&self, high: bool) {
        let mut lines = lock(&self.lines);
        if let Some(level) = lines.levels.get_mut(self.pirq) {
            *level = if high { *level | self.bit } else { *level & !self.bit };
            lines.update();
        }
    }
}

/// The reset control register, port CF9h: bit 2 going high resets.
pub struct ResetControl {
    value: u32,
    power: Arc<dyn Power>,
}

impl ResetControl {
    /// A register that asks `power` for resets.
    pub fn new(power: Arc<dyn Power>) -> Self {
        ResetControl { value: 0, power }
    }
}

impl PortDevice for ResetControl {
    fn read(&mut self, _: u16, _: u8) -> u32 {
        self.value
    }
    fn write(&mut self, _: u16, _: u8, value: u32) {
        if value & !self.value & 4 != 0 {
            self.power.reset();
        }
        // Bit 2 does not stay: the reset that it causes clears it.
        self.value = value & 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::TestIrq;

    #[test]
    fn a_pci_line_follows_its_route() {
        let isa: Vec<_> = (0..16).map(|_| TestIrq::new()).collect();
        let mut bridge = Piix3::new(isa.iter().map(|line| line.clone() as Arc<dyn IrqLine>).collect());
        let line = bridge.interrupt(3, 1);
        line.set(true);
        assert!(isa.iter().all(|line| !line.level()), "not routed");
        bridge.write_config(PIRQRC + 2, 1, 11);
        assert!(isa[11].level());
        bridge.write_config(PIRQRC + 2, 1, 10);
        assert!(!isa[11].level() && isa[10].level());
        line.set(false);
        assert!(!isa[10].level());
    }
}
