//! Hives made by libhivex, read by us and by it.

mod common;

use common::hives::{self, NewHive, utf16};
use drivers_inject::registry::{Hive, HiveError, ValueType};

/// Writes the hive to a file and compares what we and libhivex read from it.
fn same_as_hivex(bytes: Vec<u8>) -> Hive {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &bytes).unwrap();
    let hive = Hive::parse(bytes).unwrap();
    assert_eq!(hives::dump(&hive).unwrap(), hives::dump_with_hivex(file.path()));
    assert!(hive.cells().all(|cell| cell.is_ok()));
    hive
}

#[test]
fn the_minimal_hive_is_one_to_libhivex_too() {
    let hive = same_as_hivex(hives::minimal());
    let root = hive.root().unwrap();
    assert_eq!(root.name().unwrap(), "ROOT");
    assert_eq!(root.subkeys().count(), 0);
    assert_eq!(root.security().unwrap().unwrap().descriptor().unwrap().len(), 20);
    assert!(!hive.base_block().is_dirty());
}

#[test]
fn keys_and_values_of_every_type_are_read() {
    let multi = [utf16("eins"), utf16("zwei"), vec![0, 0]].concat();
    let hive = NewHive::new()
        .string(r"Software\Grüße\Ελλάδα", "Straße", "Übermut")
        .value("Types", "none", 0, b"")
        .value("Types", "expand", 2, &utf16("%SystemRoot%"))
        .value("Types", "binary", 3, &[1, 2, 3])
        .number("Types", "dword", 0x1234_5678)
        .value("Types", "big", 5, &0x1234_5678u32.to_be_bytes())
        .value("Types", "multi", 7, &multi)
        .value("Types", "qword", 11, &u64::MAX.to_le_bytes())
        .value("Types", "odd", 0xffff_0012, &[9; 5])
        .value("Types", "", 1, &utf16("default"))
        .key(r"Empty\Key");
    let hive = same_as_hivex(hive.build());

    let key = hive.key(r"SOFTWARE\grüße\ελλάδα").unwrap().unwrap();
    assert_eq!(key.string("STRASSE").unwrap(), None);
    assert_eq!(key.string("straße").unwrap().as_deref(), Some("Übermut"));
    let types = hive.key("types").unwrap().unwrap();
    assert_eq!(types.number("dword").unwrap(), Some(0x1234_5678));
    assert_eq!(types.number("BIG").unwrap(), Some(0x1234_5678));
    assert_eq!(types.number("qword").unwrap(), Some(u64::MAX));
    assert_eq!(types.number("binary").unwrap(), None);
    assert_eq!(types.string("expand").unwrap().as_deref(), Some("%SystemRoot%"));
    assert_eq!(types.string("").unwrap().as_deref(), Some("default"));
    let multi = types.value("multi").unwrap().unwrap();
    assert_eq!(multi.as_strings().unwrap().unwrap(), ["eins", "zwei"]);
    assert_eq!(
        types.value("odd").unwrap().unwrap().kind(),
        ValueType::Other(0xffff_0012)
    );
    assert!(types.value("missing").unwrap().is_none());
    assert!(hive.key(r"Empty\Key\Not").unwrap().is_none());
}

#[test]
fn thousands_of_subkeys_come_in_order() {
    let mut new = NewHive::new();
    for number in 0..3000 {
        new = new.number(&format!(r"Many\Key{number:05}"), "n", number);
    }
    let hive = same_as_hivex(new.build());
    let many = hive.key("many").unwrap().unwrap();
    let names: Vec<_> = many.subkeys().map(|key| key.unwrap().name().unwrap()).collect();
    assert_eq!(names.len(), 3000);
    assert!(names.is_sorted());
    assert_eq!(hive.walk().count(), 3002);
    assert_eq!(
        many.subkey("kEY02999").unwrap().unwrap().number("N").unwrap(),
        Some(2999)
    );
}

#[test]
fn long_data_are_read_whole() {
    let data: Vec<u8> = (0..100_000u32).map(|i| (i * 7 % 251) as u8).collect();
    let hive = same_as_hivex(NewHive::new().value("Long", "data", 3, &data).build());
    let long = hive.key("long").unwrap().unwrap();
    assert_eq!(*long.value("data").unwrap().unwrap().data().unwrap(), *data);
}

#[test]
fn an_unfinished_write_shows() {
    let mut bytes = hives::minimal();
    bytes[4] = 2;
    hives::fix_checksum(&mut bytes);
    assert!(Hive::parse(bytes.clone()).unwrap().base_block().is_dirty());
    bytes[8] = 2;
    assert!(
        Hive::parse(bytes.clone()).unwrap().base_block().is_dirty(),
        "the checksum is stale"
    );
    hives::fix_checksum(&mut bytes);
    assert!(!Hive::parse(bytes).unwrap().base_block().is_dirty());
}

#[test]
fn what_is_no_hive_is_refused() {
    assert!(matches!(Hive::parse(vec![0; 8192]), Err(HiveError::NotAHive(_))));
    assert!(matches!(Hive::parse(b"regf".to_vec()), Err(HiveError::NotAHive(_))));
    let mut newer = hives::minimal();
    newer[0x18] = 7;
    assert_eq!(
        Hive::parse(newer).unwrap_err(),
        HiveError::Version { major: 1, minor: 7 }
    );
    let mut log = hives::minimal();
    log[0x1c] = 6;
    assert!(matches!(Hive::parse(log), Err(HiveError::NotAHive(_))));
}
