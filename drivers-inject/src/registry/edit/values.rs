//! Setting and deleting the values of a key.

use super::data::{self, Fields};
use super::error::EditError;
use super::name::StoredName;
use super::space::Space;
use crate::registry::bytes::index;
use crate::registry::{CellOffset, HiveError, Key, ValueType, key, value};

/// Bytes of an element in a list of values: an offset.
const ELEMENT: usize = 4;

/// Sets a value of the key at `key`. `false` if it was so already.
pub(super) fn set(
    space: &mut Space,
    key: CellOffset,
    name: &str,
    kind: ValueType,
    data: &[u8],
) -> Result<bool, EditError> {
    let found = match Key::at(space.hive(), key)?.value(name)? {
        Some(value) if value.kind().code() == kind.code() && *value.data()? == *data => return Ok(false),
        found => found.map(|value| value.offset()),
    };
    data::check(space, data)?;
    match found {
        Some(value) => {
            data::replace(space, value, data)?;
            space.put_u32(value, value::at::KIND, kind.code())?;
        }
        None => add(space, key, &StoredName::of_value(name)?, kind, data)?,
    }
    let len = u32::try_from(data.len()).unwrap_or(u32::MAX);
    raise(space, key, key::at::LONGEST_DATA, len)?;
    Ok(true)
}

/// Deletes a value of the key at `key`. `false` if there is none of this name.
pub(super) fn delete(space: &mut Space, key: CellOffset, name: &str) -> Result<bool, EditError> {
    let mut offsets = list(space, key)?;
    let Some(value) = Key::at(space.hive(), key)?.value(name)? else {
        return Ok(false);
    };
    let value = value.offset();
    let list = space.u32(key, key::at::VALUES).map(CellOffset)?;
    offsets.retain(|offset| *offset != value);
    let count = u32::try_from(offsets.len()).unwrap_or(u32::MAX);
    space.put_u32(key, key::at::VALUE_COUNT, count)?;
    if offsets.is_empty() {
        space.put_u32(key, key::at::VALUES, CellOffset::NONE.0)?;
        space.release(list)?;
    } else {
        space.put(list, 0, &encode(&offsets))?;
    }
    data::release(space, value)?;
    space.release(value)?;
    Ok(true)
}

/// Adds a value to the end of the key's list.
fn add(space: &mut Space, key: CellOffset, name: &StoredName, kind: ValueType, data: &[u8]) -> Result<(), EditError> {
    let mut offsets = list(space, key)?;
    space.check_room(1, offsets.len().saturating_add(1).saturating_mul(ELEMENT))?;
    let fields = data::store(space, data)?;
    let value = space.allocate(&record(name, kind, &fields))?;
    let old = Key::at(space.hive(), key)?.value_list();
    offsets.push(value);
    let elements = encode(&offsets);
    match old {
        Some(list) if space.capacity(list)? >= elements.len() => space.put(list, 0, &elements)?,
        _ => {
            let list = space.allocate(&elements)?;
            space.put_u32(key, key::at::VALUES, list.0)?;
            old.map_or(Ok(()), |old| space.release(old))?;
        }
    }
    let count = u32::try_from(offsets.len()).unwrap_or(u32::MAX);
    space.put_u32(key, key::at::VALUE_COUNT, count)?;
    raise(space, key, key::at::LONGEST_VALUE_NAME, u32::from(name.wide_len))?;
    Ok(())
}

/// A `vk` record.
fn record(name: &StoredName, kind: ValueType, fields: &Fields) -> Vec<u8> {
    // A value without a name has no flag either.
    let latin1 = name.latin1 && !name.bytes.is_empty();
    let flags = if latin1 { value::COMPRESSED_NAME } else { 0 };
    [
        &b"vk"[..],
        &name.len.to_le_bytes(),
        &fields.size.to_le_bytes(),
        &fields.data,
        &kind.code().to_le_bytes(),
        &flags.to_le_bytes(),
        // Spare.
        &[0; 2],
        &name.bytes,
    ]
    .concat()
}

/// The values of the key, in the order of its list.
fn list(space: &Space, key: CellOffset) -> Result<Vec<CellOffset>, HiveError> {
    let values = Key::at(space.hive(), key)?.values()?;
    values.map(|value| value.map(|value| value.offset())).collect()
}

fn encode(offsets: &[CellOffset]) -> Vec<u8> {
    offsets.iter().flat_map(|offset| offset.0.to_le_bytes()).collect()
}

/// Raises one of the key's "largest …" fields. They are never lowered, as Windows does not either.
fn raise(space: &mut Space, key: CellOffset, at: usize, value: u32) -> Result<(), HiveError> {
    if index(space.u32(key, at)?) < index(value) {
        space.put_u32(key, at, value)?;
    }
    Ok(())
}
