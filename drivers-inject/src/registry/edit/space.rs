//! The bins as a space that cells are taken from and given back to.

use super::error::EditError;
use super::free::FreeCells;
use crate::registry::bytes::{index, put, put_u32, u16_at, u32_at};
use crate::registry::{CellOffset, Hive, HiveError, base_block, census};

/// Bytes of a cell's size field.
const SIZE_FIELD: usize = 4;
/// Cells are multiples of this.
const CELL_UNIT: usize = 8;
/// Bins are multiples of this.
const BIN_UNIT: usize = 4096;
/// Size of a bin's header in bytes.
const BIN_HEADER: usize = 0x20;
/// Bins end here: offsets with the highest bit set are those of keys that are never written to a file.
const MOST_BINS: usize = 0x7fff_f000;

/// A hive whose cells can be written to, allocated and freed.
#[derive(Clone, Debug)]
pub(super) struct Space {
    hive: Hive,
    free: FreeCells,
    changed: bool,
}

impl Space {
    /// Takes a hive that is clean and sound; each cell in it belongs to one structure.
    pub(super) fn new(hive: Hive) -> Result<Self, HiveError> {
        let mut free = FreeCells::default();
        for cell in census::take(&hive)? {
            free.insert(cell.offset.0, cell.size);
        }
        hive.check()?;
        Ok(Space {
            hive,
            free,
            changed: false,
        })
    }

    pub(super) fn hive(&self) -> &Hive {
        &self.hive
    }

    pub(super) fn into_hive(self) -> Hive {
        self.hive
    }

    /// Whether any byte was written.
    pub(super) fn is_changed(&self) -> bool {
        self.changed
    }

    /// Bytes that the file needs: base block and bins.
    pub(super) fn used(&self) -> usize {
        self.hive.bins().len().saturating_add(base_block::SIZE)
    }

    /// Bytes of data that the cell has room for.
    pub(super) fn capacity(&self, cell: CellOffset) -> Result<usize, HiveError> {
        Ok(self.hive.cell(cell)?.data.len())
    }

    pub(super) fn u16(&self, cell: CellOffset, at: usize) -> Result<u16, HiveError> {
        let cell = self.hive.cell(cell)?;
        u16_at(cell.data, at).ok_or_else(|| cell.too_short("a field"))
    }

    pub(super) fn u32(&self, cell: CellOffset, at: usize) -> Result<u32, HiveError> {
        let cell = self.hive.cell(cell)?;
        u32_at(cell.data, at).ok_or_else(|| cell.too_short("a field"))
    }

    /// Writes into the data of a cell.
    pub(super) fn put(&mut self, offset: CellOffset, at: usize, field: &[u8]) -> Result<(), HiveError> {
        let cell = self.hive.cell(offset)?;
        let end = at.checked_add(field.len());
        let old = end.and_then(|end| cell.data.get(at..end));
        let old = old.ok_or_else(|| cell.too_short("what was to be written"))?;
        if old != field {
            let start = index(offset.0).saturating_add(SIZE_FIELD).saturating_add(at);
            self.write(start, field);
        }
        Ok(())
    }

    pub(super) fn put_u16(&mut self, cell: CellOffset, at: usize, value: u16) -> Result<(), HiveError> {
        self.put(cell, at, &value.to_le_bytes())
    }

    pub(super) fn put_u32(&mut self, cell: CellOffset, at: usize, value: u32) -> Result<(), HiveError> {
        self.put(cell, at, &value.to_le_bytes())
    }

    /// Refuses if `cells` new cells with `bytes` of data in all might not fit into a hive. After this, as many can be
    /// allocated without an error, so that an edit is made whole or not at all.
    pub(super) fn check_room(&self, cells: usize, bytes: usize) -> Result<(), EditError> {
        let overhead = cells.saturating_mul(BIN_UNIT.saturating_mul(2));
        let needed = self.hive.bins().len().saturating_add(bytes).saturating_add(overhead);
        if needed > MOST_BINS {
            return Err(EditError::Full(bytes));
        }
        Ok(())
    }

