//! Keys: `nk` cells.

use super::bytes::{index, u16_at, u32_at, u64_at};
use super::cell::{Cell, CellOffset};
use super::error::HiveError;
use super::hive::Hive;
use super::name;
use super::security::Security;
use super::subkeys::Subkeys;
use super::value::Value;

/// Where the name starts in the cell's data.
const NAME: usize = 0x4c;
/// Flag: the name is Latin-1, not UTF-16.
const COMPRESSED_NAME: u16 = 0x20;

/// A key. Its fields are decoded when they are asked for; offset and length of the fixed part are checked already.
#[derive(Clone, Copy)]
pub struct Key<'h> {
    hive: &'h Hive,
    cell: Cell<'h>,
}

impl<'h> Key<'h> {
    /// The key at `offset`.
    pub(super) fn at(hive: &'h Hive, offset: CellOffset) -> Result<Self, HiveError> {
        let cell = hive.cell(offset)?;
        if cell.signature() != *b"nk" {
            return Err(cell.unexpected("a key"));
        }
        if cell.data.len() < NAME {
            return Err(cell.too_short("the key"));
        }
        Ok(Key { hive, cell })
    }

    /// Where its cell is.
    pub fn offset(&self) -> CellOffset {
        self.cell.offset
    }

    /// A field of the fixed part, which is there.
    fn field(&self, at: usize) -> u32 {
        u32_at(self.cell.data, at).unwrap_or_default()
    }

    fn flags(&self) -> u16 {
        u16_at(self.cell.data, 0x2).unwrap_or_default()
    }

    /// Its name. The name of a root key is whatever the tool that made the hive chose.
    pub fn name(&self) -> Result<String, HiveError> {
        let len = usize::from(u16_at(self.cell.data, 0x48).unwrap_or_default());
        let bytes = self.cell.data.get(NAME..).and_then(|rest| rest.get(..len));
        let bytes = bytes.ok_or_else(|| self.cell.too_short("the name of the key"))?;
        Ok(name::decode(bytes, self.flags() & COMPRESSED_NAME != 0))
    }

    /// When it was last written, in 100 ns since 1601 (FILETIME).
    pub fn last_written(&self) -> u64 {
        u64_at(self.cell.data, 0x4).unwrap_or_default()
    }

    /// The class name that some keys carry.
    pub fn class_name(&self) -> Result<Option<String>, HiveError> {
        let len = usize::from(u16_at(self.cell.data, 0x4a).unwrap_or_default());
        let Some(offset) = CellOffset(self.field(0x30)).some().filter(|_| len > 0) else {
            return Ok(None);
        };
        let cell = self.hive.cell(offset)?;
        let bytes = cell.data.get(..len).ok_or_else(|| cell.too_short("the class name"))?;
        Ok(Some(name::utf16(bytes)))
    }

    /// Who may do what with it.
    pub fn security(&self) -> Result<Option<Security<'h>>, HiveError> {
        let offset = CellOffset(self.field(0x2c));
        offset.some().map(|offset| Security::at(self.hive, offset)).transpose()
    }

    /// How many subkeys it says that it has.
    pub fn subkey_count(&self) -> u32 {
        self.field(0x14)
    }

    /// Its subkeys, in the order of the file (sorted by name, in a sound hive). Ends after the first error.
    pub fn subkeys(&self) -> impl Iterator<Item = Result<Key<'h>, HiveError>> + use<'h> {
        let offset = CellOffset(self.field(0x1c));
        let list = offset.some().filter(|_| self.subkey_count() > 0);
        Subkeys::new(self.hive, list)
    }

    /// The subkey called `name`, whatever its case.
    pub fn subkey(&self, name: &str) -> Result<Option<Key<'h>>, HiveError> {
        for key in self.subkeys() {
            let key = key?;
            if name::same(&key.name()?, name) {
                return Ok(Some(key));
            }
        }
        Ok(None)
    }

    /// The key at `path` below this one; parts are separated by `\`.
    pub fn descendant(self, path: &str) -> Result<Option<Key<'h>>, HiveError> {
        let mut here = self;
        for part in path.split('\\').filter(|part| !part.is_empty()) {
            match here.subkey(part)? {
                Some(key) => here = key,
                None => return Ok(None),
            }
        }
        Ok(Some(here))
    }

    /// Its values, in the order of the file.
    pub fn values(&self) -> Result<impl Iterator<Item = Result<Value<'h>, HiveError>> + use<'h>, HiveError> {
        let hive = self.hive;
        let count = index(self.field(0x24));
        let mut list: &'h [u8] = &[];
        if let Some(offset) = CellOffset(self.field(0x28)).some().filter(|_| count > 0) {
            let cell = hive.cell(offset)?;
            let bytes = count.checked_mul(4).and_then(|len| cell.data.get(..len));
            list = bytes.ok_or_else(|| cell.too_short("the list of values"))?;
        }
        let offsets = list.chunks_exact(4).filter_map(|entry| u32_at(entry, 0));
        Ok(offsets.map(move |offset| Value::at(hive, CellOffset(offset))))
    }

    /// The value called `name`, whatever its case; the default value has the empty name.
    pub fn value(&self, name: &str) -> Result<Option<Value<'h>>, HiveError> {
        for value in self.values()? {
            let value = value?;
            if name::same(&value.name()?, name) {
                return Ok(Some(value));
            }
        }
        Ok(None)
    }

    /// The string in the value called `name`, if there is one and it is not empty.
    pub fn string(&self, name: &str) -> Result<Option<String>, HiveError> {
        let Some(value) = self.value(name)? else {
            return Ok(None);
        };
        Ok(value.as_string()?.filter(|text| !text.is_empty()))
    }

    /// The number in the value called `name` (a double or quad word).
    pub fn number(&self, name: &str) -> Result<Option<u64>, HiveError> {
        self.value(name)?.map_or(Ok(None), |value| value.as_number())
    }
}
