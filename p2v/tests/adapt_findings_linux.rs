//! Each finding of `p2v adapt` about Linux: a made disk that triggers it, and what a person sees.

mod common;
mod findings;
#[allow(dead_code, reason = "each test binary uses its own part")]
#[path = "../../drivers-inject/tests/common/hives.rs"]
mod hives;
mod linux;
#[path = "../../disk/tests/volumes/mod.rs"]
mod volumes;
mod windows;

use common::*;
use findings::*;
use linux::{ROOT, SWAP, assert_sound, cat, volume_of};
use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

const EXT: &str = "83";

/// A Linux whose fstab wants an edit.
fn tree() -> volumes::Tree {
    linux::tree().file("etc/fstab", "/dev/sda2 / ext4 defaults 0 1\n")
}

/// A volume of `mib` MiB that is made by a command, to which its name is added.
fn made(mib: u64, command: &[&str]) -> Vec<u8> {
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_len(mib * MIB).unwrap();
    run(Command::new(command[0]).args(&command[1..]).arg(file.path()));
    fs::read(file.path()).unwrap()
}

#[test]
fn luks_asks_for_its_passphrase() {
    let key = tempfile::NamedTempFile::new().unwrap();
    fs::write(key.path(), "secret").unwrap();
    for version in ["luks1", "luks2"] {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(20 * MIB).unwrap();
        run(Command::new("cryptsetup")
            .args(["luksFormat", "--batch-mode", "--type", version, "--pbkdf", "pbkdf2"])
            .args(["--pbkdf-force-iterations", "1000", "--key-file"])
            .args([key.path(), file.path()]));
        let machine = Machine::mbr(&[(EXT, &fs::read(file.path()).unwrap())]);
        let words = ["LUKS", "asks for its passphrase", "clevis", "It is left as it is"];
        assert_eq!(machine.shows("luks", "warning", 1, &words).code, 0);
    }
}

/// Linux RAID metadata 1.2: 4 KiB from the start. A mirror of two disks.
///
/// Source: `struct mdp_superblock_1` in Linux, `include/uapi/linux/raid/md_p.h`.
fn raid_1_2(volume: &mut [u8]) {
    let mut block = vec![0; 256 + 2 * 2];
    let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, &0xA92B_4EFCu32.to_le_bytes());
    put(4, &1u32.to_le_bytes());
    put(16, &[7; 16]);
    put(72, &1u32.to_le_bytes());
    put(92, &2u32.to_le_bytes());
    put(128, &2048u64.to_le_bytes());
    put(144, &8u64.to_le_bytes());
    put(220, &2u32.to_le_bytes());
    let words = block
        .chunks_exact(4)
        .map(|word| u32::from_le_bytes(word.try_into().unwrap()));
    let sum: u64 = words.map(u64::from).sum();
    let sum = (sum & 0xFFFF_FFFF) as u32 + (sum >> 32) as u32;
    block[216..220].copy_from_slice(&sum.to_le_bytes());
    volume[4096..4096 + block.len()].copy_from_slice(&block);
}

/// Linux RAID metadata 0.90: in the last 64 KiB that are aligned, behind a filesystem that looks whole.
///
/// Source: `mdp_super_t`, same place.
fn raid_0_90(volume: &mut [u8]) {
    let at = (volume.len() & !0xFFFF) - 0x1_0000;
    for (word, number) in [0xA92B_4EFCu32, 0, 90].into_iter().enumerate() {
        volume[at + word * 4..at + word * 4 + 4].copy_from_slice(&number.to_le_bytes());
    }
}

#[test]
fn members_of_a_linux_raid() {
    for mark in [raid_1_2, raid_0_90] {
        let mut volume = tree().ext("ext4", 24);
        mark(&mut volume);
        assert_blkid(&volume, "linux_raid_member");
        // Not at the end of the disk: that would be the whole disk's.
        let rest = vec![0; MIB as usize];
        let machine = Machine::mbr(&[("fd", &volume), (EXT, &rest)]);
        let words = [
            "member of a Linux RAID array",
            "mirror (RAID 1) starts from one of its disks",
            "left as it is",
        ];
        let seen = machine.shows("raid", "warning", 1, &words);
        assert_eq!((seen.code, seen.edited()), (0, vec![]));
    }
}

#[test]
fn filesystems_that_are_not_read() {
    for (name, volume) in [
        ("XFS", made(300, &["mkfs.xfs", "-q"])),
        ("Btrfs", made(110, &["mkfs.btrfs", "-q"])),
    ] {
        let machine = Machine::mbr(&[(EXT, &volume)]);
        let words = [name, "may hold a Linux", "rescue entry", "dracut"];
        machine.shows("not-adapted", "warning", 1, &words);
        // Beside a Linux it is no reason to worry.
        let machine = Machine::mbr(&[(EXT, &volume), (EXT, &tree().ext("ext4", 24))]);
        let seen = machine.shows("not-adapted", "note", 1, &[name]);
        assert_eq!(seen.edited(), [2]);
        machine.adapts(&[]);
    }
}

