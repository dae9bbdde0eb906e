//! The PCI bus: what a function is, its configuration space, and how ports CF8h and CFCh reach it.
//!
//! Source: PCI Local Bus Specification 2.2, chapter 6, and the i440FX datasheet for configuration mechanism #1.

mod config_space;
mod root;

pub use config_space::{BarKind, ConfigSpace, Identity};
pub use root::PciRoot;

use crate::bus::Window;
use crate::kvm::Region;

/// A PCI function: one configuration space and what its base address registers lead to.
///
/// The board asks after every configuration write where the BARs are ([`ConfigSpace::mapped`]) and routes ports and
/// memory there; the function itself never sees absolute addresses. A BAR that is plain memory (a framebuffer, an
/// option ROM) is given as a [`Region`] and mapped into the guest: accesses to it do not come here.
pub trait PciFunction: Send {
    /// Its configuration space.
    fn config(&self) -> &ConfigSpace;
    /// Its configuration space, to write to.
    fn config_mut(&mut self) -> &mut ConfigSpace;

    /// A configuration read of `size` (1, 2, 4) bytes inside one 32-bit register.
    fn read_config(&mut self, offset: u8, size: u8) -> u32 {
        self.config().read(offset, size)
    }
    /// A configuration write of `size` (1, 2, 4) bytes inside one 32-bit register.
    fn write_config(&mut self, offset: u8, size: u8, value: u32) {
        self.config_mut().write(offset, size, value);
    }

    /// Reads `size` bytes at `offset` (bytes) into I/O BAR `bar`.
    fn read_port(&mut self, bar: usize, offset: u16, size: u8) -> u32 {
        let _ = (bar, offset, size);
        u32::MAX
    }
    /// Writes to an I/O BAR.
    fn write_port(&mut self, bar: usize, offset: u16, size: u8, value: u32) {
        let _ = (bar, offset, size, value);
    }
    /// Reads from memory BAR `bar`.
    fn read_memory(&mut self, bar: usize, offset: u64, data: &mut [u8]) {
        let _ = (bar, offset);
        data.fill(0xff);
    }
    /// Writes to memory BAR `bar`.
    fn write_memory(&mut self, bar: usize, offset: u64, data: &[u8]) {
        let _ = (bar, offset, data);
    }
    /// The memory that lies behind BAR `bar` ([`ConfigSpace::ROM`] for the option ROM), if it is plain memory.
    fn backing(&self, bar: usize) -> Option<Region> {
        let _ = bar;
        None
    }

    /// How many bytes of [`backing`](Self::backing) the BAR shows.
    fn backing_size(&self, bar: usize) -> usize {
        self.backing(bar).map_or(0, |region| region.size())
    }

    /// Whether an access has changed what [`backing`](Self::backing) gives, since this was last asked.
    fn has_moved(&mut self) -> bool {
        false
    }

    /// Where its BARs lie now. A function with registers at an address that is no BAR adds them here, as BAR 7.
    fn windows(&self) -> Vec<Window> {
        let window = |bar| {
            let (kind, address, size) = self.config().mapped(bar)?;
            Some(Window {
                bar,
                io: kind == BarKind::Io,
                range: address..address.checked_add(size)?,
            })
        };
        (0..=ConfigSpace::ROM).filter_map(window).collect()
    }

    /// The reset line: configuration space and registers as at power-on.
    fn reset(&mut self) {
        self.config_mut().reset();
    }
}
