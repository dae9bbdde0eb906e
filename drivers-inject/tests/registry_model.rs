//! Random edits: afterwards libhivex reads what was asked for, and everything else as it was.

mod common;

use common::hives::{self, NewHive, bins, utf16};
use common::model::Model;
use drivers_inject::registry::edit::{EditError, Editor};
use drivers_inject::registry::{Hive, ValueType};
use proptest::prelude::*;
use proptest::sample::select;
use std::collections::HashMap;
use std::sync::LazyLock;

const NAMES: [&str; 12] = [
    "One",
    "two",
    "Three",
    "Straße",
    "Ελλάδα",
    "pci#ven_8086&dev_7010",
    "a",
    "0",
    "zwölf",
    "Many",
    "Key7",
    "Key70",
];
const VALUES: [&str; 7] = ["", "Start", "start", "Größe", "ImagePath", "числo", "b"];

/// Hives to edit, and what libhivex reads from them: one that it made, one with every structure, an old one.
static HIVES: LazyLock<Vec<(Vec<u8>, Model)>> = LazyLock::new(|| {
    let mut made = NewHive::new()
        .number(r"One\two", "Start", 3)
        .value(r"One\two", "ImagePath", 2, &utf16(r"system32\drivers\intelide.sys"))
        .string(r"Straße\Ελλάδα", "", "default")
        .value("Three", "b", 3, &[9; 30_000])
        .value("Three", "Größe", 3, &[9; 16_344])
        .key("zwölf");
    for number in 0..80 {
        made = made.number(&format!(r"Many\Key{number}"), "Start", number);
    }
    [made.build(), bins::every_kind(5), bins::every_kind(3)]
        .into_iter()
        .map(|hive| {
            let dump = hives::dump_bytes_with_hivex(&hive);
            (hive, Model::parse(&dump))
        })
        .collect()
});

#[derive(Clone, Debug)]
enum Edit {
    Set(String, String, u32, Vec<u8>),
    Delete(String, String),
    Create(String),
}

fn path() -> impl Strategy<Value = String> {
    prop::collection::vec(select(&NAMES), 0..4).prop_map(|parts| parts.join("\\"))
}

fn value_name() -> impl Strategy<Value = String> {
    select(&VALUES).prop_map(str::to_owned)
}

fn data() -> impl Strategy<Value = Vec<u8>> {
    let len = prop_oneof![
        5 => 0..10usize,
        5 => 10..400usize,
        1 => 4000..9000usize,
        1 => 16_340..16_350usize,
        1 => 30_000..50_000usize,
    ];
    (len, any::<u8>()).prop_map(|(len, byte)| (0..len).map(|at| (at as u8).wrapping_mul(byte)).collect())
}

fn edit() -> impl Strategy<Value = Edit> {
    let kind = select(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 11, 0xffff_0012]);
    prop_oneof![
        5 => (path(), value_name(), kind, data()).prop_map(|(key, name, kind, data)| Edit::Set(key, name, kind, data)),
        2 => (path(), value_name()).prop_map(|(key, name)| Edit::Delete(key, name)),
        3 => path().prop_map(Edit::Create),
    ]
}

/// Makes the same edit in both, and compares what they say about it.
fn apply(edit: &Edit, editor: &mut Editor, model: &mut Model) {
    match edit {
        Edit::Set(key, name, kind, data) => {
            let set = editor.set_value(key, name, ValueType::from_code(*kind), data);
            match model.set(key, name, *kind, data) {
                Some(changed) => assert_eq!(set, Ok(changed)),
                None => assert_eq!(set, Err(EditError::NoSuchKey(key.clone()))),
            }
        }
        Edit::Delete(key, name) => assert_eq!(editor.delete_value(key, name), Ok(model.delete(key, name))),
        Edit::Create(path) => assert_eq!(editor.create_key(path), Ok(model.create(path))),
    }
}

