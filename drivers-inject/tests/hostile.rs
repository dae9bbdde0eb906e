//! Truncated and corrupted hives and volumes: an answer or an error, never a panic, and soon.

mod common;

use common::hives::{self, NewHive, utf16};
use common::{Tree, disk_of};
use disk::usedmap::VolumeKind::{self, Ext, Fat, Ntfs};
use drivers_inject::inspect;
use drivers_inject::registry::{Hive, HiveError};
use proptest::prelude::*;
use std::sync::LazyLock;

/// A hive with some of everything.
static HIVE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut new = NewHive::new();
    for number in 0..200 {
        new = new.number(&format!(r"Many\Key{number}"), "n", number);
    }
    new.string(
        r"Microsoft\Windows NT\CurrentVersion",
        "ProductName",
        "Microsoft Windows XP",
    )
    .value("Types", "multi", 7, &[utf16("a"), utf16("b"), vec![0, 0]].concat())
    .value("Types", "long", 3, &[7; 20_000])
    .build()
});

/// Reads everything that can be read.
fn read_all(bytes: Vec<u8>) {
    let Ok(hive) = Hive::parse(bytes) else { return };
    let _ = hive.check();
    let _ = hive.key(r"Microsoft\Windows NT\CurrentVersion");
}

/// Bytes to write over others: mostly near each other, as real damage is.
fn damage(len: usize) -> impl Strategy<Value = Vec<(usize, u8)>> {
    let byte = prop_oneof![Just(0u8), Just(0xff), any::<u8>()];
    prop::collection::vec((0..len, byte), 1..60)
}

fn corrupt(bytes: &[u8], damage: &[(usize, u8)]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for (at, byte) in damage {
        bytes[*at] = *byte;
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_truncated_hive_is_read_or_refused(len in 0..HIVE.len()) {
        read_all(HIVE[..len].to_vec());
    }

    #[test]
    fn a_corrupted_hive_is_read_or_refused(damage in damage(HIVE.len())) {
        read_all(corrupt(&HIVE, &damage));
    }

    #[test]
    fn cells_that_lead_anywhere_are_read_or_refused(words in prop::collection::vec((0..HIVE.len() / 4, 0u32..0x8000), 1..40)) {
        // Words that look like offsets of cells: circles, lists of lists, values that are keys.
        let mut bytes = HIVE.clone();
        for (at, word) in words {
            bytes[at * 4..at * 4 + 4].copy_from_slice(&(word & !7 | 0x20).to_le_bytes());
        }
        bytes[..4].copy_from_slice(b"regf");
        read_all(bytes);
    }
}

#[test]
fn keys_that_contain_themselves_end() {
    let mut bytes = hives::minimal();
    // The root's list of subkeys holds the root a hundred times.
    let list: u32 = 0x20 + 88 + 48;
    let at = 4096 + list as usize;
    bytes[at..at + 4].copy_from_slice(&(-808i32).to_le_bytes());
    bytes[at + 4..at + 8].copy_from_slice(b"li\x64\0");
    for entry in 0..100 {
        bytes[at + 8 + entry * 4..at + 12 + entry * 4].copy_from_slice(&0x20u32.to_le_bytes());
    }
    let root = 4096 + 0x20 + 4;
    bytes[root + 0x14] = 100;
    bytes[root + 0x1c..root + 0x20].copy_from_slice(&list.to_le_bytes());
    let hive = Hive::parse(bytes).unwrap();
    let errors: Vec<_> = hive.walk().filter_map(Result::err).collect();
    assert!(
        errors.iter().any(|error| matches!(error, HiveError::Circle { .. })),
        "{errors:?}"
    );
    assert!(hive.walk().count() < 200);
}

/// A system on each kind of volume, small enough to damage often.
static VOLUMES: LazyLock<Vec<(VolumeKind, Vec<u8>)>> = LazyLock::new(|| {
    let linux = Tree::new()
        .file("etc/os-release", "NAME=Test\n")
        .link("etc/hostname", "../etc/name")
        .file("etc/name", "x");
    let windows = Tree::new()
        .file("Windows/System32/config/SYSTEM", hives::minimal())
        .file("Windows/System32/config/SOFTWARE", &*HIVE);
    let dos = Tree::new()
        .file("IO.SYS", "x")
        .file("MSDOS.SYS", "[Paths]\r\nWinVer=4.10.1998\r\n");
    vec![
        (Ext, linux.ext("ext2", 1)),
        (Ext, linux.ext("ext4", 2)),
        (Ntfs, windows.ntfs(2, "")),
        (Fat, dos.fat(1)),
        (Fat, dos.fat(16)),
    ]
});

/// Damage where the filesystem's structures are: most of a fresh volume is free.
fn volume_damage() -> impl Strategy<Value = (usize, Vec<(usize, u8)>)> {
    (0..VOLUMES.len()).prop_flat_map(|which| {
        let bytes = &VOLUMES[which].1;
        let used: Vec<usize> = (0..bytes.len() / 16)
            .filter(|line| bytes[line * 16..line * 16 + 16].iter().any(|byte| *byte != 0))
            .collect();
        let place = (prop::sample::select(used), 0..16usize).prop_map(|(line, column)| line * 16 + column);
        let byte = prop_oneof![Just(0u8), Just(0xff), any::<u8>()];
        (Just(which), prop::collection::vec((place, byte), 1..100))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_corrupted_volume_is_read_or_refused((which, damage) in volume_damage()) {
        let (kind, bytes) = &VOLUMES[which];
        let (disk, layout) = disk_of(vec![(*kind, corrupt(bytes, &damage))]);
        inspect(&disk, &layout);
    }

    #[test]
    fn a_truncated_volume_is_read_or_refused(which in 0..VOLUMES.len(), keep in 0.0..1.0f64) {
        let (kind, bytes) = &VOLUMES[which];
        let keep = (bytes.len() as f64 * keep) as usize;
        let (disk, layout) = disk_of(vec![(*kind, bytes[..keep].to_vec())]);
        inspect(&disk, &layout);
    }
}
