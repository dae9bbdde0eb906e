//! Whatever is damaged in a registry hive, it is refused, or every edit leaves a sound one.
//!
//! The fuzzer says what to overwrite in a small hive that has every structure, and which edits to make.
#![no_main]

#[path = "../../drivers-inject/tests/common/bins.rs"]
mod bins;

use drivers_inject::registry::ValueType;
use drivers_inject::registry::edit::Editor;

const KEYS: [&str; 10] = [
    "",
    "One",
    r"One\Two",
    "Three",
    r"Three\Four",
    "Zwölf",
    "zz",
    r"a\b\c",
    r"\One\\New",
    "ελ",
];
const VALUES: [&str; 6] = ["", "text", "NUMBER", "many", "big", "новый"];

/// Where damage goes and the word written there; a version; edits: which, its key, its value, its data's length.
type Input = (Vec<(u16, u32)>, u8, Vec<(u8, u8, u8, u16)>);

libfuzzer_sys::fuzz_target!(|input: Input| {
    let (damage, minor, edits) = input;
    let mut file = bins::every_kind(3 + u32::from(minor % 4));
    for (at, word) in damage {
        let at = usize::from(at) % (file.len() - 4);
        file[at..at + 4].copy_from_slice(&word.to_le_bytes());
    }
    // Hives that are not clean are not looked at.
    file[..4].copy_from_slice(b"regf");
    file.copy_within(4..8, 8);
    bins::seal(&mut file);
    let room = file.len();
    let Ok(mut editor) = Editor::new(file.clone(), room) else {
        return;
    };
    for (which, key, value, len) in edits.into_iter().take(32) {
        let key = KEYS[usize::from(key) % KEYS.len()];
        let value = VALUES[usize::from(value) % VALUES.len()];
        let before = editor.clone();
        let result = match which % 3 {
            0 => editor.set_value(key, value, ValueType::Binary, &vec![which; usize::from(len)]),
            1 => editor.delete_value(key, value),
            _ => editor.create_key(key),
        };
        editor.hive().verify().expect("a sound hive stays sound");
        match result {
            Ok(true) => {}
            // Nothing was changed, also not in part.
            Ok(false) | Err(_) => assert_eq!(editor.clone().finish(), before.finish()),
        }
    }
    let changed = editor.is_changed();
    let after = editor.finish();
    if !changed {
        assert_eq!(after, file);
    }
    let again = Editor::new(after, room).expect("an edited hive can be edited");
    assert!(!again.hive().base_block().is_dirty());
});
