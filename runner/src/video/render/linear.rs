//! Linear modes: a row of pixels after the other, 8 to 32 bits each.

use super::Snapshot;
use crate::video::Frame;
use crate::video::layout::Layout;

/// Draws the mode.
pub(super) fn render(snapshot: &Snapshot, layout: &Layout) -> Frame {
    let palette = snapshot.palette256();
    let pixel_bytes = usize::try_from(layout.bits.div_ceil(8)).unwrap_or(4).max(1);
    let color = |bytes: &[u8]| -> u32 {
        let mut word = [0; 4];
        for (to, from) in word.iter_mut().zip(bytes) {
            *to = *from;
        }
        let value = u32::from_le_bytes(word);
        match layout.bits {
            8 => palette[usize::from(word[0])],
            15 => rgb(widen(value >> 10, 5), widen(value >> 5, 5), widen(value, 5)),
            16 => rgb(widen(value >> 11, 5), widen(value >> 5, 6), widen(value, 5)),
            _ => value & 0x00FF_FFFF,
        }
    };
    let mut frame = Frame::black(layout.width, layout.height);
    let width = usize::try_from(layout.width).unwrap_or(1).max(1);
    let memory_rows = snapshot.memory.chunks(layout.pixel_bytes().max(1));
    for (row, bytes) in frame.pixels.chunks_exact_mut(width).zip(memory_rows) {
        if layout.bits == 32 {
            // The usual case by far.
            let (words, _) = bytes.as_chunks();
            for (pixel, word) in row.iter_mut().zip(words) {
                *pixel = u32::from_le_bytes(*word) & 0x00FF_FFFF;
            }
            continue;
        }
        for (pixel, bytes) in row.iter_mut().zip(bytes.chunks_exact(pixel_bytes)) {
            *pixel = color(bytes);
        }
    }
    frame
}

/// The low 5 or 6 bits of `value` widened to 8 by repeating the highest ones.
fn widen(value: u32, bits: u32) -> u32 {
    let value = value & ((1 << bits) - 1);
    value << (8 - bits) | value >> (2 * bits - 8)
}

fn rgb(red: u32, green: u32, blue: u32) -> u32 {
    red << 16 | green << 8 | blue
}
