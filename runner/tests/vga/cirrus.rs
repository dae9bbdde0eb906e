//! The Cirrus GD5446, ours and QEMU's.

use crate::modes;
use crate::noise;
use crate::pair::Pair;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use std::cell::RefCell;

impl Pair {
    pub(crate) fn sequencer(&mut self, index: u8, value: u8) {
        self.out8(0x3C4, index);
        self.out8(0x3C5, value);
    }

    pub(crate) fn graphics(&mut self, index: u8, value: u8) {
        self.out8(0x3CE, index);
        self.out8(0x3CF, value);
    }

    /// The hidden register behind port 3C6h: what 16 bits a pixel mean.
    fn hidden_dac(&mut self, value: u8) {
        self.in8_unchecked(0x3C8);
        for _ in 0..4 {
            self.in8_unchecked(0x3C6);
        }
        self.out8(0x3C6, value);
    }

    /// Packed pixels, 640x480, as the VGA BIOS sets them.
    pub(crate) fn packed(&mut self, bits: u16) {
        self.set_mode_keeping_memory(&modes::PLANAR_640X480);
        self.sequencer(0x04, 0x0E);
        self.sequencer(0x06, 0x12);
        let (mode, dac) = match bits {
            8 => (0x01, 0x00),
            15 => (0x07, 0xF0),
            16 => (0x07, 0xE1),
            24 => (0x05, 0xE5),
            _ => (0x09, 0xE5),
        };
        self.sequencer(0x07, mode);
        self.hidden_dac(dac);
        self.graphics(0x05, 0x40);
        self.graphics(0x0B, 0x20);
        let pitch = 640 * usize::from(bits.div_ceil(8)) / 8;
        self.crtc(0x13, pitch as u8);
        self.crtc(0x1B, 0x02 | ((pitch >> 8) as u8) << 4);
        self.crtc(0x1D, 0);
    }
}

#[test]
fn registers_read_back_the_same() {
    let mut pair = Pair::start_cirrus();
    pair.set_mode(&modes::TEXT_80X25);
    for index in 5..0x20u8 {
        pair.out8(0x3C4, index);
        pair.in8(0x3C4);
        pair.in8(0x3C5);
        // Not the modes: a port that hides itself is another test's.
        for value in [0xFF, 0x00, 0xA5, 0x12] {
            if index != 7 {
                pair.out8(0x3C5, value);
                pair.in8(0x3C5);
            }
        }
    }
    for index in 0..0x3Au8 {
        pair.out8(0x3CE, index);
        pair.in8(0x3CE);
        for value in [0xFF, 0x00, 0xA5] {
            // A blit starts by a bit.
            pair.out8(0x3CF, if index == 0x31 { value & 4 } else { value });
            pair.in8(0x3CF);
        }
    }
    for index in [0x19, 0x1A, 0x1B, 0x1C, 0x1D, 0x22, 0x24, 0x26, 0x27] {
        pair.out8(0x3D4, index);
        if index != 0x22 {
            pair.in8(0x3D5);
        }
        pair.out8(0x3D5, 0xA5);
        if index != 0x22 {
            pair.in8(0x3D5);
        }
    }
}

#[test]
fn pictures_of_packed_pixels_look_the_same() {
    let mut pair = Pair::start_cirrus();
    pair.map_cirrus();
    for bits in [8, 15, 16, 24, 32] {
        pair.packed(bits);
        pair.write_bar(0, 0, &noise(640 * 480, u32::from(bits)));
        // Through the window: one bank, and two of 4 KiB steps.
        pair.graphics(0x09, 3);
        pair.write(0xA_0000, &noise(3000, 5));
        pair.write(0xA_9000, &noise(3000, 6));
        pair.read(0xA_0000, 100);
        pair.graphics(0x0B, 0x01);
        pair.graphics(0x0A, 77);
        pair.write(0xA_8000, &noise(3000, 7));
        pair.read(0xA_0100, 100);
        let held = match bits {
            15 => 0xF8_F8F8,
            16 => 0xF8_FCF8,
            _ => 0xFF_FFFF,
        };
        pair.same_picture_of(&format!("{bits} bits"), held);
        pair.crtc(0x0D, 0x40);
        pair.crtc(0x1B, 0x03 | pair.pitch_bit(bits));
        pair.same_picture_of(&format!("{bits} bits, from another place"), held);
        pair.crtc(0x0D, 0);
    }
    // Back to text.
    pair.sequencer(0x07, 0);
    pair.graphics(0x09, 0);
    pair.graphics(0x0B, 0);
    pair.crtc(0x1B, 0);
    pair.set_mode(&modes::TEXT_80X25);
    pair.write(0xB_8000, &b"t\x07e\x17x\x27t\x37".repeat(500));
    pair.same_picture("text after packed pixels");
}

