//! The Cirrus on its own: what is mapped, where a transfer ends, and that no guest can break it. What it draws is judged
//! in `tests/vga`.

use crate::device::{MemoryDevice, PortDevice, TestClock};
use crate::pci::PciFunction;
use crate::video::{Vga, Window};
use proptest::prelude::*;
use std::sync::Arc;

const MEMORY_SIZE: usize = 4 << 20;

fn cirrus() -> Vga {
    Vga::cirrus(Arc::new(TestClock::default()), &[0x55, 0xAA]).expect("memory")
}

fn out(cirrus: &mut Vga, writes: &[(u16, u16)]) {
    for (port, value) in writes {
        PortDevice::write(cirrus, *port, 2, u32::from(*value));
    }
}

/// Packed pixels, banks of 16 KiB.
const PACKED: [(u16, u16); 3] = [(0x3C4, 0x1206), (0x3C4, 0x0107), (0x3CE, 0x200B)];
/// Bits from the processor become 16 pixels in two rows, from 1000h on.
const BITS: [(u16, u16); 8] = [
    (0x3CE, 0xAA01),
    (0x3CE, 0x0F20),
    (0x3CE, 0x0122),
    (0x3CE, 0x1024),
    (0x3CE, 0x1029),
    (0x3CE, 0x8430),
    (0x3CE, 0x0D32),
    (0x3CE, 0x0231),
];

fn is_mapped(cirrus: &Vga) -> bool {
    cirrus.backing(0).is_some()
}

#[test]
fn banks_and_framebuffer_are_mapped_while_they_are_plain_memory() {
    let mut cirrus = cirrus();
    assert!(is_mapped(&cirrus) && cirrus.backing_size(0) == MEMORY_SIZE);
    out(&mut cirrus, &PACKED);
    assert!(cirrus.has_moved());
    assert!(!cirrus.has_moved(), "nothing has happened since");
    let bank = |offset| {
        Some(Window {
            address: 0xA_0000,
            size: 0x1_0000,
            offset,
        })
    };
    assert_eq!(cirrus.window(), bank(0));
    out(&mut cirrus, &[(0x3CE, 0x0309)]);
    assert_eq!(cirrus.window(), bank(0xC000));
    out(&mut cirrus, &[(0x3CE, 0xFD09)]);
    assert_eq!(cirrus.window(), None, "48 KiB are left there");
    // Addresses that are no bytes.
    out(&mut cirrus, &[(0x3CE, 0x0009), (0x3CE, 0x220B)]);
    assert_eq!((is_mapped(&cirrus), cirrus.window()), (false, None));
    out(&mut cirrus, &[(0x3CE, 0x200B), (0x3C4, 0x0007)]);
    assert_eq!(cirrus.window(), None, "planes");
}

#[test]
fn a_blit_from_the_processor_takes_what_is_written_and_then_lets_go() {
    let mut cirrus = cirrus();
    out(&mut cirrus, &PACKED);
    cirrus.has_moved();
    out(&mut cirrus, &BITS);
    assert!(cirrus.has_moved());
    assert_eq!((is_mapped(&cirrus), cirrus.window()), (false, None));
    assert_eq!(PortDevice::read(&mut cirrus, 0x3CF, 1), 3, "busy");
    cirrus.write_memory(0, 0x5000, &[0x80]);
    MemoryDevice::write(&mut cirrus, 0, &[0x01]);
    // The blit needs two bytes more; the others belong to nobody.
    cirrus.write_memory(0, 0, &[0xFF, 0x00, 0x77, 0x77]);
    assert_eq!(PortDevice::read(&mut cirrus, 0x3CF, 1), 0);
    assert!(cirrus.has_moved());
    let mut drawn = [0; 32];
    cirrus.read_memory(0, 0x1000, &mut drawn);
    let mut expected = [0; 32];
    for pixel in [0, 15].into_iter().chain(16..24) {
        expected[pixel] = 0xAA;
    }
    assert_eq!(drawn, expected);
    let mut start = [9; 4];
    cirrus.read_memory(0, 0, &mut start);
    assert_eq!(start, [0; 4]);
    let written = cirrus.take_written();
    assert!(written.touches(&(0x1000..0x1020)) && !written.touches(&(0x2000..MEMORY_SIZE)));
    assert!(cirrus.take_written().is_empty());
}

