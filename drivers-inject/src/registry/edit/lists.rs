//! Adding a key to its parent's list of subkeys, which is sorted by the upper case of the names.

use super::error::EditError;
use super::name::StoredName;
use super::space::Space;
use crate::registry::name::upper_units;
use crate::registry::subkeys::{ELEMENTS, List};
use crate::registry::{CellOffset, Hive, HiveError, Key, key};

/// Bytes of a list that gets longer only while it stays below this: what Windows fits into one block of 4096. A longer
/// one is split, so that the next key does not need as large a cell again.
const LONGEST: usize = 4056;

/// Where a key belongs.
#[derive(Clone, Copy)]
pub(super) enum Place {
    /// Its parent has no subkeys yet.
    NoList,
    /// Before the element `index` of the list `leaf`.
    Leaf {
        /// The list of lists that the leaf is in, and its number there.
        root: Option<(CellOffset, usize)>,
        leaf: CellOffset,
        index: usize,
    },
}

/// Where a key called `name` belongs below `parent`.
pub(super) fn find_place(space: &Space, parent: CellOffset, name: &StoredName) -> Result<Place, HiveError> {
    let hive = space.hive();
    let Some(offset) = Key::at(hive, parent)?.subkey_list() else {
        return Ok(Place::NoList);
    };
    let list = List::at(hive, offset)?;
    if !list.of_lists {
        let index = index_in(hive, &list, name)?;
        return Ok(Place::Leaf {
            root: None,
            leaf: offset,
            index,
        });
    }
    let mut last = Place::NoList;
    for (number, leaf) in list.offsets().enumerate() {
        let keys = List::at(hive, leaf)?;
        let index = index_in(hive, &keys, name)?;
        last = Place::Leaf {
            root: Some((offset, number)),
            leaf,
            index,
        };
        if index < keys.offsets().count() {
            break;
        }
    }
    Ok(last)
}

/// The first element whose name comes after `name`.
fn index_in(hive: &Hive, list: &List<'_>, name: &StoredName) -> Result<usize, HiveError> {
    let mut count: usize = 0;
    for offset in list.offsets() {
        if upper_units(&Key::at(hive, offset)?.name()?) > name.upper {
            break;
        }
        count = count.saturating_add(1);
    }
    Ok(count)
}

/// Puts `key`, which is called `name`, where it belongs. The parent's count is the caller's.
pub(super) fn insert(
    space: &mut Space,
    parent: CellOffset,
    place: Place,
    key: CellOffset,
    name: &StoredName,
) -> Result<(), EditError> {
    let Place::Leaf { root, leaf, index } = place else {
        let signature = if space.hive().base_block().minor < 5 {
            *b"lf"
        } else {
            *b"lh"
        };
        let list = Contents {
            signature,
            stride: 8,
            elements: element(signature, key, name),
        };
        let list = space.allocate(&list.encode()?)?;
        return Ok(space.put_u32(parent, key::at::SUBKEYS, list.0)?);
    };
    let mut list = Contents::read(space, leaf)?;
    let is_full = list.elements.len() >= LONGEST;
    list.insert(index, &element(list.signature, key, name));
    if !is_full {
        let moved = list.write(space, leaf)?;
        let (owner, at) = match root {
            Some((root, number)) => (root, number.saturating_mul(4).saturating_add(ELEMENTS)),
            None => (parent, key::at::SUBKEYS),
        };
        return Ok(space.put_u32(owner, at, moved.0)?);
    }
    let second = list.split_off();
    let second = space.allocate(&second.encode()?)?;
    // The first half fits into the cell that had all but one.
    let first = list.encode()?;
    space.put(leaf, 0, &first)?;
    space.shrink(leaf, first.len())?;
    let root = match root {
        Some((root, number)) => {
            let mut lists = Contents::read(space, root)?;
            lists.insert(number.saturating_add(1), &second.0.to_le_bytes());
            lists.write(space, root)?
        }
        None => {
            let lists = Contents {
                signature: *b"ri",
                stride: 4,
                elements: [leaf.0.to_le_bytes(), second.0.to_le_bytes()].concat(),
            };
            space.allocate(&lists.encode()?)?
        }
    };
    Ok(space.put_u32(parent, key::at::SUBKEYS, root.0)?)
}

/// An element of a list of this kind.
fn element(signature: [u8; 2], key: CellOffset, name: &StoredName) -> Vec<u8> {
    let mut element = key.0.to_le_bytes().to_vec();
    match &signature {
        b"lf" => element.extend(name.hint),
        b"lh" => element.extend(name.hash.to_le_bytes()),
        _ => {}
    }
    element
}

/// A list that is being changed.
struct Contents {
    signature: [u8; 2],
    /// Bytes an element.
    stride: usize,
    elements: Vec<u8>,
}

impl Contents {
    fn read(space: &Space, offset: CellOffset) -> Result<Self, HiveError> {
        let list = List::at(space.hive(), offset)?;
        Ok(Contents {
            signature: space.hive().cell(offset)?.signature(),
            stride: list.stride,
            elements: list.elements.to_vec(),
        })
    }

    fn insert(&mut self, index: usize, element: &[u8]) {
        let at = index.saturating_mul(self.stride).min(self.elements.len());
        self.elements.splice(at..at, element.iter().copied());
    }

    /// Takes the second half off.
    fn split_off(&mut self) -> Self {
        let count = self.elements.chunks(self.stride).len();
        let middle = count.div_ceil(2).saturating_mul(self.stride);
        Contents {
            elements: self.elements.split_off(middle.min(self.elements.len())),
            ..*self
        }
    }

    fn encode(&self) -> Result<Vec<u8>, EditError> {
        let count = u16::try_from(self.elements.chunks(self.stride).len());
        let count = count.map_err(|_| EditError::TooMany("a list of subkeys"))?;
        Ok([&self.signature[..], &count.to_le_bytes(), &self.elements].concat())
    }

    /// Writes the list into the cell that it came from, or into a larger one; returns where it is then.
    fn write(&self, space: &mut Space, offset: CellOffset) -> Result<CellOffset, EditError> {
        let bytes = self.encode()?;
        if space.capacity(offset)? >= bytes.len() {
            space.put(offset, 0, &bytes)?;
            return Ok(offset);
        }
        let moved = space.allocate(&bytes)?;
        space.release(offset)?;
        Ok(moved)
    }
}
