//! What becomes of a Cirrus GD5446's memory on the screen, ours and QEMU's: rows, banks, the cursor.

use crate::modes;
use crate::noise;
use crate::pair::Pair;

const MEMORY: u64 = 4 << 20;

fn start(bits: u16) -> Pair {
    let mut pair = Pair::start_cirrus();
    pair.map_cirrus();
    pair.packed(bits);
    pair.write_bar(0, 0, &noise(640 * 480 * 2, 12));
    pair
}

fn held(bits: u16) -> u32 {
    match bits {
        15 => 0xF8_F8F8,
        16 => 0xF8_FCF8,
        _ => 0xFF_FFFF,
    }
}

#[test]
fn rows_lie_where_they_say_wrap_split_and_repeat() {
    for bits in [8, 15, 16, 24, 32] {
        let mut pair = start(bits);
        // From elsewhere, over the end of memory, with rows further from each other.
        pair.crtc(0x13, 0x40);
        pair.write_bar(0, MEMORY - 30_000, &noise(30_000, 5));
        for (start, extension, overlay) in [(0x1234u16, 0x30, 0), (0xF800, 0x3D, 0x80)] {
            let [low, high] = start.to_le_bytes();
            pair.crtc(0x0C, high);
            pair.crtc(0x0D, low);
            pair.crtc(0x1B, extension);
            pair.crtc(0x1D, overlay);
            pair.same_picture_of(&format!("{bits} bits from {start:#x}"), held(bits));
        }
        // Split behind row 119, and with rows drawn twice.
        pair.crtc(0x07, modes::PLANAR_640X480.crtc[7] & !0x10);
        pair.crtc(0x09, 0x01);
        pair.crtc(0x18, 119);
        pair.same_picture_of(&format!("{bits} bits, split"), held(bits));
        pair.crtc(0x09, 0x80);
        pair.same_picture_of(&format!("{bits} bits, every row twice"), held(bits));
        pair.crtc(0x1A, 1);
        pair.same_picture_of(&format!("{bits} bits, interlaced"), held(bits));
    }
}

#[test]
fn banks_of_every_kind_show_the_same_memory() {
    let mut pair = start(8);
    for (extensions, first, second) in [
        (0x20, 3, 0),
        (0x00, 0x45, 0),
        (0x21, 2, 200),
        (0x01, 0x11, 0xFE),
        (0x20, 0xFF, 0),
        (0x20, 0xFE, 0),
        (0x21, 0xFF, 0xFF),
        // Addresses of eight pixels, of 16 bytes.
        (0x22, 1, 0),
        (0x36, 1, 0),
    ] {
        pair.graphics(0x0B, extensions);
        pair.graphics(0x09, first);
        pair.graphics(0x0A, second);
        // A bank behind the end of memory shows its beginning in QEMU.
        let offsets = if extensions == 0x20 && first >= 0xFE {
            &[0, 0x1FFC][..]
        } else {
            &[0, 0x1FFC, 0x7FF0, 0xFFE0]
        };
        for offset in offsets {
            pair.read(0xA_0000 + offset, 32);
            pair.write(0xA_0000 + offset, &noise(32, 3 + u32::from(extensions)));
            pair.read(0xA_0000 + offset, 32);
        }
    }
    pair.graphics(0x0B, 0x20);
    pair.read_bar(0, 0, MEMORY as usize);
    pair.same_picture("what was written through banks");
}

#[test]
fn the_cursor_is_cut_at_every_edge() {
    for bits in [8, 24] {
        let mut pair = start(bits);
        pair.write_bar(0, MEMORY - 16384, &noise(16384, 9));
        // QEMU looks at a pattern when the cursor moves.
        let places = [(0u16, 0u16), (635, 470), (639, 479), (607, 448), (700, 10), (333, 222)];
        for (number, (x, y)) in (0u8..).zip(places) {
            for large in [0, 4] {
                pair.sequencer(0x13, number * 9 + large);
                pair.sequencer(0x10 | (x << 5) as u8, (x >> 3) as u8);
                pair.sequencer(0x11 | (y << 5) as u8, (y >> 3) as u8);
                pair.sequencer(0x12, 0x01 | large);
                pair.same_picture(&format!("cursor at {x}, {y}, size {large}, {bits} bits"));
            }
        }
        pair.sequencer(0x12, 0x00);
        pair.same_picture("no cursor");
    }
}
