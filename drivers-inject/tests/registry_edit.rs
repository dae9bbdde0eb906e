//! Hives that we edit, read by libhivex.

mod common;

use common::hives::{self, NewHive, utf16};
use common::model::hex;
use drivers_inject::registry::edit::{EditError, Editor};
use drivers_inject::registry::log::recover;
use drivers_inject::registry::{Hive, ValueType};
use std::collections::HashSet;

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

/// Sets numbers in every control set and returns how many were not so already.
fn set_numbers(editor: &mut Editor, settings: &[(&str, &str, u32)]) -> usize {
    let mut changed = 0;
    for set in ["ControlSet001", "ControlSet002"] {
        for (key, value, number) in settings {
            let path = format!(r"{set}\{key}");
            if editor.hive().key(&path).unwrap().is_none() {
                continue;
            }
            let data = number.to_le_bytes();
            changed += usize::from(editor.set_value(&path, value, ValueType::Dword, &data).unwrap());
        }
    }
    changed
}

/// The lines of what libhivex reads that are new or different.
fn new_lines(before: &[u8], after: &[u8]) -> Vec<String> {
    let (before, after) = (
        hives::dump_bytes_with_hivex(before),
        hives::dump_bytes_with_hivex(after),
    );
    let old: HashSet<&str> = before.lines().collect();
    let new: Vec<String> = after
        .lines()
        .filter(|line| !old.contains(line))
        .map(str::to_owned)
        .collect();
    let kept = after.lines().count() - new.len();
    // What is not new is what was there, in its order.
    assert!(before.lines().count() - kept <= new.len());
    new
}

#[test]
fn a_real_windows_xp_gets_its_keys_without_growing() {
    let Some(before) = hives::real("xp_sp3_x86_M57PAT.SYSTEM") else {
        return;
    };
    let mut editor = editor(&before);
    let numbers = [
        (r"Services\intelppm", "Start", 4),
        (r"Control\CrashControl", "AutoReboot", 0),
    ];
    assert_eq!(set_numbers(&mut editor, &numbers), 4);
    let mut keys = 0;
    for set in ["ControlSet001", "ControlSet002"] {
        for (id, service, class) in [
            (
                "pci#ven_8086&dev_7010",
                "intelide",
                "{4D36E96A-E325-11CE-BFC1-08002BE10318}",
            ),
            (
                "pci#ven_8086&dev_7111",
                "intelide",
                "{4D36E96A-E325-11CE-BFC1-08002BE10318}",
            ),
            ("pci#cc_0101", "pciide", "{4D36E96A-E325-11CE-BFC1-08002BE10318}"),
            (
                "pci#ven_8086&dev_7000",
                "isapnp",
                "{4D36E97D-E325-11CE-BFC1-08002BE10318}",
            ),
            (
                "pci#ven_8086&dev_7110",
                "isapnp",
                "{4D36E97D-E325-11CE-BFC1-08002BE10318}",
            ),
        ] {
            let key = format!(r"{set}\Control\CriticalDeviceDatabase\{id}");
            keys += usize::from(editor.create_key(&key).unwrap());
            assert!(
                editor
                    .set_value(&key, "Service", ValueType::String, &utf16(service))
                    .unwrap()
            );
            assert!(
                editor
                    .set_value(&key, "ClassGUID", ValueType::String, &utf16(class))
                    .unwrap()
            );
        }
    }
    assert_eq!(keys, 10);
    assert_eq!(editor.growth(), 0);
    let bins = |bytes: &[u8]| Hive::parse(bytes.to_vec()).unwrap().base_block().bins_size;
    let after = editor.finish();
    assert_eq!((after.len(), bins(&after)), (before.len(), bins(&before)));
    let new = new_lines(&before, &after);
    assert_eq!(new.len(), 4 + 10 + 20, "{new:#?}");
}

#[test]
fn numbers_in_a_real_windows_7_are_set_in_place() {
    let Some(before) = hives::real("win7sp1_x86_vmware.SYSTEM") else {
        return;
    };
    let mut editor = editor(&before);
    let numbers = [
        (r"Services\intelide", "Start", 0),
        (r"Services\atapi", "Start", 0),
        (r"Services\pciide", "Start", 0),
        (r"Services\msahci", "Start", 0),
        (r"Control\CrashControl", "AutoReboot", 0),
    ];
    assert_eq!(set_numbers(&mut editor, &numbers), 6);
    assert_eq!(editor.growth(), 0);
    let after = editor.finish();
    assert_eq!(differing(&before, &after), 6);
    assert_eq!(new_lines(&before, &after).len(), 6);
}

#[test]
fn numbers_in_a_real_windows_10_are_set_in_place() {
    let name = "win10_1709_x64_LatitudeE6430.SYSTEM";
    let Some(dirty) = hives::real(name) else { return };
    assert_eq!(Editor::new(dirty.clone(), 0).unwrap_err(), EditError::Dirty);
    let logs = ["LOG1", "LOG2"].map(|log| hives::real(&format!("{name}.{log}")).unwrap());
    let before = recover(dirty, &logs).unwrap().bytes;
    let mut editor = editor(&before);
    let mut numbers = vec![(r"Control\CrashControl", "AutoReboot", 0)];
    numbers.extend(
        [
            r"Services\atapi\StartOverride",
            r"Services\intelide\StartOverride",
            r"Services\pciide\StartOverride",
            r"Services\storahci\StartOverride",
        ]
        .map(|key| (key, "0", 0)),
    );
    assert_eq!(set_numbers(&mut editor, &numbers), 5);
    assert_eq!(editor.growth(), 0);
    let after = editor.finish();
    assert_eq!(differing(&before, &after), 5);
    assert_eq!(new_lines(&before, &after).len(), 5);
}
