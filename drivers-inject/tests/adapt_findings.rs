//! What stands in the way of adapting a system: each finding on a disk that is made for it.

mod common;

use common::windows::*;
use common::{disk_of, hives};
use disk::ReadAt;
use disk::layout::DiskLayout;
use disk::usedmap::VolumeKind::{self, Fat, Ntfs};
use drivers_inject::adapt::{self, ApplyError, Effect, Finding, Kind, Options, apply};
use std::sync::Arc;

#[test]
fn disk_encryption_stops_everything() {
    let hive = seven().value(DISK_CLASS, "UpperFilters", 7, &list(&["PGPwded", "partmgr"]));
    let (disk, _, plan) = plan_of(&windows("6.1", &hive.build()));
    let finding = only(&plan);
    assert_eq!(
        (finding.kind, finding.effect),
        (Kind::EncryptionFilter, Effect::Refusal)
    );
    assert!(finding.what.contains("PGP"), "{}", finding.what);
    assert!(matches!(apply(&plan, &*memory(&disk)), Err(ApplyError::Refused(_))));
}

#[test]
fn a_saved_session_is_only_thrown_away_when_asked() {
    let mut session = b"HIBR".repeat(4000);
    session.truncate(15_000);
    for (signature, words) in [
        (*b"HIBR", "hiberfil.sys"),
        (*b"wake", "resumed"),
        (*b"RSTR", "not understood"),
    ] {
        session[..4].copy_from_slice(&signature);
        let tree = windows("6.1", &seven().build()).file("hiberfil.sys", &session);
        let (disk, layout, plan) = plan_of(&tree);
        let finding = only(&plan);
        assert_eq!((finding.kind, finding.effect), (Kind::Hibernated, Effect::Refusal));
        assert!(finding.what.contains(words), "{}", finding.what);
        assert!(finding.option.unwrap().starts_with("--discard-hibernation"));
        assert!(finding.option.unwrap().contains("lost"));
        assert!(matches!(apply(&plan, &*memory(&disk)), Err(ApplyError::Refused(_))));

        let discard = Options {
            discard_hibernation: true,
            ..Options::default()
        };
        let plan = adapt::plan(&disk, &layout, discard);
        assert_eq!(only(&plan).effect, Effect::Warning);
        let changed = memory(&disk);
        apply(&plan, &*changed).unwrap();
        let changed: Arc<dyn ReadAt> = changed;
        assert!(found(&adapt::plan(&changed, &layout, Options::default())).is_empty());
        let window = disk::io::Window::new(changed, 1 << 20..disk.size()).unwrap();
        let mut fs = disk::guestfs::open(Ntfs, Arc::new(window)).unwrap().unwrap();
        let now = fs.read("hiberfil.sys", 1 << 20).unwrap();
        assert!(now[..4096].iter().all(|byte| *byte == 0));
        assert_eq!(now[4096..], session[4096..]);
    }
}

#[test]
fn a_hive_that_was_not_written_completely_needs_its_logs() {
    let mut dirty = seven().build();
    dirty[4] ^= 1;
    hives::fix_checksum(&mut dirty);
    let (.., plan) = plan_of(&windows("6.1", &dirty));
    let finding = only(&plan);
    assert_eq!((finding.kind, finding.effect), (Kind::DirtyRegistry, Effect::Skip));
    assert!(finding.what.contains(".LOG1"), "{}", finding.what);
    assert_eq!(plan.edits, []);
}

#[test]
fn files_on_fat_are_edited_in_place_and_never_grow() {
    let tree = windows("6.1", &seven().build());
    let (disk, layout) = disk_of(vec![(Fat, tree.fat(16)), (Ntfs, tree.ntfs(12, ""))]);
    let plan = adapt::plan(&disk, &layout, Options::default());
    assert_eq!(only(&plan).kind, Kind::SeveralSystems);
    assert_eq!(edits(&plan), [MSAHCI, MSAHCI]);
    assert_eq!(plan.bytes(), 2048);

    let tree = windows("5.1", &xp().build());
    let (disk, layout) = disk_of(vec![(Fat, tree.fat(16))]);
    let plan = adapt::plan(&disk, &layout, Options::default());
    let finding = only(&plan);
    assert_eq!((finding.kind, finding.effect), (Kind::Registry, Effect::Skip));
    assert!(finding.what.contains("bytes more than it has"), "{}", finding.what);
    assert!(finding.default.contains("convert c: /fs:ntfs"), "{}", finding.default);
    assert_eq!((&plan.edits[..], plan.bytes()), (&[][..], 0));
}

