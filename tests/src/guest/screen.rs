//! Reads the text on a picture of a VGA text screen, by the glyphs of the VGA BIOS's own font.

use crate::picture::Picture;
use anyhow::{Context, Result};
use std::fs;
use std::path::Path;

/// Rows of a glyph.
const HEIGHT: usize = 16;
/// The glyph of `A`, by which the font is found in the BIOS image.
const LETTER_A: [u8; HEIGHT] = [
    0, 0, 0x10, 0x38, 0x6c, 0xc6, 0xc6, 0xfe, 0xc6, 0xc6, 0xc6, 0xc6, 0, 0, 0, 0,
];
/// Where Debian's `seabios` package keeps the VGA BIOS.
const VGA_BIOS: &str = "/usr/share/seabios/vgabios-stdvga.bin";

/// The screen's lines, without spaces at their ends. What is no character of the font is shown as `\u{fffd}`.
pub(super) fn text(picture: &Path) -> Result<String> {
    let bios = fs::read(VGA_BIOS).with_context(|| format!("cannot read {VGA_BIOS} (Debian package seabios)"))?;
    let font = font_in(&bios).with_context(|| format!("no 8x16 font in {VGA_BIOS}"))?;
    let picture = Picture::read(picture)?;
    // 80 columns of 8 pixels, or of 9 of which the last is empty.
    let cell = if picture.width.is_multiple_of(9) && picture.width == 720 {
        9
    } else {
        8
    };
    let mut lines = Vec::new();
    for row in 0..picture.height / HEIGHT {
        let line: String = (0..picture.width / cell)
            .map(|column| {
                glyph(&picture, column * cell, row * HEIGHT).map_or('\u{fffd}', |glyph| character(font, &glyph))
            })
            .collect();
        lines.push(line.trim_end().to_owned());
    }
    Ok(lines.join("\n"))
}

/// The 256 glyphs of the font.
fn font_in(bios: &[u8]) -> Option<&[u8]> {
    let letter = bios.windows(HEIGHT).position(|window| window == LETTER_A)?;
    let start = letter.checked_sub(usize::from(b'A') * HEIGHT)?;
    bios.get(start..start + 256 * HEIGHT)
}

/// Pixels by which a glyph may differ from the font's: on 9 pixels wide cells the BIOS has other shapes of a few letters,
/// and Linux's font has its own of some more.
const TOLERANCE: u32 = 24;

/// The printable ASCII character whose glyph is nearest. The cursor, drawn over the last rows, does not matter.
fn character(font: &[u8], glyph: &[u8; HEIGHT]) -> char {
    if glyph == &[0; HEIGHT] {
        return ' ';
    }
    let seen = u128::from_be_bytes(*glyph);
    let rows = if glyph.get(13..15) == Some(&[0xff, 0xff]) {
        u128::MAX << 24
    } else {
        u128::MAX
    };
    let distance = |code: u8| -> u32 {
        let at = usize::from(code) * HEIGHT;
        let shape = font
            .get(at..at + HEIGHT)
            .and_then(|shape| shape.try_into().ok())
            .map_or(0, u128::from_be_bytes);
        ((shape ^ seen) & rows).count_ones()
    };
    let nearest = (b' '..=b'~').map(|code| (distance(code), code)).min();
    nearest
        .filter(|(distance, _)| *distance <= TOLERANCE)
        .map_or('\u{fffd}', |(_, code)| char::from(code))
}

/// The shape in a cell: set bits are pixels unlike the background, which is the colour of most.
fn glyph(picture: &Picture, x: usize, y: usize) -> Option<[u8; HEIGHT]> {
    if x + 8 > picture.width || y + HEIGHT > picture.height {
        return None;
    }
    let first = picture.at(x, y);
    let mut glyph = [0; HEIGHT];
    let mut set = 0;
    for (row, bits) in glyph.iter_mut().enumerate() {
        for column in 0..8 {
            if picture.at(x + column, y + row) != first {
                *bits |= 0x80 >> column;
                set += 1;
            }
        }
    }
    // A glyph that reaches its first corner is seen as its own negative: none of ASCII does.
    (set <= 128).then_some(glyph)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Draws text with the BIOS's font, white on blue, and reads it back.
    #[test]
    fn text_is_read_from_a_picture() {
        let bios = fs::read(VGA_BIOS).expect("Debian package seabios (`cargo xtask packages`)");
        let font = font_in(&bios).unwrap();
        let line = "grub> ls (hd0,msdos1)/boot_";
        for cell in [8, 9] {
            let (width, height) = (80 * cell, 2 * HEIGHT);
            let mut pixels = [0_u8, 0, 170].repeat(width * height);
            for (column, code) in line.bytes().enumerate() {
                for row in 0..HEIGHT {
                    for bit in (0..8).filter(|bit| font[usize::from(code) * HEIGHT + row] & (0x80 >> bit) != 0) {
                        let at = ((HEIGHT + row) * width + column * cell + bit) * 3;
                        pixels[at..at + 3].fill(255);
                    }
                }
            }
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("screen.png");
            let mut encoder = png::Encoder::new(fs::File::create(&file).unwrap(), width as u32, height as u32);
            encoder.set_color(png::ColorType::Rgb);
            encoder.write_header().unwrap().write_image_data(&pixels).unwrap();
            assert_eq!(text(&file).unwrap(), format!("\n{line}"));
        }
    }
}
