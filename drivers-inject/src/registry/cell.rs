//! Cells: a signed size, negative while the cell is in use, then the data.

use super::bytes::{i32_at, index, pair};
use super::error::HiveError;
use std::fmt;

/// Where a cell starts (with its size field), in bytes from the first bin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CellOffset(pub u32);

impl CellOffset {
    /// What the format writes where there is no cell.
    pub const NONE: CellOffset = CellOffset(u32::MAX);

    /// `None` for [`NONE`](Self::NONE).
    pub fn some(self) -> Option<Self> {
        (self != Self::NONE).then_some(self)
    }
}

impl fmt::Display for CellOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cell {:#x}", self.0)
    }
}

/// The data of a cell that is in use, and where it is, for errors.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cell<'h> {
    pub(super) offset: CellOffset,
    pub(super) data: &'h [u8],
}

impl<'h> Cell<'h> {
    /// The cell at `offset` of the bins.
    pub(super) fn at(bins: &'h [u8], offset: CellOffset) -> Result<Self, HiveError> {
        const SIZE_FIELD: usize = 4;
        let out = HiveError::OutOfBounds {
            offset,
            size: bins.len(),
        };
        let rest = bins.get(index(offset.0)..).ok_or_else(|| out.clone())?;
        let size = i32_at(rest, 0).ok_or_else(|| out.clone())?;
        // A free cell that a key leads to is damage, as is a cell without room for its size field.
        if size > -8 {
            return Err(HiveError::BadCell { offset, size });
        }
        let data = rest.get(SIZE_FIELD..index(size.unsigned_abs())).ok_or(out)?;
        Ok(Cell { offset, data })
    }

    /// The first two bytes.
    pub(super) fn signature(&self) -> [u8; 2] {
        // A cell has at least 4 bytes of data.
        pair(self.data, 0).unwrap_or_default()
    }

    /// The error for a cell that should have held `expected`.
    pub(super) fn unexpected(&self, expected: &'static str) -> HiveError {
        HiveError::Signature {
            offset: self.offset,
            expected,
            found: self.signature(),
        }
    }

    /// The error for a cell that is too small for `what`.
    pub(super) fn too_short(&self, what: &'static str) -> HiveError {
        HiveError::TooShort {
            offset: self.offset,
            what,
            len: self.data.len(),
        }
    }
}
