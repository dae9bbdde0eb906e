//! Creating keys.

use super::error::EditError;
use super::lists;
use super::name::StoredName;
use super::space::Space;
use crate::registry::bytes::{put, put_u32};
use crate::registry::{CellOffset, HiveError, Key, key, security};

/// The deepest that keys can nest, the root not counted.
const DEEPEST: usize = 511;

/// Creates the key at `path` and what is missing above it. `false` if it was there.
pub(super) fn create(space: &mut Space, path: &str) -> Result<bool, EditError> {
    let parts: Vec<&str> = path.split('\\').filter(|part| !part.is_empty()).collect();
    if parts.len() > DEEPEST {
        return Err(EditError::TooDeep(path.to_owned()));
    }
    let mut here = space.hive().root()?.offset();
    let mut parts = parts.into_iter().peekable();
    while let Some(part) = parts.peek() {
        match Key::at(space.hive(), here)?.subkey(part)? {
            Some(key) => here = key.offset(),
            None => break,
        }
        parts.next();
    }
    // All names are looked at before anything is written.
    let missing: Vec<StoredName> = parts.map(StoredName::of_key).collect::<Result<_, _>>()?;
    check(space, here, &missing)?;
    for name in &missing {
        here = create_one(space, here, name)?;
    }
    Ok(!missing.is_empty())
}

/// Refuses what would fail half-way.
fn check(space: &Space, parent: CellOffset, missing: &[StoredName]) -> Result<(), EditError> {
    // A key takes a cell; a list of subkeys is written again, or split with a new list of lists above it.
    const CELLS: usize = 4;
    /// The longest list and the longest list of lists are shorter together.
    const LISTS: usize = 1 << 20;
    if missing.is_empty() {
        return Ok(());
    }
    let names = missing
        .iter()
        .map(|name| name.bytes.len().saturating_add(key::at::NAME));
    let bytes = names.fold(LISTS, usize::saturating_add);
    space.check_room(missing.len().saturating_mul(CELLS), bytes)?;
    let users = match Key::at(space.hive(), parent)?.security()? {
        Some(security) => security.references(),
        None => 0,
    };
    let more = u32::try_from(missing.len()).unwrap_or(u32::MAX);
    if users.checked_add(more).is_none() {
        return Err(EditError::TooMany("the count of keys that share a security descriptor"));
    }
    Ok(())
}

/// Creates a key below `parent`, which has none of this name. It shares its parent's security descriptor, and has
/// its time: what is written depends on nothing but the hive and the edit.
fn create_one(space: &mut Space, parent: CellOffset, name: &StoredName) -> Result<CellOffset, EditError> {
    let place = lists::find_place(space, parent, name)?;
    let above = Key::at(space.hive(), parent)?;
    let security = above
        .security()?
        .map(|security| (security.offset(), security.references()));
    let record = record(parent, above.last_written(), security.map(|(offset, _)| offset), name);
    let key = space.allocate(&record)?;
    lists::insert(space, parent, place, key, name)?;
    if let Some((security, users)) = security {
        space.put_u32(security, security::REFERENCES, users.saturating_add(1))?;
    }
    let count = space.u32(parent, key::at::SUBKEY_COUNT)?.saturating_add(1);
    space.put_u32(parent, key::at::SUBKEY_COUNT, count)?;
    raise_longest_name(space, parent, name.wide_len)?;
    Ok(key)
}

/// An `nk` record without subkeys and values.
fn record(parent: CellOffset, time: u64, security: Option<CellOffset>, name: &StoredName) -> Vec<u8> {
    let mut record = vec![0; key::at::NAME];
    let flags = if name.latin1 { key::COMPRESSED_NAME } else { 0 };
    let none = CellOffset::NONE.0;
    // The record has room for all of its fields.
    let _ = put(&mut record, 0, b"nk");
    let _ = put(&mut record, key::at::FLAGS, &flags.to_le_bytes());
    let _ = put(&mut record, key::at::LAST_WRITTEN, &time.to_le_bytes());
    for (at, field) in [
        (key::at::PARENT, parent.0),
        (key::at::SUBKEYS, none),
        (key::at::VOLATILE_SUBKEYS, none),
        (key::at::VALUES, none),
        (key::at::SECURITY, security.unwrap_or(CellOffset::NONE).0),
        (key::at::CLASS, none),
    ] {
        let _ = put_u32(&mut record, at, field);
    }
    let _ = put(&mut record, key::at::NAME_LEN, &name.len.to_le_bytes());
    record.extend(&name.bytes);
    record
}

/// The other half of the double word holds flags from Windows XP on.
fn raise_longest_name(space: &mut Space, key: CellOffset, len: u16) -> Result<(), HiveError> {
    if space.u16(key, key::at::LONGEST_SUBKEY_NAME)? < len {
        space.put_u16(key, key::at::LONGEST_SUBKEY_NAME, len)?;
    }
    Ok(())
}
