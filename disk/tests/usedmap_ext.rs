//! The maps of ext2, ext3 and ext4 against `partclone.extfs` and `dumpe2fs`.
#![allow(missing_docs)]

mod judge;

use disk::ExtentSet;
use disk::usedmap::Volume;
use judge::{MIB, agrees, map, partclone, run, sparse};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;
use tempfile::{NamedTempFile, TempDir};

const FILES: u64 = 60;

/// Files of many sizes, in a tenth of `room` bytes.
fn files(room: u64) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let unit = (room / 10 / 70_000).min(500);
    for i in 0..FILES {
        let len = (i * i * unit) as usize;
        std::fs::write(folder.path().join(format!("file {i}")), vec![i as u8; len]).unwrap();
    }
    folder
}

fn mkfs(size: u64, options: &str) -> NamedTempFile {
    let image = sparse(size);
    let files = files(size);
    let mut command = Command::new("mke2fs");
    command
        .args(["-q", "-F", "-d"])
        .arg(files.path())
        .args(options.split_whitespace());
    run("e2fsprogs", command.arg(image.path()));
    // Holes in what is used: every third file goes again.
    let requests = NamedTempFile::new().unwrap();
    let lines: String = (0..FILES).step_by(3).map(|i| format!("rm \"file {i}\"\n")).collect();
    std::fs::write(requests.path(), lines).unwrap();
    let mut debugfs = Command::new("debugfs");
    run(
        "e2fsprogs",
        debugfs.arg("-w").arg("-f").arg(requests.path()).arg(image.path()),
    );
    run("e2fsprogs", Command::new("e2fsck").args(["-fn"]).arg(image.path()));
    image
}

/// The free space that `dumpe2fs` lists, as bytes: `  Free blocks: 12-15, 20` of every group.
/// Also returns where the filesystem ends, which may be well before the volume does.
fn free_by_dumpe2fs(image: &Path, volume: &Volume) -> (ExtentSet, u64) {
    let text = run("e2fsprogs", Command::new("dumpe2fs").arg(image));
    let block = u64::from(volume.block_size.unwrap());
    // With bigalloc, what it prints of a run's last cluster is the first block.
    let number = |key: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(key))
            .map(|n| n.trim().parse::<u64>().unwrap())
    };
    let cluster = number("Cluster size:").unwrap_or(block) / block;
    let blocks = number("Block count:").unwrap();
    let mut free = ExtentSet::new();
    for list in text.lines().filter_map(|line| line.strip_prefix("  Free blocks: ")) {
        for item in list.split(", ").filter(|item| !item.is_empty()) {
            let (first, last) = item.split_once('-').unwrap_or((item, item));
            let (first, last): (u64, u64) = (first.parse().unwrap(), last.parse().unwrap());
            free.insert(first * block..(last + cluster).min(blocks) * block);
        }
    }
    (free, blocks * block)
}

/// Both judges on one volume. Everything but the superblock's first 2 KiB and what lies behind the filesystem is equal.
fn judged(options: &str, size: u64) -> Volume {
    let image = mkfs(size, options);
    let volume = map(image.path());
    assert_eq!(volume.notes, Vec::<String>::new(), "{options}");
    let (free, end) = free_by_dumpe2fs(image.path(), &volume);
    let extra: ExtentSet = [0..2048, end..size].into_iter().collect();
    let by_dumpe2fs = free.complement(size);
    agrees(&format!("{options} against dumpe2fs"), &volume, &by_dumpe2fs, &extra);
    // partclone 0.3.23 knows nothing of bigalloc: "bitmap error at 0 group".
    if !options.contains("bigalloc") {
        let by_partclone = partclone("extfs", image.path());
        agrees(&format!("{options} against partclone"), &volume, &by_partclone, &extra);
    }
    volume
}

#[test]
fn ext2_ext3_and_ext4_as_they_come() {
    for kind in ["ext2", "ext3", "ext4"] {
        let volume = judged(
            &format!("-t {kind} -L my-{kind} -U 01234567-89ab-cdef-0123-456789abcdef"),
            300 * MIB,
        );
        assert_eq!(volume.label_of_kind, kind);
        assert_eq!(volume.label.unwrap(), format!("my-{kind}"));
        assert_eq!(volume.uuid.unwrap(), "01234567-89ab-cdef-0123-456789abcdef");
        assert!(volume.used.bytes() < 100 * MIB);
    }
}

#[test]
fn every_block_size() {
    for block in [1024, 2048, 4096, 8192, 16384, 32768, 65536] {
        for kind in ["ext2", "ext4"] {
            judged(&format!("-t {kind} -b {block}"), 200 * MIB);
        }
    }
}

