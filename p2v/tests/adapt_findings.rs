//! Each finding of `p2v adapt` about disks and about Windows: a made disk that triggers it, and what a person sees.

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
/// GPT types: basic data, LDM metadata, LDM data, storage spaces.
const BASIC: &str = "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7";
const LDM: [&str; 2] = [
    "5808C8AA-7E8F-42E0-85D2-E1E90434CFB3",
    "AF9B60A0-1431-4F62-BC68-3311714A69AD",
];
const SPACES: &str = "E75CAF8F-F680-4CEE-AFA3-B001E56EFC2D";

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
fn drivers_of_disk_encryption() {
    let class = r"ControlSet001\Control\Class\{4D36E967-E325-11CE-BFC1-08002BE10318}";
    let list: Vec<u8> = ["PGPwded", "partmgr", ""]
        .iter()
        .flat_map(|name| hives::utf16(name))
        .collect();
    let hive = windows_7().value(class, "UpperFilters", 7, &list);
    let machine = Machine::mbr(&[(NTFS, &windows_7_volume(&hive.build()))]);
    machine.shows("encryption-filter", "refusal", 1, &["PGP", "Decrypt the disk"]);
    machine.refuses();
}

#[test]
fn boot_loaders_of_disk_encryption() {
    for (words, name) in [
        (&b" TrueCrypt Boot Loader\r\n"[..], "TrueCrypt"),
        (b" VeraCrypt Boot Loader\r\n", "VeraCrypt"),
    ] {
        let machine = Machine::of(|path| {
            let disk = disk_of(path, "dos", &[(NTFS, &noise(5, MIB as usize))]);
            put(&disk, 5, words);
            disk
        });
        let seen = machine.shows(
            "encryption-loader",
            "warning",
            0,
            &[name, "encrypted as a whole", "decrypt it"],
        );
        assert_eq!(seen.code, 0);
    }
    let esp = volumes::Tree::new().file("EFI/VeraCrypt/DcsBoot.efi", "MZ").fat(16);
    let machine = Machine::gpt(&[
        ("C12A7328-F81F-11D2-BA4B-00A0C93EC93B", &esp),
        (BASIC, &noise(5, MIB as usize)),
    ]);
    machine.shows("encryption-loader", "warning", 1, &["VeraCrypt"]);
}

/// A BitLocker volume with these types of protectors; cryptsetup must read them all.
fn bitlocker(to_go: bool, protectors: &[(u16, &str)]) -> Vec<u8> {
    let mut volume = noise(9, 2 * MIB as usize);
    let mut put = |at: usize, bytes: &[u8]| volume[at..at + bytes.len()].copy_from_slice(bytes);
    let identifier = b"\x3B\xD6\x67\x49\x29\x2E\xD8\x4A\x83\x99\xF6\xA3\x39\xE3\xD0\x01";
    put(
        0,
        if to_go {
            b"\xEB\x58\x90MSWIN4.1"
        } else {
            b"\xEB\x58\x90-FVE-FS-"
        },
    );
    put(11, &512u16.to_le_bytes());
    put(510, &[0x55, 0xAA]);
    let at = if to_go { 424 } else { 160 };
    put(at, identifier);
    let mut entries: Vec<u8> = protectors
        .iter()
        .flat_map(|(protection, _)| {
            let master_key = [[3; 16].as_slice(), &[0; 10], &protection.to_le_bytes()].concat();
            let header = [8 + master_key.len() as u16, 2, 8, 1].map(u16::to_le_bytes).concat();
            [header, master_key].concat()
        })
        .collect();
    // The volume's own key, encrypted: type 3, value type 5.
    entries.extend([80u16, 3, 5, 1].map(u16::to_le_bytes).concat());
    entries.extend([4; 72]);
    for copy in 0..3 {
        let place = 0x1_0000 * (copy + 1);
        put(at + 16 + copy * 8, &(place as u64).to_le_bytes());
        let mut block = vec![0; 112];
        block[..16].copy_from_slice(b"-FVE-FS-\x10\0\x02\0\x04\0\x04\0");
        block[16..24].copy_from_slice(&(2 * MIB).to_le_bytes());
        for other in 0..3 {
            let other_place = 0x1_0000u64 * (other as u64 + 1);
            block[32 + other * 8..40 + other * 8].copy_from_slice(&other_place.to_le_bytes());
        }
        let size = 48 + entries.len() as u32;
        for (at, number) in [(64, size), (68, 1), (72, 48), (76, size), (100, 0x8004)] {
            block[at..at + 4].copy_from_slice(&number.to_le_bytes());
        }
        put(place, &[block, entries.clone()].concat());
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), &volume).unwrap();
    let dump = run(Command::new("cryptsetup").arg("bitlkDump").arg(file.path()));
    for (_, name) in protectors {
        assert!(dump.contains(&format!("VMK protected with {name}")), "{name}: {dump}");
    }
    volume
}

