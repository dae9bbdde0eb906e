//! Sources: image files and loop devices of the running system.
#![allow(missing_docs)]

mod loop_device;

use disk::ReadAt;
use disk::source::{Source, SourceError, SourceKind};
use loop_device::Loop;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;
use tempfile::NamedTempFile;

/// Bytes that differ from place to place.
fn pattern(len: usize) -> Vec<u8> {
    (0..len)
        .map(|i| (i as u32).wrapping_mul(2_654_435_761).to_le_bytes()[3])
        .collect()
}

fn image(bytes: &[u8]) -> NamedTempFile {
    let mut image = NamedTempFile::new().unwrap();
    image.write_all(bytes).unwrap();
    image
}

#[test]
fn reads_any_part_both_ways() {
    let bytes = pattern(3 * 4096 + 777);
    let image = image(&bytes);
    let source = Source::open(image.path()).unwrap();
    assert_eq!(source.info().kind, SourceKind::ImageFile);
    assert_eq!(source.size(), bytes.len() as u64);
    // An aligned place to read to, and one that is not.
    let mut memory = vec![0; 5 * 4096];
    let aligned = memory.as_ptr().align_offset(4096);
    for shift in [0, 1] {
        for (start, len) in [
            (0, bytes.len()),
            (4096, 4096),
            (4096, 2 * 4096 + 777),
            (1, 10),
            (3 * 4096, 777),
            (0, 0),
        ] {
            let buf = &mut memory[aligned + shift..][..len];
            source.read_bulk(start as u64, buf).unwrap();
            assert!(*buf == bytes[start..start + len], "bulk {start}+{len}");
            buf.fill(0);
            source.read_at(start as u64, buf).unwrap();
            assert!(*buf == bytes[start..start + len], "buffered {start}+{len}");
        }
    }
    for (start, len) in [(bytes.len() as u64, 1), (u64::MAX, 1), (0, 4 * 4096)] {
        let buf = &mut memory[aligned..][..len];
        let error = source.read_bulk(start, buf).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof);
        assert!(source.read_at(start, buf).is_err());
    }
}

#[test]
fn holes_are_told_from_data() {
    let image = NamedTempFile::new().unwrap();
    image.as_file().set_len(64 << 20).unwrap();
    image.as_file().write_all_at(&[1; 4096], 16 << 20).unwrap();
    let source = Source::open(image.path()).unwrap();
    let data = source.data_extents().unwrap();
    assert!(data.contains(16 << 20) && data.contains((16 << 20) + 4095));
    assert!(data.bytes() < 1 << 20, "{data:?}");
}

#[test]
fn what_is_no_disk_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    for (path, word) in [
        (folder.path(), "a directory"),
        (&fifo, "a named pipe"),
        (Path::new("/dev/null"), "a character device"),
    ] {
        match Source::open(path).unwrap_err() {
            SourceError::NotADisk { what, .. } => assert_eq!(what, word),
            other => panic!("{other}"),
        }
    }
    let missing = Source::open(&folder.path().join("nothing")).unwrap_err();
    assert!(missing.to_string().contains("nothing"), "{missing}");
}

#[test]
fn a_block_device_tells_its_sizes_and_reads_to_its_last_byte() {
    // Not a multiple of 4096: the last sector cannot be read past the page cache in one piece.
    let bytes = pattern(1024 * 1024 + 512);
    let image = image(&bytes);
    let device = Loop::attach(image.path(), &["--read-only"]);
    let source = Source::open(&device.0).unwrap();
    assert_eq!(source.info().kind, SourceKind::BlockDevice);
    assert_eq!(source.size(), bytes.len() as u64);
    assert_eq!(source.info().logical_sector, 512);
    let mut memory = vec![0; bytes.len() + 4096];
    let aligned = memory.as_ptr().align_offset(4096);
    let buf = &mut memory[aligned..][..bytes.len()];
    source.read_bulk(0, buf).unwrap();
    assert!(*buf == bytes);
    let disks = disk::source::list_disks().unwrap();
    let listed = disks.iter().find(|disk| disk.path == device.0).unwrap();
    assert_eq!(listed.size, bytes.len() as u64);

    let file = Source::open(image.path()).unwrap();
    let uses = &file.info().in_use;
    assert_eq!(uses.len(), 1, "{uses:?}");
    assert_eq!(uses[0].how, format!("attached to {}", device.0.display()));
    assert!(!uses[0].writable);
}

#[test]
fn sectors_of_4096_bytes_are_seen() {
    let image = image(&[0; 1 << 20]);
    let device = Loop::attach(image.path(), &["--sector-size", "4096"]);
    let source = Source::open(&device.0).unwrap();
    assert_eq!(
        (source.info().logical_sector, source.info().physical_sector),
        (4096, 4096)
    );
}

#[test]
fn a_mounted_filesystem_is_reported_for_its_disk_and_for_the_image() {
    let image = NamedTempFile::new().unwrap();
    image.as_file().set_len(16 << 20).unwrap();
    let made = Command::new("mkfs.ext4").arg("-q").arg(image.path()).status();
    assert!(
        made.expect("mkfs.ext4 is needed: install the Debian package e2fsprogs")
            .success()
    );
    let device = Loop::attach(image.path(), &[]);
    let folder = tempfile::tempdir().unwrap();
    // A blank in the path is escaped in the kernel's table.
    let target = folder.path().join("my disk");
    std::fs::create_dir(&target).unwrap();
    assert!(
        Command::new("mount")
            .arg(&device.0)
            .arg(&target)
            .status()
            .unwrap()
            .success()
    );
    let on_device = Source::open(&device.0).map(|source| source.info().in_use.clone());
    let on_image = Source::open(image.path()).map(|source| source.info().in_use.clone());
    assert!(Command::new("umount").arg(&target).status().unwrap().success());

    let how = format!("mounted at {} (read-write)", target.display());
    let on_device = on_device.unwrap();
    assert_eq!(on_device.len(), 1, "{on_device:?}");
    assert_eq!((&on_device[0].device, &on_device[0].how), (&device.0, &how));
    assert!(on_device[0].writable);
    let on_image = on_image.unwrap();
    assert!(on_image.iter().any(|usage| usage.how == how), "{on_image:?}");
    assert!(Source::open(&device.0).unwrap().info().in_use.is_empty());
}
