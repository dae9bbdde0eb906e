//! Backends that fail, tables that lie, resets at the wrong moment.

use super::*;

fn lba(bench: &mut Bench) -> u32 {
    let bytes = [3, 4, 5].map(|register| bench.inb(register));
    u32::from_le_bytes([bytes[0], bytes[1], bytes[2], 0])
}

#[test]
fn a_bad_sector_is_named_and_those_before_it_are_delivered() {
    let disk = RamDisk::new(5000);
    disk.bad_byte.store(3010 * 512 + 100, Ordering::SeqCst);
    let mut bench = Bench::with_disk(&disk);
    // By PIO: ten sectors come, the eleventh does not.
    bench.address(Address::Lba28(3000), 200);
    bench.outb(7, 0x20);
    let mut data = vec![0; 512];
    for sector in 3000..3010 {
        assert_eq!(bench.wait_irq(), 0x58);
        bench.ports.read_string(0x1F0, 2, &mut data);
        assert_eq!(data, disk.sectors(sector, 1));
    }
    assert_eq!((bench.wait_irq(), bench.inb(1), lba(&mut bench)), (0x51, 0x40, 3010));
    // By DMA.
    bench.table(&[(0x1_0000, 0xF000)]);
    bench.address(Address::Lba28(3000), 120);
    assert_eq!(bench.dma(0xC8, true).0, 0x51);
    assert_eq!((bench.inb(1), lba(&mut bench)), (0x40, 3010));
    assert_eq!(bench.peek(0x1_0000, 5120), disk.sectors(3000, 10));
    // The next command works.
    bench.address(Address::Lba28(3011), 1);
    assert_eq!(bench.pio_in(0x20, 512, 512), Ok(disk.sectors(3011, 1)));
}

#[test]
fn failed_writes_and_flushes_are_device_faults() {
    let disk = RamDisk::new(5000);
    disk.bad_byte.store(40 * 512, Ordering::SeqCst);
    let mut bench = Bench::with_disk(&disk);
    bench.address(Address::Lba28(39), 2);
    assert_eq!(bench.pio_out(0x30, &[0; 1024], 512), 0x71);
    assert_eq!((bench.inb(1), lba(&mut bench)), (0x04, 40));
    bench.table(&[(0x2000, 1024)]);
    bench.address(Address::Lba28(40), 2);
    assert_eq!(bench.dma(0xCA, false).0, 0x71);
    disk.fail_flush.store(true, Ordering::SeqCst);
    assert_eq!(bench.simple(0xE7), 0x71);
    assert!(bench.ide.drain_and_flush().is_err());
    disk.fail_flush.store(false, Ordering::SeqCst);
    assert_eq!(bench.simple(0xE7), 0x50);
}

/// A backend with a bug.
struct Panics;

impl ReadAt for Panics {
    fn size(&self) -> u64 {
        1 << 20
    }
    fn read_at(&self, _: u64, _: &mut [u8]) -> io::Result<()> {
        panic!("made for this test")
    }
}

impl BlockDevice for Panics {
    fn write_at(&self, _: u64, _: &[u8]) -> io::Result<()> {
        panic!("made for this test")
    }
    fn flush(&self) -> io::Result<()> {
        panic!("made for this test")
    }
}

#[test]
fn a_backend_that_panics_fails_the_command_and_nothing_waits_forever() {
    let mut bench = Bench::new([[disk_drive(Arc::new(Panics)), None], [None, None]]);
    bench.table(&[(0x2000, 512)]);
    bench.address(Address::Lba28(0), 1);
    assert_eq!(bench.dma(0xC8, true).0 & 1, 1);
    assert_eq!(bench.simple(0xE7) & 1, 1);
    bench.ide.reset();
    assert_eq!(bench.inb(7), 0x50);
}

#[test]
fn a_table_that_points_outside_memory_ends_the_command_with_an_error() {
    let disk = RamDisk::new(5000);
    let mut bench = Bench::with_disk(&disk);
    let before = disk.sectors(0, 5000);
    for region in [0xFFFF_F000, MEMORY as u32 - 512, 0x8000_0000] {
        bench.table(&[(region, 1024)]);
        bench.address(Address::Lba28(0), 2);
        assert_eq!(bench.dma(0xC8, true), (0x51, 0x66));
        bench.table(&[(region, 1024)]);
        bench.address(Address::Lba28(0), 2);
        assert_eq!(bench.dma(0xCA, false), (0x51, 0x66));
    }
    assert!(disk.sectors(0, 5000) == before);
    // The table itself is outside.
    bench.bus_master.write(0xC004, 4, 0xFFFF_FFFC);
    bench.address(Address::Lba28(0), 2);
    assert_eq!(bench.dma(0xC8, true).0, 0x51);
}

