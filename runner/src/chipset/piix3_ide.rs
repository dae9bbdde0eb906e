//! The IDE function 00:01.1 of the PIIX3: where the bus masters' registers are, and timing that nobody keeps.
//!
//! The command blocks are at their traditional ports, whatever the function's registers say.

use crate::bus::{Shared, lock};
use crate::device::PortDevice;
use crate::pci::{BarKind, ConfigSpace, Identity, PciFunction};

/// BAR 4: 8 ports for each channel.
const BUS_MASTERS: usize = 4;

/// The function; the controller behind it is `storage::IdeController`.
pub struct Piix3Ide {
    config: ConfigSpace,
    bus_masters: Shared<dyn PortDevice>,
    reset: Box<dyn Fn() + Send>,
}

impl Piix3Ide {
    /// `bus_masters` looks at the low four bits of the port only; `reset` is the controller's reset line.
    pub fn new(bus_masters: Shared<dyn PortDevice>, reset: Box<dyn Fn() + Send>) -> Self {
        let mut config = ConfigSpace::new(Identity {
            vendor: 0x8086,
            device: 0x7010,
            revision: 0,
            class: 0x01_0180,
            multifunction: false,
        });
        config.preset(0x06, 2, 0x0280);
        config.add_bar(BUS_MASTERS, BarKind::Io, 16);
        // Timing registers of both channels, with the bits that enable their ports.
        config.allow(0x40, 4, 0xffff_ffff);
        config.allow(0x44, 1, 0xff);
        Piix3Ide {
            config,
            bus_masters,
            reset,
        }
    }
}

impl PciFunction for Piix3Ide {
    fn config(&self) -> &ConfigSpace {
        &self.config
    }
    fn config_mut(&mut self) -> &mut ConfigSpace {
        &mut self.config
    }
    fn read_port(&mut self, _: usize, offset: u16, size: u8) -> u32 {
        lock(&self.bus_masters).read(offset, size)
    }
    fn write_port(&mut self, _: usize, offset: u16, size: u8, value: u32) {
        lock(&self.bus_masters).write(offset, size, value);
    }
    fn reset(&mut self) {
        self.config.reset();
        (self.reset)();
    }
}
