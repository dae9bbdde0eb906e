//! The map of NTFS against `partclone.ntfs` and `ntfsinfo`.
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

fn mkfs(size: u64, cluster: u64) -> NamedTempFile {
    let image = sparse(size);
    let mut command = Command::new("mkntfs");
    command.args([
        "-q", "-F", "-f", "-s", "512", "-p", "2048", "-H", "255", "-S", "63", "-L", "Old PC",
    ]);
    run("ntfs-3g", command.args(["-c", &cluster.to_string()]).arg(image.path()));
    for i in 0..12usize {
        let mut file = NamedTempFile::new().unwrap();
        file.write_all(&vec![i as u8 + 1; i * i * 9000]).unwrap();
        let mut copy = Command::new("ntfscp");
        run(
            "ntfs-3g",
            copy.arg("-q")
                .arg(image.path())
                .arg(file.path())
                .arg(format!("file {i}")),
        );
    }
    image
}

fn judged(size: u64, cluster: u64) -> Volume {
    let what = format!("{cluster} bytes a cluster, {size} bytes");
    let image = mkfs(size, cluster);
    let volume = map(image.path());
    assert_eq!(
        (volume.kind, volume.block_size.unwrap()),
        (VolumeKind::Ntfs, cluster as u32),
        "{what}"
    );
    assert_eq!(volume.notes, Vec::<String>::new(), "{what}");
    assert_eq!(volume.label.as_deref(), Some("Old PC"));
    // Behind the last whole cluster lies the backup of the boot sector.
    let extra = ExtentSet::from_range(size.saturating_sub(512) / cluster * cluster..size);
    agrees(&what, &volume, &partclone("ntfs", image.path()), &extra);
    let info = run("ntfs-3g", Command::new("ntfsinfo").arg("-m").arg(image.path()));
    let number = |key: &str| -> u64 {
        let line = info.lines().find(|line| line.trim().starts_with(key)).unwrap();
        line.split(':')
            .nth(1)
            .unwrap()
            .split_whitespace()
            .next()
            .unwrap()
            .parse()
            .unwrap()
    };
    let free = number("Free Clusters");
    assert_eq!((size - volume.used.bytes()) / cluster, free, "{what}");
    volume
}

#[test]
fn every_cluster_size() {
    for cluster in [512, 1024, 2048, 4096, 8192, 16384, 32768, 65536] {
        judged(100 * MIB, cluster);
    }
    for cluster in [128 << 10, 512 << 10, 1 << 20, 2 << 20] {
        judged(700 * MIB, cluster);
    }
}

#[test]
fn odd_and_large_sizes() {
    judged(12 * MIB, 4096);
    judged(50 * MIB + 7 * 512, 4096);
    let volume = judged(200 << 30, 4096);
    assert!(volume.used.bytes() < 200 * MIB);
}

#[test]
fn a_fragmented_table_and_bitmap_are_put_together() {
    // Grown by ntfsresize, the bitmap gets a second run.
    let image = mkfs(64 * MIB, 512);
    image.as_file().set_len(1500 * MIB).unwrap();
    let mut resize = Command::new("ntfsresize");
    run(
        "ntfs-3g",
        resize
            .args(["--force", "--force", "--no-progress-bar"])
            .arg(image.path()),
    );
    run(
        "ntfs-3g",
        Command::new("ntfsfix").arg("--clear-dirty").arg(image.path()),
    );
    let volume = map(image.path());
    assert!(volume.mapped, "{:?}", volume.notes);
    let extra = ExtentSet::from_range(1499 * MIB..1500 * MIB);
    agrees("resized", &volume, &partclone("ntfs", image.path()), &extra);
}

/// Where the system file's record starts in the image.
fn record(image: &Path, number: u64) -> u64 {
    let mut boot = [0; 512];
    std::fs::File::open(image).unwrap().read_exact_at(&mut boot, 0).unwrap();
    let mft = u64::from_le_bytes(boot[0x30..0x38].try_into().unwrap());
    mft * u64::from(boot[0x0D]) * 512 + number * 1024
}

#[test]
fn a_dirty_volume_is_copied_whole() {
    let image = mkfs(50 * MIB, 4096);
    // `ntfsfix` without options marks the volume for chkdsk.
    run("ntfs-3g", Command::new("ntfsfix").arg(image.path()));
    let volume = map(image.path());
    assert!(!volume.mapped && volume.used.bytes() == 50 * MIB);
    assert!(volume.notes[0].contains("dirty"), "{:?}", volume.notes);
    assert_eq!(volume.label.as_deref(), Some("Old PC"));
}

#[test]
fn damaged_records_are_seen() {
    for (number, offset, word) in [
        (0, 510, "damaged"),
        (6, 510, "damaged"),
        (6, 0, "damaged"),
        (1, 200, "mirror"),
    ] {
        let image = mkfs(50 * MIB, 4096);
        let at = record(image.path(), number) + offset;
        let mut byte = [0];
        image.as_file().read_exact_at(&mut byte, at).unwrap();
        image.as_file().write_all_at(&[byte[0] ^ 0x55], at).unwrap();
        let volume = map(image.path());
        assert!(!volume.mapped, "record {number}");
        assert!(volume.notes[0].contains(word), "record {number}: {:?}", volume.notes);
    }
}

#[test]
fn a_partition_cut_short_is_copied_whole() {
    let image = mkfs(50 * MIB, 4096);
    image.as_file().set_len(49 * MIB).unwrap();
    let volume = map(image.path());
    assert!(!volume.mapped);
    assert!(volume.notes[0].contains("larger than its partition"));
}