impl Pair {
    fn pitch_bit(&self, bits: u16) -> u8 {
        let pitch = 640 * usize::from(bits.div_ceil(8)) / 8;
        ((pitch >> 8) as u8) << 4
    }
}

#[test]
fn the_cursor_looks_the_same() {
    let mut pair = Pair::start_cirrus();
    pair.map_cirrus();
    pair.packed(32);
    pair.write_bar(0, 0, &noise(640 * 480, 3));
    pair.write_bar(0, (4 << 20) - (16 << 10), &noise(16 << 10, 9));
    // Its colours.
    pair.sequencer(0x12, 0x02);
    for (index, color) in [(0u8, [63, 1, 20]), (15, [0, 62, 33])] {
        pair.out8(0x3C8, index);
        for part in color {
            pair.out8(0x3C9, part);
        }
    }
    for (control, pattern, x, y) in [
        (0x01, 0x05, 100u16, 50u16),
        (0x05, 0x08, 333, 200),
        (0x05, 0x3C, 620, 460),
        (0x01, 0x3F, 0, 470),
    ] {
        pair.sequencer(0x12, control);
        pair.sequencer(0x13, pattern);
        pair.sequencer(0x10 | ((x & 7) << 5) as u8, (x >> 3) as u8);
        pair.sequencer(0x11 | ((y & 7) << 5) as u8, (y >> 3) as u8);
        pair.same_picture(&format!("cursor {control:#x} at {x}, {y}"));
    }
}

/// A blit: registers 20h–35h but for the start, and what the processor writes.
#[derive(Clone, Debug)]
struct Blit {
    registers: Vec<(u8, u8)>,
    seed: u32,
}

const OPERATIONS: [u8; 17] = [
    0x00, 0x05, 0x06, 0x09, 0x0B, 0x0D, 0x0E, 0x50, 0x59, 0x6D, 0x90, 0x95, 0xAD, 0xD0, 0xD6, 0xDA, 0x77,
];

prop_compose! {
    fn blit()(
        mode in any::<u8>(),
        plain in any::<bool>(),
        extension in 0..8u8,
        operation in proptest::sample::select(&OPERATIONS[..]),
        width in 0..200u16,
        height in 0..12u16,
        pitches in (1..700u16, 1..700u16),
        places in (0..20_000u32, 0..20_000u32),
        colors in any::<[u8; 8]>(),
        skip in any::<u8>(),
        key in any::<[u8; 2]>(),
        seed in any::<u32>(),
    ) -> Blit {
        // Half of them are copies, and the rest anything.
        let mode = if plain { mode & 0x3D } else { mode };
        // Pixels from the processor come forwards.
        let mode = if mode & 0x04 != 0 { mode & !0x01 } else { mode };
        // QEMU takes too little for a pattern with 24 bits a pixel.
        let mode = if mode & 0xF4 == 0x64 { mode ^ 0x30 } else { mode };
        // It forgets to multiply by four where rows begin with a double word, and begins patterns of 24 bits a pixel
        // at a place that is not in them.
        let extension = if mode & 0x04 != 0 { extension & !0x01 } else { extension };
        let skip = if mode & 0x70 == 0x60 { 0 } else { skip };
        // Drivers work on whole pixels; where they do not, QEMU rounds addresses.
        let bytes = u16::from(mode >> 4 & 3) + 1;
        let whole = |value: u16| (value / bytes).max(1) * bytes;
        let (width, pitches) = (whole(width) - 1, (whole(pitches.0), whole(pitches.1)));
        let last = if mode & 0xC1 == 0x01 { u32::from(bytes) - 1 } else { 0 };
        let whole = |value: u32| value / u32::from(bytes) * u32::from(bytes) + last;
        // A pattern, or bits, that are drawn over while they are read: QEMU reads them again.
        let apart = if mode & 0xC0 != 0 { 30_000 } else { 0 };
        let mut places = (whole(places.0), whole(places.1 + apart));
        if mode & 0x40 != 0 {
            // QEMU aligns patterns to the largest, and forgets which of their rows is to come first.
            places.1 &= !0xFF;
        }
        let low = |value: u16| value.to_le_bytes()[0];
        let high = |value: u16| value.to_le_bytes()[1];
        let place = |base: u8, value: u32| {
            let [a, b, c, _] = value.to_le_bytes();
            [(base, a), (base + 1, b), (base + 2, c)]
        };
        let mut registers = vec![
            (0x20, low(width)), (0x21, high(width)), (0x22, low(height)), (0x23, high(height)),
            (0x24, low(pitches.0)), (0x25, high(pitches.0)), (0x26, low(pitches.1)), (0x27, high(pitches.1)),
            (0x2F, skip), (0x30, mode), (0x32, operation), (0x33, extension), (0x34, key[0]), (0x35, key[1]),
        ];
        registers.extend(place(0x28, places.0));
        registers.extend(place(0x2C, places.1));
        for (index, value) in [0x00, 0x10, 0x12, 0x14, 0x01, 0x11, 0x13, 0x15].into_iter().zip(colors) {
            registers.push((index, value));
        }
        Blit { registers, seed }
    }
}

