//! Which keys type a text on a US keyboard.

/// One key to press and release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keystroke {
    /// QKeyCode name.
    pub key: &'static str,
    /// With the shift key held.
    pub shift: bool,
}

/// A character that no key of the US layout makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot type {character:?} (character {position} of the text): no key of a US keyboard makes it")]
pub struct UntypableChar {
    /// The character.
    pub character: char,
    /// Which one, counted from 1.
    pub position: usize,
}

/// Plain and shifted character of each key, US layout.
#[rustfmt::skip]
const KEYS: [(char, char, &str); 47] = [
    ('a', 'A', "a"), ('b', 'B', "b"), ('c', 'C', "c"), ('d', 'D', "d"), ('e', 'E', "e"), ('f', 'F', "f"),
    ('g', 'G', "g"), ('h', 'H', "h"), ('i', 'I', "i"), ('j', 'J', "j"), ('k', 'K', "k"), ('l', 'L', "l"),
    ('m', 'M', "m"), ('n', 'N', "n"), ('o', 'O', "o"), ('p', 'P', "p"), ('q', 'Q', "q"), ('r', 'R', "r"),
    ('s', 'S', "s"), ('t', 'T', "t"), ('u', 'U', "u"), ('v', 'V', "v"), ('w', 'W', "w"), ('x', 'X', "x"),
    ('y', 'Y', "y"), ('z', 'Z', "z"),
    ('1', '!', "1"), ('2', '@', "2"), ('3', '#', "3"), ('4', '$', "4"), ('5', '%', "5"),
    ('6', '^', "6"), ('7', '&', "7"), ('8', '*', "8"), ('9', '(', "9"), ('0', ')', "0"),
    ('-', '_', "minus"), ('=', '+', "equal"), ('[', '{', "bracket_left"), (']', '}', "bracket_right"),
    ('\\', '|', "backslash"), (';', ':', "semicolon"), ('\'', '"', "apostrophe"), ('`', '~', "grave_accent"),
    (',', '<', "comma"), ('.', '>', "dot"), ('/', '?', "slash"),
];

fn keystroke(character: char) -> Option<Keystroke> {
    let plain = |key| Some(Keystroke { key, shift: false });
    match character {
        '\n' | '\r' => return plain("ret"),
        '\t' => return plain("tab"),
        ' ' => return plain("spc"),
        '\u{8}' => return plain("backspace"),
        '\u{1b}' => return plain("esc"),
        _ => {}
    }
    KEYS.iter().find_map(|&(lower, upper, key)| {
        (character == lower || character == upper).then_some(Keystroke {
            key,
            shift: character == upper,
        })
    })
}

/// The keys that type `text`; a line feed is the return key.
pub fn keystrokes(text: &str) -> Result<Vec<Keystroke>, UntypableChar> {
    text.chars()
        .enumerate()
        .map(|(index, character)| {
            keystroke(character).ok_or(UntypableChar {
                character,
                position: index.saturating_add(1),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_printable_ascii_character_has_exactly_one_key() {
        let mut seen = std::collections::HashSet::new();
        for character in ' '..='~' {
            let stroke = keystroke(character).unwrap_or_else(|| panic!("{character:?}"));
            assert!(seen.insert((stroke.key, stroke.shift)), "{character:?}");
        }
    }

    #[test]
    fn a_character_without_a_key_is_named() {
        let error = keystrokes("Grüße").unwrap_err();
        assert_eq!((error.character, error.position), ('ü', 3));
        assert!(error.to_string().contains("'ü'"), "{error}");
    }
}
