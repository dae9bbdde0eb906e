//! Which cells are free and which structure each other cell belongs to. In a sound hive every cell belongs to one
//! structure, but for security descriptors, which keys share. Only then can a cell be changed or freed without
//! changing what was not meant.

use super::bin::RawCell;
use super::bytes::index;
use super::subkeys::List;
use super::value::Storage;
use super::{CellOffset, Hive, HiveError, Key};

/// Goes through the whole hive and returns its free cells; an error if a cell is used twice.
pub(super) fn take(hive: &Hive) -> Result<Vec<RawCell>, HiveError> {
    let mut census = Census::default();
    let mut free = Vec::new();
    for cell in hive.cells() {
        let cell = cell?;
        if cell.allocated {
            census.cells.push((cell.offset, Owner::Nobody));
        } else {
            free.push(cell);
        }
    }
    let mut keys = vec![hive.root()?];
    while let Some(key) = keys.pop() {
        // Each key is claimed once, so that this ends.
        census.key(hive, key, &mut keys)?;
    }
    Ok(free)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Owner {
    Nobody,
    /// One structure.
    One,
    /// Any number of keys: a security descriptor.
    Keys,
}

#[derive(Default)]
struct Census {
    /// Every cell that is in use, in the order of the file.
    cells: Vec<(CellOffset, Owner)>,
}

impl Census {
    /// Notes that a structure has this cell.
    fn claim(&mut self, offset: CellOffset, owner: Owner) -> Result<(), HiveError> {
        let place = self.cells.binary_search_by_key(&offset, |(offset, _)| *offset).ok();
        let cell = place.and_then(|place| self.cells.get_mut(place));
        let (_, known) = cell.ok_or(HiveError::NotACell { offset })?;
        if *known != Owner::Nobody && (*known, owner) != (Owner::Keys, Owner::Keys) {
            return Err(HiveError::Shared { offset });
        }
        *known = owner;
        Ok(())
    }

    fn key<'h>(&mut self, hive: &'h Hive, key: Key<'h>, keys: &mut Vec<Key<'h>>) -> Result<(), HiveError> {
        self.claim(key.offset(), Owner::One)?;
        if let Some(security) = key.security()? {
            self.claim(security.offset(), Owner::Keys)?;
        }
        for cell in key.class_cell().into_iter().chain(key.value_list()) {
            self.claim(cell, Owner::One)?;
        }
        for value in key.values()? {
            let value = value?;
            self.claim(value.offset(), Owner::One)?;
            match value.storage()? {
                Storage::Inline(_) => {}
                Storage::Cell(cell) => self.claim(cell.offset, Owner::One)?,
                Storage::Big(big) => {
                    for cell in big.record().into_iter().chain(big.segments()) {
                        self.claim(cell, Owner::One)?;
                    }
                }
            }
        }
        if let Some(list) = key.subkey_list() {
            self.list(hive, list)?;
        }
        let before = keys.len();
        for subkey in key.subkeys() {
            keys.push(subkey?);
        }
        let found = keys.len().saturating_sub(before);
        let announced = key.subkey_count();
        if found != index(announced) {
            let offset = key.offset();
            return Err(HiveError::Count {
                offset,
                announced,
                found,
            });
        }
        Ok(())
    }

    fn list(&mut self, hive: &Hive, list: CellOffset) -> Result<(), HiveError> {
        self.claim(list, Owner::One)?;
        let list = List::at(hive, list)?;
        if list.of_lists {
            for leaf in list.offsets() {
                self.claim(leaf, Owner::One)?;
            }
        }
        Ok(())
    }
}
