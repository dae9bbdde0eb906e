//! Why the `ntfs` crate (0.4.0) is a judge here and not the reader: it agrees with us on ordinary files, and reads
//! nothing, without an error, of a file whose runs do not fit into one record.

mod volumes;

use disk::guestfs;
use disk::usedmap::VolumeKind;
use ntfs::indexes::NtfsFileNameIndex;
use ntfs::{Ntfs, NtfsReadSeek};
use std::io::Cursor;
use std::sync::Arc;
use volumes::Tree;

/// A file in the root folder, read by the crate. `None` for any error.
fn with_crate(volume: &[u8], name: &str) -> Option<Vec<u8>> {
    let mut disk = Cursor::new(volume);
    let mut ntfs = Ntfs::new(&mut disk).ok()?;
    ntfs.read_upcase_table(&mut disk).ok()?;
    let root = ntfs.root_directory(&mut disk).ok()?;
    let index = root.directory_index(&mut disk).ok()?;
    let mut finder = index.finder();
    let entry = NtfsFileNameIndex::find(&mut finder, &ntfs, &mut disk, name)?.ok()?;
    let file = entry.to_file(&ntfs, &mut disk).ok()?;
    let item = file.data(&mut disk, "")?.ok()?;
    let attribute = item.to_attribute().ok()?;
    let mut value = attribute.value(&mut disk).ok()?;
    let mut data = vec![0; usize::try_from(attribute.value_length()).ok()?];
    value.read_exact(&mut disk, &mut data).ok()?;
    Some(data)
}

#[test]
fn the_crate_agrees_on_ordinary_files_and_fails_on_attribute_lists() {
    let prepare = r#"/usr/bin/python3 - <<'END'
one, two = open("one", "wb", 0), open("two", "wb", 0)
for number in range(1500):
    one.write(number.to_bytes(4, "little") * 1024)
    two.write(b"\xff" * 4096)
END"#;
    let expected: Vec<u8> = (0..1500u32)
        .flat_map(|number| number.to_le_bytes().repeat(1024))
        .collect();
    let volume = Tree::new()
        .file("resident", "small")
        .file("plain", vec![7; 100_000])
        .ntfs(32, prepare);
    let mut fs = guestfs::open(VolumeKind::Ntfs, Arc::new(volume.clone()))
        .unwrap()
        .unwrap();
    for name in ["resident", "plain"] {
        assert!(
            with_crate(&volume, name).unwrap() == fs.read(name, 1 << 20).unwrap(),
            "{name}"
        );
    }
    assert!(fs.read("one", 1 << 24).unwrap() == expected);
    // It reads nothing, without an error. If this fails one day, the crate has learnt it: consider it again
    // (docs/dependencies.md).
    assert_eq!(with_crate(&volume, "one").unwrap(), []);
}
