//! Names and strings: Latin-1 ("compressed") or UTF-16LE.

/// Decodes a name of a key or value. Unpaired surrogates become U+FFFD.
pub(super) fn decode(bytes: &[u8], latin1: bool) -> String {
    if latin1 {
        bytes.iter().copied().map(char::from).collect()
    } else {
        utf16(bytes)
    }
}

/// UTF-16LE; an odd last byte is dropped.
pub(super) fn utf16(bytes: &[u8]) -> String {
    String::from_utf16_lossy(&units(bytes))
}

/// UTF-16LE up to the first NUL.
pub(super) fn until_nul(bytes: &[u8]) -> String {
    let units = units(bytes);
    let text = units.split(|unit| *unit == 0).next().unwrap_or_default();
    String::from_utf16_lossy(text)
}

/// The strings of a multi-string: each ends with NUL, an empty one ends the list.
pub(super) fn multi(bytes: &[u8]) -> Vec<String> {
    let units = units(bytes);
    let strings = units.split(|unit| *unit == 0).take_while(|text| !text.is_empty());
    strings.map(String::from_utf16_lossy).collect()
}

/// Whether two names are the same to the registry, which ignores case.
pub(super) fn same(a: &str, b: &str) -> bool {
    a.eq_ignore_ascii_case(b) || a.chars().map(upper).eq(b.chars().map(upper))
}

/// The units of a name's upper case: what the registry sorts keys by and hashes.
pub(super) fn upper_units(name: &str) -> Vec<u16> {
    name.chars().map(upper).collect::<String>().encode_utf16().collect()
}

/// Windows maps single UTF-16 units; characters whose upper case is longer stay as they are. So do a few whose upper
/// case Unicode found in another alphabet than Windows' table, which has none for them: the micro sign, dotless i, long s.
fn upper(c: char) -> char {
    if matches!(c, '\u{b5}' | '\u{131}' | '\u{17f}') || c.len_utf16() > 1 {
        return c;
    }
    let mut upper = c.to_uppercase();
    upper.next().filter(|_| upper.next().is_none()).unwrap_or(c)
}

fn units(bytes: &[u8]) -> Vec<u16> {
    let (pairs, _) = bytes.as_chunks();
    pairs.iter().copied().map(u16::from_le_bytes).collect()
}
