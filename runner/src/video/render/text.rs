//! Text modes: characters and attributes from planes 0 and 1, fonts from plane 2.

use super::Snapshot;
use crate::video::Frame;
use crate::video::registers::{Registers, attribute, crtc, sequencer};

/// Bytes between two glyphs in plane 2, and between two fonts.
const GLYPH: u32 = 32;
const FONT: u32 = 8192;

fn char_height(registers: &Registers) -> u32 {
    u32::from(registers.crtc[crtc::MAX_SCAN] & 0x1F) + 1
}

/// Dots of a character across: 8, 9, or 8 drawn twice.
fn char_width(registers: &Registers) -> u32 {
    match registers.sequencer[sequencer::CLOCKING] & 0x09 {
        0x00 => 9,
        0x01 => 8,
        _ => 16,
    }
}

fn columns(registers: &Registers) -> u32 {
    u32::from(registers.crtc[crtc::H_DISPLAY_END]) + 1
}

/// The picture's size in pixels: whole characters only.
pub(super) fn size(registers: &Registers) -> (u32, u32) {
    let rows = registers.displayed_rows() / char_height(registers);
    (
        columns(registers) * char_width(registers),
        rows * char_height(registers),
    )
}

/// Where the two fonts lie in plane 2: for attributes with bit 3 clear, and set.
fn fonts(registers: &Registers) -> [u32; 2] {
    let map = registers.sequencer[sequencer::CHARACTER_MAP];
    let number = |low: u8, high: u8| u32::from((low & 3) << 1 | high & 1) * FONT;
    [number(map, map >> 4), number(map >> 2, map >> 5)]
}

/// Draws `width` by `height` pixels.
pub(super) fn render(snapshot: &Snapshot, width: u32, height: u32) -> Frame {
    let registers = &snapshot.registers;
    let mode = registers.attribute[attribute::MODE];
    let painter = Painter {
        snapshot,
        palette: snapshot.palette16(),
        fonts: fonts(registers),
        blinks: mode & 0x08 != 0,
        wide_lines: mode & 0x04 != 0,
        char_width: char_width(registers),
    };
    let char_height = char_height(registers);
    let cursor = Cursor::of(snapshot, char_height);
    let row_cells = registers.row_bytes() / 4;
    let line_compare = registers.line_compare();
    // A panning value of 8 means none with 9-dot characters, where counting starts at 8.
    let panning = u32::from(registers.attribute[attribute::PANNING]);
    let mut shift = match painter.char_width {
        9 => (panning + 1) % 9,
        8 => panning & 7,
        _ => (panning & 7) * 2,
    };

    let mut frame = Frame::black(width, height);
    let mut first_cell = registers.start_address();
    let mut line = u32::from(registers.crtc[crtc::PRESET_ROW] & 0x1F) % char_height;
    let rows = frame
        .pixels
        .chunks_exact_mut(usize::try_from(width).unwrap_or(1).max(1));
    for (y, row) in (0u32..).zip(rows) {
        painter.draw_row(row, first_cell, line, shift, &cursor);
        line += 1;
        if line >= char_height {
            line = 0;
            first_cell = first_cell.wrapping_add(row_cells);
        }
        if y == line_compare {
            (first_cell, line) = (0, 0);
            if mode & 0x20 != 0 {
                shift = 0;
            }
        }
    }
    frame
}

/// The cell and the character lines that the cursor fills; no lines if it is off.
struct Cursor {
    cell: u32,
    lines: std::ops::Range<u32>,
}

impl Cursor {
    fn of(snapshot: &Snapshot, char_height: u32) -> Self {
        let crtc = &snapshot.registers.crtc;
        let start = u32::from(crtc[crtc::CURSOR_START] & 0x1F);
        let end = u32::from(crtc[crtc::CURSOR_END] & 0x1F).min(char_height - 1) + 1;
        let shown = snapshot.cursor_shown && crtc[crtc::CURSOR_START] & 0x20 == 0;
        Cursor {
            cell: u32::from(crtc[crtc::CURSOR_HIGH]) << 8 | u32::from(crtc[crtc::CURSOR_LOW]),
            lines: if shown { start..end } else { 0..0 },
        }
    }
}

struct Painter<'a> {
    snapshot: &'a Snapshot,
    palette: [u32; 16],
    fonts: [u32; 2],
    blinks: bool,
    /// The ninth dot of characters C0h–DFh repeats the eighth.
    wide_lines: bool,
    char_width: u32,
}

impl Painter<'_> {
    /// Draws one row of pixels: line `line` of the characters from `first_cell` on, `shift` dots to the left.
    fn draw_row(&self, row: &mut [u32], first_cell: u32, line: u32, shift: u32, cursor: &Cursor) {
        let mut pixels = row.iter_mut();
        let mut skip = shift;
        let mut cell = first_cell;
        while pixels.len() > 0 {
            let [code, attribute, ..] = self.snapshot.planes(cell);
            let font = self.fonts[usize::from(attribute >> 3 & 1)];
            let mut bits = u16::from(self.snapshot.planes(font + u32::from(code) * GLYPH + line)[2]) << 1;
            if self.wide_lines && (0xC0..=0xDF).contains(&code) {
                bits |= bits >> 1 & 1;
            }
            let mut background = attribute >> 4;
            if self.blinks {
                background &= 7;
                if attribute & 0x80 != 0 && !self.snapshot.blink_shown {
                    bits = 0;
                }
            }
            if cell & 0xFFFF == cursor.cell && cursor.lines.contains(&line) {
                bits = 0x1FF;
            }
            let foreground = self.palette[usize::from(attribute & 15)];
            let background = self.palette[usize::from(background)];
            for dot in skip..self.char_width {
                let bit = if self.char_width == 16 { dot / 2 } else { dot };
                let Some(pixel) = pixels.next() else { return };
                *pixel = if bits << bit & 0x100 != 0 {
                    foreground
                } else {
                    background
                };
            }
            skip = 0;
            cell = cell.wrapping_add(1);
        }
    }
}