/// Says which line differs; whole hives would be too long to read.
fn same_lines(read: &str, expected: &str) -> Result<(), TestCaseError> {
    let short = |line: &str| line.chars().take(300).collect::<String>();
    for (read, expected) in read.lines().zip(expected.lines()) {
        prop_assert_eq!(short(read), short(expected));
    }
    prop_assert!(read == expected, "lines are missing or differ at their end");
    Ok(())
}

/// What libhivex does not print of the keys: path → offset of the cell, security descriptor, class name, time.
fn unprinted(hive: &Hive) -> HashMap<String, (u32, Vec<u8>, Option<String>, u64)> {
    let mut path: Vec<String> = Vec::new();
    let mut found = HashMap::new();
    for key in hive.walk() {
        let (depth, key) = key.unwrap();
        path.truncate(depth);
        path.push(key.name().unwrap());
        let descriptor = key.security().unwrap().unwrap().descriptor().unwrap().to_vec();
        let what = (
            key.offset().0,
            descriptor,
            key.class_name().unwrap(),
            key.last_written(),
        );
        found.insert(path.join("\\"), what);
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn libhivex_reads_what_was_asked_for(which in 0..3usize, edits in prop::collection::vec(edit(), 1..40)) {
        let (bytes, model) = &HIVES[which];
        let mut model = model.clone();
        let mut editor = Editor::new(bytes.clone(), bytes.len()).unwrap();
        for edit in &edits {
            apply(edit, &mut editor, &mut model);
        }
        // What we read before it is written.
        same_lines(&hives::dump(editor.hive()).unwrap(), &model.print())?;
        let growth = editor.growth();
        let after = editor.finish();
        prop_assert_eq!(after.len(), bytes.len() + growth);
        same_lines(&hives::dump_bytes_with_hivex(&after), &model.print())?;

        let (before, after) = (Hive::parse(bytes.clone()).unwrap(), Hive::parse(after).unwrap());
        prop_assert!(!after.base_block().is_dirty());
        after.verify().unwrap();
        let now = unprinted(&after);
        prop_assert_eq!(now.len(), model.keys());
        for (path, what) in unprinted(&before) {
            prop_assert_eq!(&now[&path], &what, "{}", path);
        }
    }

    /// A second run of the same edits that set and create finds nothing to do, if no edit undoes another.
    #[test]
    fn the_same_again_changes_nothing(which in 0..3usize, keys in prop::collection::vec(path(), 1..8), data in data()) {
        let (bytes, _) = &HIVES[which];
        let run = |bytes: Vec<u8>| {
            let mut editor = Editor::new(bytes, 0).unwrap();
            for key in &keys {
                editor.create_key(key).unwrap();
                editor.set_value(key, "b", ValueType::Binary, &data).unwrap();
            }
            editor
        };
        let once = run(bytes.clone()).finish();
        let again = run(once.clone());
        prop_assert!(!again.is_changed());
        prop_assert_eq!(again.finish(), once);
    }
}

/// Bytes to write over others.
fn damage(len: usize) -> impl Strategy<Value = Vec<(usize, u8)>> {
    let byte = prop_oneof![Just(0u8), Just(0xff), any::<u8>()];
    prop::collection::vec((0..len, byte), 0..8)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// The pages of long data are left out: most damage would fall on them.
    #[test]
    fn a_damaged_hive_is_refused_or_edited_whole(
        damage in damage(4500),
        edits in prop::collection::vec(edit(), 1..10),
    ) {
        let mut bytes = bins::every_kind(3);
        for (at, byte) in damage {
            let at = at % bytes.len();
            bytes[at] = byte;
        }
        bins::seal(&mut bytes);
        bytes.copy_within(4..8, 8);
        bins::seal(&mut bytes);
        if let Ok(mut editor) = Editor::new(bytes, 0) {
            for edit in &edits {
                let _ = match edit {
                    Edit::Set(key, name, kind, data) => editor.set_value(key, name, ValueType::from_code(*kind), data),
                    Edit::Delete(key, name) => editor.delete_value(key, name),
                    Edit::Create(path) => editor.create_key(path),
                };
                editor.hive().verify().unwrap();
            }
            let after = editor.finish();
            Editor::new(after, 0).unwrap();
        }
    }
}
