//! Data longer than 16 344 bytes, from version 1.4 on: a `db` cell, a list of segments, the segments.

use super::bytes::{u16_at, u32_at};
use super::cell::{Cell, CellOffset};
use super::error::HiveError;
use super::hive::Hive;
use super::value::LONGEST_SIMPLE;

/// The segments of one value's data. All but the last hold [`LONGEST_SIMPLE`] bytes.
pub(super) struct BigData<'h> {
    hive: &'h Hive,
    /// The offsets of the segments.
    segments: &'h [u8],
    /// Where the list of segments is.
    list: CellOffset,
    cell: Cell<'h>,
}

impl<'h> BigData<'h> {
    /// The `db` record in `cell`.
    pub(super) fn of(hive: &'h Hive, cell: Cell<'h>) -> Result<Self, HiveError> {
        if cell.signature() != *b"db" {
            return Err(cell.unexpected("split data"));
        }
        let count = u16_at(cell.data, 0x2).map(usize::from);
        let list = u32_at(cell.data, 0x4).map(CellOffset);
        let (Some(count), Some(list)) = (count, list) else {
            return Err(cell.too_short("the split data"));
        };
        let list = hive.cell(list)?;
        let segments = list.data.get(..count.saturating_mul(4));
        let segments = segments.ok_or_else(|| list.too_short("the list of segments"))?;
        Ok(BigData {
            hive,
            segments,
            list: list.offset,
            cell,
        })
    }

    /// The cells that hold the segments.
    pub(super) fn segments(&self) -> impl Iterator<Item = CellOffset> + use<'h> {
        let entries = self.segments.chunks_exact(4);
        entries.map(|entry| CellOffset(u32_at(entry, 0).unwrap_or(u32::MAX)))
    }

    /// The cells of the record itself: the `db` cell and the list of segments.
    pub(super) fn record(&self) -> [CellOffset; 2] {
        [self.cell.offset, self.list]
    }

    /// The first `len` bytes, which is all of them.
    pub(super) fn read(&self, len: usize) -> Result<Vec<u8>, HiveError> {
        let mut data = Vec::new();
        for offset in self.segments() {
            let left = len.saturating_sub(data.len());
            if left == 0 {
                break;
            }
            let segment = self.hive.cell(offset)?;
            let piece = segment.data.get(..left.min(LONGEST_SIMPLE));
            data.extend_from_slice(piece.ok_or_else(|| segment.too_short("a segment of data"))?);
        }
        if data.len() < len {
            return Err(self.cell.too_short("the split data"));
        }
        Ok(data)
    }
}
