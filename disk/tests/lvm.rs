//! Volumes of LVM: lvm2 makes the metadata and says where the bytes lie; we must find them there.
#![allow(missing_docs)]

mod loop_device;
mod lvm_tools;
mod volumes;

use disk::layout::{DiskLayout, LogicalContents, scan};
use disk::usedmap::VolumeKind;
use disk::{Linear, ReadAt};
use lvm_tools::Lvm;
use proptest::prelude::*;
use std::fs;
use std::ops::Range;
use std::path::Path;
use volumes::{Tree, run_with_input};

const MIB: u64 = 1 << 20;
const FIRST: Range<u64> = MIB..41 * MIB;
const SECOND: Range<u64> = 41 * MIB..71 * MIB;

/// A disk with two partitions for LVM.
fn disk() -> tempfile::NamedTempFile {
    let image = tempfile::Builder::new().suffix(".img").tempfile().unwrap();
    image.as_file().set_len(72 * MIB).unwrap();
    let name = image.path().to_str().unwrap();
    let table = "label: dos\nstart=2048, size=40M, type=8e\nsize=30M, type=8e\n";
    run_with_input("fdisk", "sfdisk", &["-q", name], table);
    image
}

fn layout(image: &Path) -> DiskLayout {
    scan(&fs::read(image).unwrap(), 512).unwrap()
}

fn named<'l>(layout: &'l DiskLayout, name: &str) -> &'l LogicalContents {
    let found = layout
        .logical
        .iter()
        .find(|contents| contents.logical.name.to_string() == name);
    found.unwrap_or_else(|| panic!("no {name} in {:?}", layout.logical))
}

/// Where we say that it lies.
fn places(layout: &DiskLayout, name: &str) -> Vec<Range<u64>> {
    let mapping = named(layout, name).logical.segments.as_ref();
    let mapping = mapping.unwrap_or_else(|| panic!("{:?}", named(layout, name).logical));
    let segments = mapping.segments().iter();
    segments
        .map(|segment| segment.disk..segment.disk + segment.length)
        .collect()
}

fn why(layout: &DiskLayout, name: &str) -> String {
    let logical = &named(layout, name).logical;
    assert_eq!(logical.segments, None, "{logical:?}");
    logical.unreadable.clone().unwrap()
}

#[test]
fn volumes_are_where_lvm_says() {
    let image = disk();
    let lvm = Lvm::on(image.path(), &[FIRST, SECOND]);
    lvm.group("vg-old", &[]);
    lvm.volume("vg-old", "root", 12);
    lvm.volume("vg-old", "swap_1", 4);
    lvm.run(&["lvextend", "-q", "-L", "+4m", "vg-old/root"]);
    // What is left on both physical volumes.
    lvm.run(&[
        "lvcreate", "-q", "-an", "-Zn", "-Wn", "-l", "100%FREE", "-n", "home", "vg-old",
    ]);
    let root = Tree::new().file("etc/hostname", "oldpc\n").ext("ext4", 16);
    lvm.write("vg-old/root", &root);
    let home: Vec<u8> = (0..lvm.read("vg-old/home").len() as u64)
        .map(|at| (at.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 50) as u8)
        .collect();
    lvm.write("vg-old/home", &home);
    let seen = layout(image.path());
    for (name, segments) in [("root", 2), ("swap_1", 1), ("home", 2)] {
        let name = format!("vg-old/{name}");
        let judged = lvm.places(&name);
        assert_eq!(judged.len(), segments, "{name}");
        assert_eq!(places(&seen, &name), judged, "{name}");
        let id = lvm.run(&["lvs", "--noheadings", "-o", "lv_uuid", &name]);
        let logical = &named(&seen, &name).logical;
        assert_eq!(logical.uuid, id.trim());
        assert_eq!(logical.read_only, None);
    }
    let mut of_home = named(&seen, "vg-old/home").logical.partitions.clone();
    of_home.sort_unstable();
    assert_eq!(of_home, [1, 2]);
    assert_eq!(named(&seen, "vg-old/root").logical.partitions, [1]);
    assert_eq!(named(&seen, "vg-old/root").logical.name.mapper(), "vg--old-root");
    let volume = named(&seen, "vg-old/root").volume.as_ref().unwrap();
    assert_eq!((volume.kind, volume.mapped), (VolumeKind::Ext, false));
    let whole = fs::read(image.path()).unwrap();
    for (name, expected) in [("vg-old/root", &root), ("vg-old/home", &home)] {
        let mapping = named(&seen, name).logical.segments.clone().unwrap();
        let volume = Linear::new(&whole, mapping).unwrap();
        let mut bytes = vec![0; expected.len()];
        volume.read_at(0, &mut bytes).unwrap();
        assert!(bytes == *expected, "{name}");
    }
    // Whatever is on it, LVM's partitions are copied whole.
    assert_eq!(
        seen.used
            .within(FIRST.start..SECOND.end)
            .map(|range| range.end - range.start)
            .sum::<u64>(),
        70 * MIB
    );
    for (volume, partition) in seen.physical.iter().zip([1, 2]) {
        assert_eq!((volume.partition, volume.group.as_deref()), (partition, Some("vg-old")));
        assert_eq!(volume.problems, [""; 0]);
    }
}

