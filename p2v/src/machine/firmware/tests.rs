use super::*;
use proptest::prelude::*;

const BOOT_ORDER: &str = "BootOrder-8be4df61-93ca-11d2-aa0d-00e098032b8c";

/// A made-up `/sys/firmware`.
fn sys(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let path = root.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    root
}

#[test]
fn what_a_pc_does_not_have_is_not_missing() {
    let found = read(sys(&[]).path());
    assert!(found.files.is_empty() && found.missing.is_empty(), "{found:?}");
    assert_eq!(found.text(), None);
}

#[test]
fn what_cannot_be_read_is_told_and_the_rest_is_there() {
    let variable = [&[7, 0, 0, 0][..], &[1, 0, 0, 0]].concat();
    let large = vec![0; 300 << 10];
    let root = sys(&[
        ("dmi/tables/smbios_entry_point", b"_SM_"),
        ("dmi/tables/DMI/folder", b""),
        ("acpi/tables/SLIC", b""),
        ("acpi/tables/MSDM", b"MSDM"),
        (&format!("efi/efivars/{BOOT_ORDER}"), &variable),
        ("efi/efivars/Large-8be4df61-93ca-11d2-aa0d-00e098032b8c", &large),
        ("efi/efivars/Short-8be4df61-93ca-11d2-aa0d-00e098032b8c", b"\x07\0\0"),
        ("efi/efivars/nameless", &variable),
    ]);
    let found = read(root.path());
    let names: Vec<_> = found.files.iter().map(|file| &*file.name).collect();
    assert_eq!(names, [SMBIOS_ENTRY_POINT, MSDM, UEFI_VARIABLES]);
    for (said, what) in found.missing.iter().zip(["DMI", "SLIC", "Large", "Short", "nameless"]) {
        assert!(said.contains(what), "{said}");
    }
    assert_eq!(found.missing.len(), 5, "{:?}", found.missing);
    let json: serde_json::Value = serde_json::from_slice(&found.files[2].bytes).unwrap();
    let wanted = serde_json::json!({"version": 2, "variables": [{
        "name": "BootOrder", "guid": "8be4df61-93ca-11d2-aa0d-00e098032b8c", "attr": 7, "data": "01000000",
    }]});
    assert_eq!(json, wanted);
}

#[test]
fn an_efivarfs_that_is_not_mounted_is_told() {
    let root = sys(&[("efi/efivars/x", b"")]);
    fs::remove_file(root.path().join("efi/efivars/x")).unwrap();
    let found = read(root.path());
    assert!(found.missing[0].contains("mount -t efivarfs"), "{found:?}");
}

#[test]
fn the_folder_is_whole_and_made_once() {
    let machine = tempfile::tempdir().unwrap();
    let file = |text: &str| FirmwareFile {
        name: SLIC.to_owned(),
        bytes: text.into(),
    };
    // What a killed p2v left.
    fs::create_dir(machine.path().join("firmware.partial")).unwrap();
    fs::write(machine.path().join("firmware.partial/dmi"), "half").unwrap();
    write(machine.path(), &[file("first")]).unwrap();
    write(machine.path(), &[file("second")]).unwrap();
    assert_eq!(load_all(machine.path()).unwrap(), [file("first")]);
    assert_eq!(names(machine.path()).unwrap(), [FIRMWARE]);
    let saved = fs::metadata(machine.path().join("firmware/SLIC")).unwrap();
    assert!(saved.permissions().readonly());
    remove(machine.path(), FIRMWARE).unwrap();
    assert!(names(machine.path()).unwrap().is_empty());
    remove(machine.path(), FIRMWARE).unwrap();
}

proptest! {
    #[test]
    fn any_file_there_is_survived(
        names in prop::collection::vec("[a-zA-Z0-9é-]{1,50}", 0..8),
        bytes in prop::collection::vec(any::<u8>(), 0..100)
    ) {
        let names: std::collections::BTreeSet<_> = names.into_iter().collect();
        let paths: Vec<String> = names.iter().map(|name| format!("efi/efivars/{name}")).collect();
        let files: Vec<(&str, &[u8])> = paths.iter().map(|path| (&**path, &*bytes)).collect();
        let found = read(sys(&files).path());
        let read = found.files.first().map_or(0, |file| {
            let json: serde_json::Value = serde_json::from_slice(&file.bytes).unwrap();
            json["variables"].as_array().unwrap().len()
        });
        if !names.is_empty() {
            prop_assert_eq!(read + found.missing.len(), names.len());
        }
    }
}
