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
    let tree = files.iter().fold(Tree::new(), |tree, (path, data)| tree.file(path, data));
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
            editor.write("windows/drivers/virtio/viostor.sys", &noise(17, 20_000)).unwrap();
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
    let tree = Tree::new().file("a long file name.txt", noise(1, 5000)).file("small", "x");
    let prepare = r#"cp "$3/small" kept; setfattr -h -v 0x21000000 -n system.ntfs_attrib kept
        setfattr -v 0x00407AFFFA39D801004079FFFA39D801004079FFFA39D801004079FFFA39D801 -n system.ntfs_times kept
        ln kept second"#;
    let disk = Disk::new(&tree.ntfs(32, prepare));
    let facts = |name: &str| {
        let file = disk.sound();
        let info = ntfsinfo(file.path(), name);
        lines(&info, &["Dumping Inode", "File Creation Time", "File attributes", "Security ID", "Namespace", "Filename", "Hard"])
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
fn new_files_get_the_rights_of_their_folder() {
    let disk = Disk::new(&volume(32, &[]).0);
    // Made by ntfssecaudit's own writer from readable parts: owner, group, and the list.
    let descriptor = descriptor(&[("system", ALL, 3), ("administrators", ALL, 3), ("users", READ, 3), ("creator", ALL, 0x0B)]);
    let prepared = disk.volume();
    mounted(prepared.path(), &format!("setfattr -n system.ntfs_acl -v 0x{descriptor} Windows/System32/drivers"));
    let closed = crate::descriptor(&[("system", ALL, 0)]);
    mounted(prepared.path(), &format!("setfattr -n system.ntfs_acl -v 0x{closed} Windows/System32/config"));
    let disk = Disk::new(&std::fs::read(prepared.path()).unwrap());
    disk.edit(|editor| {
        for number in 0..20 {
            editor.write(&format!("Windows/System32/drivers/new{number}.sys"), b"MZ").unwrap();
        }
        editor.create_folder("Windows/System32/drivers/folder").unwrap();
        editor.write("Windows/System32/drivers/folder/inside.sys", b"MZ").unwrap();
        editor.write("Windows/System32/config/secret", b"x").unwrap();
    });
    let file = disk.sound();
    let acl = |path: &str| {
        let text = mounted(file.path(), &format!("getfattr --only-values -n system.ntfs_acl {path} | od -An -v -tx1"));
        text.split_whitespace().collect::<String>()
    };
    let new = acl("Windows/System32/drivers/new3.sys");
    println!("{new}");
    assert_eq!(new, acl("Windows/System32/drivers/folder/inside.sys"));
    assert_eq!(acl("Windows/System32/config/secret"), closed);
    let audit = run("ntfs-3g", "ntfssecaudit", &["-a", file.path().to_str().unwrap()]);
    println!("{audit}");
    panic!();
}

const ALL: u32 = 0x001F_01FF;
const READ: u32 = 0x0012_00A9;

/// A self-relative security descriptor in hexadecimal: who, mask and inheritance flags of each entry.
fn descriptor(entries: &[(&str, u32, u8)]) -> String {
    let sid = |name: &str| -> Vec<u8> {
        match name {
            "system" => vec![1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0],
            "administrators" => vec![1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x20, 2, 0, 0],
            "users" => vec![1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x21, 2, 0, 0],
            "creator" => vec![1, 1, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0],
            other => panic!("{other}"),
        }
    };
    let mut list = Vec::new();
    for (name, mask, flags) in entries {
        let sid = sid(name);
        list.extend([0, *flags]);
        list.extend(u16::try_from(8 + sid.len()).unwrap().to_le_bytes());
        list.extend(mask.to_le_bytes());
        list.extend(sid);
    }
    let mut bytes = vec![1, 0, 4, 0x84];
    let administrators = sid("administrators");
    for offset in [20, 36, 0, 52u32] {
        bytes.extend(offset.to_le_bytes());
    }
    bytes.extend([&administrators[..], &administrators].concat());
    bytes.extend([2, 0]);
    bytes.extend(u16::try_from(8 + list.len()).unwrap().to_le_bytes());
    bytes.extend(u16::try_from(entries.len()).unwrap().to_le_bytes());
    bytes.extend([0, 0]);
    bytes.extend(list);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
