//! IDENTIFY DEVICE and the commands that move no sectors.

use super::*;

fn words(data: &[u8]) -> Vec<u16> {
    data.chunks(2)
        .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
        .collect()
}

fn text(words: &[u16]) -> String {
    words
        .iter()
        .flat_map(|word| word.to_be_bytes())
        .map(char::from)
        .collect()
}

fn identify(bench: &mut Bench) -> Vec<u16> {
    let data = bench.pio_in(0xEC, 512, 512).unwrap();
    assert_eq!(
        data.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte)),
        0,
        "checksum"
    );
    words(&data)
}

fn set_features(bench: &mut Bench, feature: u8, count: u8) -> u8 {
    bench.outb(1, feature);
    bench.outb(2, count);
    bench.simple(0xEF)
}

/// A disk that claims a size without having it.
struct Huge(u64);

impl ReadAt for Huge {
    fn size(&self) -> u64 {
        self.0
    }
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        buf.fill((offset / 512) as u8);
        Ok(())
    }
}

impl BlockDevice for Huge {
    fn write_at(&self, _: u64, _: &[u8]) -> io::Result<()> {
        Ok(())
    }
    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn identify_tells_who_it_is_and_how_large() {
    let mut bench = Bench::with_disk(&RamDisk::new(16 * 63 * 20 + 5));
    let words = identify(&mut bench);
    assert_eq!(text(&words[27..47]).trim_end(), "OLD HARDDISK");
    assert_eq!(text(&words[10..20]).trim_end(), "WD-1998");
    assert_eq!((words[1], words[3], words[6]), (20, 16, 63));
    assert_eq!((words[60], words[61], words[100]), (20165, 0, 20165));
    assert_eq!(words[93] & 0xDF61, 0x4041, "SeaBIOS need not look for a slave");
    assert_eq!(words[63] & 0xFF07, 0x0407, "multiword DMA mode 2 is selected");
}

#[test]
fn a_large_disk_has_48_bit_sectors_and_the_largest_geometry() {
    let sectors = 3 << 31; // 3 TiB
    let mut bench = Bench::new([[disk_drive(Arc::new(Huge(sectors * 512))), None], [None, None]]);
    let words = identify(&mut bench);
    assert_eq!((words[1], words[3], words[6]), (16383, 16, 63));
    assert_eq!((words[60], words[61]), (0xFFFF, 0x0FFF));
    assert_eq!(words[100..104], [0, 0x8000, 1, 0]);
    assert_eq!(words[83] & 0x0400, 0x0400);
    bench.address(Address::Lba48(sectors - 1), 1);
    assert_eq!(bench.pio_in(0x24, 512, 512), Ok(vec![0xFF; 512]));
    bench.address(Address::Lba28(0), 0);
    assert_eq!(bench.simple(0x27), 0x50);
    let low: Vec<u8> = (3..6).map(|register| bench.inb(register)).collect();
    bench.control(0x80);
    let high: Vec<u8> = (3..6).map(|register| bench.inb(register)).collect();
    assert_eq!((low, high), (vec![0xFF, 0xFF, 0xFF], vec![0x7F, 1, 0]));
}

#[test]
fn initialize_device_parameters_changes_the_translation_until_a_hardware_reset() {
    let disk = RamDisk::new(5000);
    let mut bench = Bench::with_disk(&disk);
    bench.address(
        Address::Chs {
            cylinder: 0,
            head: 3,
            sector: 1,
        },
        10,
    );
    assert_eq!(bench.simple(0x91), 0x50);
    let read = |bench: &mut Bench| {
        bench.address(
            Address::Chs {
                cylinder: 2,
                head: 1,
                sector: 4,
            },
            1,
        );
        bench.pio_in(0x20, 512, 512).unwrap()
    };
    assert_eq!(read(&mut bench), disk.sectors((2 * 4 + 1) * 10 + 3, 1));
    let words = identify(&mut bench);
    assert_eq!(words[54..59], [125, 4, 10, 5000, 0]);
    assert_eq!((words[3], words[6]), (16, 63), "the default geometry stays");
    bench.control(4);
    bench.control(0);
    assert_eq!(read(&mut bench), disk.sectors((2 * 4 + 1) * 10 + 3, 1));
    bench.ide.reset();
    assert_eq!(read(&mut bench), disk.sectors((2 * 16 + 1) * 63 + 3, 1));
}

#[test]
fn features_change_what_identify_says() {
    let mut bench = Bench::with_disk(&RamDisk::new(100));
    assert_eq!(identify(&mut bench)[85] & 0x60, 0x60);
    assert_eq!(set_features(&mut bench, 0x82, 0), 0x50);
    assert_eq!(set_features(&mut bench, 0x55, 0), 0x50);
    assert_eq!(identify(&mut bench)[85] & 0x60, 0);
    assert_eq!(set_features(&mut bench, 0x03, 0x44), 0x50);
    let words = identify(&mut bench);
    assert_eq!((words[63], words[88]), (0x0007, 0x103F));
    assert_eq!(set_features(&mut bench, 0x03, 0x46), 0x51);
    assert_eq!(set_features(&mut bench, 0x42, 0), 0x51);
}

#[test]
fn power_commands_and_refusals() {
    let disk = RamDisk::new(100);
    let mut bench = Bench::with_disk(&disk);
    bench.address(Address::Lba28(0), 1);
    assert_eq!((bench.simple(0xE5), bench.inb(2)), (0x50, 0xFF));
    assert_eq!(bench.simple(0xE0), 0x50);
    assert_eq!(
        disk.flushes.load(Ordering::SeqCst),
        1,
        "STANDBY IMMEDIATE empties the cache"
    );
    assert_eq!((bench.simple(0xE5), bench.inb(2)), (0x50, 0x00));
    assert_eq!(bench.simple(0xE1), 0x50);
    for accepted in [0x10, 0x1F, 0x70] {
        assert_eq!(bench.simple(accepted), 0x50);
    }
    for refused in [0x00, 0x08, 0xA0, 0xB0, 0xF5, 0xFF] {
        assert_eq!((bench.simple(refused), bench.inb(1)), (0x51, 0x04), "{refused:02x}");
    }
}

#[test]
fn verify_reads_and_finds_what_is_bad() {
    let disk = RamDisk::new(5000);
    let mut bench = Bench::with_disk(&disk);
    bench.address(Address::Lba48(0), 5000);
    assert_eq!(bench.simple(0x42), 0x50);
    disk.bad_byte.store(4321 * 512 + 7, Ordering::SeqCst);
    bench.address(Address::Lba48(0), 5000);
    assert_eq!((bench.simple(0x42), bench.inb(1)), (0x51, 0x40));
    let lba = [3, 4, 5].map(|register| bench.inb(register));
    assert_eq!(u32::from_le_bytes([lba[0], lba[1], lba[2], 0]), 4321);
}

#[test]
fn what_the_guest_wants_durable_is_flushed() {
    let disk = RamDisk::new(100);
    let mut bench = Bench::with_disk(&disk);
    let flushes = || disk.flushes.load(Ordering::SeqCst);
    bench.address(Address::Lba28(0), 1);
    assert_eq!(bench.pio_out(0x30, &[1; 512], 512), 0x50);
    assert_eq!(flushes(), 0);
    assert_eq!((bench.simple(0xE7), flushes()), (0x50, 1));
    assert_eq!((bench.simple(0xEA), flushes()), (0x50, 2));
    // Forced unit access.
    bench.table(&[(0x2000, 512)]);
    bench.address(Address::Lba48(1), 1);
    assert_eq!(bench.dma(0x3D, false).0, 0x50);
    assert_eq!(flushes(), 3);
    // Without a write cache every write is durable when it ends.
    assert_eq!((set_features(&mut bench, 0x82, 0), flushes()), (0x50, 4));
    bench.address(Address::Lba28(0), 1);
    assert_eq!(bench.pio_out(0x30, &[2; 512], 512), 0x50);
    assert_eq!(flushes(), 5);
    bench.ide.drain_and_flush().unwrap();
    assert_eq!(flushes(), 6);
}