#[test]
fn bitlocker_and_what_opens_it() {
    let recovery = (0x0800, "recovery passphrase");
    for (to_go, protector, effect, words) in [
        (
            false,
            (0x0100, "TPM"),
            "warning",
            "the key in the old computer's TPM is not in the virtual one",
        ),
        (false, (0x0000, "clear key"), "warning", "protection is suspended"),
        (false, (0x2000, "passphrase"), "warning", "asks for its password"),
        (true, (0x2000, "passphrase"), "note", "BitLocker To Go"),
    ] {
        let machine = Machine::gpt(&[(BASIC, &bitlocker(to_go, &[protector, recovery])), (BASIC, &PLAIN)]);
        let seen = machine.shows("bit-locker", effect, 1, &[words, "It is left as it is"]);
        assert_eq!(seen.edited(), [2], "the Windows beside it is adapted");
    }
}

#[test]
fn dynamic_disks_and_storage_spaces() {
    // LDM on an MBR disk: type 42h, and the private header in sector 6.
    let machine = Machine::of(|path| {
        let disk = disk_of(path, "dos", &[("42", &PLAIN)]);
        put(&disk, 6 * 512, b"PRIVHEAD\x00\x00\x00\x02\x00\x0B");
        disk
    });
    let seen = machine.shows("dynamic-disk", "warning", 0, &["several disks need all of them"]);
    assert_eq!(seen.edited(), [1]);
    machine.adapts(&[]);
    let machine = Machine::gpt(&[(LDM[0], &noise(1, MIB as usize)), (LDM[1], &PLAIN)]);
    machine.shows("dynamic-disk", "warning", 0, &["whole disk was captured"]);
    let machine = Machine::gpt(&[(SPACES, &noise(1, MIB as usize)), (BASIC, &PLAIN)]);
    let seen = machine.shows("storage-spaces", "warning", 0, &["capture all of its disks"]);
    assert_eq!(seen.edited(), [2]);
}

#[test]
fn sectors_of_4096_bytes() {
    let tree = tree(&windows_7().build(), &software("Windows 10 Pro", "6.3", "19045"));
    let volume = tree.ntfs_with(VOLUME, &["-s", "4096"], "");
    let machine = Machine::of(|path| {
        let size = volume.len() as u64;
        fs::File::create(path).unwrap().set_len(size + 2 * MIB).unwrap();
        put(path, MIB, &volume);
        let device = Loop::attach(path, &["-b", "4096"]);
        let table = format!("label: gpt\nstart=256, size={}, type={BASIC}\n", size / 4096);
        feed(
            Command::new("sfdisk")
                .args(["-q", "--no-reread", "--no-tell-kernel"])
                .arg(&device.0),
            &table,
        );
        path.to_owned()
    });
    let seen = machine.shows(
        "large-sectors",
        "warning",
        0,
        &["4096 bytes", "this version cannot start them"],
    );
    assert_eq!(seen.edited(), [1]);
    machine.adapts(&[]);
}

#[test]
fn members_of_a_firmware_raid() {
    let machine = Machine::of(|path| {
        let disk = disk_of(path, "dos", &[(NTFS, &PLAIN)]);
        let size = fs::metadata(&disk).unwrap().len();
        put(&disk, size - 1024, b"Intel Raid ISM Cfg Sig. 1.1.00");
        assert_blkid(&fs::read(&disk).unwrap(), "isw_raid_member");
        disk
    });
    let words = [
        "an Intel RAID",
        "mirror (RAID 1) works alone",
        "capture the assembled volume",
    ];
    let seen = machine.shows("raid", "warning", 0, &words);
    assert_eq!(seen.edited(), [1]);
    assert!(!seen.text.contains("bears the mark"), "said twice: {}", seen.text);
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
