//! Changing files on NTFS volumes, judged by ntfs-3g's programs and its mount.

#[path = "../ntfs_judges/mod.rs"]
mod judges;
mod names;
mod refused;
mod rights;
#[path = "../../../disk/tests/volumes/mod.rs"]
mod volumes;

use fs_edit::FsEditError;
use judges::*;
use std::collections::BTreeMap;
use volumes::Tree;

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