#[test]
fn features_of_every_age() {
    for options in [
        "-t ext2 -r 0 -b 1024",
        "-t ext2 -O ^sparse_super,^resize_inode -b 1024",
        "-t ext4 -O ^64bit",
        "-t ext4 -O ^64bit,^metadata_csum,uninit_bg",
        "-t ext4 -O 64bit,^metadata_csum,uninit_bg",
        "-t ext4 -O ^metadata_csum,^uninit_bg",
        "-t ext4 -O ^flex_bg -b 1024",
        "-t ext4 -O ^has_journal",
        "-t ext4 -O meta_bg,^resize_inode -b 1024",
        "-t ext4 -O meta_bg,^resize_inode,^flex_bg,^64bit -b 1024 -g 256",
        "-t ext4 -O sparse_super2,^resize_inode -b 1024",
        "-t ext4 -O metadata_csum_seed,orphan_file,large_dir,encrypt,casefold",
        "-t ext4 -O inline_data,ea_inode,mmp,verity",
        "-t ext4 -O project",
        "-t ext4 -b 1024 -g 1024 -N 2000",
        "-t ext4 -I 1024 -G 4",
        "-t ext4 -E lazy_itable_init=1,packed_meta_blocks=1",
        "-t ext3 -b 1024 -J size=4",
    ] {
        judged(options, 250 * MIB);
    }
}

#[test]
fn bigalloc_clusters() {
    for options in [
        "-b 1024 -C 4096",
        "-b 1024 -C 65536",
        "-b 4096 -C 65536",
        "-b 4096 -C 1048576",
    ] {
        judged(&format!("-t ext4 -O bigalloc {options}"), 700 * MIB);
    }
}

#[test]
fn small_odd_and_huge_volumes() {
    judged("-t ext2 -b 1024", 5 * MIB);
    judged("-t ext4 -b 1024 -O ^has_journal", 8 * MIB + 3 * 512);
    judged("-t ext4 -b 4096", 77 * MIB + 7 * 512);
    let volume = judged("-t ext4 -E lazy_itable_init=1", 9 << 30);
    assert!(volume.used.bytes() < 600 * MIB);
}

#[test]
fn sixteen_tebibytes_in_seconds() {
    let image = sparse((16 << 40) - MIB);
    let mut command = Command::new("mke2fs");
    command.args(["-q", "-F", "-t", "ext4", "-E", "lazy_itable_init=1", "-O", "64bit"]);
    run("e2fsprogs", command.arg(image.path()));
    let start = std::time::Instant::now();
    let volume = map(image.path());
    assert!(volume.mapped, "{:?}", volume.notes);
    let seconds = start.elapsed().as_secs();
    assert!(seconds < 20, "{seconds} s");
}

/// Whether everything in `used` is also in the damaged volume's map.
fn skips_nothing_more(volume: &Volume, used: &ExtentSet, what: &str) {
    let missing = judge::minus(used, &volume.used);
    assert!(missing.is_empty(), "{what}: {missing:x?} left out; {:?}", volume.notes);
}

#[test]
fn a_damaged_bitmap_costs_its_group_and_no_data() {
    for options in [
        "-t ext4 -b 1024",
        "-t ext2 -b 1024",
        "-t ext4 -O ^metadata_csum,uninit_bg -b 1024",
    ] {
        let image = mkfs(100 * MIB, options);
        let before = map(image.path());
        let text = run("e2fsprogs", Command::new("dumpe2fs").arg(image.path()));
        let bitmap = text.split("Block bitmap at ").nth(1).unwrap();
        let bitmap: u64 = bitmap
            .split(|c: char| !c.is_ascii_digit())
            .next()
            .unwrap()
            .parse()
            .unwrap();
        // 256 used blocks are called free.
        image.as_file().write_all_at(&[0; 32], bitmap * 1024 + 8).unwrap();
        let after = map(image.path());
        assert!(after.notes.len() == 1, "{options}: {:?}", after.notes);
        skips_nothing_more(&after, &before.used, options);
    }
}

#[test]
fn what_cannot_be_believed_is_copied_whole() {
    let cases: [(&str, u64, &[u8], &str); 6] = [
        ("-t ext4", 1024 + 60, &[0xFF], "checksum"),
        ("-t ext2", 1024 + 98, &[0x80], "incompatible features"),
        ("-t ext2", 1024 + 58, &[0], "unmounted"),
        ("-t ext2", 1024 + 58, &[3], "damaged"),
        ("-t ext2", 1024 + 4, &[0xFF, 0xFF, 0xFF], "larger than its partition"),
        ("-t ext3", 1024 + 96, &[6], "in use when"),
    ];
    for (options, offset, bytes, word) in cases {
        let size = 100 * MIB;
        let image = mkfs(size, options);
        image.as_file().write_all_at(bytes, offset).unwrap();
        let volume = map(image.path());
        assert!(!volume.mapped);
        assert_eq!(volume.used.bytes(), size);
        assert!(volume.notes[0].contains(word), "{word}: {:?}", volume.notes);
    }
    // A partition cut short.
    let image = mkfs(100 * MIB, "-t ext4");
    image.as_file().set_len(99 * MIB).unwrap();
    assert!(!map(image.path()).mapped);
}
