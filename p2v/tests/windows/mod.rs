//! Disks with a Windows on them: NTFS made by ntfs-3g, hives made by libhivex, and judges of what was changed.
#![allow(dead_code, reason = "each test binary uses its own part")]

use super::common::*;
use super::hives::NewHive;
use super::volumes::Tree;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the partition starts on the disk, in bytes.
pub(crate) const START: u64 = MIB;
pub(crate) const SYSTEM: &str = "Windows/System32/config/SYSTEM";

/// The files of the drivers that the tables speak of.
pub(crate) const DRIVERS: [&str; 9] = [
    "atapi.sys",
    "intelide.sys",
    "pciide.sys",
    "pciidex.sys",
    "msahci.sys",
    "storahci.sys",
    "disk.sys",
    "isapnp.sys",
    "stdcfltn.sys",
];

/// A Windows folder with these hives and all drivers, and some files of a person.
pub(crate) fn tree(system: &[u8], software: &[u8]) -> Tree {
    let mut tree = Tree::new()
        .file(SYSTEM, system)
        .file("Windows/System32/config/SOFTWARE", software)
        .file("Users/Me/photo.jpg", noise(1, 700_000))
        .file("Users/Me/small.txt", "resident");
    for driver in DRIVERS {
        tree = tree.file(&format!("Windows/System32/drivers/{driver}"), driver);
    }
    tree
}

/// The SOFTWARE hive of a Windows with this kernel version.
pub(crate) fn software(name: &str, version: &str, build: &str) -> Vec<u8> {
    const KEY: &str = r"Microsoft\Windows NT\CurrentVersion";
    NewHive::new()
        .string(KEY, "ProductName", name)
        .string(KEY, "CurrentVersion", version)
        .string(KEY, "CurrentBuildNumber", build)
        .build()
}

/// MiB of a made volume.
pub(crate) const VOLUME: u32 = 24;

/// The entries that every Windows 7 has in its CriticalDeviceDatabase.
fn known_devices(mut hive: NewHive, set: &str) -> NewHive {
    for (id, service) in [
        ("PCI#VEN_8086&DEV_7010", "intelide"),
        ("PCI#CC_0101", "pciide"),
        ("PCI#CC_010601", "msahci"),
        ("Internal_IDE_Channel", "atapi"),
        ("Primary_IDE_Channel", "atapi"),
        ("Secondary_IDE_Channel", "atapi"),
        ("GenDisk", "disk"),
    ] {
        let key = format!(r"{set}\Control\CriticalDeviceDatabase\{id}");
        hive = hive.string(&key, "Service", service);
    }
    hive
}

/// The SYSTEM hive of a Windows 7 that was installed on AHCI by its maker's driver.
pub(crate) fn windows_7() -> NewHive {
    let mut hive = NewHive::new().number("Select", "Current", 1);
    for set in ["ControlSet001", "ControlSet002"] {
        hive = known_devices(hive, set)
            .number(&format!(r"{set}\Control\CrashControl"), "AutoReboot", 1)
            .number(&format!(r"{set}\Services\intelppm"), "Start", 3);
        for (service, start) in [
            ("atapi", 0),
            ("intelide", 3),
            ("pciide", 3),
            ("msahci", 3),
            ("iaStorV", 0),
        ] {
            let key = format!(r"{set}\Services\{service}");
            hive = hive.number(&key, "Start", start).number(&key, "ErrorControl", 3);
        }
    }
    hive
}

pub(crate) fn windows_7_volume(hive: &[u8]) -> Vec<u8> {
    tree(hive, &software("Windows 7 Professional", "6.1", "7601")).ntfs_with(VOLUME, &["-p", "2048"], "")
}

/// A disk with this volume as its only partition.
pub(crate) fn disk(path: &Path, volume: &[u8]) -> PathBuf {
    let file = File::create(path).unwrap();
    file.set_len(START + volume.len() as u64 + MIB).unwrap();
    let table = format!(
        "label: dos\nstart=2048, size={}, type=7, bootable\n",
        volume.len() / 512
    );
    feed(Command::new("sfdisk").arg("-q").arg(path), &table);
    file.write_all_at(volume, START).unwrap();
    path.to_owned()
}

