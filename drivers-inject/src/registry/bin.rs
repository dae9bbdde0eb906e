//! Bins: the 4096-byte multiples that a hive grows by, filled with cells. Reading needs only the cells that keys lead
//! to; this walk sees all of them, free ones too.

use super::bytes::{i32_at, index, u32_at};
use super::cell::CellOffset;
use super::error::HiveError;

/// Size of a bin's header in bytes.
const HEADER: usize = 0x20;

/// A cell as the walk over the bins meets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawCell {
    /// Where it starts, with its size field.
    pub offset: CellOffset,
    /// Bytes, with the size field.
    pub size: u32,
    /// Whether it is in use.
    pub allocated: bool,
}

/// Walks over every cell of every bin, in the order of the file. Ends after the first error.
pub struct Cells<'h> {
    bins: &'h [u8],
    at: usize,
    bin_end: usize,
    failed: bool,
}

impl<'h> Cells<'h> {
    /// `bins` is the hive without its base block.
    pub(super) fn new(bins: &'h [u8]) -> Self {
        Cells {
            bins,
            at: 0,
            bin_end: 0,
            failed: false,
        }
    }

    /// Enters the bin that starts here.
    fn enter_bin(&mut self) -> Result<(), HiveError> {
        let offset = offset_of(self.at);
        let bad = HiveError::BadBin { offset };
        let header = self.bins.get(self.at..).unwrap_or_default();
        let own_offset = u32_at(header, 0x4);
        let size = u32_at(header, 0x8).map(index).unwrap_or_default();
        if !header.starts_with(b"hbin") || own_offset != Some(offset.0) || !size.is_multiple_of(4096) || size == 0 {
            return Err(bad);
        }
        let end = self.at.checked_add(size).filter(|end| *end <= self.bins.len());
        self.bin_end = end.ok_or(bad)?;
        self.at = self.at.saturating_add(HEADER);
        Ok(())
    }

    fn cell(&mut self) -> Result<RawCell, HiveError> {
        if self.at == self.bin_end {
            self.enter_bin()?;
        }
        let offset = offset_of(self.at);
        let field = i32_at(self.bins, self.at).unwrap_or_default();
        let size = field.unsigned_abs();
        let next = self.at.saturating_add(index(size));
        if size < 8 || !size.is_multiple_of(8) || next > self.bin_end {
            return Err(HiveError::BadCell { offset, size: field });
        }
        self.at = next;
        Ok(RawCell {
            offset,
            size,
            allocated: field < 0,
        })
    }
}

impl Iterator for Cells<'_> {
    type Item = Result<RawCell, HiveError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed || (self.at == self.bin_end && self.at >= self.bins.len()) {
            return None;
        }
        let cell = self.cell();
        self.failed = cell.is_err();
        Some(cell)
    }
}

fn offset_of(at: usize) -> CellOffset {
    CellOffset(u32::try_from(at).unwrap_or(u32::MAX))
}
