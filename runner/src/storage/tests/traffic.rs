//! Any port traffic at all: no panic, no hang, and drives that work after a reset.

use super::*;
use crate::config::CdromConfig;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Access {
    Read(u16, u8),
    Write(u16, u8, u32),
    ReadString(u16, u8, usize),
    WriteString(u16, u8, u8, usize),
    BusMasterRead(u16, u8),
    BusMasterWrite(u16, u8, u32),
}

fn access() -> impl Strategy<Value = Access> {
    let port = prop_oneof![0x1F0..0x1F8u16, 0x170..0x178u16, Just(0x3F6u16), Just(0x376u16)];
    let size = prop_oneof![8 => Just(1u8), 2 => Just(2u8), 1 => Just(4u8)];
    // Commands that do something, and everything else.
    let commands = prop::sample::select(vec![
        0x20u32, 0x24, 0x25, 0x29, 0x30, 0x34, 0x35, 0x39, 0x3D, 0x40, 0x42, 0x91, 0xA0, 0xA1, 0xC4, 0xC5, 0xC6, 0xC8,
        0xCA, 0xCE, 0xE7, 0xEA, 0xEC, 0xEF, 0x08, 0x90,
    ]);
    let command_port = prop_oneof![Just(0x1F7u16), Just(0x177u16)];
    prop_oneof![
        4 => (port.clone(), size.clone(), any::<u32>()).prop_map(|(p, s, v)| Access::Write(p, s, v)),
        3 => (command_port, commands).prop_map(|(p, v)| Access::Write(p, 1, v)),
        2 => (port.clone(), size.clone()).prop_map(|(p, s)| Access::Read(p, s)),
        2 => (port.clone(), size.clone(), 0..3000usize).prop_map(|(p, s, n)| Access::ReadString(p, s, n)),
        2 => (port, size.clone(), any::<u8>(), 0..3000usize).prop_map(|(p, s, v, n)| Access::WriteString(p, s, v, n)),
        1 => (0..16u16, size.clone()).prop_map(|(p, s)| Access::BusMasterRead(p, s)),
        3 => (0..16u16, size, any::<u32>()).prop_map(|(p, s, v)| Access::BusMasterWrite(p, s, v)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn nothing_panics_or_hangs(accesses in prop::collection::vec(access(), 1..200), memory: u64) {
        let disk = RamDisk::new(1000);
        let disc: Arc<dyn ReadAt> = Arc::new(vec![0x42u8; 50 * 2048 + 1]);
        let mut bench = Bench::new([
            [disk_drive(disk.clone()), Some(Drive::Cdrom(CdromConfig::Disc(disc)))],
            [Some(Drive::Cdrom(CdromConfig::Empty)), disk_drive(disk)],
        ]);
        bench.memory.write(0, &memory.to_le_bytes().repeat(1000)).unwrap();
        for access in accesses {
            match access {
                Access::Read(port, size) => drop(bench.ports.read(port, size)),
                Access::Write(port, size, value) => bench.ports.write(port, size, value),
                Access::ReadString(port, size, len) => bench.ports.read_string(port, size, &mut vec![0; len]),
                Access::WriteString(port, size, value, len) => {
                    bench.ports.write_string(port, size, &vec![value; len]);
                }
                Access::BusMasterRead(port, size) => drop(bench.bus_master.read(port, size)),
                Access::BusMasterWrite(port, size, value) => bench.bus_master.write(port, size, value),
            }
        }
        bench.ide.drain_and_flush().unwrap();
        bench.ide.reset();
        bench.base = 0x1F0;
        bench.outb(6, 0xA0);
        prop_assert!(bench.pio_in(0xEC, 512, 512).is_ok());
        bench.base = 0x170;
        bench.outb(6, 0xA0);
        prop_assert!(bench.pio_in(0xA1, 512, 512).is_ok());
    }
}