/// A captured machine whose disk is this volume.
pub(crate) fn machine(folder: &Path, volume: &[u8]) -> PathBuf {
    let disk = disk(&folder.join("disk.img"), volume);
    let machine = folder.join("oldpc");
    capture(&disk, &machine, &[]);
    machine
}

/// The volume as `image`, a file of the machine folder, shows it; by qemu-img.
pub(crate) fn volume_of(machine: &Path, image: &str, size: usize) -> Vec<u8> {
    let raw = machine.with_extension("raw");
    run(Command::new("qemu-img")
        .args(["convert", "-O", "raw"])
        .args([&machine.join(image), &raw]));
    let mut volume = vec![0; size];
    File::open(&raw).unwrap().read_exact_at(&mut volume, START).unwrap();
    fs::remove_file(raw).unwrap();
    volume
}

/// A file of a volume as ntfscat reads it.
pub(crate) fn ntfscat(volume: &Path, path: &str) -> Vec<u8> {
    let output = start(Command::new("ntfscat").arg("-f").arg(volume).arg(path));
    assert!(output.status.success(), "{}", errors(&output));
    output.stdout
}

/// The clusters of a file that is not resident, in bytes from the start of the volume, as ntfscluster lists its runs.
pub(crate) fn clusters(volume: &Path, path: &str, cluster: u64) -> Vec<std::ops::Range<u64>> {
    let text = run(Command::new("ntfscluster").args(["-f", "-F", path]).arg(volume));
    let (_, data) = text.split_once("0x80 - non-resident").unwrap();
    let mut ranges = Vec::new();
    for line in data.lines().skip(2) {
        let numbers: Vec<u64> = line.split_whitespace().map_while(|word| word.parse().ok()).collect();
        let [_, first, count] = numbers[..] else { break };
        ranges.push(first * cluster..(first + count) * cluster);
    }
    assert!(!ranges.is_empty(), "{text}");
    ranges
}

/// The 512-byte blocks that differ, by their offsets.
pub(crate) fn differing(before: &[u8], after: &[u8]) -> Vec<u64> {
    assert_eq!(before.len(), after.len());
    let blocks = before.chunks(512).zip(after.chunks(512)).enumerate();
    let differing = blocks.filter(|(_, (before, after))| before != after);
    differing.map(|(number, _)| number as u64 * 512).collect()
}

/// Lines of one text that the other has not, each way.
pub(crate) fn diff(before: &str, after: &str) -> (Vec<String>, Vec<String>) {
    let set = |text: &str| -> BTreeSet<String> { text.lines().map(str::to_owned).collect() };
    let (before, after) = (set(before), set(after));
    (
        before.difference(&after).cloned().collect(),
        after.difference(&before).cloned().collect(),
    )
}

/// What `ntfsfix -n` says of a volume; it must find it in order.
pub(crate) fn ntfsfix(volume: &Path) -> String {
    let output = start(Command::new("ntfsfix").arg("-n").arg(volume));
    format!("{}{}", String::from_utf8_lossy(&output.stdout), errors(&output))
}

/// `ntfsresize` must find the volume in order: it looks at every file and cluster.
pub(crate) fn ntfsresize(volume: &Path) {
    run(Command::new("ntfsresize").args(["-i", "-f"]).arg(volume));
}

/// Makes the log of an NTFS volume say that Windows has it open.
pub(crate) fn leave_open(volume: &mut [u8]) {
    let log = {
        let mut fs = disk::guestfs::open(disk::usedmap::VolumeKind::Ntfs, std::sync::Arc::new(volume.to_vec()));
        let place = fs.as_mut().unwrap().as_mut().unwrap().place("$LogFile");
        usize::try_from(place.unwrap().data[0].start).unwrap()
    };
    let mut page = vec![0; 4096];
    let mut put = |at: usize, bytes: &[u8]| page[at..at + bytes.len()].copy_from_slice(bytes);
    // A restart page whose area names a client, with its update sequence.
    put(0, b"RSTR\x1E\0\x09\0");
    put(0x10, &4096u32.to_le_bytes());
    put(0x18, &[0x30, 0]);
    put(0x1C, &1u16.to_le_bytes());
    put(0x1E, &[1, 0]);
    put(0x30, &5u64.to_le_bytes());
    for block in 0..8 {
        put(block * 512 + 510, &[1, 0]);
    }
    for copy in [0, 4096] {
        volume[log + copy..log + copy + 4096].copy_from_slice(&page);
    }
}
