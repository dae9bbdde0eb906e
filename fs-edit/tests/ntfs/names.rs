//! The names of files: namespaces, links, short names.

use super::judges::*;
use super::volumes::Tree;
use super::{noise, volume};
use fs_edit::FsEditError;
use std::collections::BTreeMap;

#[test]
fn names_are_in_the_namespace_that_windows_gives_them() {
    let disk = Disk::new(&volume(32, &[]).0);
    disk.edit(|editor| {
        editor.write("Windows/viostor.sys", b"MZ").unwrap();
        editor.write("Windows/netkvm-driver.sys", b"MZ").unwrap();
        editor.write("Windows/other name.sys", b"MZ").unwrap();
        editor.rename("Windows/other name.sys", "Other.sys").unwrap();
        editor.create_folder("Windows/VirtIO").unwrap();
        for (name, why) in [
            ("a:b", "not allow"),
            ("CON", "not allow"),
            ("end.", "not allow"),
            ("viostor.SYS", "beside it"),
            ("", "characters"),
            ("a/b", "not allow"),
        ] {
            let error = editor.rename("Windows/viostor.sys", name).unwrap_err();
            assert!(error.to_string().contains(why), "{name}: {error}");
        }
        let error = editor.write(&format!("Windows/{}", "n".repeat(256)), b"").unwrap_err();
        assert!(error.to_string().contains("255"), "{error}");
        editor.write(&"n".repeat(255), b"x").unwrap();
    });
    let file = disk.sound();
    for (path, namespace) in [
        ("viostor.sys", "Win32 & DOS"),
        ("VirtIO", "Win32 & DOS"),
        ("Other.sys", "Win32 & DOS"),
        ("netkvm-driver.sys", "POSIX"),
    ] {
        let info = ntfsinfo(file.path(), &format!("Windows/{path}"));
        assert_eq!(
            lines(&info, &["Namespace"]),
            [format!("Namespace:\t\t {namespace}")],
            "{path}: {info}"
        );
    }
}

/// Windows has its files twice: in System32 and, as another name of the same file, in WinSxS.
#[test]
fn names_in_other_folders_stay() {
    let tree = Tree::new()
        .file("System32/one.sys", "one")
        .file("System32/two.sys", "two")
        .file("System32/third long.sys", "three");
    let prepare = r#"mkdir -p System32 WinSxS; cp "$3"/System32/* System32
        for name in System32/*; do ln "$name" WinSxS; done"#;
    // Copying the tree again writes through the links.
    let disk = Disk::new(&tree.ntfs(32, prepare));
    disk.edit(|editor| {
        editor.rename("System32/one.sys", "uno.sys").unwrap();
        editor.rename("System32/third long.sys", "fourth long.sys").unwrap();
        editor.write("System32/two.sys", &noise(1, 10_000)).unwrap();
        editor.append("WinSxS/one.sys", b" more").unwrap();
        editor.remove("System32/two.sys").unwrap();
    });
    let one = b"one more".to_vec();
    let files = BTreeMap::from([
        ("System32/uno.sys".to_owned(), one.clone()),
        ("WinSxS/one.sys".to_owned(), one),
        ("WinSxS/two.sys".to_owned(), noise(1, 10_000)),
        ("System32/fourth long.sys".to_owned(), b"three".to_vec()),
        ("WinSxS/third long.sys".to_owned(), b"three".to_vec()),
    ]);
    assert_eq!(hashes(disk.sound().path()), expected(&files));
}

/// Windows gives a long name a short one beside it; both are names in the folder.
#[test]
fn short_names_go_with_their_long_ones() {
    let names = ["a long name.txt", "another long name.txt", "third long name.txt"];
    let tree = names.iter().fold(Tree::new(), |tree, name| tree.file(name, *name));
    let prepared = Disk::new(&tree.ntfs(32, "")).volume();
    let short = |number: usize, name: &str| {
        let hex: String = format!("LONG~{number}.TXT")
            .bytes()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        set(name, "ntfs_dos_name", &hex)
    };
    let script: String = names
        .iter()
        .enumerate()
        .map(|(number, name)| short(number, name))
        .collect();
    mounted(prepared.path(), &script);
    let disk = Disk::new(&std::fs::read(prepared.path()).unwrap());
    disk.edit(|editor| {
        for (number, name) in names.iter().enumerate() {
            let read = editor.read(&format!("long~{number}.txt"), 100).unwrap();
            assert_eq!(read, name.as_bytes());
        }
        editor.write("LONG~0.TXT", b"changed").unwrap();
        editor.remove("another long name.txt").unwrap();
        editor.rename("long~2.txt", "a new long name.txt").unwrap();
        for gone in ["LONG~1.TXT", "LONG~2.TXT", "third long name.txt"] {
            assert!(
                matches!(editor.read(gone, 100), Err(FsEditError::NotFound(_))),
                "{gone}"
            );
        }
    });
    let file = disk.sound();
    let expect = [
        ("a long name.txt", &b"changed"[..]),
        ("a new long name.txt", b"third long name.txt"),
    ];
    let expect = expect.map(|(name, data)| (name.to_owned(), data.to_vec()));
    assert_eq!(hashes(file.path()), expected(&expect.into()));
    // Name and short name are still a pair.
    let info = ntfsinfo(file.path(), "a long name.txt");
    let mut namespaces = lines(&info, &["Namespace"]);
    namespaces.sort_unstable();
    assert_eq!(namespaces, ["Namespace:\t\t DOS", "Namespace:\t\t Win32"]);
}
