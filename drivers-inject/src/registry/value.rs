//! Values: `vk` cells and their data.

use super::big_data::BigData;
use super::bytes::{index, u16_at, u32_at, u64_at};
use super::cell::{Cell, CellOffset};
use super::error::HiveError;
use super::hive::Hive;
use super::name;
use std::borrow::Cow;

/// Flag: the name is Latin-1, not UTF-16.
pub(super) const COMPRESSED_NAME: u16 = 0x1;
/// Bit of the size field: the data are in the offset field.
pub(super) const INLINE: u32 = 0x8000_0000;
/// Longer data are split, from version 1.4 on.
pub(super) const LONGEST_SIMPLE: usize = 16_344;

/// Where the fields lie in the cell's data.
pub(super) mod at {
    pub(in crate::registry) const NAME_LEN: usize = 0x2;
    pub(in crate::registry) const SIZE: usize = 0x4;
    /// The offset of the data, or up to four bytes of them.
    pub(in crate::registry) const DATA: usize = 0x8;
    pub(in crate::registry) const KIND: usize = 0xc;
    pub(in crate::registry) const FLAGS: usize = 0x10;
    pub(in crate::registry) const NAME: usize = 0x14;
}

/// How a value's data are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ValueType {
    /// No type.
    None,
    /// A string.
    String,
    /// A string with `%variables%`.
    ExpandString,
    /// Bytes.
    Binary,
    /// A 32-bit number.
    Dword,
    /// A 32-bit number, most significant byte first.
    DwordBigEndian,
    /// The target of a symbolic link.
    Link,
    /// Several strings.
    MultiString,
    /// A 64-bit number.
    Qword,
    /// Resource lists, device properties and what else there may be: the number.
    Other(u32),
}

impl ValueType {
    /// The type with this number.
    pub fn from_code(code: u32) -> Self {
        match code {
            0 => Self::None,
            1 => Self::String,
            2 => Self::ExpandString,
            3 => Self::Binary,
            4 => Self::Dword,
            5 => Self::DwordBigEndian,
            6 => Self::Link,
            7 => Self::MultiString,
            11 => Self::Qword,
            code => Self::Other(code),
        }
    }

    /// The number of this type.
    pub fn code(self) -> u32 {
        match self {
            Self::None => 0,
            Self::String => 1,
            Self::ExpandString => 2,
            Self::Binary => 3,
            Self::Dword => 4,
            Self::DwordBigEndian => 5,
            Self::Link => 6,
            Self::MultiString => 7,
            Self::Qword => 11,
            Self::Other(code) => code,
        }
    }
}

/// Where the data of a value are.
pub(super) enum Storage<'h> {
    /// In the value itself; also none at all.
    Inline(&'h [u8]),
    /// At the start of one cell.
    Cell(Cell<'h>),
    /// In several cells.
    Big(BigData<'h>),
}

/// A value. Its fields are decoded when they are asked for; the fixed part is checked already.
#[derive(Clone, Copy)]
pub struct Value<'h> {
    hive: &'h Hive,
    cell: Cell<'h>,
}

impl<'h> Value<'h> {
    /// The value at `offset`.
    pub(super) fn at(hive: &'h Hive, offset: CellOffset) -> Result<Self, HiveError> {
        let cell = hive.cell(offset)?;
        if cell.signature() != *b"vk" {
            return Err(cell.unexpected("a value"));
        }
        if cell.data.len() < at::NAME {
            return Err(cell.too_short("the value"));
        }
        Ok(Value { hive, cell })
    }

    /// Where its cell is.
    pub fn offset(&self) -> CellOffset {
        self.cell.offset
    }

    fn field(&self, at: usize) -> u32 {
        u32_at(self.cell.data, at).unwrap_or_default()
    }

    /// Its name; empty for the default value.
    pub fn name(&self) -> Result<String, HiveError> {
        let len = usize::from(u16_at(self.cell.data, at::NAME_LEN).unwrap_or_default());
        let latin1 = u16_at(self.cell.data, at::FLAGS).unwrap_or_default() & COMPRESSED_NAME != 0;
        let bytes = self.cell.data.get(at::NAME..).and_then(|rest| rest.get(..len));
        let bytes = bytes.ok_or_else(|| self.cell.too_short("the name of the value"))?;
        Ok(name::decode(bytes, latin1))
    }

    /// How its data are meant.
    pub fn kind(&self) -> ValueType {
        ValueType::from_code(self.field(at::KIND))
    }

    /// Its data, as they are stored.
    pub fn data(&self) -> Result<Cow<'h, [u8]>, HiveError> {
        let len = self.len();
        match self.storage()? {
            Storage::Inline(data) => Ok(Cow::Borrowed(data)),
            Storage::Cell(cell) => {
                let data = cell.data.get(..len).map(Cow::Borrowed);
                data.ok_or_else(|| cell.too_short("the data of the value"))
            }
            Storage::Big(big) => big.read(len).map(Cow::Owned),
        }
    }

    /// Bytes of data.
    fn len(&self) -> usize {
        index(self.field(at::SIZE) & !INLINE)
    }

    /// Where its data are.
    pub(super) fn storage(&self) -> Result<Storage<'h>, HiveError> {
        let len = self.len();
        if self.field(at::SIZE) & INLINE != 0 {
            let inline = self
                .cell
                .data
                .get(at::DATA..at::KIND)
                .and_then(|field| field.get(..len));
            return inline
                .map(Storage::Inline)
                .ok_or_else(|| self.cell.too_short("the data of the value"));
        }
        if len == 0 {
            return Ok(Storage::Inline(&[]));
        }
        let cell = self.hive.cell(CellOffset(self.field(at::DATA)))?;
        // Some tools write long data into one cell even where Windows would split them.
        if len > LONGEST_SIMPLE && self.hive.base_block().minor > 3 && cell.data.len() < len {
            return BigData::of(self.hive, cell).map(Storage::Big);
        }
        Ok(Storage::Cell(cell))
    }

    /// Reads everything of it, in every way.
    pub(super) fn check(&self) -> Result<(), HiveError> {
        self.name()?;
        self.as_string()?;
        self.as_strings()?;
        self.as_number()?;
        Ok(())
    }

    /// The text of a string, up to its NUL; `None` for other types.
    pub fn as_string(&self) -> Result<Option<String>, HiveError> {
        Ok(match self.kind() {
            ValueType::String | ValueType::ExpandString | ValueType::Link => Some(name::until_nul(&self.data()?)),
            _ => None,
        })
    }

    /// The texts of a multi-string; `None` for other types.
    pub fn as_strings(&self) -> Result<Option<Vec<String>>, HiveError> {
        Ok(match self.kind() {
            ValueType::MultiString => Some(name::multi(&self.data()?)),
            _ => None,
        })
    }

    /// The number in a double or quad word; `None` for other types and for data that are too short.
    pub fn as_number(&self) -> Result<Option<u64>, HiveError> {
        let data = self.data()?;
        Ok(match self.kind() {
            ValueType::Dword => u32_at(&data, 0).map(u64::from),
            ValueType::DwordBigEndian => u32_at(&data, 0).map(|number| u64::from(number.swap_bytes())),
            ValueType::Qword => u64_at(&data, 0),
            _ => None,
        })
    }
}
