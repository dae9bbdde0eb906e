//! Our VGA and QEMU's, given the same port and memory accesses, must read back the same and show the same picture.
//! QEMU does not run its processor (`-S`, driven through its qtest socket): the test itself is the processor of both.
//! (Debian package: qemu-system-x86.)

mod cirrus;
mod cirrus_pictures;
mod modes;
mod pair;

use modes::Mode;
use pair::Pair;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use std::io::Write;
use std::process::{Command, Stdio};

/// Bytes that look like nothing but are always the same.
pub(crate) fn noise(count: usize, seed: u32) -> Vec<u8> {
    let mut state = seed | 1;
    (0..count)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state.to_le_bytes()[1]
        })
        .collect()
}

/// A font whose characters can be told apart; those that QEMU widens and a VGA does not have an empty last dot.
fn load_font(pair: &mut Pair) {
    let mut font = noise(8192, 77);
    for line in &mut font[0xB0 * 32..0xC0 * 32] {
        *line &= !1;
    }
    modes::open_font(pair);
    pair.write(0xA_0000, &font);
    modes::close_font(pair);
}

fn text(pair: &mut Pair, address: u64, cells: usize) {
    // Without the blink bit: it is a colour in QEMU, and blinking is a matter of time.
    let text: Vec<u8> = noise(cells * 2, 5)
        .into_iter()
        .enumerate()
        .map(|(index, byte)| if index % 2 == 1 { byte & 0x7F } else { byte })
        .collect();
    pair.write(address, &text);
}

#[test]
fn text_modes_look_the_same() {
    let mut pair = Pair::start();
    for mode in [modes::TEXT_80X25, modes::TEXT_80X50, modes::TEXT_40X25] {
        pair.set_mode(&mode);
        load_font(&mut pair);
        text(&mut pair, 0xB_8000, 8000);
        pair.same_picture(mode.name);
        pair.crtc(0x0C, 0x01);
        pair.crtc(0x0D, 0x23);
        pair.same_picture(&format!("{}, scrolled", mode.name));
        assert_eq!(pair.read(0xB_8000, 64), pair.read(0xB_8000, 64));
    }
    // Two fonts at a time.
    pair.set_mode(&modes::TEXT_80X25);
    pair.out8(0x3C4, 3);
    pair.out8(0x3C5, 0x04);
    pair.same_picture("text with two fonts");
}

#[test]
fn text_memory_keeps_its_contents_while_fonts_are_loaded() {
    let mut pair = Pair::start();
    pair.set_mode(&modes::TEXT_80X25);
    let words = b"t\x07e\x17x\x27t\x37".repeat(500);
    pair.write(0xB_8000, &words);
    load_font(&mut pair);
    assert_eq!(pair.read(0xB_8000, words.len()), words);
    // Plane 0 alone, as a driver that saves the screen sees it.
    pair.out16(0x3CE, 0x0004);
    pair.out16(0x3CE, 0x0005);
    pair.out16(0x3CE, 0x0406);
    pair.out16(0x3C4, 0x0604);
    pair.read(0xA_0000, 256);
    pair.write(0xA_0000, &[b'!'; 64]);
    modes::close_font(&mut pair);
    pair.read(0xB_8000, 512);
    pair.same_picture("text written to plane 0");
}

#[test]
fn graphics_modes_look_the_same() {
    let mut pair = Pair::start();
    for mode in [
        modes::PLANAR_640X480,
        modes::PLANAR_640X350,
        modes::PLANAR_320X200,
        modes::BYTES_320X200,
        modes::MODE_X,
        modes::CGA_320X200,
        modes::CGA_640X200,
    ] {
        pair.set_mode(&mode);
        for plane in 0..4u8 {
            if mode.is_planar() {
                pair.out16(0x3C4, 0x0002 | 0x0100 << plane);
            }
            pair.write(mode.window, &noise(mode.window_size, 11 + u32::from(plane)));
        }
        pair.same_picture(mode.name);
        // Split screen behind row 119, where lines of all modes end, and a start address.
        pair.crtc(0x0D, 0x50);
        pair.crtc(0x07, mode.crtc[7] & !0x10);
        pair.crtc(0x09, mode.crtc[9] & !0x40);
        pair.crtc(0x18, 119);
        pair.same_picture(&format!("{}, split", mode.name));
    }
}

#[test]
fn write_modes_and_read_modes_do_the_same() {
    let mut pair = Pair::start();
    pair.set_mode(&modes::PLANAR_640X480);
    pair.write(0xA_0000, &noise(4096, 3));
    let access = (0..9u8, any::<u8>(), 0..2048u64, any::<u8>(), any::<u8>());
    let mut runner = TestRunner::new(Config {
        cases: 40,
        failure_persistence: None,
        ..Config::default()
    });
    let pair = std::cell::RefCell::new(pair);
    runner
        .run(&proptest::collection::vec(access, 1..40), |accesses| {
            let mut pair = pair.borrow_mut();
            for (register, value, offset, data, mask) in accesses {
                pair.out8(0x3CE, register);
                // Odd/even in this mode is a thing of its own.
                pair.out8(
                    0x3CF,
                    if register == 5 {
                        value & !0x10
                    } else if register == 6 {
                        0x05
                    } else {
                        value
                    },
                );
                pair.out16(0x3C4, u16::from(mask & 15) << 8 | 2);
                pair.read(0xA_0000 + offset, 1);
                pair.write(0xA_0000 + offset, &[data, data ^ 0x5A]);
                pair.read(0xA_0000 + offset, 2);
            }
            Ok(())
        })
        .unwrap();
    let mut pair = pair.into_inner();
    pair.set_mode_keeping_memory(&modes::PLANAR_640X480);
    pair.same_picture("what the write modes drew");
}

