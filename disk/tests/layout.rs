//! Whole disks: what the layout says must be copied is enough to bring every file back.
#![allow(missing_docs)]

mod judge;

use disk::ExtentSet;
use disk::layout::{DiskLayout, scan};
use disk::partition::Scheme;
use disk::source::Source;
use judge::{MIB, run, sparse};
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Command, Stdio};
use tempfile::NamedTempFile;

fn layout(image: &Path) -> DiskLayout {
    let source = Source::open(image).unwrap();
    scan(&source, source.info().logical_sector).unwrap()
}

fn divide(image: &Path, script: &str) {
    let mut sfdisk = Command::new("sfdisk")
        .arg("--quiet")
        .arg(image)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    sfdisk.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    assert!(sfdisk.wait().unwrap().success(), "sfdisk {script}");
}

/// Copies `size` bytes from one file into another, zeros too.
fn copy(from: &File, from_at: u64, to: &File, to_at: u64, size: u64) {
    let mut buf = vec![0; 1 << 20];
    let mut at = 0;
    while at < size {
        let len = (size - at).min(1 << 20) as usize;
        from.read_exact_at(&mut buf[..len], from_at + at).unwrap();
        to.write_all_at(&buf[..len], to_at + at).unwrap();
        at += len as u64;
    }
}

/// A filesystem with a file in it, made apart from the disk. Free blocks are full of old data.
struct Part {
    image: NamedTempFile,
    size: u64,
}

/// The file that every filesystem gets.
fn payload() -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    let bytes: Vec<u8> = (0..3_000_000u32)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    file.write_all(&bytes).unwrap();
    file
}

impl Part {
    fn new(kind: &str, size: u64, payload: &Path) -> Self {
        let image = sparse(size);
        let stale = vec![0xA5; 1 << 20];
        for at in (0..size).step_by(1 << 20) {
            let len = (size - at).min(1 << 20) as usize;
            image.as_file().write_all_at(&stale[..len], at).unwrap();
        }
        let path = image.path();
        match kind {
            "ext4" => {
                run(
                    "e2fsprogs",
                    Command::new("mke2fs")
                        .args(["-q", "-F", "-t", "ext4", "-E", "nodiscard"])
                        .arg(path),
                );
                let request = format!("write {} photo", payload.display());
                run(
                    "e2fsprogs",
                    Command::new("debugfs").args(["-w", "-R", &request]).arg(path),
                );
            }
            "ntfs" => {
                let geometry = ["-q", "-F", "-f", "-s", "512", "-p", "2048", "-H", "255", "-S", "63"];
                run("ntfs-3g", Command::new("mkntfs").args(geometry).arg(path));
                run(
                    "ntfs-3g",
                    Command::new("ntfscp").arg("-q").arg(path).arg(payload).arg("photo"),
                );
            }
            "fat" => {
                run("dosfstools", Command::new("mkfs.fat").args(["-F", "32"]).arg(path));
                run(
                    "mtools",
                    Command::new("mcopy").arg("-i").arg(path).arg(payload).arg("::photo"),
                );
            }
            "swap" => {
                run("util-linux", Command::new("mkswap").arg(path));
            }
            _ => {}
        }
        Part { image, size }
    }

    /// Checks the filesystem in `disk` at `start` and compares its file.
    fn check(&self, kind: &str, disk: &File, start: u64, payload: &Path) {
        let part = sparse(self.size);
        copy(disk, start, part.as_file(), 0, self.size);
        let path = part.path();
        let expected = std::fs::read(payload).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let back = folder.path().join("photo");
        match kind {
            "ext4" => {
                run("e2fsprogs", Command::new("e2fsck").args(["-fn"]).arg(path));
                let request = format!("dump photo {}", back.display());
                run("e2fsprogs", Command::new("debugfs").args(["-R", &request]).arg(path));
            }
            "ntfs" => {
                run("ntfs-3g", Command::new("ntfsfix").arg("-n").arg(path));
                let mut cat = Command::new("ntfscat");
                let out = cat.arg(path).arg("photo").output().unwrap();
                std::fs::write(&back, out.stdout).unwrap();
            }
            "fat" => {
                run("dosfstools", Command::new("fsck.fat").arg("-n").arg(path));
                run(
                    "mtools",
                    Command::new("mcopy").arg("-i").arg(path).arg("::photo").arg(&back),
                );
            }
            _ => {
                // Unknown contents and swap headers come back as they are.
                let mut header = [0; 4096];
                part.as_file().read_exact_at(&mut header, 0).unwrap();
                let mut before = [0; 4096];
                self.image.as_file().read_exact_at(&mut before, 0).unwrap();
                assert!(header == before);
                return;
            }
        }
        assert!(std::fs::read(&back).unwrap() == expected, "{kind}");
    }
}