#[test]
fn a_table_longer_than_the_data_leaves_the_bus_master_active() {
    let disk = RamDisk::new(100);
    let mut bench = Bench::with_disk(&disk);
    bench.table(&[(0x2000, 512), (0x4000, 0)]);
    bench.address(Address::Lba28(1), 1);
    assert_eq!(bench.dma(0xC8, true), (0x50, 0x65));
    assert_eq!(bench.bm_status(), 0x64, "stopping ends it");
}

#[test]
fn a_table_that_ends_early_stops_without_an_interrupt() {
    let disk = RamDisk::new(100);
    let mut bench = Bench::with_disk(&disk);
    bench.table(&[(0x2000, 512), (0x3000, 256)]);
    bench.memory.write(0x2000, &[0xAB; 512]).unwrap();
    bench.address(Address::Lba28(10), 2);
    bench.bm_command(1);
    bench.outb(7, 0xCA);
    bench.ide.drain_and_flush().unwrap();
    assert_eq!((bench.bm_status(), bench.irq().rises()), (0x60, 0));
    // Whole sectors have arrived, half a sector has not.
    assert_eq!(disk.sectors(10, 1), [0xAB; 512]);
    assert_eq!(disk.sectors(11, 1), RamDisk::new(100).sectors(11, 1));
}

#[test]
fn an_endless_table_ends() {
    let disk = RamDisk::new(70_000);
    let mut bench = Bench::with_disk(&disk);
    // 8192 regions of two bytes without an end, as many as 64 KiB hold.
    let entry = [0x00, 0x00, 0x08, 0x00, 2, 0, 0, 0];
    bench.memory.write(0x1_0000, &entry.repeat(8192)).unwrap();
    bench.bus_master.write(0xC004, 4, 0x1_0000);
    bench.address(Address::Lba48(0), 0);
    bench.bm_command(9);
    bench.outb(7, 0x25);
    bench.ide.drain_and_flush().unwrap();
    assert_eq!((bench.bm_status() & 7, bench.inb(7)), (0, 0x50));
}

#[test]
fn a_reset_takes_a_waiting_dma_command_away() {
    let disk = RamDisk::new(100);
    let mut bench = Bench::with_disk(&disk);
    bench.table(&[(0x2000, 512)]);
    bench.address(Address::Lba28(1), 1);
    bench.outb(7, 0xC8);
    assert_eq!(bench.alternate_status(), 0x58);
    bench.control(4);
    bench.control(0);
    bench.bm_command(9);
    bench.ide.drain_and_flush().unwrap();
    assert_eq!((bench.inb(7), bench.irq().rises()), (0x50, 0));
    assert_eq!(bench.peek(0x2000, 512), [0; 512]);
}

/// A disk whose reads wait until they are let go.
struct Gated {
    inner: Arc<RamDisk>,
    started: Mutex<std::sync::mpsc::Sender<()>>,
    go: Mutex<std::sync::mpsc::Receiver<()>>,
}

impl ReadAt for Gated {
    fn size(&self) -> u64 {
        self.inner.size()
    }
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.started.lock().unwrap().send(()).unwrap();
        self.go.lock().unwrap().recv().unwrap();
        self.inner.read_at(offset, buf)
    }
}

impl BlockDevice for Gated {
    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.inner.write_at(offset, data)
    }
    fn flush(&self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[test]
fn after_a_reset_nothing_arrives_in_memory_any_more() {
    let (started, has_started) = std::sync::mpsc::channel();
    let (sender, go) = std::sync::mpsc::channel();
    let gated = Arc::new(Gated {
        inner: RamDisk::new(100),
        started: Mutex::new(started),
        go: Mutex::new(go),
    });
    let mut bench = Bench::new([[disk_drive(gated), None], [None, None]]);
    // Dropped before the bench, whose worker waits for it.
    let let_go = sender;
    bench.table(&[(0x2000, 512)]);
    bench.address(Address::Lba28(1), 1);
    bench.bm_command(9);
    bench.outb(7, 0xC8);
    has_started.recv().unwrap();
    // The guest goes on while the disk is at it.
    assert_eq!((bench.alternate_status(), bench.bm_status() & 1), (0x58, 1));
    std::thread::scope(|scope| {
        let reset = scope.spawn(|| bench.ide.reset());
        while bench.ide.channel(0).lock().generation == 0 {
            std::thread::yield_now();
        }
        let_go.send(()).unwrap();
        reset.join().unwrap();
    });
    assert_eq!((bench.inb(7), bench.bm_status(), bench.irq().rises()), (0x50, 0, 0));
    assert_eq!(bench.peek(0x2000, 512), [0; 512]);
}
