//! ZRLE: tiles of 64 by 64 pixels, each solid, packed, run-length encoded or plain, whatever is shortest, and all of it
//! compressed (RFC 6143, section 7.7.6).

use super::palette::Palette;
use super::rows;
use crate::display::Rect;
use crate::display::vnc::pixel::PixelFormat;
use crate::video::Frame;

const TILE: u32 = 64;
/// A palette of run-length encoded tiles has room for so many.
const MAX_COLORS: usize = 127;

/// The tiles of a rectangle, before compression. `pixels` is a buffer.
pub(super) fn tiles(frame: &Frame, rect: &Rect, format: &PixelFormat, pixels: &mut Vec<u32>) -> Vec<u8> {
    let mut out = Vec::new();
    for y in (0..rect.height).step_by(TILE as usize) {
        for x in (0..rect.width).step_by(TILE as usize) {
            let tile = Rect {
                x: rect.x + x,
                y: rect.y + y,
                width: TILE.min(rect.width - x),
                height: TILE.min(rect.height - y),
            };
            pixels.clear();
            pixels.extend(rows(frame, &tile).flatten());
            encode(pixels, tile.width as usize, format, &mut out);
        }
    }
    out
}

/// Runs of equal pixels: colour and length.
fn runs(pixels: &[u32]) -> impl Iterator<Item = (u32, usize)> {
    pixels.chunk_by(|a, b| a == b).map(|run| (run[0], run.len()))
}

/// Bytes of a run's length.
fn length_bytes(len: usize) -> usize {
    (len - 1) / 255 + 1
}

fn put_length(len: usize, out: &mut Vec<u8>) {
    let mut left = len - 1;
    while left >= 255 {
        out.push(255);
        left -= 255;
    }
    out.push(u8::try_from(left).unwrap_or(0));
}

fn encode(pixels: &[u32], width: usize, format: &PixelFormat, out: &mut Vec<u8>) {
    let pixel_bytes = format.compact_bytes();
    let plain = pixels.len() * pixel_bytes;
    let plain_runs: usize = runs(pixels).map(|(_, len)| pixel_bytes + length_bytes(len)).sum();
    let Some(palette) = Palette::of(pixels, MAX_COLORS) else {
        if plain_runs < plain {
            out.push(128);
            for (color, len) in runs(pixels) {
                format.write_compact(&[color], out);
                put_length(len, out);
            }
        } else {
            out.push(0);
            format.write_compact(pixels, out);
        }
        return;
    };
    let colors = palette.colors();
    let count = u8::try_from(colors.len()).unwrap_or(0);
    if count == 1 {
        out.push(1);
        format.write_compact(colors, out);
        return;
    }
    let bits = match count {
        2 => 1,
        3..=4 => 2,
        5..=16 => 4,
        _ => 8,
    };
    let packed = if bits < 8 {
        pixels.len() / width * (width * bits).div_ceil(8)
    } else {
        usize::MAX
    };
    let palette_runs: usize = runs(pixels)
        .map(|(_, len)| if len == 1 { 1 } else { 1 + length_bytes(len) })
        .sum();
    let header = colors.len() * pixel_bytes;
    if packed.min(palette_runs).saturating_add(header) >= plain {
        out.push(0);
        format.write_compact(pixels, out);
    } else if packed <= palette_runs {
        out.push(count);
        format.write_compact(colors, out);
        for row in pixels.chunks(width) {
            for group in row.chunks(8 / bits) {
                let packed = group
                    .iter()
                    .fold(0u8, |byte, pixel| byte << bits | palette.index(*pixel));
                out.push(packed << (8 - bits * group.len()));
            }
        }
    } else {
        out.push(128 + count);
        format.write_compact(colors, out);
        for (color, len) in runs(pixels) {
            let index = palette.index(color);
            if len == 1 {
                out.push(index);
            } else {
                out.push(index | 128);
                put_length(len, out);
            }
        }
    }
}
