//! Keys: `nk` cells.

use super::bytes::{index, u16_at, u32_at, u64_at};
use super::cell::{Cell, CellOffset};
use super::error::HiveError;
use super::hive::Hive;
use super::name;
use super::security::Security;
use super::subkeys::Subkeys;
use super::value::Value;

/// Flag: the name is Latin-1, not UTF-16.
pub(super) const COMPRESSED_NAME: u16 = 0x20;

/// Flag: the key stands for a predefined handle; what should count its values is that handle.
const PREDEFINED_HANDLE: u16 = 0x40;

/// Where the fields lie in the cell's data.
pub(super) mod at {
    pub(in crate::registry) const FLAGS: usize = 0x2;
    pub(in crate::registry) const LAST_WRITTEN: usize = 0x4;
    pub(in crate::registry) const PARENT: usize = 0x10;
    pub(in crate::registry) const SUBKEY_COUNT: usize = 0x14;
    pub(in crate::registry) const SUBKEYS: usize = 0x1c;
    pub(in crate::registry) const VOLATILE_SUBKEYS: usize = 0x20;
    pub(in crate::registry) const VALUE_COUNT: usize = 0x24;
    pub(in crate::registry) const VALUES: usize = 0x28;
    pub(in crate::registry) const SECURITY: usize = 0x2c;
    pub(in crate::registry) const CLASS: usize = 0x30;
    /// 16 bits; the other half of the double word holds flags.
    pub(in crate::registry) const LONGEST_SUBKEY_NAME: usize = 0x34;
    pub(in crate::registry) const LONGEST_VALUE_NAME: usize = 0x3c;
    pub(in crate::registry) const LONGEST_DATA: usize = 0x40;
    pub(in crate::registry) const NAME_LEN: usize = 0x48;
    pub(in crate::registry) const CLASS_LEN: usize = 0x4a;
    pub(in crate::registry) const NAME: usize = 0x4c;
}

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
        if cell.data.len() < at::NAME {
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
        u16_at(self.cell.data, at::FLAGS).unwrap_or_default()
    }

    /// Its name. The name of a root key is whatever the tool that made the hive chose.
    pub fn name(&self) -> Result<String, HiveError> {
        let len = usize::from(u16_at(self.cell.data, at::NAME_LEN).unwrap_or_default());
        let bytes = self.cell.data.get(at::NAME..).and_then(|rest| rest.get(..len));
        let bytes = bytes.ok_or_else(|| self.cell.too_short("the name of the key"))?;
        Ok(name::decode(bytes, self.flags() & COMPRESSED_NAME != 0))
    }

    /// When it was last written, in 100 ns since 1601 (FILETIME).
    pub fn last_written(&self) -> u64 {
        u64_at(self.cell.data, at::LAST_WRITTEN).unwrap_or_default()
    }

    /// The class name that some keys carry.
    pub fn class_name(&self) -> Result<Option<String>, HiveError> {
        let len = usize::from(u16_at(self.cell.data, at::CLASS_LEN).unwrap_or_default());
        let Some(offset) = self.class_cell() else {
            return Ok(None);
        };
        let cell = self.hive.cell(offset)?;
        let bytes = cell.data.get(..len).ok_or_else(|| cell.too_short("the class name"))?;
        Ok(Some(name::utf16(bytes)))
    }

    /// Who may do what with it.
    pub fn security(&self) -> Result<Option<Security<'h>>, HiveError> {
        let offset = CellOffset(self.field(at::SECURITY));
        offset.some().map(|offset| Security::at(self.hive, offset)).transpose()
    }

    /// How many subkeys it says that it has.
    pub fn subkey_count(&self) -> u32 {
        self.field(at::SUBKEY_COUNT)
    }

    /// Its subkeys, in the order of the file (sorted by name, in a sound hive). Ends after the first error.
    pub fn subkeys(&self) -> impl Iterator<Item = Result<Key<'h>, HiveError>> + use<'h> {
        Subkeys::new(self.hive, self.subkey_list())
    }

    /// Where its list of subkeys is, if it has any.
    pub(super) fn subkey_list(&self) -> Option<CellOffset> {
        let offset = CellOffset(self.field(at::SUBKEYS));
        offset.some().filter(|_| self.subkey_count() > 0)
    }

    /// Whether it stands for a predefined handle (performance counters, up to Windows 7): it has no values of its own.
    pub(super) fn is_predefined_handle(&self) -> bool {
        self.flags() & PREDEFINED_HANDLE != 0
    }

    /// How many values it says that it has.
    pub(super) fn value_count(&self) -> u32 {
        if self.is_predefined_handle() {
            return 0;
        }
        self.field(at::VALUE_COUNT)
    }

    /// Where its list of values is, if it has any.
    pub(super) fn value_list(&self) -> Option<CellOffset> {
        let offset = CellOffset(self.field(at::VALUES));
        offset.some().filter(|_| self.value_count() > 0)
    }

    /// Where its class name is, if it has one.
    pub(super) fn class_cell(&self) -> Option<CellOffset> {
        let len = u16_at(self.cell.data, at::CLASS_LEN).unwrap_or_default();
        CellOffset(self.field(at::CLASS)).some().filter(|_| len > 0)
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
        let count = index(self.value_count());
        let mut list: &'h [u8] = &[];
        if let Some(offset) = self.value_list() {
            let cell = hive.cell(offset)?;
            let bytes = count.checked_mul(4).and_then(|len| cell.data.get(..len));
            list = bytes.ok_or_else(|| cell.too_short("the list of values"))?;
        }
        let offsets = list.chunks_exact(4).filter_map(|entry| u32_at(entry, 0));
        Ok(offsets.map(move |offset| Value::at(hive, CellOffset(offset))))
    }

    /// Reads everything of this key but its subkeys.
    pub(super) fn check(&self) -> Result<(), HiveError> {
        self.name()?;
        self.class_name()?;
        if let Some(security) = self.security()? {
            security.descriptor()?;
        }
        for value in self.values()? {
            value?.check()?;
        }
        Ok(())
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
