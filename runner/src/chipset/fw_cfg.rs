//! fw_cfg: how the firmware learns what the machine is (ports 510h–51Bh).
//!
//! Source: QEMU's docs/specs/fw_cfg. Numbers in items are little-endian; the directory and DMA are big-endian.

use crate::device::{DmaError, GuestMemory, PortDevice};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Selector port; the data port follows it.
pub const BASE: u16 = 0x510;
const DATA: u16 = 0x511;
const DMA_HIGH: u16 = 0x514;
const DMA_LOW: u16 = 0x518;

const SIGNATURE: u16 = 0x0000;
const FEATURES: u16 = 0x0001;
/// Number of processors.
pub const NB_CPUS: u16 = 0x0005;
/// Most processors there can be.
pub const MAX_CPUS: u16 = 0x000f;
const DIRECTORY: u16 = 0x0019;
const FIRST_FILE: u16 = 0x0020;
/// The timer interrupt arrives at IOAPIC pin 2.
pub const IRQ0_OVERRIDE: u16 = 0x8002;

const DMA_ERROR: u32 = 1;
const DMA_READ: u32 = 2;
const DMA_SKIP: u32 = 4;
const DMA_SELECT: u32 = 8;
const DMA_WRITE: u32 = 16;
const ZEROS: [u8; 4096] = [0; 4096];

/// The items, and the reader's position in the selected one. An item that is not there reads as zeros.
pub struct FwCfg {
    items: BTreeMap<u16, Vec<u8>>,
    files: Vec<(String, u16, u32)>,
    selected: u16,
    position: usize,
    dma_high: u32,
    memory: Arc<dyn GuestMemory>,
}

impl FwCfg {
    /// An interface without files; its DMA goes to `memory`.
    pub fn new(memory: Arc<dyn GuestMemory>) -> Self {
        let mut items = BTreeMap::new();
        items.insert(SIGNATURE, b"QEMU".to_vec());
        items.insert(FEATURES, 3u32.to_le_bytes().to_vec());
        FwCfg {
            items,
            files: Vec::new(),
            selected: 0,
            position: 0,
            dma_high: 0,
            memory,
        }
    }

    /// Adds an item with a fixed number.
    pub fn add_item(&mut self, key: u16, bytes: &[u8]) {
        self.items.insert(key, bytes.to_vec());
    }

    /// Adds a named file (at most 55 bytes of name).
    pub fn add_file(&mut self, name: &str, bytes: Vec<u8>) {
        let key = FIRST_FILE + self.files.len() as u16;
        self.files.push((name.to_owned(), key, bytes.len() as u32));
        self.items.insert(key, bytes);
        self.files.sort();
        let mut directory = (self.files.len() as u32).to_be_bytes().to_vec();
        for (name, key, size) in &self.files {
            directory.extend(size.to_be_bytes());
            directory.extend(key.to_be_bytes());
            directory.extend([0; 2]);
            let mut field = [0; 56];
            for (to, from) in field.iter_mut().take(55).zip(name.bytes()) {
                *to = from;
            }
            directory.extend(field);
        }
        self.items.insert(DIRECTORY, directory);
    }

    fn select(&mut self, key: u16) {
        // Bit 14 asks for the write channel, which nobody needs.
        self.selected = key & !0x4000;
        self.position = 0;
    }

    /// What is left of the selected item.
    fn rest(&self) -> &[u8] {
        let item = self.items.get(&self.selected).map_or(&[][..], Vec::as_slice);
        item.get(self.position..).unwrap_or_default()
    }

    fn next(&mut self) -> u8 {
        let byte = self.rest().first().copied().unwrap_or(0);
        self.position = self.position.saturating_add(1);
        byte
    }

    fn dma(&mut self, descriptor: u64) {
        let mut bytes = [0; 16];
        if self.memory.read(descriptor, &mut bytes).is_err() {
            return;
        }
        let whole = u128::from_be_bytes(bytes);
        let (control, len, address) = ((whole >> 96) as u32, (whole >> 64) as u32, whole as u64);
        if control & DMA_SELECT != 0 {
            self.select((control >> 16) as u16);
        }
        let result = match control & (DMA_READ | DMA_WRITE | DMA_SKIP) {
            0 => Ok(()),
            DMA_SKIP => {
                self.position = self.position.saturating_add(len as usize);
                Ok(())
            }
            wanted if wanted & DMA_READ != 0 => self.copy_out(address, u64::from(len)),
            _ => Err(DmaError {
                address,
                len: len as usize,
            }),
        };
        let status = if result.is_ok() { 0 } else { DMA_ERROR };
        let _ = self.memory.write(descriptor, &u32::to_be_bytes(status));
    }

