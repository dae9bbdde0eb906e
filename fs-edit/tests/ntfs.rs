//! Changing files on NTFS volumes, judged by ntfs-3g's programs and its mount.

#[path = "ntfs_judges/mod.rs"]
mod judges;
#[path = "../../disk/tests/volumes/mod.rs"]
mod volumes;

use fs_edit::FsEditError;
use judges::*;
use std::collections::BTreeMap;
use volumes::{Tree, run};

/// Bytes that do not compress.
fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    std::iter::repeat_with(next).take(len).collect()
}

/// A volume with some files, and its model.
fn volume(megabytes: u32, options: &[&str]) -> (Vec<u8>, BTreeMap<String, Vec<u8>>) {
    let files = BTreeMap::from([
        ("Windows/System32/config/SYSTEM".to_owned(), noise(1, 300_000)),
        ("Windows/System32/drivers/disk.sys".to_owned(), noise(2, 40_000)),
        ("Windows/small.txt".to_owned(), b"resident".to_vec()),
        ("Windows/a name that is long.txt".to_owned(), noise(3, 5000)),
        ("empty".to_owned(), Vec::new()),
    ]);
    let tree = files
        .iter()
        .fold(Tree::new(), |tree, (path, data)| tree.file(path, data));
    (tree.ntfs_with(megabytes, options, ""), files)
}

#[test]
fn opening_writes_nothing() {
    let (volume, files) = volume(32, &[]);
    let disk = Disk::new(&volume);
    disk.edit(|editor| {
        for (path, data) in &files {
            assert_eq!(&editor.read(&path.to_uppercase(), 1 << 20).unwrap(), data, "{path}");
        }
        assert!(matches!(editor.read("Windows/none", 10), Err(FsEditError::NotFound(_))));
        assert!(matches!(editor.read("none/none", 10), Err(FsEditError::NotFound(_))));
        assert!(matches!(editor.read("empty/none", 10), Err(FsEditError::NotFound(_))));
        let error = editor.read("Windows/System32/config/SYSTEM", 299_999).unwrap_err();
        assert!(error.to_string().contains("300000 bytes"), "{error}");
    });
    assert_eq!(disk.scratch.changes().unwrap(), []);
}

/// Everything that can be done, on clusters of every kind of size.
#[test]
fn every_change_is_what_the_judges_see() {
    for options in [&[][..], &["-c", "512"], &["-c", "65536"], &["-s", "4096"]] {
        let (volume, mut files) = volume(64, options);
        let disk = Disk::new(&volume);
        disk.edit(|editor| {
            let mut write = |path: &str, data: Vec<u8>| {
                editor.write(path, &data).unwrap();
                assert_eq!(editor.read(path, 1 << 22).unwrap(), data);
                files.insert(path.to_owned(), data);
            };
            // Out of the record, larger and smaller in clusters, to nothing, out of nothing.
            write("Windows/small.txt", noise(10, 90_000));
            write("Windows/System32/config/SYSTEM", noise(11, 1_234_567));
            write("Windows/System32/drivers/disk.sys", noise(12, 39));
            write("Windows/a name that is long.txt", Vec::new());
            write("empty", noise(13, 3));
            write("new.sys", noise(14, 30_000));
            write("Windows/a new name that is long.data", noise(15, 700));

            editor.append("empty", b"more").unwrap();
            files.get_mut("empty").unwrap().extend(b"more");
            editor.append("Windows/small.txt", &noise(16, 70_001)).unwrap();
            files.get_mut("Windows/small.txt").unwrap().extend(noise(16, 70_001));

            editor.create_folder("WINDOWS/Drivers/VirtIO").unwrap();
            editor.create_folder("Windows/drivers").unwrap();
            editor
                .write("windows/drivers/virtio/viostor.sys", &noise(17, 20_000))
                .unwrap();
            files.insert("Windows/Drivers/VirtIO/viostor.sys".to_owned(), noise(17, 20_000));

            editor.rename("new.sys", "renamed to something long.sys").unwrap();
            let data = files.remove("new.sys").unwrap();
            files.insert("renamed to something long.sys".to_owned(), data);
            editor.remove("Windows/A NEW name that is long.data").unwrap();
            files.remove("Windows/a new name that is long.data");
        });
        let file = disk.sound();
        assert_eq!(hashes(file.path()), expected(&files), "{options:?}");
        for (path, data) in &files {
            assert_eq!(&ntfscat(file.path(), path), data, "{path}");
        }
        // Again from the start: what was written can be changed.
        disk.edit(|editor| {
            for (path, data) in &mut files {
                assert_eq!(&editor.read(path, 1 << 22).unwrap(), data);
                *data = noise(data.len() as u64, data.len() / 2);
                editor.write(path, data).unwrap();
            }
        });
        assert_eq!(hashes(disk.sound().path()), expected(&files), "{options:?}");
    }
}