#[test]
fn a_hive_grows_only_on_a_volume_that_was_closed() {
    let tree = windows("5.1", &xp().build());
    let (.., plan) = plan_of(&tree);
    assert!(found(&plan).is_empty(), "{:#?}", plan.findings);
    let grown = plan.edits.iter().find(|edit| edit.place == "the whole file").unwrap();
    let after = grown.after.as_deref().unwrap();
    assert!(after.ends_with("more") && after.contains(" bytes, "), "{grown:?}");

    let mut volume = tree.ntfs(12, "");
    mark_log_in_use(&mut volume);
    let (disk, layout) = disk_of(vec![(Ntfs, volume)]);
    let plan = adapt::plan(&disk, &layout, Options::default());
    let kinds: Vec<_> = found(&plan)
        .iter()
        .map(|finding| (finding.kind, finding.effect))
        .collect();
    let expected = [(Kind::Registry, Effect::Skip), (Kind::UncleanVolume, Effect::Warning)];
    assert_eq!(kinds, expected);
    let finding = &plan.findings[0];
    assert!(finding.what.contains("Windows did not close it"), "{}", finding.what);
    for words in [
        "left as it is",
        "Start Windows once",
        "shutdown /s /t 0",
        "capture again",
    ] {
        assert!(finding.default.contains(words), "no {words} in {}", finding.default);
    }
    assert_eq!((&plan.edits[..], plan.bytes()), (&[][..], 0));
}

#[test]
fn an_unclosed_volume_is_reported_and_edited_in_place_only() {
    let mut volume = windows("6.1", &seven().build()).ntfs(12, "");
    mark_log_in_use(&mut volume);
    let (disk, layout) = disk_of(vec![(Ntfs, volume)]);
    let plan = adapt::plan(&disk, &layout, Options::default());
    assert_eq!(
        (only(&plan).kind, only(&plan).effect),
        (Kind::UncleanVolume, Effect::Warning)
    );
    assert_eq!(edits(&plan), [MSAHCI]);
}

/// Writes a restart page that says that the volume is in use.
fn mark_log_in_use(volume: &mut [u8]) {
    let place = {
        let mut fs = disk::guestfs::open(Ntfs, Arc::new(volume.to_vec())).unwrap().unwrap();
        fs.place("$LogFile").unwrap().data[0].clone()
    };
    let mut page = vec![0; 4096];
    let mut put = |at: usize, bytes: &[u8]| page[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, b"RSTR\x1E\0\x09\0");
    put(0x10, &4096u32.to_le_bytes());
    put(0x18, &[0x30, 0]);
    put(0x1C, &1u16.to_le_bytes());
    put(0x30, &5u64.to_le_bytes());
    for block in 0..8 {
        put(block * 512 + 510, &[1, 0]);
    }
    put(0x1E, &[1, 0]);
    for copy in [0, 4096] {
        let start = place.start as usize + copy;
        volume[start..start + 4096].copy_from_slice(&page);
    }
}

/// A layout that differs from a good one in one thing.
fn findings_with(change: impl FnOnce(&mut DiskLayout)) -> Vec<Finding> {
    let (disk, mut layout) = disk_of(vec![
        (Ntfs, windows("6.1", &seven().build()).ntfs(12, "")),
        (VolumeKind::Other, vec![0; 1 << 20]),
    ]);
    change(&mut layout);
    let plan = adapt::plan(&disk, &layout, Options::default());
    assert_eq!(edits(&plan), [MSAHCI], "the other Windows is adapted all the same");
    found(&plan).into_iter().cloned().collect()
}

