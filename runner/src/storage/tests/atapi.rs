//! The CD-ROM drive by PIO and DMA.

use super::*;
use crate::config::CdromConfig;

const BLOCKS: usize = 300;

fn disc(seed: u8) -> Arc<dyn ReadAt> {
    Arc::new(
        (0..BLOCKS * 2048)
            .map(|at| (at / 2048 * 3 + at % 2048) as u8 ^ seed)
            .collect::<Vec<u8>>(),
    )
}

fn blocks(lba: usize, count: usize) -> Vec<u8> {
    let mut data = vec![0; count * 2048];
    disc(0).read_at(lba as u64 * 2048, &mut data).unwrap();
    data
}

/// A drive as secondary master, with what a power-on leaves for the first command already taken.
fn bench(cdrom: CdromConfig) -> Bench {
    let mut bench = Bench::new([[None, None], [Some(Drive::Cdrom(cdrom)), None]]);
    bench.base = 0x170;
    bench.outb(6, 0xA0);
    assert_eq!(bench.packet(&[0], 0xFFFE), Err((6, 0x29)));
    bench
}

impl Bench {
    /// Runs a packet command by PIO; data, or sense key and additional code.
    fn packet(&mut self, cdb: &[u8], limit: u16) -> Result<Vec<u8>, (u8, u8)> {
        self.send_packet(cdb, limit, 0);
        let mut data = Vec::new();
        loop {
            let status = self.wait_irq();
            let reason = self.inb(2);
            if status & 0x08 == 0 {
                assert_eq!(reason & 3, 3, "status phase");
                if status & 1 == 0 {
                    return Ok(data);
                }
                let key = self.inb(1) >> 4;
                let sense = self.packet(&[3, 0, 0, 0, 18], 18).unwrap();
                assert_eq!(sense[2], key);
                return Err((key, sense[12]));
            }
            assert_eq!(reason & 3, 2, "data to the host");
            let len = usize::from(self.inb(4)) | usize::from(self.inb(5)) << 8;
            assert!(0 < len && len <= usize::from(limit));
            let start = data.len();
            data.resize(start + len.next_multiple_of(2), 0);
            self.ports.read_string(self.base, 2, &mut data[start..]);
            data.truncate(start + len);
        }
    }

    fn send_packet(&mut self, cdb: &[u8], limit: u16, features: u8) {
        self.outb(1, features);
        self.outb(4, limit as u8);
        self.outb(5, (limit >> 8) as u8);
        self.outb(7, 0xA0);
        assert_eq!(self.wait_not_busy() & 0x88, 0x08);
        assert_eq!(self.inb(2) & 3, 1, "command phase");
        let mut packet = [0; 12];
        packet[..cdb.len()].copy_from_slice(cdb);
        self.ports.write_string(self.base, 2, &packet);
    }
}

#[test]
fn reads_arrive_in_blocks_no_larger_than_the_host_wants() {
    let mut bench = bench(CdromConfig::Disc(disc(0)));
    for limit in [2048, 2, 4094, 0x8000, 0xFFFE] {
        let count = if limit == 2 { 1 } else { 100 };
        let data = bench.packet(&[0x28, 0, 0, 0, 0, 7, 0, 0, count], limit).unwrap();
        assert!(data == blocks(7, count.into()), "limit {limit}");
    }
    let data = bench.packet(&[0xA8, 0, 0, 0, 0, 200, 0, 0, 0, 100], 0xFFFF).unwrap();
    assert!(data == blocks(200, 100));
    assert_eq!(
        bench.packet(&[0x28, 0, 0, 0, 0x01, 0x2B, 0, 0, 2], 2048),
        Err((5, 0x21))
    );
}