#[test]
fn blits_draw_the_same() {
    let mut pair = Pair::start_cirrus();
    pair.map_cirrus();
    pair.packed(8);
    pair.write_bar(0, 0, &noise(48 << 10, 1));
    let mut runner = TestRunner::new(Config {
        cases: 200,
        failure_persistence: None,
        ..Config::default()
    });
    let pair = RefCell::new(pair);
    runner
        .run(&blit(), |blit| {
            let mut pair = pair.borrow_mut();
            pair.write_bar(0, 0, &noise(48 << 10, 1));
            for (index, value) in &blit.registers {
                pair.graphics(*index, *value);
            }
            pair.graphics(0x31, 0x02);
            pair.out8(0x3CE, 0x31);
            if pair.in8(0x3CF) & 1 != 0 {
                pair.write_bar(0, 0x100_0000, &noise(4000, blit.seed));
                pair.in8(0x3CF);
            }
            pair.graphics(0x31, 0x04);
            pair.graphics(0x31, 0x00);
            pair.read_bar(0, 0, 48 << 10);
            Ok(())
        })
        .unwrap();
}

#[test]
fn the_blitters_registers_are_in_memory_too() {
    let mut pair = Pair::start_cirrus();
    pair.map_cirrus();
    pair.packed(8);
    pair.write_bar(0, 0, &noise(8 << 10, 1));
    for round in 0..3u8 {
        // At B8000h, in BAR 1, at the end of BAR 0.
        pair.sequencer(0x17, [0x04, 0x00, 0x44][usize::from(round)]);
        let registers: [(u64, u8); 12] = [
            (0x00, 0x11),
            (0x04, 0x99 + round),
            (0x08, 40),
            (0x09, 0),
            (0x0A, 5),
            (0x0B, 0),
            (0x0C, 0x80),
            (0x0D, 0x02),
            (0x10, round * 77),
            (0x18, 0xC0),
            (0x1A, 0x0D),
            (0x1B, 0x04),
        ];
        for (offset, value) in registers.into_iter().chain([(0x40, 0x02)]) {
            match round {
                0 => pair.write(0xB_8000 + offset, &[value]),
                1 => pair.write_bar(1, 0x100 + offset, &[value]),
                _ => pair.write_bar(0, (4 << 20) - 256 + offset, &[value]),
            }
        }
        pair.read_bar(1, 0x100, 3);
        pair.read_bar(1, 0x108, 4);
        pair.sequencer(0x17, 0);
        pair.read_bar(0, 0, 8 << 10);
    }
    // The VGA's ports are there, too.
    pair.write_bar(1, 0x04, &[0x07]);
    pair.read_bar(1, 0x05, 1);
}

#[test]
fn eight_pixels_a_byte_are_the_same() {
    let mut pair = Pair::start_cirrus();
    pair.map_cirrus();
    pair.packed(8);
    for (index, value) in [(0x00, 0x12), (0x01, 0x34), (0x10, 0x56), (0x11, 0x78)] {
        pair.graphics(index, value);
    }
    for banking in [0x04, 0x06, 0x14] {
        for mode in [0x44, 0x45, 0x40] {
            pair.graphics(0x0B, banking);
            pair.graphics(0x05, mode);
            pair.write(0xA_0040, &noise(64, banking.into()));
            pair.write_bar(0, 0x200, &noise(64, mode.into()));
            pair.graphics(0x0B, 0);
            pair.read_bar(0, 0, 16 << 10);
        }
    }
}