#[test]
fn many_files_and_large_ones() {
    let (volume, mut files) = volume(160, &[]);
    let disk = Disk::new(&volume);
    disk.edit(|editor| {
        for number in 0..600u64 {
            let path = format!("Windows/System32/drivers/file{number}.sys");
            let data = noise(number, usize::try_from(number * 13).unwrap());
            editor.write(&path, &data).unwrap();
            files.insert(path, data);
        }
        editor.create_folder("many").unwrap();
        for number in 0..8000 {
            let path = format!("many/entry {number}.txt");
            editor.write(&path, path.as_bytes()).unwrap();
            files.insert(path.clone(), path.into_bytes());
        }
        editor.write("large.bin", &noise(1, 40 << 20)).unwrap();
        files.insert("large.bin".to_owned(), noise(1, 40 << 20));
    });
    assert_eq!(hashes(disk.sound().path()), expected(&files));
    disk.edit(|editor| {
        for number in (0..8000).filter(|number| number % 3 != 0) {
            let path = format!("many/entry {number}.txt");
            match number % 2 {
                0 => editor.remove(&path).unwrap(),
                _ => editor.rename(&path, &format!("{number}")).unwrap(),
            }
            let data = files.remove(&path).unwrap();
            if number % 2 != 0 {
                files.insert(format!("many/{number}"), data);
            }
        }
        editor.write("large.bin", b"small again").unwrap();
        files.insert("large.bin".to_owned(), b"small again".to_vec());
    });
    assert_eq!(hashes(disk.sound().path()), expected(&files));
}

#[test]
fn a_file_keeps_what_is_not_its_contents() {
    let tree = Tree::new()
        .file("a long file name.txt", noise(1, 5000))
        .file("small", "x");
    let times = "00407afffa39d801".repeat(4);
    let prepare = [
        "cp \"$3/small\" kept\n",
        &set("kept", "ntfs_attrib_be", "00000021"),
        &set("kept", "ntfs_times", &times),
    ];
    let prepare = format!("{}ln kept second", prepare.concat());
    let disk = Disk::new(&tree.ntfs(32, &prepare));
    let facts = |name: &str| {
        let file = disk.sound();
        let info = ntfsinfo(file.path(), name);
        lines(
            &info,
            &[
                "Dumping Inode",
                "File Creation Time",
                "File attributes",
                "Security ID",
                "Namespace",
                "Filename",
            ],
        )
    };
    let before = [facts("kept"), facts("a long file name.txt")];
    assert!(format!("{before:?}").contains("READONLY"), "{before:?}");
    disk.edit(|editor| {
        editor.write("kept", &noise(2, 9000)).unwrap();
        editor.write("A LONG FILE NAME.TXT", b"short").unwrap();
        // A hard link is another name of the same file.
        assert_eq!(editor.read("second", 10_000).unwrap(), noise(2, 9000));
    });
    assert_eq!([facts("kept"), facts("a long file name.txt")], before);
    disk.edit(|editor| editor.remove("kept").unwrap());
    assert_eq!(ntfscat(disk.sound().path(), "second"), noise(2, 9000));
}

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

