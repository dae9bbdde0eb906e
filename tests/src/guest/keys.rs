//! Which keys of an American keyboard make which character.

/// The keys to press together for a character, by QMP's names.
pub(super) fn chord(character: char) -> Option<Vec<&'static str>> {
    if character.is_ascii_uppercase() {
        return Some([vec!["shift"], chord(character.to_ascii_lowercase())?].concat());
    }
    if let Some(key) = plain(character) {
        return Some(vec![key]);
    }
    let below = SHIFTED.iter().find(|(shifted, _)| *shifted == character)?.1;
    Some(vec!["shift", plain(below)?])
}

/// Characters typed with Shift, and the key's own character.
const SHIFTED: &[(char, char)] = &[
    ('!', '1'),
    ('@', '2'),
    ('#', '3'),
    ('$', '4'),
    ('%', '5'),
    ('^', '6'),
    ('&', '7'),
    ('*', '8'),
    ('(', '9'),
    (')', '0'),
    ('_', '-'),
    ('+', '='),
    ('{', '['),
    ('}', ']'),
    (':', ';'),
    ('"', '\''),
    ('~', '`'),
    ('|', '\\'),
    ('<', ','),
    ('>', '.'),
    ('?', '/'),
];

/// QMP's names of the letter and digit keys, which are one character long.
const NAMES: &str = "abcdefghijklmnopqrstuvwxyz0123456789";

fn plain(character: char) -> Option<&'static str> {
    if let Some(at) = NAMES.find(character) {
        return NAMES.get(at..at + 1);
    }
    Some(match character {
        '\n' => "ret",
        '\t' => "tab",
        '\u{1b}' => "esc",
        '\u{8}' => "backspace",
        ' ' => "spc",
        '-' => "minus",
        '=' => "equal",
        '[' => "bracket_left",
        ']' => "bracket_right",
        ';' => "semicolon",
        '\'' => "apostrophe",
        '`' => "grave_accent",
        '\\' => "backslash",
        ',' => "comma",
        '.' => "dot",
        '/' => "slash",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_printable_character_has_keys() {
        for character in ' '..='~' {
            assert!(chord(character).is_some(), "{character:?}");
        }
        assert_eq!(chord('a'), Some(vec!["a"]));
        assert_eq!(chord('A'), Some(vec!["shift", "a"]));
        assert_eq!(chord('|'), Some(vec!["shift", "backslash"]));
        assert_eq!(chord('é'), None);
    }
}
