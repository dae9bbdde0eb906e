//! Names as they are written: Latin-1 ("compressed") where every character allows it, else UTF-16LE.

use super::error::EditError;
use crate::registry::name::upper_units;

/// Longest name of a key in UTF-16 units (Windows' own limits: "Registry element size limits").
const LONGEST_KEY: usize = 255;
/// Longest name of a value in UTF-16 units.
const LONGEST_VALUE: usize = 16_383;
/// Factor of the hash in `lh` lists.
const HASH_FACTOR: u32 = 37;
/// Bytes of the hint in `lf` lists.
const HINT: usize = 4;

/// A name that was checked.
pub(super) struct StoredName {
    /// What is written.
    pub(super) bytes: Vec<u8>,
    /// Whether it is Latin-1.
    pub(super) latin1: bool,
    /// Bytes of `bytes`.
    pub(super) len: u16,
    /// Bytes that it takes as UTF-16, which is what lengths of the longest names count.
    pub(super) wide_len: u16,
    /// For `lh` lists.
    pub(super) hash: u32,
    /// For `lf` lists: the first characters as they are written, zeros if one of them is not Latin-1.
    pub(super) hint: [u8; HINT],
    /// What lists are sorted by.
    pub(super) upper: Vec<u16>,
}

impl StoredName {
    /// The name of a key.
    pub(super) fn of_key(name: &str) -> Result<Self, EditError> {
        if name.is_empty() {
            return Err(refused(name, "it is empty"));
        }
        if name.contains('\\') {
            return Err(refused(name, "it has a backslash in it"));
        }
        Self::new(name, LONGEST_KEY, "it is longer than 255 characters")
    }

    /// The name of a value; empty for the default value.
    pub(super) fn of_value(name: &str) -> Result<Self, EditError> {
        Self::new(name, LONGEST_VALUE, "it is longer than 16383 characters")
    }

    fn new(name: &str, longest: usize, too_long: &'static str) -> Result<Self, EditError> {
        if name.contains('\0') {
            return Err(refused(name, "it has a NUL in it"));
        }
        let units: Vec<u16> = name.encode_utf16().collect();
        if units.len() > longest {
            return Err(refused(name, too_long));
        }
        let narrow: Result<Vec<u8>, _> = units.iter().map(|unit| u8::try_from(*unit)).collect();
        let latin1 = narrow.is_ok();
        let bytes = narrow.unwrap_or_else(|_| units.iter().flat_map(|unit| unit.to_le_bytes()).collect());
        let length = |len: usize| u16::try_from(len).map_err(|_| refused(name, too_long));
        let upper = upper_units(name);
        Ok(StoredName {
            latin1,
            len: length(bytes.len())?,
            wide_len: length(units.len().saturating_mul(2))?,
            hash: hash(&upper),
            hint: hint(&units),
            bytes,
            upper,
        })
    }
}

fn refused(name: &str, why: &'static str) -> EditError {
    let name = name.to_owned();
    EditError::Name { name, why }
}

fn hash(upper: &[u16]) -> u32 {
    let units = upper.iter().copied().map(u32::from);
    units.fold(0, |hash, unit| hash.wrapping_mul(HASH_FACTOR).wrapping_add(unit))
}

fn hint(units: &[u16]) -> [u8; HINT] {
    let mut hint = [0; HINT];
    for (place, unit) in hint.iter_mut().zip(units) {
        match u8::try_from(*unit) {
            Ok(byte) => *place = byte,
            Err(_) => return [0; HINT],
        }
    }
    hint
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latin1_names_take_a_byte_a_character() {
        let name = StoredName::of_key("Größe").unwrap();
        assert!(name.latin1);
        assert_eq!(name.bytes, b"Gr\xf6\xdfe");
        assert_eq!((name.len, name.wide_len), (5, 10));
        assert_eq!(name.hint, *b"Gr\xf6\xdf");
        let name = StoredName::of_key("αβ").unwrap();
        assert!(!name.latin1);
        assert_eq!(name.bytes, [0xb1, 0x03, 0xb2, 0x03]);
        assert_eq!((name.len, name.wide_len, name.hint), (4, 4, [0; 4]));
        assert_eq!(StoredName::of_value("").unwrap().hint, [0; 4]);
    }

    #[test]
    fn hashes_are_those_of_the_upper_case() {
        // A = 65, B = 66: 65 * 37 + 66.
        assert_eq!(StoredName::of_key("aB").unwrap().hash, 2471);
        assert_eq!(StoredName::of_key("Ab").unwrap().hash, 2471);
        // ä becomes Ä (0xc4), the micro sign stays.
        assert_eq!(StoredName::of_key("ä").unwrap().hash, 0xc4);
        assert_eq!(StoredName::of_key("\u{b5}").unwrap().hash, 0xb5);
    }

    #[test]
    fn what_windows_would_not_take_is_refused() {
        for name in ["", r"a\b", "a\0", &"x".repeat(256)] {
            assert!(
                matches!(StoredName::of_key(name), Err(EditError::Name { .. })),
                "{name:?}"
            );
        }
        assert!(StoredName::of_key(&"x".repeat(255)).is_ok());
        assert!(StoredName::of_value(&"α".repeat(16_383)).is_ok());
        assert!(StoredName::of_value(&"α".repeat(16_384)).is_err());
    }
}
