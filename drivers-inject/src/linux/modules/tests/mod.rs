//! Modules are compared with what modprobe loads.
//! (Debian packages: kmod, cpio.)
#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod closure;
mod controllers;
mod injected;

use super::*;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

const VERSION: &str = "6.1.0-56-amd64";

/// Files of a root filesystem, by path.
type Files = BTreeMap<String, Vec<u8>>;

/// A kernel's modules as Debian has them, with files that end in `suffix`.
fn root(suffix: &str) -> Files {
    let names = [
        "kernel/drivers/ata/ata_piix.ko: S/libata.ko S/scsi_mod.ko S/scsi_common.ko",
        "kernel/drivers/ata/ahci.ko: S/libahci.ko S/libata.ko S/scsi_mod.ko S/scsi_common.ko",
        "S/libahci.ko: S/libata.ko S/scsi_mod.ko S/scsi_common.ko",
        "S/libata.ko: S/scsi_mod.ko S/scsi_common.ko",
        "S/sd_mod.ko: kernel/lib/crc-t10dif.ko S/scsi_mod.ko S/scsi_common.ko",
        "kernel/lib/crc-t10dif.ko:",
        "kernel/crypto/crct10dif_common.ko:",
        "kernel/crypto/crct10dif-fast.ko: kernel/crypto/crct10dif_common.ko",
        "S/scsi_mod.ko: S/scsi_common.ko",
        "S/scsi_common.ko:",
        "kernel/drivers/nvme/nvme.ko: kernel/drivers/nvme/nvme-core.ko",
        "kernel/drivers/nvme/nvme-core.ko:",
        "kernel/drivers/block/virtio_blk.ko:",
    ];
    let folder = format!("lib/modules/{VERSION}");
    let mut files = Files::new();
    let mut dep = String::new();
    let mut index = BTreeMap::new();
    for (line, priority) in names.iter().zip(0..) {
        let line = line
            .replace("S/", "kernel/drivers/scsi/")
            .replace(".ko", &format!(".ko{suffix}"));
        let path = line.split(':').next().unwrap();
        files.insert(format!("{folder}/{path}"), format!("\x7fELF {path}").into_bytes());
        dep += &format!("{line}\n");
        index.insert(
            crate::linux::initramfs::module_name(path).unwrap(),
            (priority, line.clone()),
        );
    }
    let aliases = BTreeMap::from([("crypto_crct10dif".to_owned(), (0, "crct10dif_fast".to_owned()))]);
    let builtin = BTreeMap::from([("virtio_pci".to_owned(), (0, String::new()))]);
    for (name, contents) in [
        ("modules.dep", dep.into_bytes()),
        ("modules.dep.bin", index::write(&index).unwrap()),
        (
            "modules.alias",
            b"# comment\nalias pci:v00008086d00007010sv*sd*bc*sc*i* ata_piix\nalias crypto-crct10dif crct10dif_fast\n"
                .to_vec(),
        ),
        ("modules.alias.bin", index::write(&aliases).unwrap()),
        (
            "modules.softdep",
            b"# comment\nsoftdep crc-t10dif pre: crypto-crct10dif absent-one\nsoftdep nvme post: virtio_blk\n".to_vec(),
        ),
        ("modules.builtin", b"kernel/drivers/virtio/virtio_pci.ko\n".to_vec()),
        ("modules.builtin.bin", index::write(&builtin).unwrap()),
    ] {
        files.insert(format!("{folder}/{name}"), contents);
    }
    files
}

fn tree(files: &Files) -> ModuleTree {
    ModuleTree::load(|path| files.get(path).cloned(), VERSION).unwrap()
}

fn write_files(files: &Files, folder: &Path) {
    for (path, contents) in files {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, contents).unwrap();
    }
}

/// The files that modprobe would load, by their paths below `folder`.
fn modprobe(folder: &Path, name: &str) -> Vec<String> {
    let output = Command::new("modprobe")
        .args(["-C", "/dev/null", "-S", VERSION, "--show-depends", "-d"])
        .args([folder.as_os_str(), name.as_ref()])
        .output()
        .unwrap_or_else(|error| panic!("modprobe must be installed (Debian package kmod): {error}"));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "modprobe {name}: {stderr}");
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = text.lines().filter_map(|line| line.trim().strip_prefix("insmod "));
    let prefix = format!("{}/", folder.display());
    let mut paths: Vec<String> = Vec::new();
    for line in lines {
        let path = line.trim().strip_prefix(&prefix).unwrap().to_owned();
        if !paths.contains(&path) {
            paths.push(path);
        }
    }
    paths
}
