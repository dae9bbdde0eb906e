//! What a disk's layout says before any file is looked at.

use super::finding::{Effect, Finding, Kind};
use super::sentence;
use crate::System;
use disk::layout::{DiskLayout, PartitionContents};

/// Partition types of Windows dynamic disks (Logical Disk Manager).
const DYNAMIC: [&str; 3] = [
    "0x42",
    "5808C8AA-7E8F-42E0-85D2-E1E90434CFB3",
    "AF9B60A0-1431-4F62-BC68-3311714A69AD",
];
const STORAGE_SPACES: &str = "E75CAF8F-F680-4CEE-AFA3-B001E56EFC2D";

/// Findings about the disk and its volumes.
pub(super) fn of_disk(layout: &DiskLayout) -> Vec<Finding> {
    let mut findings = Vec::new();
    if layout.sector == 4096 {
        findings.push(Finding::on_disk(
            Kind::LargeSectors,
            Effect::Warning,
            0,
            "The disk has sectors of 4096 bytes: partition table and file systems count in them, and IDE disks have \
             512",
            "The systems on it are adapted, but this version cannot start them; a virtual machine with a disk of \
             4096-byte sectors (NVMe, SCSI or virtio with `logical_block_size=4096`) can.",
        ));
    }
    if !layout.table.trusted {
        for warning in &layout.table.warnings {
            findings.push(Finding::on_disk(
                Kind::DoubtfulTable,
                Effect::Warning,
                0,
                sentence(warning),
                "Systems that can be read are adapted. Look at the result before you rely on it.",
            ));
        }
    }
    findings.extend(layout.contents.iter().filter_map(of_volume));
    let dynamic = layout.contents.iter().any(|contents| has_type(contents, &DYNAMIC));
    if dynamic {
        findings.push(Finding::on_disk(
            Kind::DynamicDisk,
            Effect::Warning,
            0,
            "This is a Windows dynamic disk. Simple volumes on it work as long as the whole disk was captured; volumes \
             that span several disks need all of them",
            "Systems on simple volumes are adapted; the disk's own database is left as it is.",
        ));
    }
    if layout
        .contents
        .iter()
        .any(|contents| has_type(contents, &[STORAGE_SPACES]))
    {
        findings.push(Finding::on_disk(
            Kind::StorageSpaces,
            Effect::Warning,
            0,
            "The disk belongs to a storage pool (Storage Spaces), whose volumes p2v cannot look into",
            "The pool is left as it is; capture all of its disks to use it.",
        ));
    }
    findings
}

/// Volumes that are closed to us.
fn of_volume(contents: &PartitionContents) -> Option<Finding> {
    let number = contents.partition.as_ref().map_or(0, |partition| partition.number);
    let (kind, what) = match contents.volume.label_of_kind.as_str() {
        "BitLocker" => (
            Kind::BitLocker,
            "The volume is encrypted with BitLocker. A Windows on it cannot be adapted, and will ask for its recovery \
             key, since the key in the old computer's TPM is not in the virtual one",
        ),
        "LUKS" => (
            Kind::Luks,
            "The volume is encrypted with LUKS; a system on it cannot be adapted and will ask for its passphrase",
        ),
        _ => return None,
    };
    let default = match kind {
        Kind::BitLocker => {
            "It is left as it is. If the old computer still runs, turn BitLocker off there (decrypt the drive), then \
             capture again; else have the recovery key at hand."
        }
        _ => "It is left as it is.",
    };
    Some(Finding::on_disk(kind, Effect::Warning, number, what, default))
}

/// Findings about a disk with more than one system.
pub(super) fn of_several(systems: &[System]) -> Option<Finding> {
    if systems.len() < 2 {
        return None;
    }
    let names: Vec<&str> = systems.iter().map(|system| system.name.as_str()).collect();
    Some(Finding::on_disk(
        Kind::SeveralSystems,
        Effect::Note,
        0,
        format!("There are {} systems on this disk: {}", names.len(), names.join(", ")),
        "Each is adapted on its own; the boot menu stays as it is.",
    ))
}

fn has_type(contents: &PartitionContents, types: &[&str]) -> bool {
    let partition = contents.partition.as_ref();
    partition.is_some_and(|partition| types.contains(&partition.type_code.as_str()))
}
