//! A small driver that talks to the ports as firmware and operating systems do, and what it proves.

mod ata;
mod atapi;
mod commands;
mod dma;
mod failures;
mod model;
mod registers;
mod traffic;

use super::*;
use crate::device::{GuestMemory, PortDevice, TestIrq, TestMemory};
use disk::{BlockDevice, ReadAt};
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A disk in memory that can be told to fail.
pub(super) struct RamDisk {
    pub(super) bytes: Mutex<Vec<u8>>,
    pub(super) flushes: AtomicU64,
    /// Reads and writes that touch this byte fail.
    pub(super) bad_byte: AtomicU64,
    pub(super) fail_flush: AtomicBool,
}

impl RamDisk {
    /// `sectors` sectors, each filled with a pattern of its own.
    pub(super) fn new(sectors: usize) -> Arc<Self> {
        let bytes = (0..sectors * 512).map(|at| (at / 512 * 7 + at % 512) as u8).collect();
        Arc::new(RamDisk {
            bytes: Mutex::new(bytes),
            flushes: AtomicU64::new(0),
            bad_byte: AtomicU64::new(u64::MAX),
            fail_flush: AtomicBool::new(false),
        })
    }

    pub(super) fn sectors(&self, lba: usize, count: usize) -> Vec<u8> {
        self.bytes.lock().unwrap()[lba * 512..(lba + count) * 512].to_vec()
    }

    fn check(&self, offset: u64, len: usize) -> io::Result<()> {
        let bad = self.bad_byte.load(Ordering::SeqCst);
        if (offset..offset + len as u64).contains(&bad) {
            return Err(io::Error::other("a bad sector, made for this test"));
        }
        Ok(())
    }
}

impl ReadAt for RamDisk {
    fn size(&self) -> u64 {
        self.bytes.lock().unwrap().len() as u64
    }
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.check(offset, buf.len())?;
        self.bytes.lock().unwrap().read_at(offset, buf)
    }
}

