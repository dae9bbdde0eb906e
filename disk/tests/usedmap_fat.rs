//! The map of FAT against `mshowfat` and `partclone.fat`, and of swap space against what `mkswap` says.
#![allow(missing_docs)]

mod judge;

use disk::ExtentSet;
use disk::usedmap::{Volume, VolumeKind};
use judge::{MIB, agrees, map, partclone, run, sparse};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;
use tempfile::NamedTempFile;

fn mkfs(size: u64, options: &str) -> NamedTempFile {
    let image = sparse(size);
    let mut command = Command::new("mkfs.fat");
    command
        .args(["-n", "OLD PC", "-i", "1234ABCD"])
        .args(options.split_whitespace());
    run("dosfstools", command.arg(image.path()));
    for i in 0..12usize {
        let mut file = NamedTempFile::new().unwrap();
        file.write_all(&vec![i as u8 + 1; i * i * (size / 3000).min(5000) as usize])
            .unwrap();
        let mut copy = Command::new("mcopy");
        copy.env("MTOOLS_SKIP_CHECK", "1")
            .arg("-i")
            .arg(image.path())
            .arg(file.path());
        run("mtools", copy.arg(format!("::file{i}")));
    }
    for i in (0..12).step_by(3) {
        let mut delete = Command::new("mdel");
        delete.env("MTOOLS_SKIP_CHECK", "1").arg("-i").arg(image.path());
        run("mtools", delete.arg(format!("::file{i}")));
    }
    image
}

/// What the files of an image occupy, by `mshowfat`: lines of `::/file1 <2> <7-15>`, plus all before the clusters.
/// Also returns where the last cluster ends.
fn by_mshowfat(image: &Path, cluster: u64) -> (ExtentSet, u64) {
    let mut used = ExtentSet::new();
    let fsck = run("dosfstools", Command::new("fsck.fat").args(["-v", "-n"]).arg(image));
    let line = fsck.lines().find(|line| line.starts_with("Data area starts")).unwrap();
    let data: u64 = line.split_whitespace().nth(5).unwrap().parse().unwrap();
    used.insert(0..data);
    let line = fsck.lines().find(|line| line.contains(" data clusters ")).unwrap();
    let end = data + line.split_whitespace().next().unwrap().parse::<u64>().unwrap() * cluster;
    let mut command = Command::new("mshowfat");
    command.env("MTOOLS_SKIP_CHECK", "1").arg("-i").arg(image);
    // FAT32 keeps its root directory in clusters.
    let root = fsck.contains("32 bit entries").then_some("::/");
    let files = (0..12).filter(|i| i % 3 != 0).map(|i| format!("::file{i}"));
    let text = run("mtools", command.args(files.chain(root.map(str::to_owned))));
    for item in text
        .split(['<', '>'])
        .filter(|item| item.starts_with(|c: char| c.is_ascii_digit()))
    {
        let (first, last) = item.split_once('-').unwrap_or((item, item));
        let (first, last): (u64, u64) = (first.parse().unwrap(), last.parse().unwrap());
        used.insert(data + (first - 2) * cluster..data + (last - 1) * cluster);
    }
    (used, end)
}

fn judged(kind: &str, size: u64, options: &str) -> Volume {
    let what = format!("{kind} {options}");
    let image = mkfs(size, options);
    let volume = map(image.path());
    assert_eq!(
        (volume.kind, volume.label_of_kind.as_str()),
        (VolumeKind::Fat, kind),
        "{what}"
    );
    assert_eq!(volume.notes, Vec::<String>::new(), "{what}");
    assert_eq!(volume.label.as_deref(), Some("OLD PC"));
    assert_eq!(volume.uuid.as_deref(), Some("1234-ABCD"));
    let (by_mshowfat, end) = by_mshowfat(image.path(), u64::from(volume.block_size.unwrap()));
    // What lies behind the last cluster is copied.
    let extra = ExtentSet::from_range(end..size);
    agrees(&format!("{what} against mshowfat"), &volume, &by_mshowfat, &extra);
    // partclone 0.3.23 reads FAT12 wrongly: it leaves the first files of a floppy disk out.
    if kind != "FAT12" {
        agrees(
            &format!("{what} against partclone"),
            &volume,
            &partclone("fat", image.path()),
            &extra,
        );
    }
    assert!(volume.used.bytes() < size, "{what}");
    volume
}

#[test]
fn every_kind_and_cluster_size() {
    for (kind, size, options) in [
        ("FAT12", 1440 << 10, ""),
        ("FAT12", 16 * MIB, "-F 12 -s 16"),
        ("FAT16", 32 * MIB, "-F 16 -s 1"),
        ("FAT16", 200 * MIB, "-F 16"),
        ("FAT16", 2000 * MIB, "-F 16 -s 64 -r 1024"),
        ("FAT16", 100 * MIB, "-F 16 -f 1"),
        ("FAT32", 100 * MIB, "-F 32 -s 1"),
        ("FAT32", 600 * MIB, "-F 32"),
        ("FAT32", 8 << 30, "-F 32 -s 128"),
        ("FAT32", 600 * MIB, "-F 32 -S 4096"),
        ("FAT32", 600 * MIB + 5 * 512, "-F 32 -R 100"),
    ] {
        judged(kind, size, options);
    }
}

#[test]
fn what_cannot_be_believed_is_copied_whole() {
    let size = 100 * MIB;
    let cases: [(&str, u64, &[u8], &str); 6] = [
        // One byte of the second table (32 reserved sectors, then two tables).
        ("-a -F 16 -R 1 -s 4", 512 + 100, &[0x5A], "differ"),
        ("-F 16 -R 1", 0x25, &[1], "not closed"),
        ("-F 32", 0x41, &[1], "not closed"),
        ("-F 32", 0x20, &[0xFF, 0xFF, 0xFF], "larger than its partition"),
        ("-F 32", 0x28, &[0x80], "only one"),
        ("-F 32", 0x2C, &[0xFF, 0xFF, 0xFF], "root directory"),
    ];
    for (options, offset, bytes, word) in cases {
        let image = mkfs(size, options);
        image.as_file().write_all_at(bytes, offset).unwrap();
        let volume = map(image.path());
        assert!(!volume.mapped && volume.used.bytes() == size, "{word}");
        assert!(volume.notes[0].contains(word), "{word}: {:?}", volume.notes);
    }
}

#[test]
fn swap_keeps_its_header() {
    for page in [4096, 8192, 65536] {
        let size = 40 * MIB + 512;
        let image = sparse(size);
        let mut command = Command::new("mkswap");
        command.args([
            "-q",
            "-L",
            "my swap",
            "-U",
            "01234567-89ab-cdef-0123-456789abcdef",
            "-p",
            &page.to_string(),
        ]);
        run("util-linux", command.arg(image.path()));
        let volume = map(image.path());
        assert!(volume.mapped, "{:?}", volume.notes);
        assert_eq!(volume.kind, VolumeKind::Swap);
        assert_eq!(volume.label.as_deref(), Some("my swap"));
        assert_eq!(volume.uuid.as_deref(), Some("01234567-89ab-cdef-0123-456789abcdef"));
        let kept: ExtentSet = [0..page, size - 512..size].into_iter().collect();
        assert_eq!(volume.used, kept);

        for mark in [&b"S1SUSPEND\0"[..], b"ULSUSPEND\0"] {
            image.as_file().write_all_at(mark, page - 10).unwrap();
            let volume = map(image.path());
            assert!(!volume.mapped && volume.used.bytes() == size);
            assert!(volume.notes[0].contains("hibernated"));
        }
    }
}
