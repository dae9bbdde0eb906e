//! The rights of new files, as Windows gives them.

use super::judges::*;
use super::volume;
use super::volumes::run;

/// System32\drivers as Windows XP sets it up: SYSTEM, Administrators and the creator may do everything, Users read.
/// All of it is given on to what is made in it.
const DRIVERS: [(&str, u32, u8); 4] = [
    ("system", ALL, 3),
    ("administrators", ALL, 3),
    ("users", READ, 3),
    ("creator", ALL, 0x0B),
];

#[test]
fn new_files_get_the_rights_of_their_folder() {
    let (drivers, closed) = (descriptor(0x8404, &DRIVERS), descriptor(0x8404, &[("system", ALL, 0)]));
    let prepared = Disk::new(&volume(32, &[]).0).volume();
    let rights = [
        set("Windows/System32/drivers", "ntfs_acl", &drivers),
        set("Windows/System32/config", "ntfs_acl", &closed),
    ];
    mounted(prepared.path(), &rights.concat());
    let disk = Disk::new(&std::fs::read(prepared.path()).unwrap());
    disk.edit(|editor| {
        for number in 0..20 {
            editor
                .write(&format!("Windows/System32/drivers/new{number}.sys"), b"MZ")
                .unwrap();
        }
        editor.create_folder("Windows/System32/drivers/folder").unwrap();
        editor
            .write("Windows/System32/drivers/folder/inside.sys", b"MZ")
            .unwrap();
        editor.write("Windows/System32/config/secret", b"x").unwrap();
    });
    let file = disk.sound();
    let acl = |path: &str| mounted(file.path(), &get(path, "ntfs_acl")).trim().to_owned();
    // Each entry is marked as inherited; "creator" has become the owner, who is Administrators.
    let inherited = [
        ("system", ALL, 0x10),
        ("administrators", ALL, 0x10),
        ("users", READ, 0x10),
        ("administrators", ALL, 0x10),
    ];
    let inherited = list(&inherited);
    for path in ["new3.sys", "folder/inside.sys"] {
        let acl = acl(&format!("Windows/System32/drivers/{path}"));
        // Revision 1, the list inherited and present.
        assert!(acl.starts_with("01000484") && acl.contains(&inherited), "{path}: {acl}");
    }
    // The folder above gives nothing on: not more people than there may see it.
    assert_eq!(acl("Windows/System32/config/secret"), closed);
    let number = |path: &str| lines(&ntfsinfo(file.path(), path), &["Security ID"]);
    assert_eq!(
        number("Windows/System32/drivers/new0.sys"),
        number("Windows/System32/drivers/new19.sys")
    );
    let audit = run("ntfs-3g", "ntfssecaudit", &["-a", file.path().to_str().unwrap()]);
    assert!(audit.contains("No errors were found"), "{audit}");
}

const ALL: u32 = 0x001F_01FF;
const READ: u32 = 0x0012_00A9;

/// An access control list in hexadecimal: who, mask and flags of each entry.
fn list(entries: &[(&str, u32, u8)]) -> String {
    let mut list = Vec::new();
    for (name, mask, flags) in entries {
        let sid = sid(name);
        list.extend([0, *flags]);
        list.extend(u16::try_from(8 + sid.len()).unwrap().to_le_bytes());
        list.extend(mask.to_le_bytes());
        list.extend(sid);
    }
    let mut bytes = vec![2, 0];
    bytes.extend(u16::try_from(8 + list.len()).unwrap().to_le_bytes());
    bytes.extend(u16::try_from(entries.len()).unwrap().to_le_bytes());
    bytes.extend([0, 0]);
    bytes.extend(list);
    hex(&bytes)
}

/// A self-relative security descriptor in hexadecimal, owned by Administrators.
fn descriptor(control: u16, entries: &[(&str, u32, u8)]) -> String {
    let mut bytes = vec![1, 0];
    bytes.extend(control.to_le_bytes());
    for offset in [20, 36, 0, 52u32] {
        bytes.extend(offset.to_le_bytes());
    }
    bytes.extend([sid("administrators"), sid("administrators")].concat());
    hex(&bytes) + &list(entries)
}

fn sid(name: &str) -> Vec<u8> {
    match name {
        "system" => vec![1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0],
        "administrators" => vec![1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x20, 2, 0, 0],
        "users" => vec![1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x21, 2, 0, 0],
        "creator" => vec![1, 1, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0],
        other => panic!("{other}"),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
