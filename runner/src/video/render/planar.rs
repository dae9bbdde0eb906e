//! Graphics of the VGA proper: 16 colours in planes, CGA's four colours, 256 colours in 320 columns.

use super::Snapshot;
use crate::video::Frame;
use crate::video::layout::Layout;
use crate::video::registers::{Registers, attribute, crtc, graphics, sequencer};

/// How the planes are shifted out to pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shift {
    /// One bit of each plane a pixel, 8 pixels from 4 bytes.
    Planes,
    /// Two bits a pixel, 8 pixels from 4 bytes; planes 2 and 3 add the upper two bits.
    Pairs,
    /// A byte a pixel, shown twice as wide.
    Bytes,
}

fn shift(registers: &Registers) -> Shift {
    match registers.graphics[graphics::MODE] >> 5 & 3 {
        0 => Shift::Planes,
        1 => Shift::Pairs,
        _ => Shift::Bytes,
    }
}

/// Pixels are drawn twice.
fn doubled(registers: &Registers) -> bool {
    shift(registers) != Shift::Bytes && registers.sequencer[sequencer::CLOCKING] & 8 != 0
}

/// The picture's size in pixels, as on a monitor: 200-line modes have 400 rows.
pub(super) fn size(registers: &Registers) -> (u32, u32) {
    let width = (u32::from(registers.crtc[crtc::H_DISPLAY_END]) + 1) * 8;
    let width = if doubled(registers) { width * 2 } else { width };
    (width, registers.displayed_rows())
}

/// Draws `width` by `height` pixels.
pub(super) fn render(snapshot: &Snapshot, width: u32, height: u32) -> Frame {
    let registers = &snapshot.registers;
    let painter = Painter::new(snapshot, shift(registers), doubled(registers));
    let crtc_mode = registers.crtc[crtc::MODE];
    let max_scan = registers.crtc[crtc::MAX_SCAN];
    let scans = u32::from(max_scan & 0x1F) + 1;
    let repeat = if max_scan & 0x80 != 0 { 2 } else { 1 };
    // CGA and Hercules: the rows of a character lie 8 KiB apart, by address bits 13 and 14.
    let substituted = !crtc_mode & 3;
    let line_compare = registers.line_compare();
    let panning = registers.attribute[attribute::PANNING];
    let mut panned = u32::from(match painter.shift {
        Shift::Bytes => panning & 7 & !1,
        _ => panning & 7,
    });

    let mut frame = Frame::black(width, height);
    let mut start = registers.start_address().wrapping_mul(4);
    let (mut scan, mut drawn) = (0, 0);
    let rows = frame
        .pixels
        .chunks_exact_mut(usize::try_from(width).unwrap_or(1).max(1));
    for (y, row) in (0u32..).zip(rows) {
        let mut address = start;
        if substituted & 1 != 0 {
            let bit = 14 + (crtc_mode >> 6 & 1);
            address = address & !(1 << bit) | (scan & 1) << bit;
        }
        if substituted & 2 != 0 {
            address = address & !0x8000 | (scan & 2) << 14;
        }
        painter.draw_row(row, address, panned);
        drawn += 1;
        if drawn >= repeat {
            drawn = 0;
            scan += 1;
        }
        if scan >= scans {
            scan = 0;
            start = start.wrapping_add(registers.row_bytes());
        }
        if y == line_compare {
            (start, scan, drawn) = (0, 0, 0);
            if registers.attribute[attribute::MODE] & 0x20 != 0 {
                panned = 0;
            }
        }
    }
    frame
}

/// Draws a 16-colour mode of the VBE registers.
pub(super) fn render_linear(snapshot: &Snapshot, layout: &Layout) -> Frame {
    let painter = Painter::new(snapshot, Shift::Planes, false);
    let mut frame = Frame::black(layout.width, layout.height);
    let width = usize::try_from(layout.width).unwrap_or(1).max(1);
    let memory_rows = snapshot.memory.chunks(layout.pixel_bytes().max(1));
    for (row, bytes) in frame.pixels.chunks_exact_mut(width).zip(memory_rows) {
        for (pixels, planes) in row.chunks_mut(8).zip(bytes.chunks_exact(4)) {
            let planes = planes.try_into().unwrap_or([0; 4]);
            for (pixel, dot) in pixels.iter_mut().zip(0..8) {
                *pixel = painter.color(planes, dot);
            }
        }
    }
    frame
}

struct Painter<'a> {
    snapshot: &'a Snapshot,
    shift: Shift,
    doubled: bool,
    /// 16 colours, or 256 in byte modes.
    palette: Vec<u32>,
    /// Planes that reach the screen.
    enabled: u8,
}

impl<'a> Painter<'a> {
    fn new(snapshot: &'a Snapshot, shift: Shift, doubled: bool) -> Self {
        Painter {
            snapshot,
            shift,
            doubled,
            palette: match shift {
                Shift::Bytes => snapshot.palette256().to_vec(),
                _ => snapshot.palette16().to_vec(),
            },
            enabled: snapshot.registers.attribute[attribute::PLANE_ENABLE] & 15,
        }
    }

    /// Pixel `dot` (0–7, from the left) of the eight that four bytes make.
    fn color(&self, planes: [u8; 4], dot: u32) -> u32 {
        let code = match self.shift {
            Shift::Planes => {
                (0..4).fold(0, |code, plane| code | (planes[plane] >> (7 - dot) & 1) << plane) & self.enabled
            }
            Shift::Pairs => {
                let pair = |plane: usize| {
                    if self.enabled >> plane & 1 == 0 {
                        return 0;
                    }
                    planes[plane] >> (6 - 2 * (dot & 3)) & 3
                };
                let first = usize::from(dot >= 4);
                pair(first) | pair(first + 2) << 2
            }
            Shift::Bytes => planes[usize::try_from(dot / 2).unwrap_or(0) & 3],
        };
        self.palette.get(usize::from(code)).copied().unwrap_or(0)
    }

    /// Draws one row from byte `address` on, `panned` pixels to the left.
    fn draw_row(&self, row: &mut [u32], address: u32, panned: u32) {
        let mut pixels = row.iter_mut();
        let mut skip = panned;
        let mut address = address;
        loop {
            let planes = [0, 1, 2, 3].map(|plane| self.snapshot.byte(address.wrapping_add(plane)));
            for dot in skip..8 {
                let color = self.color(planes, dot);
                for _ in 0..if self.doubled { 2 } else { 1 } {
                    let Some(pixel) = pixels.next() else { return };
                    *pixel = color;
                }
            }
            skip = 0;
            address = address.wrapping_add(4);
        }
    }
}
