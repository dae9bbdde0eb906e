//! Each finding of `p2v adapt` about Windows: a made disk that triggers it, and what a person sees.

mod common;
mod findings;
#[allow(dead_code, reason = "each test binary uses its own part")]
#[path = "../../drivers-inject/tests/common/hives.rs"]
mod hives;
#[path = "../../disk/tests/volumes/mod.rs"]
mod volumes;
mod windows;

use common::*;
use findings::*;
use hives::NewHive;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;
use windows::*;

const NTFS: &str = "7";
/// A Windows 7 that needs edits and has nothing else to say.
static PLAIN: LazyLock<Vec<u8>> = LazyLock::new(|| windows_7_volume(&windows_7().build()));

/// A Windows with this in its root.
fn with_file(name: &str, contents: &[u8], version: [&str; 3], hive: &NewHive) -> Vec<u8> {
    let tree = tree(&hive.build(), &software(version[0], version[1], version[2]));
    tree.file(name, contents).ntfs_with(VOLUME, &["-p", "2048"], "")
}

#[test]
fn every_windows_is_told_of_its_new_computer() {
    let machine = Machine::mbr(&[(NTFS, &PLAIN)]);
    let words = ["activated anew", "OEM", "local time"];
    let seen = machine.shows("new-computer", "note", 1, &words);
    assert_eq!((seen.findings().len(), seen.edited()), (1, vec![1]));
    machine.adapts(&[]);
}

#[test]
fn fast_startup_and_hibernation() {
    let session = [&b"hibr"[..], &noise(7, 20_000)].concat();
    let hive = windows_7().number(r"ControlSet001\Control\Session Manager\Power", "HiberbootEnabled", 1);
    let ten = ["Windows 10 Pro", "6.3", "19045"];
    let seven = ["Windows 7 Professional", "6.1", "7601"];
    for (version, words) in [
        (ten, "hibernated, or shut down with Fast Startup"),
        (seven, "Hibernated: a saved session"),
    ] {
        let machine = Machine::mbr(&[(NTFS, &with_file("hiberfil.sys", &session, version, &hive))]);
        let option = "--discard-hibernation throws the saved session away: what was open in it and not saved is lost";
        let seen = machine.shows("hibernated", "refusal", 1, &["Nothing is changed", option]);
        assert!(
            seen.text.to_lowercase().contains(&words.to_lowercase()),
            "{}",
            seen.text
        );
        machine.refuses();
        let agreed = machine.look(&["--discard-hibernation"]);
        agreed.shows("hibernated", "warning", 1, &["As you asked", "The capture keeps it"]);
        machine.adapts(&["--discard-hibernation"]);
        let size = (u64::from(VOLUME) * MIB) as usize;
        let kept = machine.path.with_extension("volume");
        for (image, expected) in [("disk0.qcow2", &session[..4]), ("disk0.adapted.qcow2", &[0; 4])] {
            fs::write(&kept, volume_of(&machine.path, image, size)).unwrap();
            assert_eq!(ntfscat(&kept, "hiberfil.sys")[..4], *expected);
        }
    }
}

/// Overwrites both restart pages of the log with one that says that the volume is in use.
fn leave_open(volume: &mut [u8], file: &Path) {
    fs::write(file, &volume).unwrap();
    let start = clusters(file, "$LogFile", 4096)[0].start as usize;
    let mut page = vec![0; 4096];
    for (at, bytes) in [
        (0, &b"RSTR\x1E\0\x09\0"[..]),
        (0x10, &4096u32.to_le_bytes()),
        (0x18, &[0x30, 0]),
        (0x1C, &1u16.to_le_bytes()),
        (0x30, &5u64.to_le_bytes()),
        (0x1E, &[1, 0]),
    ] {
        page[at..at + bytes.len()].copy_from_slice(bytes);
    }
    for block in 0..8 {
        page[block * 512 + 510] = 1;
    }
    for copy in [start, start + 4096] {
        volume[copy..copy + 4096].copy_from_slice(&page);
    }
}

