//! The adapter's state beside its memory: what can be drawn, whole or some rows only, while the guest goes on.

use super::adapter::{PLANES_SIZE, TEXT_SIZE, merge_text};
use super::cirrus::Cursor;
use super::registers::Registers;
use super::vbe::Layout;
use super::{Frame, Snapshot};
use crate::kvm::Region;
use std::ops::Range;

/// Registers as they were, and the memory as it is: it is read when something is drawn.
#[derive(Clone, Debug)]
pub struct Scene {
    pub(super) version: u64,
    pub(super) registers: Registers,
    pub(super) layout: Option<Layout>,
    /// The hardware cursor, if the adapter shows one.
    pub(super) cursor: Option<Cursor>,
    pub(super) dac_8bit: bool,
    /// Bytes of video memory; text may lie behind them.
    pub(super) size: usize,
    pub(super) text_in_memory: bool,
    pub(super) memory: Region,
}

impl Scene {
    /// Two scenes of one version differ at most by what the guest wrote to memory that it has mapped.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Copies the memory that the picture depends on.
    pub fn snapshot(&self) -> Snapshot {
        let memory = match &self.layout {
            Some(layout) => {
                let start = usize::try_from(layout.start).unwrap_or(0);
                let mut memory = vec![0; layout.visible_bytes().min(self.size.saturating_sub(start))];
                self.memory.read(start, &mut memory);
                memory
            }
            None => {
                let mut memory = vec![0; PLANES_SIZE];
                self.memory.read(0, &mut memory);
                if self.text_in_memory {
                    let mut text = vec![0; TEXT_SIZE];
                    self.memory.read(self.size, &mut text);
                    merge_text(&text, &mut memory);
                }
                memory
            }
        };
        Snapshot {
            registers: self.registers.clone(),
            layout: self.layout,
            cursor: self.cursor.clone(),
            dac_8bit: self.dac_8bit,
            memory,
            cursor_shown: true,
            blink_shown: true,
        }
    }

    /// The hardware cursor, with its pattern.
    pub(crate) fn cursor(&self) -> Option<&Cursor> {
        self.cursor.as_ref()
    }

    /// Width and height in pixels if this is a linear mode: then every row can be drawn for itself.
    pub fn linear_size(&self) -> Option<(u32, u32)> {
        self.layout.map(|layout| (layout.width, layout.height))
    }

    /// Where row `row` of a linear mode lies in video memory, in bytes.
    pub fn row_bytes(&self, row: u32) -> Range<usize> {
        let Some(layout) = &self.layout else { return 0..0 };
        let at = |row: u32| u64::from(layout.start) + u64::from(row) * u64::from(layout.row_bytes);
        let place = |row: u32| usize::try_from(at(row)).unwrap_or(usize::MAX);
        place(row)..place(row.saturating_add(1))
    }

    /// Where the memory lies that a picture of any other mode depends on, in bytes.
    pub fn planes_bytes(&self) -> [Range<usize>; 2] {
        let text = if self.text_in_memory { TEXT_SIZE } else { 0 };
        [0..PLANES_SIZE, self.size..self.size + text]
    }

    /// Draws `rows` of a linear mode as a picture of their own. `None` in any other mode, and for rows that are not
    /// there.
    pub fn draw_rows(&self, rows: Range<u32>) -> Option<Frame> {
        let layout = self.layout?;
        if rows.is_empty() || rows.end > layout.height {
            return None;
        }
        let strip = Scene {
            layout: Some(Layout {
                height: rows.end - rows.start,
                start: u32::try_from(self.row_bytes(rows.start).start).ok()?,
                ..layout
            }),
            cursor: self.cursor.as_ref().map(|cursor| cursor.above(rows.start)),
            ..self.clone()
        };
        Some(strip.snapshot().render())
    }
}
