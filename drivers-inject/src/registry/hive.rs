//! A whole hive in memory.

use super::base_block::{self, BaseBlock};
use super::bin::Cells;
use super::bytes::{index, put_u32};
use super::cell::{Cell, CellOffset};
use super::census;
use super::error::HiveError;
use super::key::Key;
use super::walk::Walk;

/// The smallest cell that holds a key: 4 bytes of size, 76 of fields, padded to 8. It bounds how many keys a hive
/// can have.
const LEAST_KEY_CELL: usize = 80;

/// A hive: the bytes of its file, and what its base block says.
#[derive(Clone, Debug)]
pub struct Hive {
    file: Vec<u8>,
    base: BaseBlock,
}

impl Hive {
    /// Takes the bytes of a hive file. Only the base block is looked at.
    pub fn parse(file: Vec<u8>) -> Result<Self, HiveError> {
        let base = BaseBlock::parse(&file)?;
        Ok(Hive { file, base })
    }

    /// What the base block says.
    pub fn base_block(&self) -> &BaseBlock {
        &self.base
    }

    /// Whether bytes are missing at the end of the file.
    pub fn is_truncated(&self) -> bool {
        self.bins().len() < index(self.base.bins_size)
    }

    /// The root key.
    pub fn root(&self) -> Result<Key<'_>, HiveError> {
        Key::at(self, self.base.root)
    }

    /// The key at `path` below the root, e.g. `Microsoft\Windows NT\CurrentVersion`; `None` if there is none.
    /// Case is ignored.
    pub fn key(&self, path: &str) -> Result<Option<Key<'_>>, HiveError> {
        self.root()?.descendant(path)
    }

    /// Every key, parents before their children, with limits that a damaged hive cannot exceed.
    pub fn walk(&self) -> Walk<'_> {
        Walk::new(self)
    }

    /// Every cell, free or in use, in the order of the file.
    pub fn cells(&self) -> Cells<'_> {
        Cells::new(self.bins())
    }

    /// Reads every cell that there is and everything that keys lead to, damaged branches apart, and returns the first
    /// error.
    pub fn check(&self) -> Result<(), HiveError> {
        let mut first = Ok(());
        let cells = self.cells().map(|cell| cell.map(drop));
        let keys = self.walk().map(|key| key?.1.check());
        for result in cells.chain(keys) {
            first = first.and(result);
        }
        first
    }

    /// Makes sure that the hive is sound as a whole: every cell belongs to one structure, and everything can be read.
    pub fn verify(&self) -> Result<(), HiveError> {
        census::take(self)?;
        self.check()
    }

    /// The bytes of the file.
    pub fn into_bytes(self) -> Vec<u8> {
        self.file
    }

    /// The whole file, for the editor.
    pub(super) fn file_mut(&mut self) -> &mut Vec<u8> {
        &mut self.file
    }

    /// Says again how many bytes of bins there are, for the editor, which adds bins.
    pub(super) fn set_bins_size(&mut self, size: u32) {
        self.base.bins_size = size;
        // The file has a base block.
        let _ = put_u32(&mut self.file, base_block::at::BINS_SIZE, size);
    }

    /// The bins: as much of what the base block announces as the file has.
    pub(super) fn bins(&self) -> &[u8] {
        let rest = self.file.get(base_block::SIZE..).unwrap_or_default();
        rest.get(..index(self.base.bins_size)).unwrap_or(rest)
    }

    /// The same, to write to.
    pub(super) fn bins_mut(&mut self) -> &mut [u8] {
        let len = self.bins().len();
        let rest = self.file.get_mut(base_block::SIZE..).unwrap_or_default();
        rest.get_mut(..len).unwrap_or_default()
    }

    pub(super) fn cell(&self, offset: CellOffset) -> Result<Cell<'_>, HiveError> {
        Cell::at(self.bins(), offset)
    }

    /// How many keys the hive has room for.
    pub(super) fn most_keys(&self) -> usize {
        self.bins().len().checked_div(LEAST_KEY_CELL).unwrap_or_default()
    }
}