#[test]
fn a_log_that_was_not_closed_and_a_mark_for_chkdsk() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("volume");
    let mut open = PLAIN.clone();
    leave_open(&mut open, &file);
    let machine = Machine::mbr(&[(NTFS, &open)]);
    let seen = machine.shows(
        "unclean-volume",
        "warning",
        1,
        &["did not close the volume", "start it once more"],
    );
    assert_eq!(seen.edited(), [1]);
    machine.adapts(&[]);
    // Windows' log is as it was, and so is everything else but blocks of the hive.
    let after = volume_of(&machine.path, "disk0.adapted.qcow2", open.len());
    fs::write(&file, &after).unwrap();
    let hive = clusters(&file, SYSTEM, 4096);
    let changed = differing(&open, &after);
    assert!(!changed.is_empty());
    assert!(
        changed
            .iter()
            .all(|block| hive.iter().any(|range| range.contains(block)))
    );

    // ntfsfix marks a volume for a check.
    fs::write(&file, &*PLAIN).unwrap();
    run(Command::new("ntfsfix").arg(&file));
    let machine = Machine::mbr(&[(NTFS, &fs::read(&file).unwrap())]);
    machine.shows("unclean-volume", "warning", 1, &["chkdsk", "The mark is left"]);
    machine.adapts(&[]);
}

#[test]
fn a_registry_whose_logs_are_missing() {
    let mut hive = windows_7().build();
    hive[4] ^= 1;
    hives::fix_checksum(&mut hive);
    let machine = Machine::mbr(&[(NTFS, &windows_7_volume(&hive))]);
    let words = [
        ".LOG1 and .LOG2",
        "are missing",
        "shutdown /s /t 0",
        "This system is left as it is",
    ];
    machine.shows("dirty-registry", "skip", 1, &words);
    machine.refuses();
}

/// A word of the hive's file.
fn word(hive: &[u8], at: usize) -> usize {
    u32::from_le_bytes(hive[at..at + 4].try_into().unwrap()) as usize
}

#[test]
fn corrupt_registries_are_refused() {
    let sound = windows_7().build();
    let root = 4096 + word(&sound, 0x24);
    let list = 4096 + word(&sound, root + 4 + 0x1C);
    let put = |at: usize, number: usize| {
        let mut hive = sound.clone();
        hive[at..at + 4].copy_from_slice(&(number as u32).to_le_bytes());
        hives::fix_checksum(&mut hive);
        hive
    };
    let damaged = [
        ("cut off in a bin", sound[..6000].to_vec()),
        ("cut off in the base block", sound[..700].to_vec()),
        ("empty", Vec::new()),
        ("no registry", noise(3, sound.len())),
        ("a list that leads back to the root", put(list + 8, root - 4096)),
        ("a root outside of the file", put(0x24, 0x7FFF_FFF0)),
        ("a cell of size 0", put(root, 0)),
        ("a cell larger than its bin", put(root, 0x8000_0010)),
        ("a bin larger than the file", put(4096 + 8, 0x4000_0000)),
        ("more keys than the list has", put(root + 4 + 0x14, 0x00FF_FFFF)),
        ("more bytes than there are", put(0x28, 0x7FFF_F000)),
    ];
    for (name, hive) in damaged {
        println!("{name}:");
        let machine = Machine::mbr(&[(NTFS, &windows_7_volume(&hive))]);
        let seen = machine.look(&[]);
        seen.shows("registry", "skip", 1, &["SYSTEM", "This system is left as it is"]);
        machine.refuses();
    }
}

#[test]
fn two_windows_are_both_adapted_and_reported() {
    let xp = ["Windows 8.1", "6.3", "9600"];
    let other = with_file("other.txt", b"", xp, &windows_7());
    let machine = Machine::mbr(&[(NTFS, &PLAIN), (NTFS, &other)]);
    let words = ["There are 2 systems", "Windows 7 Professional", "Windows 8.1"];
    let seen = machine.shows("several-systems", "note", 0, &words);
    for partition in [1, 2] {
        seen.shows("new-computer", "note", partition, &[]);
    }
    assert_eq!(seen.edited(), [1, 2]);
    machine.adapts(&[]);
}
