//! Hives that we edit, read by libhivex.

mod common;

use common::hives::{self, NewHive, utf16};
use drivers_inject::registry::edit::{EditError, Editor};
use drivers_inject::registry::{Hive, ValueType};

/// An editor that has no more room than the file.
fn editor(bytes: &[u8]) -> Editor {
    Editor::new(bytes.to_vec(), bytes.len()).unwrap()
}

/// How many bytes differ, the sequence numbers and the checksum of the base block apart.
fn differing(a: &[u8], b: &[u8]) -> usize {
    assert_eq!(a.len(), b.len());
    let header = |at: usize| (4..12).contains(&at) || (0x1fc..0x200).contains(&at);
    let pairs = a.iter().zip(b).enumerate();
    pairs.filter(|(at, (a, b))| a != b && !header(*at)).count()
}

fn small() -> NewHive {
    NewHive::new()
        .number(r"Services\atapi", "Start", 3)
        .value(
            r"Services\atapi",
            "Filters",
            7,
            &[utf16("one"), utf16("two"), vec![0, 0]].concat(),
        )
        .string(r"Services\atapi", "Group", "SCSI miniport")
        .string(r"Other", "", "default")
}

#[test]
fn a_number_is_set_in_place() {
    let before = small().build();
    let mut editor = editor(&before);
    let zero = 0u32.to_le_bytes();
    assert!(
        editor
            .set_value(r"services\ATAPI", "start", ValueType::Dword, &zero)
            .unwrap()
    );
    assert!(editor.is_changed());
    assert!(
        !editor
            .set_value(r"services\ATAPI", "start", ValueType::Dword, &zero)
            .unwrap()
    );
    assert_eq!(editor.growth(), 0);
    let after = editor.finish();
    assert_eq!(differing(&before, &after), 1);
    let expected = hives::dump_bytes_with_hivex(&before).replace("Start\t4\t03000000", "Start\t4\t00000000");
    assert_eq!(hives::dump_bytes_with_hivex(&after), expected);
    let base = Hive::parse(after).unwrap().base_block().clone();
    assert!(!base.is_dirty());
    assert_eq!(base.sequence1, Hive::parse(before).unwrap().base_block().sequence1 + 1);
}

#[test]
fn shorter_data_stay_in_their_cell() {
    let before = small().build();
    let mut editor = editor(&before);
    let one = [utf16("two"), vec![0, 0]].concat();
    assert!(
        editor
            .set_value(r"Services\atapi", "Filters", ValueType::MultiString, &one)
            .unwrap()
    );
    let after = editor.finish();
    assert!(differing(&before, &after) <= 8, "{}", differing(&before, &after));
    let hive = Hive::parse(after.clone()).unwrap();
    let value = hive
        .key(r"Services\atapi")
        .unwrap()
        .unwrap()
        .value("Filters")
        .unwrap()
        .unwrap();
    assert_eq!(value.as_strings().unwrap().unwrap(), ["two"]);
    assert!(hives::dump_bytes_with_hivex(&after).contains(&format!("Filters\t7\t{}", hex(&one))));
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_hive_that_was_not_changed_comes_back_as_it_was() {
    let before = small().build();
    let mut editor = editor(&before);
    assert!(
        !editor
            .set_value("Other", "", ValueType::String, &utf16("default"))
            .unwrap()
    );
    assert!(!editor.delete_value("Other", "missing").unwrap());
    assert!(!editor.delete_value("Missing", "missing").unwrap());
    assert!(!editor.create_key(r"SERVICES\Atapi").unwrap());
    assert!(!editor.is_changed());
    assert_eq!(editor.finish(), before);
}

#[test]
fn what_must_not_be_edited_is_refused() {
    let bytes = small().build();
    let missing = editor(&bytes).set_value("Missing", "x", ValueType::Binary, &[]);
    assert_eq!(missing, Err(EditError::NoSuchKey("Missing".to_owned())));
    let long = editor(&bytes).create_key(&"x".repeat(256));
    assert!(matches!(long, Err(EditError::Name { .. })), "{long:?}");
    let deep = editor(&bytes).create_key(&r"x\".repeat(512));
    assert!(matches!(deep, Err(EditError::TooDeep(_))), "{deep:?}");

    let mut dirty = bytes.clone();
    dirty[4] += 1;
    hives::fix_checksum(&mut dirty);
    assert_eq!(Editor::new(dirty, 0).unwrap_err(), EditError::Dirty);
    let cut = Editor::new(bytes[..bytes.len() - 4096].to_vec(), 0);
    assert!(matches!(cut, Err(EditError::Truncated { .. })), "{cut:?}");
    assert!(matches!(Editor::new(vec![0; 8192], 0), Err(EditError::Hive(_))));
}

#[test]
fn numbers_in_real_hives_are_set_in_place() {
    for (name, key, value) in [
        ("xp_sp3_x86_M57PAT.SYSTEM", r"ControlSet001\Services\intelppm", "Start"),
        ("win7sp1_x86_vmware.SYSTEM", r"ControlSet001\Services\msahci", "Start"),
        ("bcd_regipy.BCD", r"Description", "System"),
    ] {
        let Some(before) = hives::real(name) else { return };
        let started = std::time::Instant::now();
        let mut editor = editor(&before);
        eprintln!("{name}: opened in {:?}", started.elapsed());
        let hive = editor.hive();
        assert!(
            hive.key(key).unwrap().unwrap().number(value).unwrap().is_some(),
            "{name}"
        );
        let data = 0x0407_0605u32.to_le_bytes();
        assert!(editor.set_value(key, value, ValueType::Dword, &data).unwrap());
        assert_eq!(editor.growth(), 0);
        let after = editor.finish();
        assert!(differing(&before, &after) <= 4, "{name}");
        let changed = hives::dump_bytes_with_hivex(&before);
        let now = hives::dump_bytes_with_hivex(&after);
        let lines: Vec<_> = now.lines().zip(changed.lines()).filter(|(a, b)| a != b).collect();
        assert_eq!(lines.len(), 1, "{name}: {lines:?}");
        assert!(lines[0].0.ends_with("05060704"), "{name}: {lines:?}");
    }
}