#[test]
fn reads_and_answers_come_by_dma() {
    let mut bench = bench(CdromConfig::Disc(disc(0)));
    bench.table(&[(0x2000, 0x1000), (0x1_0000, 0x7000)]);
    bench.send_packet(&[0x28, 0, 0, 0, 0, 33, 0, 0, 16], 0xFFFE, 1);
    bench.bm_command(9);
    assert_eq!(bench.wait_irq(), 0x50);
    assert_eq!((bench.inb(2) & 3, bench.bm_status()), (3, 0x64));
    bench.bm_command(8);
    assert_eq!(bench.peek(0x2000, 0x1000), blocks(33, 2));
    assert_eq!(bench.peek(0x1_0000, 0x7000), blocks(35, 14));

    bench.table(&[(0x3000, 36)]);
    bench.send_packet(&[0x12, 0, 0, 0, 36], 0, 1);
    bench.bm_command(9);
    assert_eq!(bench.wait_irq(), 0x50);
    bench.bm_command(8);
    assert_eq!(bench.peek(0x3000, 2), [5, 0x80]);
    assert_eq!(bench.peek(0x3008, 8), *b"P2V     ");
}

#[test]
fn an_empty_drive_is_not_ready_and_a_new_disc_is_announced() {
    let mut bench = bench(CdromConfig::Empty);
    assert_eq!(bench.packet(&[0], 0), Err((2, 0x3A)));
    assert_eq!(bench.packet(&[0x25], 8), Err((2, 0x3A)));
    let tray = bench.ide.cdrom().unwrap();
    tray.set_disc(Some(disc(1)));
    let events = [0x4A, 1, 0, 0, 0x10, 0, 0, 0, 8];
    assert_eq!(bench.packet(&events, 8), Ok(vec![0, 6, 4, 0x10, 2, 2, 0, 0]));
    assert_eq!(bench.packet(&events, 8), Ok(vec![0, 6, 4, 0x10, 0, 2, 0, 0]));
    assert_eq!(bench.packet(&[0], 0), Err((6, 0x28)));
    assert_eq!(bench.packet(&[0], 0), Ok(vec![]));
    assert_eq!(bench.packet(&[0x25], 8), Ok(vec![0, 0, 1, 0x2B, 0, 0, 8, 0]));
    assert_eq!(
        bench.packet(&[0x28, 0, 0, 0, 0, 0, 0, 0, 1], 2048).unwrap()[..2],
        [1, 0]
    );

    // Locked: the button only tells the guest, which may eject by itself.
    assert_eq!(bench.packet(&[0x1E, 0, 0, 0, 1], 0), Ok(vec![]));
    assert!(tray.is_locked() && !tray.press_eject() && tray.has_disc());
    assert_eq!(bench.packet(&events, 8), Ok(vec![0, 6, 4, 0x10, 1, 2, 0, 0]));
    assert_eq!(bench.packet(&[0x1B, 0, 0, 0, 2], 0), Err((5, 0x53)));
    assert_eq!(bench.packet(&[0x1E, 0, 0, 0, 0], 0), Ok(vec![]));
    assert_eq!(bench.packet(&[0x1B, 0, 0, 0, 2], 0), Ok(vec![]));
    assert_eq!(bench.packet(&[0], 0), Err((2, 0x3A)));
    assert_eq!(bench.packet(&[0x1B, 0, 0, 0, 3], 0), Ok(vec![]));
    assert_eq!(bench.packet(&[0], 0), Err((6, 0x28)));
    assert!(tray.press_eject() && !tray.has_disc());
    assert_eq!(bench.packet(&[0], 0), Err((2, 0x3A)));
}

