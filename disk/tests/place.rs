//! Where files lie on an NTFS volume, judged by ntfscluster and ntfscat, and changes in place.

mod volumes;

use disk::ReadAt;
use disk::guestfs::{self, GuestFsError, Placement};
use disk::scratch::Scratch;
use disk::usedmap::VolumeKind::{self, Ext, Ntfs};
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use volumes::{Tree, run};

/// Bytes that repeat nowhere near.
fn noise(len: usize) -> Vec<u8> {
    let words = (0..len as u32).flat_map(|i| i.wrapping_mul(2_654_435_761).to_le_bytes());
    words.take(len).collect()
}

fn place(kind: VolumeKind, volume: &[u8], path: &str) -> Result<Placement, GuestFsError> {
    let mut fs = guestfs::open(kind, Arc::new(volume.to_vec())).unwrap().unwrap();
    fs.place(path)
}

/// The clusters of a file's data as ntfscluster lists them, in bytes, in the order of the file.
fn ntfscluster(volume: &Path, path: &str, cluster: u64) -> Vec<Range<u64>> {
    let text = run("ntfs-3g", "ntfscluster", &["-f", "-F", path, volume.to_str().unwrap()]);
    let mut ranges: Vec<Range<u64>> = Vec::new();
    // A file in many parts has several attributes of data, each with its own runs.
    let mut in_data = false;
    for line in text.lines() {
        let numbers: Vec<u64> = line.split_whitespace().map_while(|word| word.parse().ok()).collect();
        match numbers[..] {
            [_, first, count] if in_data => {
                let range = first * cluster..(first + count) * cluster;
                match ranges.last_mut() {
                    Some(last) if last.end == range.start => last.end = range.end,
                    _ => ranges.push(range),
                }
            }
            _ if line.contains("0x") => in_data = line.contains("0x80 - non-resident"),
            _ => {}
        }
    }
    ranges
}

/// A disk that takes writes, in memory.
fn writable(bytes: Vec<u8>) -> Scratch {
    Scratch::new(Arc::new(bytes), u64::MAX)
}

/// All of its bytes.
fn bytes_of(disk: &Scratch) -> Vec<u8> {
    let mut bytes = vec![0; disk.size() as usize];
    disk.read_at(0, &mut bytes).unwrap();
    bytes
}

/// Checks one file against ntfscluster and its contents.
fn check(volume: &[u8], file: &Path, path: &str, contents: &[u8]) -> Placement {
    let place = place(Ntfs, volume, path).unwrap();
    assert_eq!(place.size, contents.len() as u64);
    let mut all: Vec<Range<u64>> = Vec::new();
    for range in place.data.iter().chain(&place.slack) {
        match all.last_mut() {
            Some(last) if last.end == range.start => last.end = range.end,
            _ => all.push(range.clone()),
        }
    }
    assert_eq!(all, ntfscluster(file, path, 4096), "{path}");
    let bytes: Vec<u8> = place
        .data
        .iter()
        .flat_map(|range| &volume[range.start as usize..range.end as usize])
        .copied()
        .collect();
    assert!(
        bytes == contents,
        "{path}: the bytes at its places are not its contents"
    );
    place
}

/// Two files that grow in turns leave each other runs so short that they need attribute lists.
const FRAGMENTED: &str = r#"/usr/bin/python3 - <<'END'
one, two = open("one", "wb", 0), open("two", "wb", 0)
for number in range(1500):
    one.write(number.to_bytes(4, "little") * (1024 if number < 1499 else 700))
    two.write(b"\xff" * 4096)
with open("sparse", "wb") as sparse:
    sparse.seek(3 << 20)
    sparse.write(b"end")
with open("preallocated", "wb") as file:
    file.write(b"start")
    file.truncate(100000)
END"#;

#[test]
fn places_are_those_that_ntfscluster_lists() {
    let tree = Tree::new()
        .file("folder/plain", noise(300_000))
        .file("folder/whole", noise(8192))
        .file("small", "resident");
    let volume = tree.ntfs(32, FRAGMENTED);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &volume).unwrap();

    let plain = check(&volume, file.path(), "folder/plain", &noise(300_000));
    assert_eq!(plain.allocated(), 303_104);
    assert_eq!(plain.slack.len(), 1);
    let whole = check(&volume, file.path(), "folder/whole", &noise(8192));
    assert_eq!((whole.allocated(), whole.slack.len()), (8192, 0));
    let words = |number: u32| number.to_le_bytes().repeat(if number < 1499 { 1024 } else { 700 });
    let fragmented: Vec<u8> = (0..1500).flat_map(words).collect();
    let place = check(&volume, file.path(), "one", &fragmented);
    assert!(place.data.len() > 200, "only {} pieces", place.data.len());

    // A change across many pieces, seen by ntfs-3g.
    let device = writable([vec![0; 5000], volume].concat());
    let patch = noise(20_000);
    place.write_at(&device, 5000, 4090, &patch).unwrap();
    let mut expected = fragmented;
    expected[4090..24_090].copy_from_slice(&patch);
    let changed = bytes_of(&device).split_off(5000);
    std::fs::write(file.path(), &changed).unwrap();
    let mut cat = std::process::Command::new("ntfscat");
    let read = cat.arg("-f").arg(file.path()).arg("one").output().unwrap();
    assert!(read.stdout == expected);
    check(&changed, file.path(), "folder/plain", &noise(300_000));
    let device = writable(vec![7; 100]);
    let error = plain.write_at(&device, 0, 299_990, &[0; 11]).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    assert_eq!(bytes_of(&device), [7; 100]);
}

#[test]
fn files_that_are_not_plain_are_refused_with_the_reason() {
    let packed = r#"mkdir packed
        /usr/bin/python3 -c 'import os
os.setxattr("packed", "system.ntfs_attrib_be", bytes([0, 0, 8, 0]))'"#;
    let wof = "echo x > wof; /usr/bin/python3 -c 'import os
os.setxattr(\"wof\", \"user.WofCompressedData\", b\"packed\")'";
    let tree = Tree::new()
        .file("packed/file", vec![b'a'; 200_000])
        .file("small", "resident");
    let volume = tree.ntfs(32, &format!("{FRAGMENTED}\n{packed}\n{wof}"));
    for (path, reason) in [
        ("packed/file", "compressed (LZNT1)"),
        ("small", "master file table"),
        ("sparse", "sparse"),
        ("wof", "compressed (CompactOS)"),
    ] {
        let error = place(Ntfs, &volume, path).unwrap_err();
        assert!(matches!(error, GuestFsError::NotInPlace { .. }), "{error}");
        assert!(error.to_string().contains(reason), "{error}");
        assert!(error.to_string().contains(path), "{error}");
    }
    let error = place(Ntfs, &volume, "preallocated").unwrap_err();
    assert!(matches!(error, GuestFsError::NotInPlace { .. }), "{error}");
    assert!(matches!(place(Ntfs, &volume, "none"), Err(GuestFsError::NotFound(_))));
    assert!(matches!(
        place(Ntfs, &volume, "packed"),
        Err(GuestFsError::WrongKind { .. })
    ));
    let tree = Tree::new().file("file", noise(9000));
    let error = place(Ext, &tree.ext("ext4", 8), "file").unwrap_err();
    assert!(matches!(error, GuestFsError::NotInPlace { .. }), "{error}");
}
