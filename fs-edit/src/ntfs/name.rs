//! Names: which are also valid under DOS.
#![warn(clippy::arithmetic_side_effects, clippy::as_conversions, clippy::indexing_slicing)]

/// A file name as the volume has it.
pub(super) fn utf16(name: &str) -> Vec<u16> {
    name.encode_utf16().collect()
}

/// Whether it is a valid 8.3 name: then Windows gives it no short name beside it.
///
/// Source: Microsoft, "Naming Files, Paths, and Namespaces" and "Filename" of the FAT specification (which characters
/// a short name may have). Other than ASCII depends on the machine's code page, so it is left out.
pub(super) fn is_dos_name(name: &str) -> bool {
    let (base, extension) = match name.split_once('.') {
        Some((base, extension)) if !extension.is_empty() => (base, extension),
        Some(_) => return false,
        None => (name, ""),
    };
    let valid = |part: &str| part.bytes().all(is_short_name_byte);
    let fits = (1..=8).contains(&base.len()) && extension.len() <= 3;
    fits && valid(base) && valid(extension)
}

fn is_short_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'()-@^_`{}~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::is_dos_name;

    #[test]
    fn short_names_are_told_from_long_ones() {
        for short in ["intelide.sys", "VirtIO", "a.b", "$x~1.{}"] {
            assert!(is_dos_name(short), "{short}");
        }
        for long in [
            "",
            ".x",
            "a.",
            "a.b.c",
            "a b",
            "ninechars.x",
            "a.long",
            "é.txt",
            "a+b",
            "[x]",
            "SYSTEM.LOG1",
        ] {
            assert!(!is_dos_name(long), "{long}");
        }
    }
}
