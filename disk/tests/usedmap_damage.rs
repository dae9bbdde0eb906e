//! Damaged volumes: no panic, no skipped data.
//!
//! Where a filesystem protects its bitmaps (ext4 by checksums, FAT by a second table), no damage of any byte may make a
//! map leave out what the undamaged volume uses. Where it does not (ext2, NTFS), a damaged bitmap cannot always be told
//! from a whole one: there the map must still be sound in itself.
#![allow(missing_docs)]

mod judge;

use disk::ExtentSet;
use disk::layout::scan;
use disk::usedmap::{Volume, map_volume};
use judge::{MIB, minus, run, sparse};
use proptest::prelude::*;
use std::process::Command;
use std::sync::LazyLock;

/// A small volume in memory, made by a tool of `package`.
fn made(package: &str, size: u64, tool: &str, options: &str) -> Vec<u8> {
    let image = sparse(size);
    let mut command = Command::new(tool);
    run(package, command.args(options.split_whitespace()).arg(image.path()));
    std::fs::read(image.path()).unwrap()
}

static EXT4: LazyLock<Vec<u8>> = LazyLock::new(|| {
    made(
        "e2fsprogs",
        3 * MIB,
        "mke2fs",
        "-q -F -t ext4 -b 1024 -g 1024 -O 64bit,metadata_csum,^has_journal",
    )
});
static EXT2: LazyLock<Vec<u8>> =
    LazyLock::new(|| made("e2fsprogs", 3 * MIB, "mke2fs", "-q -F -t ext2 -b 1024 -g 1024"));
static NTFS: LazyLock<Vec<u8>> =
    LazyLock::new(|| made("ntfs-3g", 3 * MIB, "mkntfs", "-q -F -f -s 512 -p 0 -H 16 -S 63 -c 512"));
static FAT16: LazyLock<Vec<u8>> = LazyLock::new(|| made("dosfstools", 3 * MIB, "mkfs.fat", "-F 16 -s 1 -n LABEL"));
static FAT32: LazyLock<Vec<u8>> = LazyLock::new(|| made("dosfstools", 3 * MIB, "mkfs.fat", "-F 32 -s 1 -n LABEL"));

fn map(volume: &Vec<u8>) -> Volume {
    let size = volume.len() as u64;
    let map = map_volume(volume).unwrap();
    assert!(map.used.iter().all(|range| range.end <= size));
    assert!(map.mapped || map.used == ExtentSet::from_range(0..size));
    map
}

/// Places (within the used part of the volume, where structures are) and what is put there.
type Damage = Vec<(prop::sample::Index, u8)>;

fn damaged(whole: &[u8], used: &ExtentSet, damage: &Damage) -> Vec<u8> {
    let mut volume = whole.to_vec();
    for (index, value) in damage {
        let mut at = index.index(used.bytes() as usize) as u64;
        for range in used.iter() {
            let len = range.end - range.start;
            if at < len {
                volume[(range.start + at) as usize] = *value;
                break;
            }
            at -= len;
        }
    }
    volume
}

fn damage() -> impl Strategy<Value = Damage> {
    let value = prop_oneof![Just(0), Just(0xFF), any::<u8>()];
    prop::collection::vec((any::<prop::sample::Index>(), value), 1..20)
}

/// Nothing that the undamaged volume uses is left out.
fn keeps_everything(whole: &Vec<u8>, damage: &Damage) {
    let before = map(whole);
    assert!(before.mapped, "{:?}", before.notes);
    let after = map(&damaged(whole, &before.used, damage));
    let missing = minus(&before.used, &after.used);
    assert!(missing.is_empty(), "{missing:x?} left out");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn damaged_ext4_leaves_nothing_out(damage in damage()) {
        keeps_everything(&EXT4, &damage);
    }

    #[test]
    fn damaged_fat16_leaves_nothing_out(damage in damage()) {
        keeps_everything(&FAT16, &damage);
    }

    #[test]
    fn damaged_fat32_leaves_nothing_out(damage in damage()) {
        keeps_everything(&FAT32, &damage);
    }

    #[test]
    fn damaged_ext2_and_ntfs_have_sound_maps(damage in damage()) {
        for whole in [&*EXT2, &*NTFS] {
            let used = map(whole).used;
            map(&damaged(whole, &used, &damage));
        }
    }

    /// Damage in the boot sector and superblock, where every byte has a meaning.
    #[test]
    fn damaged_first_sectors_leave_nothing_out(places in prop::collection::vec((0usize..2048, any::<u8>()), 1..8)) {
        for whole in [&*EXT4, &*FAT16, &*FAT32, &*EXT2, &*NTFS] {
            let before = map(whole);
            let mut volume = whole.clone();
            for (at, value) in &places {
                volume[*at] = *value;
            }
            let after = map(&volume);
            let missing = minus(&before.used, &after.used);
            // The places themselves may have been blank space of an unprotected superblock.
            prop_assert!(missing.is_empty(), "{} {:x?} left out", before.label_of_kind, missing);
        }
    }

    #[test]
    fn cut_volumes_are_copied_whole(len in any::<prop::sample::Index>()) {
        for whole in [&*EXT4, &*EXT2, &*NTFS, &*FAT16] {
            let len = len.index(whole.len() - 64 * 1024);
            prop_assert!(!map(&whole[..len].to_vec()).mapped);
        }
    }

    /// Anything at all in the first sectors of a disk.
    #[test]
    fn any_disk_has_a_layout(sectors in prop::collection::vec((0usize..64, prop::collection::vec(any::<u8>(), 512)), 0..6),
                             sector in prop_oneof![Just(512u32), Just(4096)]) {
        let mut disk = vec![0; 64 * 512];
        for (at, bytes) in &sectors {
            disk[at * 512..][..512].copy_from_slice(bytes);
        }
        disk[510] = 0x55;
        disk[511] = 0xAA;
        let layout = scan(&disk, sector).unwrap();
        prop_assert_eq!(layout.used.bytes(), disk.len() as u64);
    }
}

#[test]
fn the_undamaged_volumes_are_mapped() {
    for whole in [&*EXT4, &*EXT2, &*NTFS, &*FAT16, &*FAT32] {
        let volume = map(whole);
        assert!(
            volume.mapped && volume.used.bytes() < whole.len() as u64,
            "{:?}",
            volume.notes
        );
    }
}