#[test]
fn files_of_special_kinds_are_handled_or_refused() {
    let packed = "mkdir packed\n".to_owned() + &set("packed", "ntfs_attrib_be", "00000800");
    let special = [
        "truncate -s 3M sparse; echo end >> sparse; echo x > wof; echo x > link; mkdir junction; echo x > secret\n",
        &set(
            "wof",
            "ntfs_reparse_data",
            "170000801000000001000000020000000100000000000000",
        ),
        // A symbolic link and a junction to C:\\x.
        &set(
            "link",
            "ntfs_reparse_data",
            "0c0000a01800000000000400040004000100000043003a0043003a0000000000",
        ),
        &set(
            "junction",
            "ntfs_reparse_data",
            "030000a014000000000004000600040043003a00000043003a000000",
        ),
    ]
    .concat();
    let tree = Tree::new().file("packed/file", "compress me ".repeat(30_000));
    let volume = tree.ntfs(32, &(packed + &special));
    let disk = Disk::new(&volume);
    let text = |len: usize| "other text that is compressed ".repeat(len).into_bytes();
    let mut files = BTreeMap::new();
    disk.edit(|editor| {
        assert_eq!(
            editor.read("packed/file", 1 << 20).unwrap(),
            "compress me ".repeat(30_000).as_bytes()
        );
        for (path, why) in [
            ("wof", "CompactOS"),
            ("link", "reparse point"),
            ("junction/file", "junction"),
            ("packed", "folder"),
            ("$MFT", "NTFS itself"),
            ("$Extend/$ObjId", "NTFS itself"),
            ("", "root folder"),
        ] {
            for error in [
                editor.read(path, 100).unwrap_err(),
                editor.write(path, b"x").unwrap_err(),
            ] {
                assert!(error.to_string().contains(why), "{path}: {error}");
            }
        }
        assert!(editor.remove("packed").is_err() && editor.rename("packed", "other").is_err());
        assert!(
            editor
                .create_folder("packed/file/inside")
                .unwrap_err()
                .to_string()
                .contains("a file of this name")
        );

        let mut write = |path: &str, data: Vec<u8>| {
            editor.write(path, &data).unwrap();
            assert_eq!(editor.read(path, 1 << 22).unwrap(), data, "{path}");
            files.insert(path.to_owned(), data);
        };
        write("sparse", noise(1, 100_000));
        write("packed/file", text(5000));
        write("packed/new", text(4000));
        write("packed/noise", noise(2, 200_000));
        for _ in 0..5 {
            for path in ["packed/file", "packed/noise", "sparse"] {
                editor.append(path, &text(700)).unwrap();
                files.get_mut(path).unwrap().extend(text(700));
            }
        }
    });
    let file = disk.sound();
    for (path, data) in &files {
        assert!(ntfscat(file.path(), path) == *data, "{path}");
    }
    let shown = hashes(file.path());
    for (path, hash) in expected(&files) {
        assert_eq!(shown.get(&path), Some(&hash), "{path}");
    }
    let info = ntfsinfo(file.path(), "packed/file");
    assert!(info.contains("COMPRESSED"), "{info}");

    // Encrypted: the flags of the data attribute and of the file, in the record.
    let mut volume = volume;
    let file = Disk::new(&volume).volume();
    let at = record(file.path(), "secret");
    let data = attribute(&volume[at..], 0x80);
    volume[at + data + 13] = 0x40;
    let information = attribute(&volume[at..], 0x10) + 24;
    volume[at + information + 0x21] |= 0x40;
    let disk = Disk::new(&volume);
    let error = disk.open().unwrap().write("secret", b"x").unwrap_err();
    assert!(error.to_string().contains("encrypted"), "{error}");
}

/// Where the attribute of this type starts in a record.
fn attribute(record: &[u8], kind: u32) -> usize {
    let word = |at: usize| u32::from_le_bytes(record[at..at + 4].try_into().unwrap());
    let mut at = usize::from(record[0x14]);
    while word(at) != kind {
        at += usize::try_from(word(at + 4)).unwrap();
    }
    at
}

#[test]
fn a_full_volume_is_refused_before_anything_is_broken() {
    let (volume, mut files) = volume(8, &[]);
    let disk = Disk::new(&volume);
    disk.edit(|editor| {
        let error = editor.write("large", &noise(1, 8 << 20)).unwrap_err();
        assert!(matches!(error, FsEditError::NoRoom { .. }), "{error}");
        let mut number = 0;
        let error = loop {
            let (path, data) = (
                format!("Windows/file {number}"),
                noise(number, 700 + 13 * usize::try_from(number).unwrap()),
            );
            match editor.write(&path, &data) {
                Ok(()) => files.insert(path, data),
                Err(error) => break error,
            };
            number += 1;
        };
        assert!(number > 100, "{number}");
        assert!(matches!(error, FsEditError::NoRoom { .. }), "{error}");
        let error = editor.append("Windows/file 5", &noise(2, 1 << 20)).unwrap_err();
        assert!(matches!(error, FsEditError::NoRoom { .. }), "{error}");
        // It still works: smaller is possible, and what is removed makes room.
        editor.write("Windows/file 7", b"small").unwrap();
        files.insert("Windows/file 7".to_owned(), b"small".to_vec());
        for number in 100..number {
            editor.remove(&format!("Windows/file {number}")).unwrap();
            files.remove(&format!("Windows/file {number}"));
        }
        editor.write("again", &noise(3, 100_000)).unwrap();
        files.insert("again".to_owned(), noise(3, 100_000));
    });
    assert_eq!(hashes(disk.sound().path()), expected(&files));
}