/// A segment of another type in the text of a volume.
fn retyped(text: &str, volume: &str, segment: &str) -> String {
    let at = text.find(&format!("\n\t\t{volume} {{")).unwrap();
    let start = at + text[at..].find("type = \"striped\"").unwrap();
    let end = start + text[start..].find(']').unwrap() + 1;
    format!("{}{segment}{}", &text[..start], &text[end..])
}

#[test]
fn what_is_not_linear_is_named_and_refused() {
    let image = disk();
    let lvm = Lvm::on(image.path(), &[FIRST, SECOND]);
    lvm.group("vg", &[]);
    for name in [
        "plain", "mirrored", "origin", "snap", "hidden", "locked", "readonly", "thin",
    ] {
        lvm.volume("vg", name, 2);
    }
    lvm.run(&[
        "lvcreate", "-q", "-an", "-Zn", "-Wn", "-i2", "-L4m", "-n", "striped", "vg",
    ]);
    lvm.run(&["lvcreate", "-q", "-an", "-l2", "--type", "zero", "-n", "empty", "vg"]);
    lvm.restore("vg", |text| {
        // lvm2 reads and writes these back itself: it is the judge of their form.
        let text = retyped(
            &text,
            "mirrored",
            "type = \"mirror\"\nmirror_count = 1\nregion_size = 1024\nmirrors = [\"hidden\", 0]",
        );
        let state = |text: String, name: &str, to: &str| {
            let at = text.find(&format!("\n\t\t{name} {{")).unwrap();
            let (before, after) = text.split_at(at);
            format!("{before}{}", after.replacen("\"READ\", \"WRITE\", \"VISIBLE\"", to, 1))
        };
        let text = state(text, "hidden", "\"READ\", \"WRITE\"");
        let text = state(text, "locked", "\"READ\", \"WRITE\", \"VISIBLE\", \"LOCKED\"");
        let text = state(text, "readonly", "\"READ\", \"VISIBLE\"");
        let snapshot = "snapshot0 {\nid = \"aaaaaa-aaaa-aaaa-aaaa-aaaa-aaaa-aaaaaa\"\nstatus = [\"READ\", \"WRITE\"]\n\
                        segment_count = 1\nsegment1 {\nstart_extent = 0\nextent_count = 2\ntype = \"snapshot\"\n\
                        chunk_size = 8\norigin = \"origin\"\ncow_store = \"snap\"\n}\n}\n";
        text.replacen("\n\t\tplain {", &format!("\n{snapshot}\n\t\tplain {{"), 1)
    });
    let seen = layout(image.path());
    for name in ["plain", "origin", "readonly"] {
        let name = format!("vg/{name}");
        assert_eq!(places(&seen, &name), lvm.places(&name));
    }
    assert_eq!(named(&seen, "vg/plain").logical.read_only, None);
    assert!(
        named(&seen, "vg/origin")
            .logical
            .read_only
            .as_ref()
            .unwrap()
            .contains("snapshots")
    );
    assert!(named(&seen, "vg/readonly").logical.read_only.is_some());
    assert!(why(&seen, "vg/mirrored").contains("type mirror"));
    assert!(why(&seen, "vg/snap").contains("a snapshot"));
    assert!(why(&seen, "vg/striped").contains("striped over several"));
    assert!(why(&seen, "vg/empty").contains("type zero"));
    assert!(why(&seen, "vg/locked").contains("LOCKED"));
    assert!(
        seen.logical
            .iter()
            .all(|contents| contents.logical.name.name != "hidden")
    );
    let problems = seen.physical[0].problems.join("\n");
    assert!(problems.contains("vg/mirrored cannot be read"), "{problems}");
}

