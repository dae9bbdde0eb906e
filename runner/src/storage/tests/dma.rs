//! Disks by bus-master DMA.

use super::*;

#[test]
fn dma_reads_scatter_and_writes_gather() {
    let disk = RamDisk::new(5000);
    let mut bench = Bench::with_disk(&disk);
    bench.table(&[(0x2000, 512), (0x8002, 1024), (0x1_0000, 0xF000)]);
    bench.address(Address::Lba28(40), 123);
    let (status, bm_status) = bench.dma(0xC8, true);
    assert_eq!((status, bm_status), (0x50, 0x64));
    let expected = disk.sectors(40, 123);
    assert_eq!(bench.peek(0x2000, 512), expected[..512]);
    assert_eq!(bench.peek(0x8002, 1024), expected[512..1536]);
    assert_eq!(bench.peek(0x1_0000, 0xF000), expected[1536..]);

    bench.table(&[(0x1_0000, 0xF000), (0x2000, 512), (0x8002, 1024)]);
    bench.address(Address::Lba48(3000), 123);
    let (status, bm_status) = bench.dma(0x35, false);
    assert_eq!((status, bm_status), (0x50, 0x64));
    let written = disk.sectors(3000, 123);
    assert_eq!(written[..0xF000], expected[1536..]);
    assert_eq!(written[0xF000..0xF000 + 512], expected[..512]);
}

#[test]
fn the_bus_master_may_be_started_before_the_command() {
    let disk = RamDisk::new(100);
    let mut bench = Bench::with_disk(&disk);
    bench.table(&[(0x4000, 1024)]);
    bench.address(Address::Lba28(9), 2);
    bench.bm_command(9);
    bench.outb(7, 0xC8);
    assert_eq!(bench.wait_irq(), 0x50);
    assert_eq!(bench.peek(0x4000, 1024), disk.sectors(9, 2));
}