/// The volume as a power cut would leave it: Linux has it mounted and has just written a file.
fn cut_off(volume: &[u8], folder: &Path) -> Vec<u8> {
    let (file, copy, mount) = (folder.join("volume"), folder.join("copy"), folder.join("mount"));
    fs::write(&file, volume).unwrap();
    fs::create_dir(&mount).unwrap();
    let device = Loop::attach(&file, &[]);
    let script = "mount -o data=journal \"$1\" \"$2\"; trap 'umount \"$2\"' EXIT; echo late > \"$2/etc/late\"; \
                  sync -f \"$2/etc/late\"; cp \"$3\" \"$4\"";
    run(Command::new("sh")
        .args(["-euc", script, "sh"])
        .args([&device.0, &mount, &file, &copy]));
    fs::read(copy).unwrap()
}

#[test]
fn a_journal_that_waits() {
    let folder = tempfile::tempdir().unwrap();
    let options = linux::Options::default();
    let machine = Machine::of(|path| {
        let disk = linux::disk(path, &tree(), &options);
        let root = fs::read(part(&disk, ROOT, &folder.path().join("root"))).unwrap();
        let cut = cut_off(&root, folder.path());
        put(&disk, ROOT.start, &cut);
        let file = folder.path().join("cut");
        fs::write(&file, cut).unwrap();
        let features = run(Command::new("dumpe2fs").arg("-h").arg(&file));
        assert!(features.contains("needs_recovery"), "{features}");
        disk
    });
    let words = [
        "was not unmounted",
        "Its journal is replayed in the adapted disk first",
        "waiting → replayed",
    ];
    machine.shows("journal", "warning", 2, &words);
    machine.adapts(&[]);
    let root = volume_of(&machine.path, "disk0.adapted.qcow2", ROOT);
    assert_sound(&root);
    assert_eq!(cat(&root, "/etc/late"), "late\n");
    assert!(cat(&root, "/etc/fstab").starts_with("UUID="));
}

/// A disk whose swap space has a hibernated system, with its own signature kept or not.
fn hibernated(path: &Path, kept: bool) -> std::path::PathBuf {
    let disk = linux::disk(path, &tree(), &linux::Options::default());
    let mark = [if kept { &b"SWAPSPACE2"[..] } else { &[0; 10] }, b"S1SUSPEND\0"].concat();
    put(&disk, SWAP.start + 4096 - 20, &mark);
    disk
}

#[test]
fn a_hibernated_linux() {
    let machine = Machine::of(|path| hibernated(path, true));
    let option = "--discard-hibernation throws the saved session away: what was open in it and not saved is lost";
    machine.shows(
        "hibernated",
        "refusal",
        5,
        &["A hibernated Linux", "Nothing is changed", option],
    );
    machine.refuses();
    let agreed = machine.look(&["--discard-hibernation"]);
    agreed.shows("hibernated", "warning", 5, &["As you asked", "SWAPSPACE2"]);
    machine.adapts(&["--discard-hibernation"]);
    let swap = fs::read(volume_of(&machine.path, "disk0.adapted.qcow2", SWAP)).unwrap();
    assert_blkid(&swap, "swap");
    let kept = fs::read(volume_of(&machine.path, "disk0.qcow2", SWAP)).unwrap();
    assert_blkid(&kept, "swsuspend");

    // A session that is not understood stays, whatever is asked.
    let machine = Machine::of(|path| hibernated(path, false));
    machine.refuses();
    let agreed = machine.look(&["--discard-hibernation"]);
    assert_eq!(agreed.code, REFUSED);
    agreed.shows("hibernated", "refusal", 5, &["not understood", "noresume"]);
}

#[test]
fn a_windows_and_a_linux_are_both_adapted_and_reported() {
    let windows = windows::windows_7_volume(&windows::windows_7().build());
    let machine = Machine::mbr(&[("7", &windows), (EXT, &tree().ext("ext4", 24))]);
    let words = [
        "There are 2 systems",
        "Windows 7 Professional",
        "Debian GNU/Linux 11",
        "the boot menu stays",
    ];
    let seen = machine.shows("several-systems", "note", 0, &words);
    assert_eq!(seen.edited(), [1, 2]);
    machine.adapts(&[]);
    assert!(File::open(machine.path.join("disk0.adapted.json")).is_ok());
}