    fn copy_out(&mut self, address: u64, len: u64) -> Result<(), DmaError> {
        let mut done = 0u64;
        while done < len {
            let left = usize::try_from(len - done).unwrap_or(usize::MAX);
            let rest = self.rest();
            let chunk = if rest.is_empty() { &ZEROS[..] } else { rest };
            let chunk = &chunk[..chunk.len().min(left)];
            self.memory.write(address.wrapping_add(done), chunk)?;
            let copied = chunk.len();
            self.position = self.position.saturating_add(copied);
            done += copied as u64;
        }
        Ok(())
    }

    /// Nothing selected, no DMA address.
    pub fn reset(&mut self) {
        self.select(0);
        self.dma_high = 0;
    }
}

impl PortDevice for FwCfg {
    fn read(&mut self, port: u16, size: u8) -> u32 {
        match port {
            DATA => self.next().into(),
            // "QEMU CFG" says that DMA is there.
            DMA_HIGH if size == 4 => u32::from_le_bytes(*b"QEMU"),
            DMA_LOW if size == 4 => u32::from_le_bytes(*b" CFG"),
            _ => u32::MAX,
        }
    }
    fn write(&mut self, port: u16, size: u8, value: u32) {
        match port {
            BASE => self.select((value & 0xffff) as u16),
            DMA_HIGH if size == 4 => self.dma_high = value.swap_bytes(),
            DMA_LOW if size == 4 => {
                let high = std::mem::take(&mut self.dma_high);
                self.dma(u64::from(high) << 32 | u64::from(value.swap_bytes()));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::TestMemory;
    use proptest::prelude::*;

    fn read_all(device: &mut FwCfg, key: u16, len: usize) -> Vec<u8> {
        device.write(BASE, 2, key.into());
        let mut data = vec![0xee; len];
        device.read_string(DATA, 1, &mut data);
        data
    }

    #[test]
    fn files_are_found_through_the_directory_and_end_in_zeros() {
        let mut device = FwCfg::new(TestMemory::new(4096));
        device.add_file("bootorder", b"HALT\0".to_vec());
        assert_eq!(read_all(&mut device, 0, 4), b"QEMU");
        let directory = read_all(&mut device, DIRECTORY, 68);
        assert_eq!(directory[..10], [0, 0, 0, 1, 0, 0, 0, 5, 0, 0x20]);
        assert_eq!(&directory[12..22], b"bootorder\0");
        assert_eq!(read_all(&mut device, 0x20, 7), b"HALT\0\0\0");
        assert_eq!(read_all(&mut device, 0x7777, 3), [0; 3]);
    }

    #[test]
    fn dma_selects_reads_and_clears_the_control_word() {
        let memory = TestMemory::new(8192);
        let mut device = FwCfg::new(memory.clone());
        let control = u128::from(DMA_SELECT | DMA_READ) << 96 | 6u128 << 64 | 0x1000;
        memory.write(0x100, &control.to_be_bytes()).unwrap();
        memory.write(0x1000, &[0xee; 8]).unwrap();
        device.write(DMA_LOW, 4, 0x100u32.swap_bytes());
        let mut out = [0; 8];
        memory.read(0x1000, &mut out).unwrap();
        assert_eq!(&out, b"QEMU\0\0\xee\xee");
        memory.read(0x100, &mut out[..4]).unwrap();
        assert_eq!(out[..4], [0; 4]);
    }

    proptest! {
        #[test]
        fn any_traffic_is_survived(
            accesses in prop::collection::vec((0x510u16..0x51c, prop::sample::select(vec![1u8, 2, 4]), any::<u32>()), 0..64),
            start in prop::collection::vec(any::<u8>(), 256),
        ) {
            let memory = TestMemory::new(4096);
            memory.write(0, &start).unwrap();
            let mut device = FwCfg::new(memory);
            for (port, size, value) in accesses {
                device.write(port, size, value & 0xff00_00ff);
                device.read(port, size);
            }
        }
    }
}
