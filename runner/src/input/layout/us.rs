//! The layout of US keyboards, for computers without XKB's files.

use super::Keystroke;
use std::collections::HashMap;

/// Plain and shifted character of each key.
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

pub(super) fn characters() -> HashMap<char, Keystroke> {
    let plain = KEYS.iter().map(|&(plain, _, key)| (plain, Keystroke::plain(key)));
    let shifted = KEYS.iter().map(|&(_, shifted, key)| {
        let stroke = Keystroke {
            shift: true,
            ..Keystroke::plain(key)
        };
        (shifted, stroke)
    });
    plain.chain(shifted).collect()
}
