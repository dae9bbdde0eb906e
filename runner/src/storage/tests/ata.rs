//! Disks by PIO, and the commands without data.

use super::*;

#[test]
fn pio_reads_by_chs_lba28_and_lba48_see_the_same_sectors() {
    let disk = RamDisk::new(16 * 63 * 3);
    let mut bench = Bench::with_disk(&disk);
    let chs = Address::Chs {
        cylinder: 1,
        head: 2,
        sector: 3,
    };
    let lba = (16 + 2) * 63 + 2;
    for (address, command) in [
        (chs, 0x20),
        (Address::Lba28(lba), 0x20),
        (Address::Lba48(lba.into()), 0x24),
    ] {
        bench.address(address, 5);
        assert_eq!(bench.pio_in(command, 5 * 512, 512), Ok(disk.sectors(lba as usize, 5)));
    }
}

#[test]
fn pio_writes_reach_the_disk() {
    let disk = RamDisk::new(1000);
    let mut bench = Bench::with_disk(&disk);
    let data: Vec<u8> = (0..3 * 512).map(|at| (at * 13) as u8).collect();
    bench.address(Address::Lba28(77), 3);
    assert_eq!(bench.pio_out(0x30, &data, 512), 0x50);
    assert_eq!(disk.sectors(77, 3), data);
    // The neighbours are as they were.
    assert_eq!(disk.sectors(76, 1), RamDisk::new(1000).sectors(76, 1));
    assert_eq!(disk.sectors(80, 1), RamDisk::new(1000).sectors(80, 1));
}

#[test]
fn multiple_moves_blocks_of_the_size_that_was_set() {
    let disk = RamDisk::new(1000);
    let mut bench = Bench::with_disk(&disk);
    bench.address(Address::Lba28(0), 1);
    assert_eq!(bench.simple(0xC4), 0x51, "READ MULTIPLE before SET MULTIPLE MODE");
    bench.address(Address::Lba28(0), 8);
    assert_eq!(bench.simple(0xC6), 0x50);
    bench.inb(7);
    bench.address(Address::Lba28(10), 19);
    assert_eq!(bench.pio_in(0xC4, 19 * 512, 8 * 512), Ok(disk.sectors(10, 19)));
    let data = vec![0x5A; 11 * 512];
    bench.address(Address::Lba48(100), 11);
    assert_eq!(bench.pio_out(0x39, &data, 8 * 512), 0x50);
    assert_eq!(disk.sectors(100, 11), data);
}

#[test]
fn a_count_of_zero_is_256_or_65536_sectors() {
    let disk = RamDisk::new(70_000);
    let mut bench = Bench::with_disk(&disk);
    bench.address(Address::Lba28(3), 0);
    assert_eq!(bench.pio_in(0x20, 256 * 512, 512), Ok(disk.sectors(3, 256)));
    bench.address(Address::Lba48(3), 0);
    assert_eq!(bench.pio_in(0x24, 65536 * 512, 512), Ok(disk.sectors(3, 65536)));
}

#[test]
fn reading_or_writing_past_the_end_finds_no_sector() {
    let disk = RamDisk::new(100);
    let mut bench = Bench::with_disk(&disk);
    let before = disk.sectors(0, 100);
    for command in [0x20, 0x30, 0xC8, 0xCA, 0x40] {
        bench.address(Address::Lba28(99), 2);
        assert_eq!(bench.simple(command), 0x51);
        assert_eq!(bench.inb(1), 0x10, "IDNF");
    }
    bench.address(Address::Lba48(u64::MAX >> 16), 0);
    assert_eq!(bench.simple(0x34), 0x51);
    bench.address(
        Address::Chs {
            cylinder: 0,
            head: 0,
            sector: 0,
        },
        1,
    );
    assert_eq!(bench.simple(0x20), 0x51, "CHS sectors count from 1");
    assert_eq!(disk.sectors(0, 100), before);
}
