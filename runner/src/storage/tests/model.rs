//! Random commands against a plain array of sectors: whatever way the bytes take, they must be the same.

use super::*;
use proptest::prelude::*;

const SECTORS: usize = 3000;

#[derive(Clone, Copy, Debug)]
enum Addressing {
    Chs,
    Lba28,
    Lba48,
}

#[derive(Clone, Copy, Debug)]
enum Way {
    Single,
    Multiple,
    Dma,
}

#[derive(Clone, Debug)]
enum Step {
    Read(Addressing, Way, usize, usize),
    /// The last value makes the data.
    Write(Addressing, Way, usize, usize, u8),
    SetMultiple(u32),
    /// Heads and sectors a track.
    Translate(u8, u8),
    Flush,
    SoftReset,
}

fn step() -> impl Strategy<Value = Step> {
    let addressing = prop_oneof![Just(Addressing::Chs), Just(Addressing::Lba28), Just(Addressing::Lba48)];
    let way = prop_oneof![Just(Way::Single), Just(Way::Multiple), Just(Way::Dma)];
    let lba = prop_oneof![0..SECTORS, SECTORS - 20..SECTORS];
    let count = prop_oneof![1..4usize, 1..40usize, 1..=256usize];
    let span = (addressing, way, lba, count).prop_map(|(a, w, lba, count)| (a, w, lba, count.min(SECTORS - lba)));
    prop_oneof![
        8 => span.clone().prop_map(|(a, w, lba, count)| Step::Read(a, w, lba, count)),
        8 => (span, any::<u8>()).prop_map(|((a, w, lba, count), seed)| Step::Write(a, w, lba, count, seed)),
        1 => (0..=4u32).prop_map(|power| Step::SetMultiple(1 << power)),
        1 => (1..=16u8, 1..=63u8).prop_map(|(heads, sectors)| Step::Translate(heads, sectors)),
        1 => Just(Step::Flush),
        1 => Just(Step::SoftReset),
    ]
}

/// What the test knows of the drive.
struct Model {
    bytes: Vec<u8>,
    multiple: usize,
    heads: usize,
    track: usize,
}

impl Model {
    fn address(&self, addressing: Addressing, lba: usize) -> Address {
        match addressing {
            Addressing::Chs => Address::Chs {
                cylinder: (lba / self.track / self.heads) as u16,
                head: (lba / self.track % self.heads) as u8,
                sector: (lba % self.track + 1) as u8,
            },
            Addressing::Lba28 => Address::Lba28(lba as u32),
            Addressing::Lba48 => Address::Lba48(lba as u64),
        }
    }
}

/// Regions of uneven sizes that together have `len` bytes, from 64 KiB of memory on: few enough for their table
/// to end before that.
fn regions(len: usize, seed: usize) -> Vec<(u32, u16)> {
    let mut regions = Vec::new();
    let (mut left, mut address) = (len, 0x1_0000);
    while left > 0 {
        let size = ((seed.wrapping_mul(regions.len() + 1) % 9000 + 200) & !1).min(left);
        regions.push((address, size as u16));
        address += size as u32 + 16;
        left -= size;
    }
    regions
}

fn read(bench: &mut Bench, model: &Model, (addressing, way, lba, count): (Addressing, Way, usize, usize)) {
    let expected = &model.bytes[lba * 512..(lba + count) * 512];
    bench.address(model.address(addressing, lba), count as u32);
    let ext = matches!(addressing, Addressing::Lba48);
    let data = match way {
        Way::Single => bench.pio_in(if ext { 0x24 } else { 0x20 }, count * 512, 512).unwrap(),
        Way::Multiple => {
            let block = model.multiple * 512;
            bench.pio_in(if ext { 0x29 } else { 0xC4 }, count * 512, block).unwrap()
        }
        Way::Dma => {
            let regions = regions(count * 512, lba);
            bench.table(&regions);
            assert_eq!(bench.dma(if ext { 0x25 } else { 0xC8 }, true), (0x50, 0x64));
            let parts = regions.iter().map(|(at, len)| bench.peek((*at).into(), (*len).into()));
            parts.collect::<Vec<_>>().concat()
        }
    };
    assert!(data == expected, "read of {count} sectors at {lba}");
}

fn write(bench: &mut Bench, model: &Model, span: (Addressing, Way, usize, usize), data: &[u8]) {
    let (addressing, way, lba, count) = span;
    bench.address(model.address(addressing, lba), count as u32);
    let ext = matches!(addressing, Addressing::Lba48);
    let status = match way {
        Way::Single => bench.pio_out(if ext { 0x34 } else { 0x30 }, data, 512),
        Way::Multiple => bench.pio_out(if ext { 0x39 } else { 0xC5 }, data, model.multiple * 512),
        Way::Dma => {
            let regions = regions(data.len(), lba);
            let mut rest = data;
            for (at, len) in &regions {
                let (now, later) = rest.split_at((*len).into());
                bench.memory.write((*at).into(), now).unwrap();
                rest = later;
            }
            bench.table(&regions);
            bench.dma(if ext { 0x35 } else { 0xCA }, false).0
        }
    };
    assert_eq!(status, 0x50);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn every_way_to_the_disk_leads_to_the_same_bytes(
        steps in prop::collection::vec(step(), 1..40),
        slave: bool,
    ) {
        let disk = RamDisk::new(SECTORS);
        let other = RamDisk::new(10);
        let (first, second) = if slave { (&other, &disk) } else { (&disk, &other) };
        let mut bench = Bench::new([[disk_drive(first.clone()), disk_drive(second.clone())], [None, None]]);
        bench.slave = slave;
        let mut model = Model { bytes: disk.sectors(0, SECTORS), multiple: 1, heads: 16, track: 63 };
        bench.address(Address::Lba28(0), 1);
        assert_eq!(bench.simple(0xC6), 0x50);
        for step in steps {
            match step {
                Step::Read(addressing, way, lba, count) => read(&mut bench, &model, (addressing, way, lba, count)),
                Step::Write(addressing, way, lba, count, seed) => {
                    let data: Vec<u8> = (0..count * 512).map(|at| (at * 31 + at / 512) as u8 ^ seed).collect();
                    write(&mut bench, &model, (addressing, way, lba, count), &data);
                    model.bytes[lba * 512..(lba + count) * 512].copy_from_slice(&data);
                }
                Step::SetMultiple(count) => {
                    bench.address(Address::Lba28(0), count);
                    assert_eq!(bench.simple(0xC6), 0x50);
                    model.multiple = count as usize;
                }
                Step::Translate(heads, sectors) => {
                    bench.address(Address::Chs { cylinder: 0, head: heads - 1, sector: 1 }, sectors.into());
                    assert_eq!(bench.simple(0x91), 0x50);
                    (model.heads, model.track) = (heads.into(), sectors.into());
                }
                Step::Flush => assert_eq!(bench.simple(0xE7), 0x50),
                Step::SoftReset => {
                    bench.control(4);
                    bench.control(0);
                    bench.wait_not_busy();
                    bench.address(Address::Lba28(0), 1);
                }
            }
        }
        prop_assert!(disk.sectors(0, SECTORS) == model.bytes);
        prop_assert!(other.sectors(0, 10) == RamDisk::new(10).sectors(0, 10));
    }
}
