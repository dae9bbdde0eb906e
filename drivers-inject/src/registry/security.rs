//! Security descriptors: `sk` cells, shared by keys.

use super::bytes::{index, u32_at};
use super::cell::{Cell, CellOffset};
use super::error::HiveError;
use super::hive::Hive;

/// Where the descriptor starts in the cell's data.
const DESCRIPTOR: usize = 0x14;
/// Where the number of keys that use the descriptor is.
pub(super) const REFERENCES: usize = 0xc;

/// A security cell.
#[derive(Clone, Copy)]
pub struct Security<'h> {
    cell: Cell<'h>,
}

impl<'h> Security<'h> {
    pub(super) fn at(hive: &'h Hive, offset: CellOffset) -> Result<Self, HiveError> {
        let cell = hive.cell(offset)?;
        if cell.signature() != *b"sk" {
            return Err(cell.unexpected("a security descriptor"));
        }
        if cell.data.len() < DESCRIPTOR {
            return Err(cell.too_short("the security descriptor"));
        }
        Ok(Security { cell })
    }

    /// Where its cell is.
    pub fn offset(&self) -> CellOffset {
        self.cell.offset
    }

    fn field(&self, at: usize) -> u32 {
        u32_at(self.cell.data, at).unwrap_or_default()
    }

    /// How many keys use it.
    pub fn references(&self) -> u32 {
        self.field(REFERENCES)
    }

    /// The next and the previous security cell of the ring that holds all of them.
    pub fn neighbours(&self) -> (CellOffset, CellOffset) {
        (CellOffset(self.field(0x4)), CellOffset(self.field(0x8)))
    }

    /// The self-relative SECURITY_DESCRIPTOR.
    pub fn descriptor(&self) -> Result<&'h [u8], HiveError> {
        let rest = self.cell.data.get(DESCRIPTOR..).unwrap_or_default();
        let descriptor = rest.get(..index(self.field(0x10)));
        descriptor.ok_or_else(|| self.cell.too_short("the security descriptor"))
    }
}
