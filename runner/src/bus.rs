//! Which device answers at a port or an address: the routing between guest exits and devices.
//!
//! Devices keep their own locks; the routing tables change only when a base address register does.

use crate::device::{MemoryDevice, PortDevice, RegisterDevice};
use crate::pci::PciFunction;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};

/// A device that several threads may use.
pub type Shared<T> = Arc<Mutex<T>>;

/// Locks even if another thread panicked while it held the lock: a device's state is never torn by a panic, and the
/// disks must still be flushed at the end.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What lies behind a range of ports or memory.
enum Target<D: ?Sized> {
    /// A device at fixed addresses.
    Device(Shared<D>),
    /// Base address register `bar` of the PCI function numbered `function`.
    Bar(Shared<dyn PciFunction>, u8, usize),
}

struct Route<D: ?Sized> {
    range: Range<u64>,
    /// The widest access the device understands; wider ones reach it byte by byte.
    width: u8,
    target: Target<D>,
}

// Derived, it would ask that the devices themselves can be cloned.
impl<D: ?Sized> Clone for Route<D> {
    fn clone(&self) -> Self {
        Route {
            range: self.range.clone(),
            width: self.width,
            target: match &self.target {
                Target::Device(device) => Target::Device(device.clone()),
                Target::Bar(body, function, bar) => Target::Bar(body.clone(), *function, *bar),
            },
        }
    }
}

/// Where one base address register of a function lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// Number of the BAR.
    pub bar: usize,
    /// Ports, or memory.
    pub io: bool,
    /// The addresses.
    pub range: Range<u64>,
}

/// The routing tables. Reading them is cheap; an access holds no table lock while the device works.
#[derive(Default)]
pub struct Bus {
    ports: RwLock<Vec<Route<dyn PortDevice>>>,
    memory: RwLock<Vec<Route<dyn MemoryDevice>>>,
    registers: OnceLock<(u16, Shared<dyn RegisterDevice>)>,
    /// Called when a write has changed what can be mapped; no device is locked then.
    moved: OnceLock<Box<dyn Fn() + Send + Sync>>,
}