/// A disk of these filesystems is copied as its layout says onto zeros; all of them must be whole there.
fn comes_back(script: &str, scheme: Scheme, kinds: &[&str]) -> DiskLayout {
    let size = 700 * MIB;
    let disk = sparse(size);
    divide(disk.path(), script);
    let payload = payload();
    let places: Vec<_> = layout(disk.path()).contents.iter().map(|c| (c.start, c.size)).collect();
    assert_eq!(places.len(), kinds.len());
    let parts: Vec<_> = places
        .iter()
        .zip(kinds)
        .map(|((start, size), kind)| {
            let part = Part::new(kind, *size, payload.path());
            copy(part.image.as_file(), 0, disk.as_file(), *start, *size);
            part
        })
        .collect();

    let layout = layout(disk.path());
    assert_eq!(layout.table.scheme, scheme);
    assert_eq!(
        layout.contents.iter().map(|c| c.start).collect::<Vec<_>>(),
        places.iter().map(|p| p.0).collect::<Vec<_>>()
    );
    let copied = sparse(size);
    for range in layout.used.iter() {
        copy(
            disk.as_file(),
            range.start,
            copied.as_file(),
            range.start,
            range.end - range.start,
        );
    }
    for ((part, kind), (start, _)) in parts.iter().zip(kinds).zip(&places) {
        part.check(kind, copied.as_file(), *start, payload.path());
    }
    // Everything outside partitions is the same, and the tables are still what sfdisk reads.
    let dump = |image: &Path| {
        run("fdisk", Command::new("sfdisk").arg("--dump").arg(image)).replace(image.to_str().unwrap(), "")
    };
    assert_eq!(dump(disk.path()), dump(copied.path()));
    layout
}

#[test]
fn every_file_of_an_mbr_disk_comes_back() {
    let script = "label: dos\n1:start=63,size=150M,type=7,bootable\n2:size=100M,type=c\n\
                  4:size=300M,type=f\n5:size=40M,type=82\n6:size=150M,type=83\n7:size=20M,type=da\n";
    let layout = comes_back(script, Scheme::Mbr, &["ntfs", "fat", "swap", "ext4", "unknown"]);
    let kinds: Vec<_> = layout
        .contents
        .iter()
        .map(|c| c.volume.label_of_kind.as_str())
        .collect();
    assert_eq!(kinds, ["NTFS", "FAT32", "swap", "ext4", "unknown"]);
    let mapped: Vec<_> = layout.contents.iter().map(|c| c.volume.mapped).collect();
    assert_eq!(mapped, [true, true, true, true, false]);
    // What is free is left out; what is outside the partitions is not.
    assert!(layout.used.bytes() < 370 * MIB, "{}", layout.used.bytes());
    let outside: ExtentSet = layout.contents.iter().map(|c| c.start..c.start + c.size).collect();
    assert!(judge::minus(&outside.complement(layout.size), &layout.used).is_empty());
}

#[test]
fn every_file_of_a_gpt_disk_comes_back() {
    let script = "label: gpt\nsize=100M,type=U\nsize=16M,type=E3C9E316-0B5C-4DB8-817D-F92DF00215AE\n\
                  size=200M,type=EBD0A0A2-B9E5-4433-87C0-68B6B72699C7\nsize=200M,type=L\nsize=50M,type=S\n";
    let layout = comes_back(script, Scheme::Gpt, &["fat", "unknown", "ntfs", "ext4", "swap"]);
    assert!(layout.used.bytes() < 330 * MIB, "{}", layout.used.bytes());
}