impl BlockDevice for RamDisk {
    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.check(offset, data.len())?;
        let mut bytes = self.bytes.lock().unwrap();
        let start = offset as usize;
        bytes
            .get_mut(start..start + data.len())
            .ok_or_else(|| disk::io::past_end(offset, data.len(), 0))?
            .copy_from_slice(data);
        Ok(())
    }
    fn flush(&self) -> io::Result<()> {
        if self.fail_flush.load(Ordering::SeqCst) {
            return Err(io::Error::other("a flush that fails, made for this test"));
        }
        self.flushes.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

pub(super) fn disk_drive(backend: Arc<dyn BlockDevice>) -> Option<Drive> {
    Some(Drive::Disk(DiskConfig {
        backend,
        geometry: None,
        model: "OLD HARDDISK".into(),
        serial: "WD-1998".into(),
    }))
}

/// How a 28-bit, 48-bit or CHS command names its sectors.
#[derive(Clone, Copy, Debug)]
pub(super) enum Address {
    Chs { cylinder: u16, head: u8, sector: u8 },
    Lba28(u32),
    Lba48(u64),
}

/// The controller on a bench: ports on one side, lines and memory on the other.
pub(super) struct Bench {
    pub(super) ide: IdeController,
    pub(super) ports: CommandPorts,
    pub(super) bus_master: BusMasterPorts,
    pub(super) memory: Arc<TestMemory>,
    pub(super) irqs: [Arc<TestIrq>; 2],
    /// Base of the command block in use.
    pub(super) base: u16,
    pub(super) slave: bool,
}

pub(super) const MEMORY: usize = 1 << 20;
/// Where the bench puts its table of regions.
pub(super) const TABLE: u32 = 0x1000;

impl Bench {
    pub(super) fn new(drives: [[Option<Drive>; 2]; 2]) -> Self {
        let memory = TestMemory::new(MEMORY);
        let irqs = [TestIrq::new(), TestIrq::new()];
        let ide = IdeController::new(drives, [irqs[0].clone(), irqs[1].clone()], memory.clone()).unwrap();
        Bench {
            ports: ide.command_ports(),
            bus_master: ide.bus_master_ports(),
            ide,
            memory,
            irqs,
            base: 0x1F0,
            slave: false,
        }
    }

    /// One disk as primary master.
    pub(super) fn with_disk(disk: &Arc<RamDisk>) -> Self {
        Self::new([[disk_drive(disk.clone()), None], [None, None]])
    }

    pub(super) fn outb(&mut self, register: u16, value: u8) {
        self.ports.write(self.base + register, 1, value.into());
    }

    pub(super) fn inb(&mut self, register: u16) -> u8 {
        self.ports.read(self.base + register, 1) as u8
    }

    pub(super) fn control(&mut self, value: u8) {
        self.ports.write(self.base + 0x206, 1, value.into());
    }

    pub(super) fn alternate_status(&mut self) -> u8 {
        self.ports.read(self.base + 0x206, 1) as u8
    }

    pub(super) fn irq(&self) -> &TestIrq {
        &self.irqs[usize::from(self.base == 0x170)]
    }

    /// Waits for BSY to clear; the worker needs real time.
    pub(super) fn wait_not_busy(&mut self) -> u8 {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let status = self.alternate_status();
            if status & 0x80 == 0 {
                return status;
            }
            assert!(Instant::now() < deadline, "BSY for 20 seconds");
            std::thread::yield_now();
        }
    }

    /// Waits for the interrupt, as a DMA driver does; then reads the status, which lowers the line.
    pub(super) fn wait_irq(&mut self) -> u8 {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !self.irq().level() {
            assert!(Instant::now() < deadline, "no interrupt for 20 seconds");
            std::thread::yield_now();
        }
        let status = self.inb(7);
        assert!(!self.irq().level(), "reading the status lowers the line");
        status
    }

    /// Loads the registers with an address and a count.
    pub(super) fn address(&mut self, address: Address, count: u32) {
        let drive = if self.slave { 0x10 } else { 0 };
        match address {
            Address::Chs { cylinder, head, sector } => {
                self.outb(6, 0xA0 | drive | head);
                self.outb(2, count as u8);
                self.outb(3, sector);
                self.outb(4, cylinder as u8);
                self.outb(5, (cylinder >> 8) as u8);
            }
            Address::Lba28(lba) => {
                self.outb(6, 0xE0 | drive | (lba >> 24) as u8);
                self.outb(2, count as u8);
                for (register, byte) in (3..6).zip(lba.to_le_bytes()) {
                    self.outb(register, byte);
                }
            }
            Address::Lba48(lba) => {
                let bytes = lba.to_le_bytes();
                self.outb(6, 0xE0 | drive);
                self.outb(2, (count >> 8) as u8);
                self.outb(2, count as u8);
                for (register, at) in [(3, 3), (4, 4), (5, 5), (3, 0), (4, 1), (5, 2)] {
                    self.outb(register, bytes[at]);
                }
            }
        }
    }

    /// Runs a command without data and returns its status.
    pub(super) fn simple(&mut self, command: u8) -> u8 {
        self.outb(7, command);
        self.wait_not_busy();
        self.inb(7)
    }

    /// Fetches `len` bytes in DRQ blocks of `block` bytes, checking the interrupt of each; `Err` is the status.
    pub(super) fn pio_in(&mut self, command: u8, len: usize, block: usize) -> Result<Vec<u8>, u8> {
        self.outb(7, command);
        let mut data = vec![0; len];
        for part in data.chunks_mut(block) {
            let status = self.wait_irq();
            if status & 0x89 != 0x08 {
                return Err(status);
            }
            self.ports.read_string(self.base, 2, part);
        }
        let status = self.inb(7);
        if status == 0x50 { Ok(data) } else { Err(status) }
    }

    /// Delivers `data` in DRQ blocks of `block` bytes; the status at the end.
    pub(super) fn pio_out(&mut self, command: u8, data: &[u8], block: usize) -> u8 {
        self.outb(7, command);
        for (index, part) in data.chunks(block).enumerate() {
            let status = if index == 0 {
                self.wait_not_busy()
            } else {
                self.wait_irq()
            };
            if status & 0x89 != 0x08 {
                return status;
            }
            self.ports.write_string(self.base, 2, part);
        }
        self.wait_irq()
    }

    fn bm(&self, register: u16) -> u16 {
        0xC000 + register + if self.base == 0x170 { 8 } else { 0 }
    }

    pub(super) fn bm_status(&mut self) -> u8 {
        let port = self.bm(2);
        self.bus_master.read(port, 1) as u8
    }

    pub(super) fn bm_command(&mut self, value: u8) {
        let port = self.bm(0);
        self.bus_master.write(port, 1, value.into());
    }

    /// Writes a table of regions (address, bytes) and shows it to the bus master.
    pub(super) fn table(&mut self, regions: &[(u32, u16)]) {
        let mut table = Vec::new();
        for (index, (address, len)) in regions.iter().enumerate() {
            table.extend(address.to_le_bytes());
            table.extend(len.to_le_bytes());
            table.extend(if index + 1 == regions.len() { [0, 0x80] } else { [0, 0] });
        }
        self.memory.write(TABLE.into(), &table).unwrap();
        let port = self.bm(4);
        self.bus_master.write(port, 4, TABLE);
        let port = self.bm(2);
        self.bus_master.write(port, 1, 0x66);
    }

    /// Runs a DMA command as a driver does: table, direction, command, start, interrupt, stop. The drive's status
    /// and the bus master's.
    pub(super) fn dma(&mut self, command: u8, to_memory: bool) -> (u8, u8) {
        let direction = if to_memory { 8 } else { 0 };
        self.bm_command(direction);
        self.outb(7, command);
        self.bm_command(direction | 1);
        let status = self.wait_irq();
        let bm_status = self.bm_status();
        self.bm_command(direction);
        (status, bm_status)
    }

    pub(super) fn peek(&self, address: u64, len: usize) -> Vec<u8> {
        let mut data = vec![0; len];
        self.memory.read(address, &mut data).unwrap();
        data
    }
}