#[test]
fn thin_volumes_are_refused() {
    let image = disk();
    let lvm = Lvm::on(image.path(), &[FIRST]);
    lvm.group("vg", &[]);
    for name in ["data", "meta", "pool", "thin"] {
        lvm.volume("vg", name, 4);
    }
    lvm.restore("vg", |text| {
        let text = retyped(
            &text,
            "pool",
            "type = \"thin-pool\"\nmetadata = \"pool_tmeta\"\npool = \"pool_tdata\"\ntransaction_id = 1\n\
             chunk_size = 128\ndiscards = \"passdown\"\nzero_new_blocks = 1",
        );
        let text = retyped(
            &text,
            "thin",
            "type = \"thin\"\nthin_pool = \"pool\"\ntransaction_id = 0\ndevice_id = 1",
        );
        let mut text = text;
        for (name, reserved) in [("data", "pool_tdata"), ("meta", "pool_tmeta")] {
            let at = text.find(&format!("\n\t\t{name} {{")).unwrap();
            let (before, after) = text.split_at(at);
            let hidden = after.replacen(", \"VISIBLE\"", "", 1).replacen(name, reserved, 1);
            text = format!("{before}{hidden}");
        }
        text
    });
    let seen = layout(image.path());
    assert!(why(&seen, "vg/thin").contains("type thin"));
    assert_eq!(seen.physical[0].problems.len(), seen.logical.len());
    assert!(
        lvm.run(&["lvs", "--noheadings", "-o", "segtype", "vg/thin"])
            .contains("thin")
    );
}

/// The newest text in the first metadata area of the first partition: offset, size, size of the area.
fn newest(image: &Path) -> (u64, u64, u64) {
    let bytes = fs::read(image).unwrap();
    let at = (FIRST.start + 4096) as usize;
    let number = |offset: usize| u64::from_le_bytes(bytes[at + offset..at + offset + 8].try_into().unwrap());
    (number(40), number(48), number(32))
}

#[test]
fn the_text_goes_round_in_its_ring() {
    let image = disk();
    let lvm = Lvm::on(image.path(), &[FIRST]);
    lvm.group("vg", &["--dataalignment", "64k", "--metadatasize", "60k"]);
    for name in ["a0", "b", "c", "d", "e", "f", "g"] {
        lvm.volume("vg", name, 2);
    }
    let mut wrapped = 0;
    for number in 0..50 {
        let (old, new) = (format!("a{number}"), format!("a{}", number + 1));
        lvm.run(&["lvrename", "-q", "vg", &old, &new]);
        let (offset, size, area) = newest(image.path());
        wrapped += u32::from(offset + size > area);
        let seen = layout(image.path());
        assert_eq!(seen.logical.len(), 7);
        assert_eq!(places(&seen, &format!("vg/{new}")), lvm.places(&format!("vg/{new}")));
    }
    assert!(
        wrapped >= 1,
        "the text was never in two parts: {:?}",
        newest(image.path())
    );
}