#[test]
fn registers_read_back_the_same() {
    let mut pair = Pair::start();
    pair.set_mode(&modes::TEXT_80X25);
    for index in 0..=0xFFu8 {
        for (index_port, data_port) in [(0x3C4, 0x3C5), (0x3CE, 0x3CF)] {
            if index < 16 && (index_port != 0x3C4 || index < 8) {
                pair.out8(index_port, index);
                for value in [0xFF, 0x00, 0xA5] {
                    pair.out8(data_port, value);
                    pair.in8(data_port);
                }
            }
        }
        if index < 0x15 {
            pair.in8_unchecked(0x3DA);
            pair.out8(0x3C0, index);
            pair.out8(0x3C0, 0xFF);
            pair.out8(0x3C0, index | 0x20);
            pair.in8(0x3C1);
        }
    }
    // Write protection of the first eight CRTC registers, and its one hole.
    for protect in [0x80, 0x00] {
        pair.crtc(0x11, protect);
        for index in 0..0x19u8 {
            if index != 0x11 {
                pair.crtc(index, 0xFF);
                pair.in8(0x3D5);
                pair.crtc(index, 0x12);
                pair.in8(0x3D5);
            }
        }
    }
    // The palette.
    pair.out8(0x3C8, 10);
    for value in 0..30 {
        pair.out8(0x3C9, value * 2);
    }
    pair.out8(0x3C7, 12);
    for _ in 0..12 {
        pair.in8(0x3C9);
    }
    pair.in8(0x3C7);
    // Monochrome addresses.
    pair.out8(0x3C2, 0x66);
    pair.in8(0x3CC);
    pair.in8(0x3D4);
    pair.out8(0x3B4, 0x0E);
    pair.in8(0x3B4);
}

#[test]
fn linear_modes_look_the_same() {
    let mut pair = Pair::start();
    pair.map_bars();
    for bits in [8, 15, 16, 24, 32, 4] {
        for (width, height) in [(640, 480), (800, 600), (1024, 768), (1920, 1080), (2560, 1600)] {
            // QEMU repeats the first 256 KiB in larger 16-colour modes.
            if bits == 4 && width > 800 {
                continue;
            }
            let name = format!("{width}x{height}, {bits} bits");
            pair.set_linear_mode(width, height, bits);
            let bytes = usize::from(width) * usize::from(height) * usize::from(bits.max(8).div_ceil(8));
            pair.write_framebuffer(0, &noise(bytes / 3, u32::from(bits)));
            // The banked window shows the same memory.
            if bits != 4 {
                pair.dispi(5, 3);
                pair.read(0xA_0000, 256);
                pair.write(0xA_1234, &noise(5000, 9));
            }
            let held = match bits {
                15 => 0xF8_F8F8,
                16 => 0xF8_FCF8,
                _ => 0xFF_FFFF,
            };
            pair.same_picture_of(&name, held);
        }
    }
    pair.set_linear_mode(640, 480, 32);
    pair.dispi(6, 1024);
    pair.dispi(8, 16);
    pair.dispi(9, 300);
    // Not the bank: QEMU remembers it when the mode goes.
    for index in [0, 1, 2, 3, 4, 6, 7, 8, 9, 10] {
        pair.read_dispi(index);
    }
    pair.write_framebuffer(300 * 4096, &noise(1 << 20, 4));
    pair.same_picture("a window of a larger linear picture");
    // Back to text.
    pair.dispi(4, 0);
    pair.set_mode(&modes::TEXT_80X25);
    load_font(&mut pair);
    text(&mut pair, 0xB_8000, 2000);
    pair.same_picture("text after a linear mode");
}

#[test]
fn eight_bit_palette_and_capabilities() {
    let mut pair = Pair::start();
    pair.map_bars();
    pair.set_linear_mode(640, 480, 8);
    pair.dispi(4, 0x01 | 0x40 | 0x20 | 0x80);
    for (index, part) in (0..=255u8).zip(noise(768, 8).chunks_exact(3)) {
        pair.out8(0x3C8, index);
        for value in part {
            pair.out8(0x3C9, *value);
        }
    }
    pair.write_framebuffer(0, &noise(640 * 480, 2));
    pair.same_picture("256 colours of 8 bits");
    // BAR 2 leads to the same registers.
    pair.read_bar2(0x500, 2);
    pair.read_bar2(0x502, 2);
    pair.read_bar2(0x40C, 1);
    pair.read_bar2(0x600, 4);
    pair.read_bar2(0x604, 4);
    let (ours, theirs) = pair.edids();
    assert_eq!(ours[..8], theirs[..8]);
    let said = decode_edid(&ours);
    assert!(
        said.contains("EDID conformity: PASS") && !said.contains("Warnings"),
        "{said}"
    );
    assert!(
        said.contains("DTD 1:  1024x768") && said.contains("DTD 2:  2560x1600"),
        "{said}"
    );
}

/// What `edid-decode` says of a block.
fn decode_edid(block: &[u8]) -> String {
    let mut child = Command::new("edid-decode")
        .args(["--check", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("edid-decode must be installed (Debian package edid-decode)");
    child.stdin.take().unwrap().write_all(block).unwrap();
    String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
}

/// Keeps `Mode`'s fields honest: a mode that maps the wrong window would compare empty pictures.
#[test]
fn pictures_are_not_blank() {
    let mut pair = Pair::start();
    let modes: [Mode; 2] = [modes::PLANAR_640X480, modes::BYTES_320X200];
    for mode in modes {
        pair.set_mode(&mode);
        pair.write(mode.window, &noise(mode.window_size, 1));
        let frame = pair.same_picture(mode.name);
        let colours: std::collections::HashSet<u32> = frame.pixels.iter().copied().collect();
        assert!(colours.len() > 1, "{}", mode.name);
    }
}