/// What is found on which partition, a word of it, and what of the layout makes it so.
type Case = (Kind, u32, &'static str, fn(&mut DiskLayout));

#[test]
fn what_the_layout_says_is_told() {
    let cases: [Case; 9] = [
        (Kind::BitLocker, 2, "recovery key", |layout| {
            layout.contents[1].volume.label_of_kind = "BitLocker".to_owned();
        }),
        (Kind::Luks, 2, "passphrase", |layout| {
            layout.contents[1].volume.label_of_kind = "LUKS".to_owned();
        }),
        (Kind::DynamicDisk, 0, "several disks", |layout| {
            layout.contents[0].partition.as_mut().unwrap().type_code = "0x42".to_owned();
        }),
        (Kind::StorageSpaces, 0, "storage pool", |layout| {
            layout.contents[1].partition.as_mut().unwrap().type_code =
                "E75CAF8F-F680-4CEE-AFA3-B001E56EFC2D".to_owned();
        }),
        (Kind::LargeSectors, 0, "4096 bytes", |layout| layout.sector = 4096),
        (Kind::DoubtfulTable, 0, "Overlap", |layout| {
            layout.table.trusted = false;
            layout.table.warnings.push("overlap".to_owned());
        }),
        (Kind::Raid, 0, "Intel RAID", |layout| {
            layout.table.trusted = false;
            layout.table.raid = Some("Intel");
            layout.table.warnings.extend(layout.table.raid_warning());
        }),
        (Kind::Raid, 2, "RAID array", |layout| {
            layout.contents[1].volume.label_of_kind = "mdraid".to_owned();
        }),
        (Kind::NotAdapted, 2, "XFS", |layout| {
            layout.contents[1].volume.label_of_kind = "XFS".to_owned();
        }),
    ];
    for (kind, partition, words, change) in cases {
        let findings = findings_with(change);
        assert_eq!(findings.len(), 1, "{findings:#?}");
        assert_eq!((findings[0].kind, findings[0].partition), (kind, partition));
        assert_eq!(findings[0].effect, Effect::Warning);
        assert!(findings[0].what.contains(words), "{}", findings[0].what);
    }
    assert_eq!(findings_with(|_| {}), []);
}

#[test]
fn two_systems_on_one_disk_are_both_adapted() {
    let volume = windows("6.1", &seven().build()).ntfs(12, "");
    let (disk, layout) = disk_of(vec![(Ntfs, volume.clone()), (Ntfs, volume)]);
    let plan = adapt::plan(&disk, &layout, Options::default());
    assert_eq!(edits(&plan), [MSAHCI, MSAHCI]);
    assert_eq!(
        (only(&plan).kind, only(&plan).effect),
        (Kind::SeveralSystems, Effect::Note)
    );
    assert_eq!((plan.edits[0].partition, plan.edits[1].partition), (1, 2));
    apply(&plan, &*memory(&disk)).unwrap();
}

#[test]
fn a_damaged_hive_is_refused_or_edited_but_never_more() {
    let hive = seven().build();
    let volume = windows("6.1", &hive).ntfs(12, "");
    let place = {
        let mut fs = disk::guestfs::open(Ntfs, Arc::new(volume.clone())).unwrap().unwrap();
        fs.place(SYSTEM).unwrap().data[0].clone()
    };
    let (mut refused, mut state) = (0, 1u64);
    for _ in 0..200 {
        let mut volume = volume.clone();
        for _ in 0..3 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            // Past the base block, whose checksum would give the damage away.
            let at = 4096 + (state >> 33) as usize % (hive.len() - 4096);
            volume[place.start as usize + at] ^= (state >> 16) as u8;
        }
        let (disk, layout) = disk_of(vec![(Ntfs, volume)]);
        let plan = adapt::plan(&disk, &layout, Options::default());
        if plan.findings.iter().any(|finding| finding.effect == Effect::Skip) {
            refused += 1;
            assert_eq!((&plan.edits[..], plan.bytes()), (&[][..], 0));
        } else {
            apply(&plan, &*memory(&disk)).unwrap();
        }
    }
    assert!(refused > 20, "only {refused} of 200 damaged hives were refused");
}
