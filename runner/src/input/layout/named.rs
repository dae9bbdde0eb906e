//! Layouts from XKB's files, which every desktop has.
//! Source: The X Keyboard Extension, Protocol Specification; `rules/evdev` in xkeyboard-config.

use super::{Keystroke, Layout, UnknownLayout};
use crate::input::keycodes;
use kbvm::xkb::Context;
use kbvm::xkb::diagnostic::{Diagnostic, Severity};
use kbvm::xkb::rmlvo::Group;
use kbvm::{GroupIndex, Keycode, Keysym, ModifierMask, syms};
use std::collections::HashMap;

/// The keys that make characters, by Linux's numbers, which are those of the set 1 scan codes here; keypad and
/// control keys are left out.
const CHARACTER_KEYS: [std::ops::RangeInclusive<u8>; 5] = [2..=13, 16..=27, 30..=41, 43..=53, 57..=57];
/// Keys that not every keyboard has: beside the left shift key (its characters are XKB's where a layout does not know
/// it), and those of Japanese keyboards.
const RARE_KEYS: [u8; 3] = [86, 89, 124];

/// Modifiers in the order in which they are preferred: without AltGr, which Windows has on fewer keys.
const LEVELS: [(bool, bool); 4] = [(false, false), (true, false), (false, true), (true, true)];

/// Keys that wait for the letter to put their accent on.
const DEAD: [(Keysym, char); 17] = [
    (syms::dead_grave, '\u{300}'),
    (syms::dead_acute, '\u{301}'),
    (syms::dead_circumflex, '\u{302}'),
    (syms::dead_tilde, '\u{303}'),
    (syms::dead_perispomeni, '\u{342}'),
    (syms::dead_macron, '\u{304}'),
    (syms::dead_breve, '\u{306}'),
    (syms::dead_abovedot, '\u{307}'),
    (syms::dead_diaeresis, '\u{308}'),
    (syms::dead_hook, '\u{309}'),
    (syms::dead_abovering, '\u{30A}'),
    (syms::dead_doubleacute, '\u{30B}'),
    (syms::dead_caron, '\u{30C}'),
    (syms::dead_horn, '\u{31B}'),
    (syms::dead_belowdot, '\u{323}'),
    (syms::dead_cedilla, '\u{327}'),
    (syms::dead_ogonek, '\u{328}'),
];

/// Reads the layout `name`, with a variant after a colon.
pub(super) fn load(name: &str) -> Result<Layout, UnknownLayout> {
    let unknown = || UnknownLayout(name.into());
    let (layout, variant) = match name.split_once(':') {
        Some((layout, variant)) => (layout, Some(variant)),
        None => (name, None),
    };
    // Names become file names and lists.
    let is_name = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c));
    if !is_name(layout) || !variant.is_none_or(is_name) {
        return Err(unknown());
    }
    let group = Group {
        layout,
        variant: variant.unwrap_or(""),
    };
    let mut problems: Vec<Diagnostic> = Vec::new();
    let context = Context::builder().build();
    let keymap = context.keymap_from_names(&mut problems, Some("evdev"), Some("pc105"), Some(&[group]), Some(&[]));
    // What is not there is left out, with a warning.
    if problems
        .iter()
        .any(|problem| problem.kind().severity() >= Severity::Warning)
    {
        return Err(unknown());
    }
    let table = keymap.to_builder().build_lookup_table();
    let mut found = Layout {
        name: name.into(),
        characters: HashMap::new(),
        accents: HashMap::new(),
    };
    let places = |keys: Vec<u8>| {
        LEVELS
            .into_iter()
            .flat_map(move |level| keys.clone().into_iter().map(move |key| (level, key)))
    };
    let usual = places(CHARACTER_KEYS.into_iter().flatten().collect());
    for ((shift, altgr), number) in usual.chain(places(RARE_KEYS.to_vec())) {
        let Some(key) = key_name(number) else { continue };
        let stroke = Keystroke { key, shift, altgr };
        let mut held = ModifierMask::NONE;
        if shift {
            held |= ModifierMask::SHIFT;
        }
        // XKB's third level.
        if altgr {
            held |= ModifierMask::MOD5;
        }
        for made in table.lookup(GroupIndex(0), held, Keycode::from_evdev(number.into())) {
            if let Some((_, accent)) = DEAD.iter().find(|(dead, _)| *dead == made.keysym()) {
                found.accents.entry(*accent).or_insert(stroke);
            } else if let Some(character) = made.char() {
                found.characters.entry(character).or_insert(stroke);
            }
        }
    }
    if found.characters.is_empty() {
        return Err(unknown());
    }
    Ok(found)
}

/// The QKeyCode name of the key that Linux gives this number.
fn key_name(number: u8) -> Option<&'static str> {
    let code = match number {
        89 => 0x73,
        124 => 0x7D,
        _ => number,
    };
    keycodes::find_number(code.into())
}
