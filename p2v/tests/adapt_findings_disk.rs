//! Each finding of `p2v adapt` about disks and closed volumes: a made disk that triggers it, and what a person sees.

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
use std::fs;
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
