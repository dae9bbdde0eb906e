//! Disks with a Linux on them, made by mke2fs and mkswap, and words to look into them by debugfs.
#![allow(dead_code, reason = "each test binary uses its own part")]

use super::common::*;
use super::volumes::Tree;
use std::fs::{self, File};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;

pub(crate) const ROOT_UUID: &str = "11111111-2222-3333-4444-555555555555";
pub(crate) const BOOT_UUID: &str = "99999999-8888-7777-6666-555555555555";
pub(crate) const SWAP_UUID: &str = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee";
pub(crate) const DISK_ID: &str = "0a1dbc01";
/// Partition 1.
pub(crate) const BOOT: Range<u64> = MIB..17 * MIB;
/// Partition 2.
pub(crate) const ROOT: Range<u64> = 17 * MIB..81 * MIB;
/// Partition 5, in the extended partition 3.
pub(crate) const SWAP: Range<u64> = 82 * MIB..90 * MIB;
const SIZE: u64 = 92 * MIB;

/// What every Linux has.
pub(crate) fn tree() -> Tree {
    Tree::new()
        .file(
            "etc/os-release",
            "ID=debian\nPRETTY_NAME=\"Debian GNU/Linux 11 (bullseye)\"\nVERSION_ID=11\n",
        )
        .file("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n")
        .file("etc/hostname", "oldpc\n")
        .file("home/me/photo.jpg", noise(1, 300_000))
        .folder("boot")
        .folder("lib/systemd")
        .file("lib/systemd/systemd", "")
}

/// How a disk is made.
#[derive(Default)]
pub(crate) struct Options<'a> {
    /// What is on the boot partition.
    pub(crate) boot: Option<&'a Tree>,
    /// More options for the root's mke2fs.
    pub(crate) mke2fs: &'a [&'a str],
}

/// A disk: boot (1), root (2), swap (5).
pub(crate) fn disk(path: &Path, root: &Tree, options: &Options<'_>) -> PathBuf {
    File::create(path).unwrap().set_len(SIZE).unwrap();
    let table = format!(
        "label: dos\nlabel-id: 0x{DISK_ID}\nunit: sectors\n1 : start=2048, size={}, type=83, bootable\n\
         2 : start={}, size={}, type=83\n3 : start={}, size={}, type=5\n5 : start={}, size={}, type=82\n",
        (BOOT.end - BOOT.start) / 512,
        ROOT.start / 512,
        (ROOT.end - ROOT.start) / 512,
        ROOT.end / 512,
        (SWAP.end - ROOT.end) / 512,
        SWAP.start / 512,
        (SWAP.end - SWAP.start) / 512
    );
    feed(Command::new("sfdisk").arg("-q").arg(path), &table);
    let ext4 = |tree: &Tree, range: Range<u64>, uuid: &str, more: &[&str]| {
        run(Command::new("mke2fs")
            .args(["-q", "-F", "-t", "ext4", "-U", uuid, "-d"])
            .arg(tree.path())
            .args(["-E", &format!("offset={}", range.start)])
            .args(more)
            .arg(path)
            .arg(format!("{}k", (range.end - range.start) / 1024)));
    };
    ext4(root, ROOT, ROOT_UUID, options.mke2fs);
    let empty = Tree::new();
    ext4(options.boot.unwrap_or(&empty), BOOT, BOOT_UUID, &[]);
    let swap = part(path, SWAP, &path.with_extension("swap"));
    run(Command::new("mkswap").args(["-q", "-U", SWAP_UUID]).arg(&swap));
    put(path, SWAP.start, &fs::read(&swap).unwrap());
    fs::remove_file(swap).unwrap();
    path.to_owned()
}

/// A captured machine with this root, all on partition 2.
pub(crate) fn machine(folder: &Path, root: &Tree, options: &Options<'_>) -> PathBuf {
    let disk = disk(&folder.join("disk.img"), root, options);
    let machine = folder.join("oldpc");
    capture(&disk, &machine, &[]);
    machine
}

/// A volume as `image`, a file of the machine folder, shows it, as a file of its own; by qemu-img.
pub(crate) fn volume_of(machine: &Path, image: &str, range: Range<u64>) -> PathBuf {
    let raw = machine.with_extension("raw");
    run(Command::new("qemu-img")
        .args(["convert", "-O", "raw"])
        .args([&machine.join(image), &raw]));
    let volume = part(&raw, range, &machine.with_extension("volume"));
    fs::remove_file(raw).unwrap();
    volume
}

/// A file as debugfs reads it; empty if it is not there.
pub(crate) fn cat(volume: &Path, path: &str) -> String {
    run(Command::new("debugfs").args(["-R", &format!("cat {path}")]).arg(volume))
}

/// The filesystem is in order, by e2fsck.
pub(crate) fn assert_sound(volume: &Path) {
    run(Command::new("e2fsck").args(["-f", "-n"]).arg(volume));
}