#[test]
fn a_filesystem_on_the_whole_disk_needs_no_table() {
    let payload = payload();
    for (kind, name) in [("ext4", "ext4"), ("ntfs", "NTFS"), ("fat", "FAT32"), ("swap", "swap")] {
        let part = Part::new(kind, 100 * MIB, payload.path());
        let layout = layout(part.image.path());
        assert_eq!(layout.table.scheme, Scheme::None, "{kind}: {:?}", layout.table.warnings);
        assert_eq!(layout.contents.len(), 1);
        assert_eq!(layout.contents[0].volume.label_of_kind, name);
        assert!(layout.contents[0].volume.mapped);
        assert!(layout.used.bytes() < 60 * MIB, "{kind}: {}", layout.used.bytes());
    }
    // `mkfs.fat --mbr` puts a partition table into the boot sector for systems that want one.
    let image = sparse(100 * MIB);
    run(
        "dosfstools",
        Command::new("mkfs.fat")
            .args(["-F", "32", "--mbr=yes"])
            .arg(image.path()),
    );
    let layout = layout(image.path());
    assert!(
        layout.table.scheme == Scheme::None || !layout.table.trusted,
        "{:?}",
        layout.table
    );
}

#[test]
fn overlaps_and_partitions_past_the_end_lose_nothing() {
    let size = 300 * MIB;
    let disk = sparse(size);
    divide(
        disk.path(),
        "label: dos\n1:start=2048,size=100M,type=83\n2:size=100M,type=7\n",
    );
    let payload = payload();
    let ext = Part::new("ext4", 100 * MIB, payload.path());
    let ntfs = Part::new("ntfs", 100 * MIB, payload.path());
    copy(ext.image.as_file(), 0, disk.as_file(), MIB, 100 * MIB);
    copy(ntfs.image.as_file(), 0, disk.as_file(), 101 * MIB, 100 * MIB);
    let before = layout(disk.path());
    assert!(before.contents.iter().all(|c| c.volume.mapped));

    // The first partition is said to reach into the second one: nothing of it may be lost.
    disk.as_file()
        .write_all_at(&(150 * 2048u32).to_le_bytes(), 446 + 12)
        .unwrap();
    let after = layout(disk.path());
    assert!(
        after.table.warnings[0].contains("overlap"),
        "{:?}",
        after.table.warnings
    );
    assert!(judge::minus(&before.used, &after.used).is_empty());

    // The disk ends inside the second partition.
    disk.as_file().set_len(180 * MIB).unwrap();
    let cut = layout(disk.path());
    assert!(
        cut.table
            .warnings
            .iter()
            .any(|warning| warning.contains("past the end"))
    );
    let second = cut.contents.iter().find(|c| c.start == 101 * MIB).unwrap();
    assert!(!second.volume.mapped);
    assert_eq!(
        cut.used
            .within(101 * MIB..180 * MIB)
            .map(|r| r.end - r.start)
            .sum::<u64>(),
        79 * MIB
    );
}

#[test]
fn a_table_without_trust_means_the_whole_disk() {
    let size = 200 * MIB;
    let disk = sparse(size);
    divide(disk.path(), "label: gpt\nsize=100M,type=L\n");
    let payload = payload();
    let ext = Part::new("ext4", 100 * MIB, payload.path());
    copy(ext.image.as_file(), 0, disk.as_file(), MIB, 100 * MIB);
    assert!(layout(disk.path()).used.bytes() < size);
    for at in [512, size - 512] {
        disk.as_file().write_all_at(&[0xFF; 92], at).unwrap();
    }
    let layout = layout(disk.path());
    assert!(!layout.table.trusted);
    assert_eq!(layout.used.bytes(), size);
}

#[test]
fn a_member_of_a_firmware_raid_is_copied_whole() {
    let size = 100 * MIB;
    let part = Part::new("ext4", size, payload().path());
    // Behind the filesystem, as the firmware makes the disk look smaller.
    part.image.as_file().set_len(size + MIB).unwrap();
    assert!(layout(part.image.path()).used.bytes() < size);
    part.image
        .as_file()
        .write_all_at(b"Intel Raid ISM Cfg Sig. 1.3.00", size + MIB - 1024)
        .unwrap();
    let layout = layout(part.image.path());
    assert!(
        layout.table.warnings[0].contains("Intel RAID"),
        "{:?}",
        layout.table.warnings
    );
    assert_eq!(layout.used.bytes(), size + MIB);
}
