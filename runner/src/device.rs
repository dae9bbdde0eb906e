//! What a device is to the machine: ports, memory windows, interrupt lines, DMA, time. Everything here has a
//! stand-in for tests, so that a device runs, and is fuzzed, without KVM.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// A device behind I/O ports.
pub trait PortDevice: Send {
    /// Reads `size` (1, 2 or 4) bytes at `port`. A byte nobody drives reads as 0xFF.
    fn read(&mut self, port: u16, size: u8) -> u32;
    /// Writes the low `size` (1, 2 or 4) bytes of `value` to `port`.
    fn write(&mut self, port: u16, size: u8, value: u32);
    /// `rep ins`: fills `data` with consecutive reads of `size` bytes from the same port.
    fn read_string(&mut self, port: u16, size: u8, data: &mut [u8]) {
        for item in data.chunks_mut(usize::from(size)) {
            let bytes = self.read(port, size).to_le_bytes();
            item.copy_from_slice(&bytes[..item.len()]);
        }
    }
    /// `rep outs`: consecutive writes of `size` bytes to the same port.
    fn write_string(&mut self, port: u16, size: u8, data: &[u8]) {
        for item in data.chunks(usize::from(size)) {
            let mut bytes = [0; 4];
            bytes[..item.len()].copy_from_slice(item);
            self.write(port, size, u32::from_le_bytes(bytes));
        }
    }
    /// Whether a write has changed which of the device's memory can be mapped, since this was last asked.
    fn has_moved(&mut self) -> bool {
        false
    }
}

/// A processor's registers, as far as a [`RegisterDevice`] sees them: their lower halves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "their names say it")]
pub struct Registers {
    pub eax: u32,
    pub ebx: u32,
    pub ecx: u32,
    pub edx: u32,
    pub esi: u32,
    pub edi: u32,
}

/// A device that is called by reading a double word from a port, and answers in the processor's registers.
pub trait RegisterDevice: Send {
    /// The call, and its answer.
    fn call(&mut self, registers: &mut Registers);
}

/// A device behind a window of guest-physical memory. `offset` counts from the window's start, in bytes.
pub trait MemoryDevice: Send {
    /// Fills `data` (1, 2, 4 or 8 bytes).
    fn read(&mut self, offset: u64, data: &mut [u8]);
    /// Takes `data` (1, 2, 4 or 8 bytes).
    fn write(&mut self, offset: u64, data: &[u8]);
    /// Whether a write has changed which of its memory can be mapped, since this was last asked.
    fn has_moved(&mut self) -> bool {
        false
    }
}

/// An interrupt line of the chipset; the level is idempotent.
pub trait IrqLine: Send + Sync {
    /// Raises or lowers the line.
    fn set(&self, high: bool);
}

/// Guest memory as a bus master sees it.
pub trait GuestMemory: Send + Sync {
    /// Reads from guest-physical address `address`; nothing is guaranteed of `buf` after an error.
    fn read(&self, address: u64, buf: &mut [u8]) -> Result<(), DmaError>;
    /// Writes to guest-physical address `address`.
    fn write(&self, address: u64, data: &[u8]) -> Result<(), DmaError>;
}

/// A bus master asked for memory that is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("DMA of {len} bytes at guest address {address:#x} leaves the guest's memory")]
pub struct DmaError {
    /// Guest-physical address.
    pub address: u64,
    /// Length in bytes.
    pub len: usize,
}

/// The machine's monotonic time in nanoseconds. It stands still while the machine is paused.
pub trait Clock: Send + Sync {
    /// Nanoseconds since the machine was made.
    fn now(&self) -> u64;
}

/// A device that does things by itself at some time: periodic interrupts, typematic keys.
pub trait Timed {
    /// When it wants to be called next, on the machine's [`Clock`]; `None` for never.
    fn deadline(&self) -> Option<u64>;
    /// Its time has come (or passed): `now` is the clock's.
    fn expire(&mut self, now: u64);
}

/// What a device may ask of the machine as a whole.
pub trait Power: Send + Sync {
    /// Reset the machine as the reset line of a PC does: memory and CMOS stay.
    fn reset(&self);
    /// Cut the power (ACPI S5).
    fn power_off(&self);
}

/// An [`IrqLine`] for tests: remembers the level and counts rising edges.
#[derive(Debug, Default)]
pub struct TestIrq {
    level: AtomicBool,
    rises: AtomicU64,
}

impl TestIrq {
    /// A low line.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }
    /// The level now.
    pub fn level(&self) -> bool {
        self.level.load(Ordering::SeqCst)
    }
    /// How often it went from low to high.
    pub fn rises(&self) -> u64 {
        self.rises.load(Ordering::SeqCst)
    }
}

impl IrqLine for TestIrq {
    fn set(&self, high: bool) {
        if !self.level.swap(high, Ordering::SeqCst) && high {
            self.rises.fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// A [`GuestMemory`] for tests: plain bytes from address 0.
pub struct TestMemory(pub Mutex<Vec<u8>>);

impl TestMemory {
    /// `size` zero bytes.
    pub fn new(size: usize) -> Arc<Self> {
        Arc::new(TestMemory(Mutex::new(vec![0; size])))
    }
}

impl GuestMemory for TestMemory {
    fn read(&self, address: u64, buf: &mut [u8]) -> Result<(), DmaError> {
        let bytes = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let error = DmaError {
            address,
            len: buf.len(),
        };
        let start = usize::try_from(address).map_err(|_| error)?;
        let end = start.checked_add(buf.len()).ok_or(error)?;
        buf.copy_from_slice(bytes.get(start..end).ok_or(error)?);
        Ok(())
    }
    fn write(&self, address: u64, data: &[u8]) -> Result<(), DmaError> {
        let mut bytes = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let error = DmaError {
            address,
            len: data.len(),
        };
        let start = usize::try_from(address).map_err(|_| error)?;
        let end = start.checked_add(data.len()).ok_or(error)?;
        bytes.get_mut(start..end).ok_or(error)?.copy_from_slice(data);
        Ok(())
    }
}

/// A [`Clock`] for tests that moves only when told to.
#[derive(Debug, Default)]
pub struct TestClock(AtomicU64);

impl TestClock {
    /// Moves on by `nanoseconds`.
    pub fn advance(&self, nanoseconds: u64) {
        self.0.fetch_add(nanoseconds, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}