#[test]
fn a_disk_that_fails_is_told_and_nothing_is_done_after_it() {
    let (volume, _) = volume(32, &[]);
    let disk = Disk::with_limit(&volume, 256 << 10);
    let mut editor = disk.open().unwrap();
    let error = editor.write("large", &noise(1, 1 << 20)).unwrap_err();
    assert!(
        error.to_string().contains("262144 bytes would have to be changed"),
        "{error}"
    );
    let error = editor.write("small", b"x").unwrap_err();
    assert!(error.to_string().contains("earlier change"), "{error}");
    assert!(editor.finish().is_err());
}

#[test]
fn what_is_not_finished_stops_where_it_was() {
    let (volume, _) = volume(32, &[]);
    let disk = Disk::new(&volume);
    let snapshot = disk.scratch.snapshot();
    let mut editor = disk.open().unwrap();
    editor.write("new", &noise(1, 1 << 20)).unwrap();
    let at_the_end = disk.scratch.changes().unwrap();
    drop(editor);
    assert_eq!(disk.scratch.changes().unwrap(), at_the_end);
    disk.scratch.restore(snapshot);
    disk.sound();
}

#[test]
fn volumes_that_are_not_in_order_are_refused() {
    let (volume, _) = volume(32, &[]);
    let refused = |volume: &[u8], why: &str| {
        let disk = Disk::new(volume);
        match disk.open() {
            Err(FsEditError::Unfit { kind: "NTFS", reason }) => assert!(reason.contains(why), "{why}: {reason}"),
            Err(error) => panic!("{why}: {error}"),
            Ok(_) => panic!("{why}: opened"),
        }
        assert_eq!(disk.scratch.changes().unwrap(), [], "{why}");
    };
    // A log in use: restart pages with a client that has not signed off.
    let file = Disk::new(&volume).volume();
    let log = clusters(file.path(), "$LogFile")[0].start;
    for (version, flags, why) in [
        (1, 0, "did not close"),
        (2, 0, "did not close"),
        (2, 2, "did not close"),
    ] {
        let mut open = volume.clone();
        for page in [log, log + 4096] {
            open[page..page + 4096].copy_from_slice(&restart_page(version, flags));
        }
        refused(&open, why);
    }
    let mut damaged = volume.clone();
    damaged[log..log + 8192].fill(0x33);
    refused(&damaged, "log");
    // `ntfsfix` without options marks the volume for chkdsk.
    let file = Disk::new(&volume).volume();
    run("ntfs-3g", "ntfsfix", &[file.path().to_str().unwrap()]);
    refused(&std::fs::read(file.path()).unwrap(), "chkdsk");
    // The session of a hibernated Windows.
    let mut session = b"hibr".to_vec();
    session.resize(8192, 0);
    refused(&Tree::new().file("hiberfil.sys", session).ntfs(32, ""), "hiberfil.sys");
    Disk::new(&Tree::new().file("hiberfil.sys", vec![0; 8192]).ntfs(32, ""))
        .edit(|editor| editor.write("x", b"x").unwrap());
    // Windows NT 4.0's version, in the volume's own record and in its mirror.
    let mut old = volume.clone();
    let file = Disk::new(&volume).volume();
    let record = record(file.path(), "$Volume");
    let mirror = clusters(file.path(), "$MFTMirr")[0].start + 3 * 1024;
    for at in [record, mirror] {
        let value = at + attribute(&volume[at..], 0x70) + 24;
        assert_eq!(old[value + 8..value + 10], [3, 1]);
        old[value + 8..value + 10].copy_from_slice(&[1, 2]);
    }
    refused(&old, "version is 1.2");
    refused(&vec![0; 1 << 20], "boot sector");
    refused(&volume[..volume.len() - (1 << 20)], "boot sector");
}

/// A restart page of the log, with a client.
fn restart_page(version: u8, flags: u8) -> Vec<u8> {
    let mut page = vec![0; 4096];
    let mut put = |at: usize, bytes: &[u8]| page[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, b"RSTR\x1E\0\x09\0");
    put(0x10, &4096u32.to_le_bytes());
    put(0x14, &4096u32.to_le_bytes());
    put(0x18, &[0x30, 0, 1, 0, version, 0]);
    put(0x30, &5u64.to_le_bytes());
    put(0x3A, &[0xFF, 0xFF, 0, 0, flags, 0]);
    for block in 0..8 {
        put(block * 512 + 510, &[1, 0]);
    }
    put(0x1E, &[1, 0]);
    page
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
