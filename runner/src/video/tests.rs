//! The adapter on its own: what is mapped, and that no guest can break it. Pictures are judged in `tests/vga`.

use super::*;
use crate::device::{MemoryDevice, PortDevice, TestClock};
use crate::pci::PciFunction;
use proptest::prelude::*;
use std::sync::Arc;

fn vga() -> Vga {
    Vga::new(Arc::new(TestClock::default()), &[0x55, 0xAA]).expect("memory")
}

fn out(vga: &mut Vga, writes: &[(u16, u16)]) {
    for (port, value) in writes {
        PortDevice::write(vga, *port, 2, u32::from(*value));
    }
}

/// What a VGA BIOS sets for text at B8000h.
const TEXT: [(u16, u16); 6] = [
    (0x3C4, 0x0302),
    (0x3C4, 0x0204),
    (0x3CE, 0x0004),
    (0x3CE, 0x1005),
    (0x3CE, 0x0E06),
    (0x3CE, 0xFF08),
];
/// … and to load a font through A0000h.
const FONT: [(u16, u16); 5] = [
    (0x3C4, 0x0402),
    (0x3C4, 0x0604),
    (0x3CE, 0x0204),
    (0x3CE, 0x0005),
    (0x3CE, 0x0406),
];

#[test]
fn text_memory_is_mapped_and_moves_with_its_contents() {
    let mut vga = vga();
    out(&mut vga, &TEXT);
    let window = vga.window().expect("text memory is plain");
    assert_eq!((window.address, window.size), (0xB_8000, 0x8000));
    // The guest writes to the mapping, behind the device's back.
    vga.memory().write(window.offset, b"H\x07i\x07");
    out(&mut vga, &FONT);
    assert_eq!(vga.window(), None, "plane 2 must trap");
    // Plane 0 has the characters, plane 1 the attributes.
    out(&mut vga, &[(0x3CE, 0x0004)]);
    let mut bytes = [0; 2];
    MemoryDevice::read(&mut vga, 0, &mut bytes);
    assert_eq!(&bytes, b"Hi");
    out(&mut vga, &[(0x3C4, 0x0102)]);
    MemoryDevice::write(&mut vga, 1, b"o");
    out(&mut vga, &TEXT);
    let mut text = [0; 4];
    vga.memory().read(vga.window().expect("text").offset, &mut text);
    assert_eq!(&text, b"H\x07o\x07");
    MemoryDevice::read(&mut vga, 0x1_8000, &mut text);
    assert_eq!(&text, b"H\x07o\x07", "a trapped access sees the same");
}

#[test]
fn mode_13h_is_mapped_and_banks_move_the_window() {
    let mut vga = vga();
    out(
        &mut vga,
        &[(0x3C4, 0x0F02), (0x3C4, 0x0E04), (0x3CE, 0x4005), (0x3CE, 0x0506)],
    );
    let window = Window {
        address: 0xA_0000,
        size: 0x1_0000,
        offset: 0,
    };
    assert_eq!(vga.window(), Some(window));
    out(&mut vga, &[(0x3C4, 0x0302)]);
    assert_eq!(vga.window(), None, "masked planes must trap");
    for (index, value) in [(1, 640), (2, 480), (3, 8), (4, 1), (5, 2)] {
        out(&mut vga, &[(0x1CE, index), (0x1CF, value)]);
    }
    let banked = Window {
        offset: 0x2_0000,
        ..window
    };
    assert_eq!(vga.window(), Some(banked));
}

#[test]
fn the_option_rom_and_the_framebuffer_are_plain_memory() {
    let mut vga = vga();
    let rom = vga.backing(6).expect("ROM");
    let mut signature = [0; 2];
    rom.read(0, &mut signature);
    assert_eq!(signature, [0x55, 0xAA]);
    assert!(vga.backing(0).expect("framebuffer").size() >= MEMORY_SIZE);
    vga.write_config(0x10, 4, 0xFFFF_FFFF);
    assert_eq!(vga.read_config(0x10, 4), 0xFF00_0008, "16 MiB, prefetchable");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    /// Whatever the guest writes, a picture of bounded size comes out.
    #[test]
    fn any_guest_is_survived(steps in proptest::collection::vec((0..5u8, any::<u16>(), any::<u32>()), 0..300)) {
        let mut vga = vga();
        for (step, place, value) in steps {
            match step {
                0 => PortDevice::write(&mut vga, 0x3B0 + (place & 0x2F), 1 << (place >> 14 & 1), value),
                1 => out(&mut vga, &[(0x1CE, place & 15), (0x1CF, value as u16)]),
                2 => MemoryDevice::write(&mut vga, u64::from(place) << 1, &value.to_le_bytes()),
                3 => MemoryDevice::read(&mut vga, u64::from(place) << 1, &mut [0; 4]),
                _ => { PortDevice::read(&mut vga, 0x3B0 + (place & 0x2F), 1); }
            }
            vga.window();
        }
        vga.write_memory(2, 0x508, &[1, 0]);
        PortDevice::write(&mut vga, 0x3C0, 1, 0x20);
        let frame = vga.snapshot().render();
        prop_assert!(frame.width <= 2560 && frame.height <= 1600);
        prop_assert_eq!(frame.pixels.len(), (frame.width * frame.height) as usize);
        vga.reset();
        vga.snapshot().render();
    }
}
