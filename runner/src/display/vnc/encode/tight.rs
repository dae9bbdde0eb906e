//! Tight, without its lossy part: one colour, a palette, or plain pixels, compressed
//! (the community's rfbproto document, "Tight Encoding").

use super::Stream;
use super::palette::{MAX_COLORS, Palette};
use crate::display::Rect;
use crate::display::vnc::pixel::PixelFormat;

/// Widest rectangle of the encoding.
const MAX_WIDTH: u32 = 2048;
/// Most pixels of a rectangle: smaller ones have fewer colours.
const MAX_PIXELS: u32 = 32768;
/// Shorter data are sent as they are.
const MIN_COMPRESSED: usize = 12;

const FILL: u8 = 0x80;
/// A filter is named in the next byte.
const FILTER: u8 = 0x40;
const PALETTE: u8 = 1;

/// Streams 0 (plain), 1 (two colours), 2 (more): each kind of data has its own statistics.
#[derive(Default)]
pub(super) struct Streams([Stream; 3]);

/// Cuts a rectangle into pieces of bounded size.
pub(super) fn split(rect: &Rect) -> Vec<Rect> {
    let mut pieces = Vec::new();
    for x in (0..rect.width).step_by(MAX_WIDTH as usize) {
        let width = MAX_WIDTH.min(rect.width - x);
        let height = (MAX_PIXELS / width).max(1);
        for y in (0..rect.height).step_by(height as usize) {
            pieces.push(Rect {
                x: rect.x + x,
                y: rect.y + y,
                width,
                height: height.min(rect.height - y),
            });
        }
    }
    pieces
}

impl Streams {
    /// Appends the pixels of one rectangle, `width` in a row.
    pub(super) fn encode(&mut self, pixels: &[u32], width: usize, format: &PixelFormat, out: &mut Vec<u8>) {
        // With 8 bits a pixel an index saves nothing.
        let limit = if format.bits() == 8 { 2 } else { MAX_COLORS };
        let Some(palette) = Palette::of(pixels, limit) else {
            out.push(0);
            let mut data = Vec::new();
            format.write_tight(pixels, &mut data);
            self.put(0, &data, out);
            return;
        };
        let colors = palette.colors();
        if colors.len() == 1 {
            out.push(FILL);
            format.write_tight(colors, out);
            return;
        }
        let stream = if colors.len() == 2 { 1 } else { 2 };
        out.extend([FILTER | stream << 4, PALETTE]);
        out.push(u8::try_from(colors.len() - 1).unwrap_or(u8::MAX));
        format.write_tight(colors, out);
        let mut data = Vec::new();
        if colors.len() == 2 {
            for row in pixels.chunks(width) {
                for group in row.chunks(8) {
                    let bits = group.iter().fold(0u8, |byte, pixel| byte << 1 | palette.index(*pixel));
                    data.push(bits << (8 - group.len()));
                }
            }
        } else {
            data.extend(pixels.iter().map(|pixel| palette.index(*pixel)));
        }
        self.put(stream, &data, out);
    }

    /// Appends data, compressed by a stream and with their length if they are long enough.
    fn put(&mut self, stream: u8, data: &[u8], out: &mut Vec<u8>) {
        if data.len() < MIN_COMPRESSED {
            out.extend(data);
            return;
        }
        let mut compressed = Vec::new();
        self.0[usize::from(stream)].compress(data, &mut compressed);
        put_length(compressed.len(), out);
        out.extend(compressed);
    }
}

/// 7 bits a byte, the lowest first; the third byte holds 8. Up to 4 MiB, far more than a rectangle has.
fn put_length(len: usize, out: &mut Vec<u8>) {
    let [low, middle, high, _] = u32::try_from(len).unwrap_or(0).to_le_bytes();
    let second = middle << 1 & 0x7F | low >> 7;
    let third = high << 2 | middle >> 6;
    match len {
        0..0x80 => out.push(low),
        0x80..0x4000 => out.extend([low | 0x80, second]),
        _ => out.extend([low | 0x80, second | 0x80, third]),
    }
}