#[test]
fn the_table_of_contents_has_one_data_track() {
    let mut bench = bench(CdromConfig::Disc(disc(0)));
    let toc = bench.packet(&[0x43, 0, 0, 0, 0, 0, 0, 0, 255], 0xFFFE).unwrap();
    assert_eq!(
        toc,
        [0, 18, 1, 1, 0, 0x14, 1, 0, 0, 0, 0, 0, 0, 0x16, 0xAA, 0, 0, 0, 1, 0x2C]
    );
    let toc = bench.packet(&[0x43, 2, 0, 0, 0, 0, 0xAA, 0, 255], 0xFFFE).unwrap();
    // 300 sectors and the 150 before them are six seconds.
    assert_eq!(toc, [0, 10, 1, 1, 0, 0x16, 0xAA, 0, 0, 0, 6, 0]);
    let sessions = bench.packet(&[0x43, 0, 0, 0, 0, 0, 0, 0, 12, 0x40], 12).unwrap();
    assert_eq!(sessions, [0, 10, 1, 1, 0, 0x14, 1, 0, 0, 0, 0, 0]);
    let raw = bench.packet(&[0x43, 2, 2, 0, 0, 0, 1, 2, 0], 0xFFFE).unwrap();
    assert_eq!((raw.len(), raw[1]), (4 + 4 * 11, 2 + 4 * 11));
    assert_eq!(bench.packet(&[0x43, 0, 0, 0, 0, 0, 2, 0, 12], 12), Err((5, 0x24)));
    assert_eq!(bench.packet(&[0x43, 0, 5, 0, 0, 0, 0, 0, 12], 12), Err((5, 0x24)));
}

#[test]
fn raw_sectors_carry_their_address() {
    let mut bench = bench(CdromConfig::Disc(disc(0)));
    let data = bench.packet(&[0xBE, 0, 0, 0, 0, 149, 0, 0, 2, 0xF8], 2352).unwrap();
    assert_eq!(data.len(), 2 * 2352);
    // Sector 149 is at 00:03:74, the next one at 00:04:00, in BCD.
    assert_eq!(data[12..16], [0, 3, 0x74, 1]);
    assert_eq!(data[2352 + 12..2352 + 16], [0, 4, 0, 1]);
    assert_eq!(data[16..16 + 2048], blocks(149, 1));
    let user = bench.packet(&[0xBE, 0, 0, 0, 0, 149, 0, 0, 2, 0x10], 2048).unwrap();
    assert!(user == blocks(149, 2));
}

#[test]
fn pages_features_and_identity_are_consistent() {
    let mut bench = bench(CdromConfig::Disc(disc(0)));
    let pages = bench.packet(&[0x5A, 0, 0x3F, 0, 0, 0, 0, 1, 0], 0xFFFE).unwrap();
    assert_eq!(usize::from(pages[1]) + 2, pages.len());
    let mut at = 8;
    let mut codes = Vec::new();
    while at < pages.len() {
        codes.push(pages[at]);
        at += usize::from(pages[at + 1]) + 2;
    }
    assert_eq!((at, codes), (pages.len(), vec![1, 0x0D, 0x0E, 0x2A]));
    assert_eq!(bench.packet(&[0x5A, 0, 0x3E, 0, 0, 0, 0, 1, 0], 0xFFFE), Err((5, 0x24)));
    assert_eq!(bench.packet(&[0x5A, 0, 0xEA, 0, 0, 0, 0, 1, 0], 0xFFFE), Err((5, 0x39)));

    let features = bench.packet(&[0x46, 0, 0, 0, 0, 0, 0, 1, 0], 0xFFFE).unwrap();
    assert_eq!(usize::from(features[3]) + 4, features.len());
    assert_eq!(features[6..8], [0, 8], "a CD is in the drive");

    bench.outb(7, 0xEC);
    assert_eq!(bench.wait_irq(), 0x51);
    assert_eq!((bench.inb(4), bench.inb(5)), (0x14, 0xEB), "not a disk");
    let identity = bench.pio_in(0xA1, 512, 512).unwrap();
    assert_eq!(identity[..2], [0xC0, 0x85]);
    assert_eq!(identity.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte)), 0);
    assert_eq!(bench.packet(&[0xFF], 0), Err((5, 0x20)));
}

#[test]
fn mode_select_takes_its_parameters() {
    let mut bench = bench(CdromConfig::Empty);
    bench.send_packet(&[0x55, 0x10, 0, 0, 0, 0, 0, 0, 16], 0xFFFE, 0);
    assert_eq!(bench.wait_irq() & 0x89, 0x08);
    assert_eq!(bench.inb(2) & 3, 0, "data from the host");
    bench.ports.write_string(0x170, 2, &[0; 16]);
    assert_eq!(bench.wait_irq(), 0x50);
}
