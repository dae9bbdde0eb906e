//! Any port traffic leaves an IDE controller that neither panics nor hangs, and that works after a reset.
#![no_main]
use disk::{BlockDevice, ReadAt};
use runner::config::{CdromConfig, DiskConfig};
use runner::device::{GuestMemory, PortDevice, TestIrq, TestMemory};
use runner::storage::{Drive, IdeController};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

/// A disk in memory.
struct RamDisk(Mutex<Vec<u8>>);

impl ReadAt for RamDisk {
    fn size(&self) -> u64 {
        1 << 20
    }
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        bytes.read_at(offset, buf)
    }
}

impl BlockDevice for RamDisk {
    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Panics, as it should here, if the controller lets a write past the end through.
        bytes[offset as usize..][..data.len()].copy_from_slice(data);
        Ok(())
    }
    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}

thread_local! {
    // One controller for all inputs: its threads would cost more than the input.
    static BENCH: (IdeController, Arc<TestMemory>) = {
        let memory = TestMemory::new(1 << 17);
        let disk = || Some(Drive::Disk(DiskConfig {
            backend: Arc::new(RamDisk(Mutex::new(vec![0; 1 << 20]))),
            geometry: None,
            model: "DISK".into(),
            serial: "1".into(),
        }));
        let disc: Arc<dyn ReadAt> = Arc::new(vec![7u8; 100_000]);
        let drives = [
            [disk(), disk()],
            [Some(Drive::Cdrom(CdromConfig::Disc(disc))), Some(Drive::Cdrom(CdromConfig::Empty))],
        ];
        let ide = IdeController::new(drives, [TestIrq::new(), TestIrq::new()], memory.clone()).expect("threads");
        (ide, memory)
    };
}

libfuzzer_sys::fuzz_target!(|input: (Vec<u8>, Vec<(u8, u8, u32)>)| {
    let (table, steps) = input;
    BENCH.with(|(ide, memory)| {
        ide.reset();
        let _ = memory.write(0, &table);
        let (mut ports, mut bus_master) = (ide.command_ports(), ide.bus_master_ports());
        for (step, place, value) in steps {
            let base = if place & 0x80 == 0 { 0x1F0 } else { 0x170 };
            let register = base + u16::from(place & 7);
            let size = 1 << (step >> 6).min(2);
            match step & 15 {
                0..=3 => ports.write(register, 1, value),
                4 => ports.write(register, size, value),
                5 => ports.write(base + 0x206, 1, value),
                6 => drop(ports.read(register, size)),
                7 => drop(ports.read(base + 0x206, 1)),
                8 => ports.read_string(base, size, &mut vec![0; value as usize & 0x1FFF]),
                9 => ports.write_string(base, 2, &value.to_le_bytes().repeat(usize::from(place & 0x7F) * 32)),
                // A packet, most of it zeros.
                10 => {
                    ports.write(base + 7, 1, 0xA0);
                    let [opcode, flags, at, byte] = value.to_le_bytes();
                    let mut packet = [0; 12];
                    (packet[0], packet[1]) = (opcode, flags);
                    packet[usize::from(at % 10) + 2] = byte;
                    ports.write_string(base, 2, &packet);
                }
                11 | 12 => bus_master.write(u16::from(place & 15), size, value),
                13 => drop(bus_master.read(u16::from(place & 15), size)),
                14 => {
                    if let Some(tray) = ide.cdrom() {
                        tray.press_eject();
                        tray.set_disc(Some(Arc::new(vec![place; 4096])));
                    }
                }
                _ => ide.drain_and_flush().expect("the disks cannot fail"),
            }
        }
        ide.reset();
        for base in [0x1F0, 0x170] {
            ports.write(base + 6, 1, 0xA0);
            ports.write(base + 7, 1, if base == 0x1F0 { 0xEC } else { 0xA1 });
            assert_eq!(ports.read(base + 7, 1), 0x58);
        }
    });
});
