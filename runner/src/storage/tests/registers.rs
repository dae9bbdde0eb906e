//! Selection, signature, resets, interrupt enable: what firmware and drivers do to find out what is there.

use super::*;
use crate::config::CdromConfig;

fn signature(bench: &mut Bench) -> [u8; 4] {
    [2, 3, 4, 5].map(|register| bench.inb(register))
}

#[test]
fn firmware_finds_the_disk_the_empty_connector_and_the_empty_channel() {
    let mut bench = Bench::with_disk(&RamDisk::new(100));
    let mut probe = |base: u16, slave: u8| {
        bench.base = base;
        bench.outb(6, 0xA0 | slave << 4);
        bench.outb(2, 0x55);
        bench.outb(3, 0xAA);
        (bench.inb(7), bench.inb(2), bench.inb(3), bench.inb(6))
    };
    assert_eq!(probe(0x1F0, 0), (0x50, 0x55, 0xAA, 0xA0));
    assert_eq!(probe(0x1F0, 1), (0, 0, 0, 0xB0));
    assert_eq!(probe(0x170, 0).0, 0);
    assert_eq!(probe(0x170, 1).0, 0);
}

#[test]
fn a_software_reset_shows_the_signature_and_selects_device_0() {
    let disk = RamDisk::new(100);
    let mut bench = Bench::new([[disk_drive(disk), Some(Drive::Cdrom(CdromConfig::Empty))], [None, None]]);
    bench.outb(6, 0xB0);
    bench.control(0x06);
    assert_eq!(bench.alternate_status(), 0x80);
    bench.outb(2, 0x77);
    bench.control(0x02);
    assert_eq!((bench.inb(7), bench.inb(6), bench.inb(1)), (0x50, 0xA0, 1));
    assert_eq!(signature(&mut bench), [1, 1, 0, 0]);
    bench.outb(6, 0xB0);
    assert_eq!(bench.inb(7), 0, "a packet device is not ready until it gets a command");
    assert_eq!(signature(&mut bench), [1, 1, 0x14, 0xEB]);
    assert_eq!(bench.irqs[0].rises(), 0);
}

#[test]
fn a_disk_refuses_identify_packet_with_its_signature() {
    let mut bench = Bench::with_disk(&RamDisk::new(100));
    bench.address(Address::Lba28(0x12345), 9);
    assert_eq!(bench.simple(0xA1), 0x51);
    assert_eq!(bench.inb(1), 0x04);
    assert_eq!(signature(&mut bench), [1, 1, 0, 0]);
}

#[test]
fn diagnostics_report_both_drives_and_interrupt_once() {
    let disk = RamDisk::new(100);
    let mut bench = Bench::new([[disk_drive(disk.clone()), disk_drive(disk)], [None, None]]);
    bench.outb(6, 0xB0);
    bench.outb(7, 0x90);
    assert_eq!(bench.wait_irq(), 0x50);
    assert_eq!((bench.inb(6), bench.inb(1)), (0xA0, 1));
    assert_eq!(bench.irqs[0].rises(), 1);
}

#[test]
fn diagnostics_are_heard_through_an_empty_connector() {
    let mut bench = Bench::with_disk(&RamDisk::new(100));
    bench.outb(6, 0xB0);
    bench.outb(7, 0x20);
    assert_eq!((bench.inb(7), bench.irqs[0].rises()), (0, 0));
    bench.outb(7, 0x90);
    assert_eq!(bench.wait_irq(), 0x50);
    assert_eq!((bench.inb(6), bench.inb(1)), (0xA0, 1));
}

#[test]
fn n_ien_keeps_the_line_low_and_the_interrupt_pending() {
    let disk = RamDisk::new(100);
    let mut bench = Bench::new([[disk_drive(disk.clone()), disk_drive(disk)], [None, None]]);
    bench.control(0x02);
    bench.address(Address::Lba28(0), 1);
    bench.outb(7, 0x20);
    assert_eq!(bench.wait_not_busy(), 0x58);
    assert!(!bench.irq().level());
    bench.control(0);
    assert!(bench.irq().level());
    // The alternate status leaves it alone, the status does not.
    assert_eq!(bench.alternate_status(), 0x58);
    assert!(bench.irq().level());
    assert_eq!(bench.inb(7), 0x58);
    assert!(!bench.irq().level());
}

#[test]
fn registers_are_two_deep() {
    let mut bench = Bench::with_disk(&RamDisk::new(100));
    bench.address(Address::Lba48(0x0605_0403_0201), 0x0807);
    assert_eq!(signature(&mut bench), [0x07, 1, 2, 3]);
    bench.control(0x80);
    assert_eq!(signature(&mut bench), [0x08, 4, 5, 6]);
    // Writing any register shows the current contents again.
    bench.outb(1, 0);
    assert_eq!(signature(&mut bench), [0x07, 1, 2, 3]);
}

#[test]
fn the_data_port_takes_words_and_double_words() {
    let disk = RamDisk::new(100);
    let mut bench = Bench::with_disk(&disk);
    bench.address(Address::Lba28(5), 1);
    bench.outb(7, 0x20);
    let mut data = Vec::new();
    for _ in 0..64 {
        data.extend((bench.ports.read(0x1F0, 4)).to_le_bytes());
        data.extend((bench.ports.read(0x1F0, 2) as u16).to_le_bytes());
        data.extend((bench.ports.read(0x1F0, 2) as u16).to_le_bytes());
    }
    assert_eq!(data, disk.sectors(5, 1));
    assert_eq!(bench.ports.read(0x1F0, 2), 0xFFFF, "nothing left");
}

#[test]
fn a_reset_in_the_middle_of_a_block_forgets_the_block() {
    let disk = RamDisk::new(100);
    let mut bench = Bench::with_disk(&disk);
    let before = disk.sectors(0, 100);
    bench.address(Address::Lba28(5), 2);
    bench.outb(7, 0x30);
    bench.ports.write_string(0x1F0, 2, &[0xEE; 500]);
    bench.ide.reset();
    bench.ports.write_string(0x1F0, 2, &[0xEE; 524]);
    assert_eq!(bench.inb(7), 0x50);
    assert_eq!(disk.sectors(0, 100), before);
}