#[test]
fn a_damaged_copy_is_replaced_by_the_other_and_the_newest_counts() {
    let image = disk();
    let lvm = Lvm::on(image.path(), &[FIRST]);
    lvm.group("vg", &["--metadatacopies", "2"]);
    lvm.volume("vg", "old", 2);
    let before = fs::read(image.path()).unwrap();
    lvm.run(&["lvrename", "-q", "vg", "old", "new"]);
    let good = fs::read(image.path()).unwrap();
    // The first copy is that of before: the other one is newer.
    let area = (FIRST.start + 4096) as usize..(FIRST.start + MIB) as usize;
    let mut bytes = good.clone();
    bytes[area.clone()].copy_from_slice(&before[area.clone()]);
    let seen = scan(&bytes, 512).unwrap();
    assert_eq!(seen.logical[0].logical.name.name, "new");
    // It is damaged.
    let (offset, ..) = newest(image.path());
    let mut bytes = good.clone();
    bytes[area.start + offset as usize + 20] ^= 1;
    let seen = scan(&bytes, 512).unwrap();
    assert_eq!(places(&seen, "vg/new"), lvm.places("vg/new"));
    assert!(
        seen.physical[0].problems[0].contains("checksum of its text"),
        "{:?}",
        seen.physical
    );
    // The label is.
    let mut bytes = good;
    bytes[FIRST.start as usize + 512 + 40] ^= 1;
    let seen = scan(&bytes, 512).unwrap();
    assert!(seen.logical.is_empty());
    assert!(seen.physical[0].problems[0].contains("label"), "{:?}", seen.physical);
}

#[test]
fn a_volume_whose_parts_are_not_all_here_is_refused() {
    let image = disk();
    let lvm = Lvm::on(image.path(), &[FIRST, SECOND]);
    lvm.group("vg", &[]);
    lvm.volume("vg", "here", 4);
    lvm.run(&[
        "lvcreate", "-q", "-an", "-Zn", "-Wn", "-l", "100%FREE", "-n", "both", "vg",
    ]);
    let mut bytes = fs::read(image.path()).unwrap();
    let second = SECOND.start as usize;
    bytes[second..second + MIB as usize].fill(0);
    let seen = scan(&bytes, 512).unwrap();
    assert_eq!(places(&seen, "vg/here"), lvm.places("vg/here"));
    assert!(why(&seen, "vg/both").contains("not on this disk"));
    // A copy of a physical volume: which of the two is meant?
    let mut bytes = fs::read(image.path()).unwrap();
    let (first, second) = bytes.split_at_mut(second);
    second[..MIB as usize].copy_from_slice(&first[MIB as usize..2 * MIB as usize]);
    let seen = scan(&bytes, 512).unwrap();
    assert!(why(&seen, "vg/here").contains("there twice"));
}

#[test]
fn a_raid_member_is_not_looked_into() {
    let image = disk();
    let lvm = Lvm::on(image.path(), &[FIRST]);
    lvm.group("vg", &[]);
    lvm.volume("vg", "root", 4);
    let mut bytes = fs::read(image.path()).unwrap();
    // Metadata 1.0: 8 KiB before the end of the partition.
    let at = FIRST.end as usize - 8192;
    bytes[at..at + 4].copy_from_slice(b"\xFC\x4E\x2B\xA9");
    let seen = scan(&bytes, 512).unwrap();
    assert!(seen.logical.is_empty());
    assert!(seen.physical[0].problems[0].contains("mdraid"), "{:?}", seen.physical);
}

/// The first MiB of a physical volume that lvm2 made, and its partition's size.
fn sample() -> &'static [u8] {
    static SAMPLE: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
    SAMPLE.get_or_init(|| {
        let image = disk();
        let lvm = Lvm::on(image.path(), &[FIRST]);
        lvm.group("vg", &["--dataalignment", "64k", "--metadatasize", "60k"]);
        lvm.volume("vg", "root", 2);
        lvm.volume("vg", "home", 2);
        fs::read(image.path()).unwrap()[..3 * MIB as usize].to_vec()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    /// Whatever is damaged, nothing panics, and what is found lies on the disk.
    #[test]
    fn damage_is_survived(damage in prop::collection::vec((0usize..60 << 10, any::<u8>()), 1..6), cut in 0usize..2 << 20) {
        let mut bytes = sample().to_vec();
        for (at, byte) in damage {
            // Zeros are not worth much: only what is something is damaged.
            let end = 2 * MIB as usize;
            let at = (MIB as usize + at..end).find(|at| bytes[*at] != 0).unwrap_or(MIB as usize + 512);
            bytes[at] = byte;
        }
        bytes.truncate(bytes.len() - cut);
        let seen = scan(&bytes, 512).unwrap();
        for contents in &seen.logical {
            if let Some(mapping) = &contents.logical.segments {
                prop_assert!(mapping.end() <= bytes.len() as u64);
                prop_assert_eq!(mapping.size(), contents.logical.size);
            }
        }
    }
}