    /// A cell with these data: the smallest free one that holds them, else one in a new bin.
    pub(super) fn allocate(&mut self, data: &[u8]) -> Result<CellOffset, EditError> {
        let size = data
            .len()
            .checked_add(SIZE_FIELD)
            .map(|size| size.next_multiple_of(CELL_UNIT));
        let size = size
            .filter(|size| *size < MOST_BINS)
            .and_then(|size| u32::try_from(size).ok());
        let size = size.ok_or(EditError::Full(data.len()))?;
        let (offset, found) = match self.free.best(size) {
            Some(found) => found,
            None => self.add_bin(size)?,
        };
        self.free.remove(offset);
        self.split(offset, size, found);
        let start = index(offset).saturating_add(SIZE_FIELD);
        let padding = index(size).saturating_sub(SIZE_FIELD).saturating_sub(data.len());
        self.write(start, data);
        let zeros = [0; CELL_UNIT];
        self.write(
            start.saturating_add(data.len()),
            zeros.get(..padding).unwrap_or_default(),
        );
        Ok(CellOffset(offset))
    }

    /// Gives a cell back; free neighbours become one with it.
    pub(super) fn release(&mut self, cell: CellOffset) -> Result<(), HiveError> {
        let size = self.capacity(cell)?.saturating_add(SIZE_FIELD);
        let size = u32::try_from(size).unwrap_or(u32::MAX);
        self.add_free(cell.0, size);
        Ok(())
    }

    /// Makes a cell smaller, so that it still holds `len` bytes of data, and frees the rest.
    pub(super) fn shrink(&mut self, cell: CellOffset, len: usize) -> Result<(), HiveError> {
        let old = self.capacity(cell)?.saturating_add(SIZE_FIELD);
        let new = len.saturating_add(SIZE_FIELD).next_multiple_of(CELL_UNIT);
        if let (Ok(old), Ok(new)) = (u32::try_from(old), u32::try_from(new))
            && new < old
        {
            self.split(cell.0, new, old);
        }
        Ok(())
    }

    /// Makes the first `size` of the `found` bytes at `offset` a cell in use, and the rest a free one.
    fn split(&mut self, offset: u32, size: u32, found: u32) {
        self.write_size(offset, size, true);
        let rest = found.saturating_sub(size);
        if rest > 0 {
            self.add_free(offset.saturating_add(size), rest);
        }
    }

    /// Makes these bytes a free cell, with its free neighbours. Those of another bin are no neighbours: its header
    /// lies between.
    fn add_free(&mut self, offset: u32, size: u32) {
        let (mut offset, mut size) = (offset, size);
        let next = offset.saturating_add(size);
        if let Some(more) = self.free.starting_at(next) {
            self.free.remove(next);
            size = size.saturating_add(more);
        }
        if let Some((before, more)) = self.free.ending_at(offset) {
            self.free.remove(before);
            offset = before;
            size = size.saturating_add(more);
        }
        self.write_size(offset, size, false);
        self.free.insert(offset, size);
    }

    /// Writes a cell's size field: negative while the cell is in use.
    fn write_size(&mut self, offset: u32, size: u32, used: bool) {
        let field = if used { size.wrapping_neg() } else { size };
        self.write(index(offset), &field.to_le_bytes());
    }

    /// Adds a bin at the end that has room for a cell of `size` bytes: its one free cell.
    fn add_bin(&mut self, size: u32) -> Result<(u32, u32), EditError> {
        let full = EditError::Full(index(size));
        let start = self.hive.bins().len();
        let bin = index(size).saturating_add(BIN_HEADER).next_multiple_of(BIN_UNIT);
        let end = start
            .checked_add(bin)
            .filter(|end| *end <= MOST_BINS)
            .ok_or(full.clone())?;
        let number = |value: usize| u32::try_from(value).map_err(|_| full.clone());
        let (cell, cell_size) = (start.saturating_add(BIN_HEADER), bin.saturating_sub(BIN_HEADER));
        let (offset, cell_offset, cell_size) = (number(start)?, number(cell)?, number(cell_size)?);

        let file = self.hive.file_mut();
        let file_end = end.saturating_add(base_block::SIZE);
        if file.len() < file_end {
            file.resize(file_end, 0);
        }
        self.hive.set_bins_size(number(end)?);
        let mut header = [0; BIN_HEADER];
        let _ = put(&mut header, 0, b"hbin");
        let _ = put_u32(&mut header, 4, offset);
        let _ = put_u32(&mut header, 8, number(bin)?);
        if let Some(bytes) = self.hive.bins_mut().get_mut(start..end) {
            // The file may have had something else behind its bins.
            bytes.fill(0);
        }
        self.write(start, &header);
        self.add_free(cell_offset, cell_size);
        Ok((cell_offset, cell_size))
    }

    /// Writes into the bins, whose offsets were checked.
    fn write(&mut self, at: usize, field: &[u8]) {
        let written = put(self.hive.bins_mut(), at, field);
        debug_assert!(
            written.is_some(),
            "{} bytes at {at:#x} are outside of the bins",
            field.len()
        );
        self.changed = true;
    }
}
