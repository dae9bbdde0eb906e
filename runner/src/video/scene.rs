//! The adapter's state beside its memory: what can be drawn, whole or some rows only, while the guest goes on.

use super::adapter::{PLANES_SIZE, TEXT_SIZE, merge_text};
use super::cirrus::Cursor;
use super::layout::Layout;
use super::registers::Registers;
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
        match self.layout {
            Some(layout) => self.rows(layout, 0..layout.height),
            None => self.with_memory(None, None, self.planes()),
        }
    }

    fn planes(&self) -> Vec<u8> {
        let mut planes = vec![0; PLANES_SIZE];
        self.memory.read(0, &mut planes);
        if self.text_in_memory {
            let mut text = vec![0; TEXT_SIZE];
            self.memory.read(self.size, &mut text);
            merge_text(&text, &mut planes);
        }
        planes
    }

    fn rows(&self, layout: Layout, rows: Range<u32>) -> Snapshot {
        let memory = layout.read(&self.memory, rows.clone());
        let height = rows.end - rows.start;
        let cursor = self.cursor.as_ref().map(|cursor| cursor.above(rows.start));
        self.with_memory(Some(Layout { height, ..layout }), cursor, memory)
    }

    fn with_memory(&self, layout: Option<Layout>, cursor: Option<Cursor>, memory: Vec<u8>) -> Snapshot {
        Snapshot {
            registers: self.registers.clone(),
            layout,
            cursor,
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

    /// Where row `row` of a linear mode lies in video memory, in bytes: one range, or two at the memory's end.
    pub fn row_memory(&self, row: u32) -> [Range<usize>; 2] {
        self.layout.map_or([0..0, 0..0], |layout| layout.row(row))
    }

    /// Where the memory lies that a picture of any other mode depends on, in bytes.
    pub fn planes_memory(&self) -> [Range<usize>; 2] {
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
        Some(self.rows(layout, rows).render())
    }
}
