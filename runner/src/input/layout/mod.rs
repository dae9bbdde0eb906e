//! Which keys type a text: the guest sees keys only, and what they mean depends on the keyboard layout it has chosen.

mod named;
mod us;

use std::collections::HashMap;
use unicode_normalization::UnicodeNormalization;

/// One key to press and release, with others held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keystroke {
    /// QKeyCode name.
    pub key: &'static str,
    /// With the shift key held.
    pub shift: bool,
    /// With the AltGr key held.
    pub altgr: bool,
}

impl Keystroke {
    const fn plain(key: &'static str) -> Self {
        Keystroke {
            key,
            shift: false,
            altgr: false,
        }
    }

    /// The QKeyCode names of all keys to hold, in the order in which they go down.
    pub fn keys(&self) -> Vec<&'static str> {
        let held = [(self.shift, "shift"), (self.altgr, "alt_r"), (true, self.key)];
        held.into_iter()
            .filter_map(|(wanted, key)| wanted.then_some(key))
            .collect()
    }
}

/// A character that no key makes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "cannot type {character:?} (character {position} of the text): no key of a keyboard with the layout {layout:?} \
     makes it; --keyboard LAYOUT chooses another, e.g. de, fr or us"
)]
pub struct UntypableChar {
    /// The character.
    pub character: char,
    /// Which one, counted from 1.
    pub position: usize,
    /// The layout that was asked.
    pub layout: String,
}

/// A layout that cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "there is no keyboard layout {0:?} on this computer: /usr/share/X11/xkb (Debian package xkb-data) has layouts such \
     as us, gb, de, fr, es or ru, and variants such as de:nodeadkeys or us:intl"
)]
pub struct UnknownLayout(pub String);

/// A keyboard layout.
#[derive(Clone, Debug)]
pub struct Layout {
    name: String,
    characters: HashMap<char, Keystroke>,
    /// Keys that put an accent (a combining character) on the letter that follows.
    accents: HashMap<char, Keystroke>,
}

impl Default for Layout {
    /// The US layout, which needs no files.
    fn default() -> Self {
        Layout {
            name: "us".into(),
            characters: us::characters(),
            accents: HashMap::new(),
        }
    }
}

impl Layout {
    /// A layout by its XKB name, with a variant after a colon if one is wanted: `de`, `de:nodeadkeys`.
    pub fn named(name: &str) -> Result<Self, UnknownLayout> {
        match name {
            "us" => Ok(Layout::default()),
            _ => named::load(name),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key that makes a character by itself.
    pub fn keystroke(&self, character: char) -> Option<Keystroke> {
        let key = match character {
            '\n' | '\r' => "ret",
            '\t' => "tab",
            ' ' => "spc",
            '\u{8}' => "backspace",
            '\u{1b}' => "esc",
            _ => return self.characters.get(&character).copied(),
        };
        Some(Keystroke::plain(key))
    }

    /// The keys that type `text`; a line feed is the return key.
    pub fn keystrokes(&self, text: &str) -> Result<Vec<Keystroke>, UntypableChar> {
        let mut strokes = Vec::new();
        for (position, character) in (1..).zip(text.chars()) {
            let keys = self.keys_of(character).ok_or_else(|| UntypableChar {
                character,
                position,
                layout: self.name.clone(),
            })?;
            strokes.extend(keys);
        }
        Ok(strokes)
    }

    /// A key, or an accent and then a letter.
    fn keys_of(&self, character: char) -> Option<Vec<Keystroke>> {
        if let Some(stroke) = self.keystroke(character) {
            return Some(vec![stroke]);
        }
        let (letter, accent) = match alone(character) {
            Some(accent) => (' ', accent),
            None => {
                let mut parts = std::iter::once(character).nfd();
                let both = (parts.next()?, parts.next()?);
                // Two accents on a letter have no key on any layout.
                if parts.next().is_some() {
                    return None;
                }
                both
            }
        };
        Some(vec![*self.accents.get(&accent)?, self.keystroke(letter)?])
    }
}

/// The accent that stands alone as `character` when the space bar follows its key.
fn alone(character: char) -> Option<char> {
    Some(match character {
        '`' => '\u{300}',
        '´' => '\u{301}',
        '^' => '\u{302}',
        '~' => '\u{303}',
        '¨' => '\u{308}',
        '°' => '\u{30A}',
        '¸' => '\u{327}',
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(layout: &Layout, text: &str) -> Vec<String> {
        let strokes = layout.keystrokes(text).unwrap();
        strokes.iter().map(|stroke| stroke.keys().join("-")).collect()
    }

    #[test]
    fn every_printable_ascii_character_has_exactly_one_key() {
        let layout = Layout::default();
        let mut seen = std::collections::HashSet::new();
        for character in ' '..='~' {
            let stroke = layout.keystroke(character).unwrap_or_else(|| panic!("{character:?}"));
            assert!(seen.insert((stroke.key, stroke.shift)), "{character:?}");
        }
    }

    #[test]
    fn a_character_without_a_key_is_named() {
        let error = Layout::default().keystrokes("Grüße").unwrap_err();
        assert_eq!((error.character, error.position), ('ü', 3));
        assert!(error.to_string().contains("'ü'"), "{error}");
    }

    #[test]
    fn layouts_have_their_keys_where_they_have_them() {
        let german = Layout::named("de").unwrap();
        assert_eq!(typed(&german, "zY"), ["y", "shift-z"]);
        assert_eq!(
            typed(&german, "@ß?|"),
            ["alt_r-q", "minus", "shift-minus", "alt_r-less"]
        );
        assert_eq!(typed(&german, "é^"), ["equal", "e", "grave_accent", "spc"]);
        assert_eq!(typed(&german, "Ô"), ["grave_accent", "shift-o"]);
        let french = Layout::named("fr").unwrap();
        assert_eq!(typed(&french, "a1é{"), ["q", "shift-1", "2", "alt_r-4"]);
        let plain = Layout::named("de:nodeadkeys").unwrap();
        assert_eq!(typed(&plain, "^"), ["grave_accent"]);
        assert!(plain.keystrokes("ê").is_err());
        let russian = Layout::named("ru").unwrap();
        assert_eq!(typed(&russian, "Фы"), ["shift-a", "s"]);
    }

    #[test]
    fn the_layout_without_files_is_that_of_the_files() {
        let built_in = Layout::default();
        let loaded = named::load("us").unwrap();
        for character in ' '..='~' {
            assert_eq!(
                built_in.keystroke(character),
                loaded.keystroke(character),
                "{character:?}"
            );
        }
    }

    #[test]
    fn unknown_layouts_are_refused() {
        for name in ["", "nosuch", "de:nosuch", "../../etc/passwd", "de:", ":", "us(intl)"] {
            assert_eq!(Layout::named(name).unwrap_err(), UnknownLayout(name.into()));
        }
    }
}