#[test]
fn patterns_begin_with_the_row_that_the_source_says() {
    let mut cirrus = cirrus();
    out(&mut cirrus, &PACKED);
    for row in 0..8 {
        cirrus.write_memory(0, 0x100 + row, &[1 << row]);
    }
    let registers = [
        0xFF01, 0x0720, 0x0722, 0x0824, 0x1029, 0x032C, 0x012D, 0xC030, 0x0D32, 0x0231,
    ];
    out(&mut cirrus, &registers.map(|register| (0x3CE, register)));
    let mut drawn = [0; 64];
    cirrus.read_memory(0, 0x1000, &mut drawn);
    let columns: Vec<_> = drawn
        .chunks(8)
        .map(|row| row.iter().position(|pixel| *pixel != 0))
        .collect();
    assert_eq!(columns, [4, 3, 2, 1, 0, 7, 6, 5].map(Some));
}

#[test]
fn pictures_do_not_change_their_version_with_blits_and_the_cursor() {
    let mut cirrus = cirrus();
    out(&mut cirrus, &PACKED);
    let version = cirrus.scene().version();
    out(&mut cirrus, &BITS);
    out(
        &mut cirrus,
        &[(0x3C4, 0x1210), (0x3C4, 0x0112), (0x3CE, 0x0109), (0x3CE, 0x1F00)],
    );
    cirrus.write_memory(1, 0x104, &[0x77]);
    assert_eq!(cirrus.scene().version(), version);
    out(&mut cirrus, &[(0x3D4, 0x101B)]);
    PortDevice::write(&mut cirrus, 0x3C2, 1, 1);
    out(&mut cirrus, &[(0x3D4, 0x101B)]);
    assert_ne!(cirrus.scene().version(), version);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    /// Whatever the guest writes, a picture of bounded size comes out.
    #[test]
    fn any_guest_is_survived(steps in proptest::collection::vec((0..8u8, any::<u16>(), any::<u32>()), 0..300)) {
        let mut cirrus = cirrus();
        for (step, place, value) in steps {
            let bytes = value.to_le_bytes();
            match step {
                0 => PortDevice::write(&mut cirrus, 0x3B0 + (place & 0x2F), 1 << (place >> 14 & 1), value),
                1 => out(&mut cirrus, &[(0x3C4, value as u16 & 0xFF1F)]),
                2 => out(&mut cirrus, &[(0x3CE, value as u16 & 0xFF3F)]),
                3 => MemoryDevice::write(&mut cirrus, u64::from(place) << 1, &bytes),
                4 => MemoryDevice::read(&mut cirrus, u64::from(place) << 1, &mut [0; 4]),
                5 => cirrus.write_memory(1, u64::from(place & 0x1FF), &bytes),
                6 => cirrus.write_memory(0, u64::from(value & 0x1FF_FFFF), &bytes),
                _ => { PortDevice::read(&mut cirrus, 0x3B0 + (place & 0x2F), 1); }
            }
            cirrus.has_moved();
            if let Some(window) = cirrus.window() {
                prop_assert!(window.offset + window.size as usize <= cirrus.memory().size());
            }
        }
        let frame = cirrus.snapshot().render();
        prop_assert!(frame.width <= 2560 && frame.height <= 1600);
        prop_assert_eq!(frame.pixels.len(), (frame.width * frame.height) as usize);
        cirrus.reset();
        cirrus.snapshot().render();
    }

    /// What lies behind video memory stays as it is, whatever is blitted, and every blit ends.
    #[test]
    fn blits_stay_in_video_memory(
        registers in proptest::collection::vec(any::<u8>(), 0x20),
        near_the_end in any::<bool>(),
        small in any::<bool>(),
    ) {
        let mut cirrus = cirrus();
        out(&mut cirrus, &PACKED);
        let behind = vec![0x5A; cirrus.memory().size() - MEMORY_SIZE];
        cirrus.memory().write(MEMORY_SIZE, &behind);
        for (offset, value) in (0u64..).zip(registers) {
            let value = match offset {
                0x12 | 0x16 if near_the_end => 0x3F,
                0x11 | 0x15 if near_the_end => 0xFF,
                0x0A if small => value & 7,
                0x0B if small => 0,
                0x09 | 0x0D | 0x0F if small => 0,
                0x1A => [0x0D, 0x59, 0x00, 0xDA][usize::from(value & 3)],
                _ => value,
            };
            cirrus.write_memory(1, 0x100 + offset, &[value]);
        }
        cirrus.write_memory(1, 0x140, &[2]);
        // The largest source: a row of 8192 bytes, 8192 times.
        let data = [0xA5; 8192];
        for _ in 0..8192 {
            if !cirrus.waits() {
                break;
            }
            cirrus.write_memory(0, 16 << 20, &data);
        }
        prop_assert!(!cirrus.waits());
        let mut now = vec![0; behind.len()];
        cirrus.memory().read(MEMORY_SIZE, &mut now);
        prop_assert!(now == behind);
    }
}