impl Bus {
    /// Routes `ports` to a device that understands accesses of up to `width` bytes. Earlier routes win.
    pub fn add_ports(&self, ports: Range<u16>, width: u8, device: Shared<dyn PortDevice>) {
        let range = u64::from(ports.start)..u64::from(ports.end);
        let target = Target::Device(device);
        self.ports
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Route { range, width, target });
    }

    /// Routes a window of guest-physical memory to a device.
    pub fn add_memory(&self, range: Range<u64>, device: Shared<dyn MemoryDevice>) {
        let target = Target::Device(device);
        self.memory.write().unwrap_or_else(PoisonError::into_inner).push(Route {
            range,
            width: 8,
            target,
        });
    }

    /// Routes double words that are read from `port` to the one device that answers in registers.
    pub fn set_registers(&self, port: u16, device: Shared<dyn RegisterDevice>) {
        let _ = self.registers.set((port, device));
    }

    /// The device that a read of `size` bytes from `port` calls with the processor's registers.
    pub fn registers(&self, port: u16, size: u8) -> Option<&Shared<dyn RegisterDevice>> {
        let (own, device) = self.registers.get()?;
        (port == *own && size == 4).then_some(device)
    }

    /// Calls `moved` after writes that change what of a device can be mapped.
    pub fn on_move(&self, moved: Box<dyn Fn() + Send + Sync>) {
        let _ = self.moved.set(moved);
    }

    /// Replaces the routes to the BARs of PCI function number `function`.
    pub fn set_windows(&self, function: u8, body: &Shared<dyn PciFunction>, windows: &[Window]) {
        let mut ports = self.ports.write().unwrap_or_else(PoisonError::into_inner);
        let mut memory = self.memory.write().unwrap_or_else(PoisonError::into_inner);
        ports.retain(|route| !matches!(route.target, Target::Bar(_, owner, _) if owner == function));
        memory.retain(|route| !matches!(route.target, Target::Bar(_, owner, _) if owner == function));
        for window in windows {
            let range = window.range.clone();
            if window.io {
                let target = Target::Bar(body.clone(), function, window.bar);
                ports.push(Route {
                    range,
                    width: 4,
                    target,
                });
            } else {
                let target = Target::Bar(body.clone(), function, window.bar);
                memory.push(Route {
                    range,
                    width: 8,
                    target,
                });
            }
        }
    }

    fn port(&self, port: u16) -> Option<Route<dyn PortDevice>> {
        let routes = self.ports.read().unwrap_or_else(PoisonError::into_inner);
        routes
            .iter()
            .find(|route| route.range.contains(&u64::from(port)))
            .cloned()
    }

    fn address(&self, address: u64) -> Option<Route<dyn MemoryDevice>> {
        let routes = self.memory.read().unwrap_or_else(PoisonError::into_inner);
        routes.iter().find(|route| route.range.contains(&address)).cloned()
    }

    /// `in`: fills `data` with consecutive reads of `size` (1, 2, 4) bytes from `port`.
    pub fn read_ports(&self, port: u16, size: u8, data: &mut [u8]) {
        let Some(route) = self.port(port) else {
            data.fill(0xff);
            return;
        };
        if size > route.width || !route.range.contains(&(u64::from(port) + u64::from(size) - 1)) {
            if size == 1 {
                return;
            }
            for item in data.chunks_mut(usize::from(size)) {
                for (at, byte) in (0u16..).zip(item) {
                    self.read_ports(port.wrapping_add(at), 1, std::slice::from_mut(byte));
                }
            }
            return;
        }
        match &route.target {
            Target::Device(device) => lock(device).read_string(port, size, data),
            Target::Bar(body, _, bar) => {
                let mut body = lock(body);
                let offset = offset16(port, &route.range);
                for item in data.chunks_mut(usize::from(size)) {
                    let bytes = body.read_port(*bar, offset, size).to_le_bytes();
                    item.copy_from_slice(&bytes[..item.len()]);
                }
            }
        }
    }

    /// `out`: consecutive writes of `size` (1, 2, 4) bytes to `port`.
    pub fn write_ports(&self, port: u16, size: u8, data: &[u8]) {
        let Some(route) = self.port(port) else {
            return;
        };
        if size > route.width || !route.range.contains(&(u64::from(port) + u64::from(size) - 1)) {
            if size == 1 {
                return;
            }
            for item in data.chunks(usize::from(size)) {
                for (at, byte) in (0u16..).zip(item) {
                    self.write_ports(port.wrapping_add(at), 1, std::slice::from_ref(byte));
                }
            }
            return;
        }
        let moved = match &route.target {
            Target::Device(device) => {
                let mut device = lock(device);
                device.write_string(port, size, data);
                device.has_moved()
            }
            Target::Bar(body, _, bar) => {
                let mut body = lock(body);
                let offset = offset16(port, &route.range);
                for item in data.chunks(usize::from(size)) {
                    let mut bytes = [0; 4];
                    bytes[..item.len()].copy_from_slice(item);
                    body.write_port(*bar, offset, size, u32::from_le_bytes(bytes));
                }
                body.has_moved()
            }
        };
        self.follow(moved);
    }

    fn follow(&self, moved: bool) {
        if let Some(follow) = self.moved.get().filter(|_| moved) {
            follow();
        }
    }

    /// A read of memory that is no RAM; FFh where nobody answers.
    pub fn read_memory(&self, address: u64, data: &mut [u8]) {
        match self.address(address) {
            None => data.fill(0xff),
            Some(route) => match &route.target {
                Target::Device(device) => lock(device).read(address - route.range.start, data),
                Target::Bar(body, _, bar) => lock(body).read_memory(*bar, address - route.range.start, data),
            },
        }
    }

    /// A write to memory that is no RAM, or is write-protected: dropped where nobody answers.
    pub fn write_memory(&self, address: u64, data: &[u8]) {
        let Some(route) = self.address(address) else { return };
        let offset = address - route.range.start;
        let moved = match &route.target {
            Target::Device(device) => {
                let mut device = lock(device);
                device.write(offset, data);
                device.has_moved()
            }
            Target::Bar(body, _, bar) => {
                let mut body = lock(body);
                body.write_memory(*bar, offset, data);
                body.has_moved()
            }
        };
        self.follow(moved);
    }
}

fn offset16(port: u16, range: &Range<u64>) -> u16 {
    u16::try_from(u64::from(port).saturating_sub(range.start)).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Log(Vec<(u16, u8, u32)>);
    impl PortDevice for Log {
        fn read(&mut self, port: u16, size: u8) -> u32 {
            self.0.push((port, size, 0));
            u32::from(port)
        }
        fn write(&mut self, port: u16, size: u8, value: u32) {
            self.0.push((port, size, value));
        }
    }

    #[test]
    fn wide_accesses_to_a_byte_device_are_split_and_strings_are_not_mistaken_for_them() {
        let bus = Bus::default();
        let log = Arc::new(Mutex::new(Log::default()));
        bus.add_ports(0x70..0x72, 1, log.clone());
        bus.write_ports(0x70, 2, &[1, 2]);
        bus.write_ports(0x70, 1, &[3, 4]);
        bus.write_ports(0x71, 2, &[5, 6]);
        assert_eq!(
            lock(&log).0,
            [(0x70, 1, 1), (0x71, 1, 2), (0x70, 1, 3), (0x70, 1, 4), (0x71, 1, 5)]
        );
        let mut data = [0; 4];
        bus.read_ports(0x71, 4, &mut data);
        assert_eq!(data, [0x71, 0xff, 0xff, 0xff], "beyond the device nobody answers");
    }
}
