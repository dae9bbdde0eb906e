//! The pointer that clients draw by themselves (RFC 6143, section 7.8.1): none where the guest draws its own at the
//! same place, an arrow where it does not. A card's hardware cursor is part of the picture, so these are all.
#![warn(clippy::arithmetic_side_effects, clippy::as_conversions, clippy::indexing_slicing)]

use super::messages::{encoding, rect_header};
use super::pixel::PixelFormat;
use crate::display::Rect;

/// `#` is black, `o` white. Its tip is the upper left corner.
const ARROW: [&str; 12] = [
    "##      ", "#o#     ", "#oo#    ", "#ooo#   ", "#oooo#  ", "#ooooo# ", "#oooooo#", "#oooo###", "#oo#o#  ",
    "#o##oo# ", "## #oo# ", "    ##  ",
];
/// One pixel of nothing. (A pointer without any pixels is not understood by all.)
const NONE: [&str; 1] = [" "];

/// Appends the rectangle that makes the client's pointer invisible, or an arrow.
pub(super) fn put(hidden: bool, format: &PixelFormat, out: &mut Vec<u8>) {
    let rows: &[&str] = if hidden { &NONE } else { &ARROW };
    let width = rows.first().map_or(0, |row| row.len());
    let (columns, lines) = (
        u32::try_from(width).unwrap_or(0),
        u32::try_from(rows.len()).unwrap_or(0),
    );
    rect_header(&Rect::all(columns, lines), encoding::CURSOR, out);
    for row in rows {
        let pixels: Vec<u32> = row
            .bytes()
            .map(|dot| if dot == b'o' { 0x00FF_FFFF } else { 0 })
            .collect();
        format.write(&pixels, out);
    }
    for row in rows {
        for dots in row.as_bytes().chunks(8) {
            let bits = (0u32..).zip(dots).filter(|(_, dot)| **dot != b' ');
            out.push(bits.fold(0, |byte, (place, _)| byte | 0x80u8.checked_shr(place).unwrap_or(0)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_have_pixels_and_a_mask() {
        let mut out = Vec::new();
        put(true, &PixelFormat::NATIVE, &mut out);
        assert_eq!(out, [0, 0, 0, 0, 0, 1, 0, 1, 0xFF, 0xFF, 0xFF, 0x11, 0, 0, 0, 0, 0]);
        out.clear();
        put(false, &PixelFormat::NATIVE, &mut out);
        assert_eq!(out.len(), 12 + 8 * 12 * 4 + 12);
        assert_eq!(
            out.get(12 + 8 * 12 * 4..).unwrap().first_chunk(),
            Some(&[0xC0, 0xE0, 0xF0])
        );
        assert_eq!(out.get(12 + 9 * 4..12 + 10 * 4), Some(&[0xFF, 0xFF, 0xFF, 0][..]));
    }
}
