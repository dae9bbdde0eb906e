//! Files on volumes made by mke2fs, ntfs-3g and mtools, read by us; what they should be is what was put there.

mod volumes;

use disk::guestfs::{self, GuestFs, GuestFsError};
use disk::usedmap::VolumeKind::{self, Ext, Fat, Ntfs, Swap};
use std::sync::Arc;
use volumes::{Tree, run, run_with_input};

fn open(kind: VolumeKind, volume: Vec<u8>) -> Box<dyn GuestFs> {
    guestfs::open(kind, Arc::new(volume)).unwrap().unwrap()
}

/// Bytes that repeat nowhere near.
fn noise(len: usize) -> Vec<u8> {
    (0..len as u32)
        .flat_map(|i| i.wrapping_mul(2_654_435_761).to_le_bytes())
        .take(len)
        .collect()
}

const LONG: &str = "a long name that has no 8.3 form, with äöü and more than one entry.configuration";

/// Files of many sizes: none, resident in NTFS, one cluster, many.
fn tree() -> Tree {
    let mut tree = Tree::new().folder("Empty");
    for size in [0, 1, 100, 700, 4096, 5000, 300_000] {
        tree = tree.file(&format!("Sizes/{size}.bin"), noise(size));
    }
    for number in 0..600 {
        tree = tree.file(&format!("Many/file number {number:03}.txt"), number.to_string());
    }
    tree.file(LONG, "long").file("One/Two/Three/Four/five", "deep")
}

/// What all three filesystems have in common.
fn check(fs: &mut dyn GuestFs) {
    for size in [0, 1, 100, 700, 4096, 5000, 300_000] {
        let path = format!("/Sizes/{size}.bin");
        assert_eq!(fs.size(&path).unwrap(), size as u64);
        assert!(fs.read(&path, 1 << 20).unwrap() == noise(size), "{path}");
        assert!(fs.read_start(&path, 512).unwrap() == noise(size.min(512)), "{path}");
    }
    assert_eq!(fs.read(LONG, 10).unwrap(), b"long");
    assert_eq!(fs.read("One/Two//Three/./Four/five", 10).unwrap(), b"deep");

    let many = fs.list("Many").unwrap();
    assert_eq!(many.len(), 600);
    assert_eq!(many[599], "file number 599.txt");
    assert_eq!(fs.read("Many/file number 321.txt", 10).unwrap(), b"321");
    assert_eq!(fs.list("Empty").unwrap(), [""; 0]);
    assert!(fs.list("/").unwrap().contains(&LONG.to_owned()));

    assert!(fs.exists("/"));
    assert!(fs.exists("Sizes"));
    assert!(!fs.exists("Sizes/2.bin"));
    assert!(!fs.exists("Sizes/1.bin/below"));
    assert_eq!(
        fs.find("one", "TWO").unwrap_or_default(),
        fs.find("One", "two").unwrap().filter(|_| fs.exists("one"))
    );
    assert_eq!(fs.find("One", "tWO").unwrap().as_deref(), Some("Two"));
    assert_eq!(fs.find("One", "three").unwrap(), None);

    assert!(matches!(fs.read("no/such", 1), Err(GuestFsError::NotFound(path)) if path == "no/such"));
    assert!(matches!(fs.read("Sizes", 1), Err(GuestFsError::WrongKind { .. })));
    assert!(matches!(fs.list("Sizes/1.bin"), Err(GuestFsError::WrongKind { .. })));
    let error = fs.read("Sizes/5000.bin", 4999).unwrap_err();
    assert!(
        matches!(
            error,
            GuestFsError::TooLarge {
                size: 5000,
                limit: 4999,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn ext_files_are_read() {
    for kind in ["ext2", "ext3", "ext4"] {
        let mut fs = open(Ext, tree().ext(kind, 16));
        check(&mut *fs);
        assert!(!fs.exists("sizes"), "ext has case");
    }
}

#[test]
fn ntfs_files_are_read_whatever_the_case() {
    let mut fs = open(Ntfs, tree().ntfs(16, ""));
    check(&mut *fs);
    assert_eq!(fs.read("SIZES/100.BIN", 100).unwrap(), noise(100));
    assert_eq!(fs.read(&LONG.to_uppercase(), 10).unwrap(), b"long");
}

#[test]
fn fat_files_are_read_whatever_the_case() {
    for (megabytes, options, name) in [
        (8, &["-F12"][..], "FAT12"),
        (20, &["-F16"], "FAT16"),
        (40, &["-F32", "-s1"], "FAT32"),
    ] {
        let volume = tree().fat_with(megabytes, options);
        let field = if name == "FAT32" { 82 } else { 54 };
        assert_eq!(&volume[field..field + 5], name.as_bytes());
        let mut fs = open(Fat, volume);
        check(&mut *fs);
        assert_eq!(fs.read("sizes/100.BIN", 100).unwrap(), noise(100));
        assert_eq!(fs.read(&LONG.to_uppercase(), 10).unwrap(), b"long");
        assert_eq!(
            fs.read("ALONGN~1.CON", 10).unwrap(),
            b"long",
            "short names lead to the same files"
        );
    }
}

#[test]
fn symbolic_links_are_followed_and_circles_end() {
    let tree = Tree::new()
        .file("usr/lib/os-release", "ID=x")
        .link("etc/os-release", "../usr/lib/os-release")
        .link("lib", "/usr/lib")
        .link("loop", "loop")
        .link("broken", "/nowhere");
    let mut fs = open(Ext, tree.ext("ext4", 4));
    assert_eq!(fs.read("etc/os-release", 9).unwrap(), b"ID=x");
    assert_eq!(fs.read("lib/os-release", 9).unwrap(), b"ID=x");
    assert!(matches!(fs.read("broken", 9), Err(GuestFsError::NotFound(_))));
    assert!(matches!(fs.read("loop", 9), Err(GuestFsError::Damaged { .. })));
}

/// Writes a volume out, runs debugfs on it, reads it back.
fn debugfs(volume: &[u8], commands: &str) -> Vec<u8> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), volume).unwrap();
    run_with_input(
        "e2fsprogs",
        "debugfs",
        &["-w", "-f", "-", file.path().to_str().unwrap()],
        commands,
    );
    std::fs::read(file.path()).unwrap()
}

const INCOMPAT: usize = 1024 + 0x60;
const NEEDS_RECOVERY: u8 = 4;

/// A volume whose journal holds a newer block of the file `etc/name`: "before" is on the disk, "after!" in the journal.
/// `open` are the options of debugfs' `journal_open`.
fn with_journal(open: &str) -> Vec<u8> {
    let volume = Tree::new().file("etc/name", "before").ext("ext4", 8);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &volume).unwrap();
    let block = run(
        "e2fsprogs",
        "debugfs",
        &["-R", "blocks /etc/name", file.path().to_str().unwrap()],
    );
    let size = 1024 << u32::from_le_bytes(volume[1024 + 0x18..1024 + 0x1c].try_into().unwrap());
    let mut contents = vec![0; size];
    contents[..6].copy_from_slice(b"after!");
    let new = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(new.path(), contents).unwrap();
    let (block, new) = (block.trim(), new.path().display());
    let commands = format!("journal_open {open}\njournal_write -b {block} {new}\njournal_close\n");
    let volume = debugfs(&volume, &commands);
    assert_ne!(
        volume[INCOMPAT] & NEEDS_RECOVERY,
        0,
        "debugfs left a journal to recover"
    );
    volume
}

#[test]
fn a_journal_that_waits_for_recovery_is_applied() {
    let mut fs = open(Ext, with_journal("-c -v 3"));
    assert_eq!(fs.read("etc/name", 9).unwrap(), b"after!");
}

#[test]
fn an_older_journal_that_waits_for_recovery_is_left_alone() {
    let mut fs = open(Ext, with_journal(""));
    assert_eq!(fs.read("etc/name", 9).unwrap(), b"before");
}

#[test]
fn a_damaged_journal_does_not_hide_the_files() {
    let volume = Tree::new().file("etc/name", "x").ext("ext4", 8);
    let mut volume = debugfs(&volume, "feature needs_recovery\nssv journal_inum 3\n");
    assert_ne!(volume[INCOMPAT] & NEEDS_RECOVERY, 0);
    let mut fs = open(Ext, volume.clone());
    assert_eq!(fs.read("etc/name", 9).unwrap(), b"x");
    // Without the flag there is nothing to forgive: a wrong checksum is an error.
    volume[INCOMPAT] &= !NEEDS_RECOVERY;
    assert!(guestfs::open(Ext, Arc::new(volume)).is_err());
}

#[test]
fn fragmented_and_sparse_ntfs_files_are_read() {
    // Two files that grow in turns leave each other runs so short that they need attribute lists.
    let prepare = r#"/usr/bin/python3 - <<'END'
one, two = open("one", "wb", 0), open("two", "wb", 0)
for number in range(1500):
    one.write(number.to_bytes(4, "little") * 1024)
    two.write(b"\xff" * 4096)
with open("sparse", "wb") as sparse:
    sparse.seek(3 << 20)
    sparse.write(b"end")
with open("preallocated", "wb") as file:
    file.write(b"start")
    file.truncate(100000)
END"#;
    let volume = Tree::new().ntfs(32, prepare);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &volume).unwrap();
    let info = run("ntfs-3g", "ntfsinfo", &["-F", "one", file.path().to_str().unwrap()]);
    assert!(
        info.contains("ATTRIBUTE_LIST"),
        "the file is not fragmented enough:\n{info}"
    );

    let mut fs = open(Ntfs, volume);
    let expected: Vec<u8> = (0..1500u32)
        .flat_map(|number| number.to_le_bytes().repeat(1024))
        .collect();
    assert!(fs.read("one", 1 << 24).unwrap() == expected);
    let sparse = fs.read("sparse", 1 << 24).unwrap();
    assert_eq!(sparse.len(), (3 << 20) + 3);
    assert!(sparse.ends_with(b"\0end"));
    assert!(sparse[..3 << 20].iter().all(|byte| *byte == 0));
    let mut preallocated = vec![0; 100_000];
    preallocated[..5].copy_from_slice(b"start");
    assert!(fs.read("preallocated", 1 << 20).unwrap() == preallocated);
}

#[test]
fn a_master_file_table_in_many_parts_is_followed() {
    // A full volume whose every second file is deleted has only holes left for the table to grow into.
    let prepare = r#"/usr/bin/python3 - <<'END'
import os
os.mkdir("filler")
count = 0
try:
    while True:
        with open(f"filler/{count}", "wb", 0) as file:
            file.write(b"x" * 3000)
        count += 1
except OSError:
    pass
for number in range(0, count, 2):
    os.unlink(f"filler/{number}")
for number in range(5000):
    if number % 100 == 0:
        os.mkdir(f"folder{number // 100}")
    with open(f"folder{number // 100}/{number}", "wb") as file:
        file.write(str(number).encode())
END"#;
    let volume = Tree::new().ntfs_with(24, &["-c", "512"], prepare);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &volume).unwrap();
    let info = run("ntfs-3g", "ntfsinfo", &["-i", "0", file.path().to_str().unwrap()]);
    assert!(
        info.contains("ATTRIBUTE_LIST"),
        "the table is not fragmented enough:\n{info}"
    );

    let mut fs = open(Ntfs, volume);
    for number in (0..5000).step_by(7).chain([4999]) {
        let path = format!("folder{}/{number}", number / 100);
        assert_eq!(fs.read(&path, 10).unwrap(), number.to_string().as_bytes(), "{path}");
    }
}

#[test]
fn ntfs_files_whose_stored_bytes_are_not_their_contents_are_refused() {
    let prepare = r#"mkdir packed
        /usr/bin/python3 -c 'import os
os.setxattr("packed", "system.ntfs_attrib_be", bytes([0, 0, 8, 0]))'"#;
    let tree = Tree::new().file("packed/file", vec![b'a'; 200_000]).file("plain", "x");
    let mut fs = open(Ntfs, tree.ntfs(8, prepare));
    let error = fs.read("packed/file", 1 << 20).unwrap_err();
    assert!(error.to_string().contains("LZNT1"), "{error}");
    assert_eq!(fs.size("packed/file").unwrap(), 200_000);
    assert_eq!(fs.read("plain", 9).unwrap(), b"x");

    let wof = "echo x > wof; /usr/bin/python3 -c 'import os
os.setxattr(\"wof\", \"user.WofCompressedData\", b\"packed\")'";
    let mut fs = open(Ntfs, Tree::new().ntfs(8, wof));
    let error = fs.read("wof", 1 << 20).unwrap_err();
    assert!(error.to_string().contains("CompactOS"), "{error}");
}

#[test]
fn what_is_no_filesystem_is_refused_and_what_has_no_reader_is_none() {
    for kind in [Ext, Ntfs, Fat] {
        let error = guestfs::open(kind, Arc::new(vec![0; 1 << 20])).err().unwrap();
        assert!(matches!(error, GuestFsError::Damaged { .. }), "{error}");
        assert!(guestfs::open(kind, Arc::new(Vec::new())).is_err());
    }
    assert!(guestfs::open(Swap, Arc::new(vec![0; 4096])).unwrap().is_none());
}

/// A disk whose second MiB cannot be read.
struct Failing(Vec<u8>);

impl disk::ReadAt for Failing {
    fn size(&self) -> u64 {
        self.0.size()
    }
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> std::io::Result<()> {
        if offset < 2 << 20 && offset + buf.len() as u64 > 1 << 20 {
            return Err(std::io::Error::other("bad sector"));
        }
        self.0.read_at(offset, buf)
    }
}

#[test]
fn a_bad_sector_is_an_io_error_and_no_damage() {
    let mut fs = guestfs::open(
        Ext,
        Arc::new(Failing(Tree::new().file("big", noise(4 << 20)).ext("ext2", 16))),
    )
    .unwrap()
    .unwrap();
    let error = fs.read("big", 8 << 20).unwrap_err();
    assert!(
        matches!(&error, GuestFsError::Io(io) if io.to_string() == "bad sector"),
        "{error}"
    );
}
