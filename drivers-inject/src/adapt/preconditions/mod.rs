//! What a disk's layout says before any file is looked at, and what is said of every system.

mod encryption;
mod members;

pub(super) use encryption::efi_loaders;

use super::finding::{Effect, Finding, Kind};
use super::sentence;
use crate::{Family, System};
use disk::ReadAt;
use disk::layout::{DiskLayout, PartitionContents};

/// Partition types of Windows dynamic disks (Logical Disk Manager).
const DYNAMIC: [&str; 3] = [
    "0x42",
    "5808C8AA-7E8F-42E0-85D2-E1E90434CFB3",
    "AF9B60A0-1431-4F62-BC68-3311714A69AD",
];
const STORAGE_SPACES: &str = "E75CAF8F-F680-4CEE-AFA3-B001E56EFC2D";

/// Findings about the disk and its volumes. `linux`: whether a Linux was found on it.
pub(super) fn of_disk(disk: &dyn ReadAt, layout: &DiskLayout, linux: bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    if layout.sector == 4096 {
        findings.push(warning(
            Kind::LargeSectors,
            "The disk has sectors of 4096 bytes: partition table and file systems count in them, and IDE disks have \
             512",
            "The systems on it are adapted, but this version cannot start them; a virtual machine with a disk of \
             4096-byte sectors (NVMe, SCSI or virtio with `logical_block_size=4096`) can.",
        ));
    }
    findings.extend(members::of_array(layout));
    if !layout.table.trusted {
        let raid = layout.table.raid_warning();
        let doubts = layout
            .table
            .warnings
            .iter()
            .filter(|doubt| Some(*doubt) != raid.as_ref());
        findings.extend(doubts.map(|doubt| {
            warning(
                Kind::DoubtfulTable,
                sentence(doubt),
                "Systems that can be read are adapted. Look at the result before you rely on it.",
            )
        }));
    }
    findings.extend(encryption::boot_loader(disk));
    for contents in &layout.contents {
        findings.extend(encryption::of_volume(disk, contents));
        findings.extend(members::of_volume(contents, linux));
    }
    if has_type(layout, &DYNAMIC) {
        findings.push(warning(
            Kind::DynamicDisk,
            "This is a Windows dynamic disk. Simple volumes on it work as long as the whole disk was captured; volumes \
             that span several disks need all of them",
            "Systems on simple volumes are adapted; the disk's own database is left as it is.",
        ));
    }
    if has_type(layout, &[STORAGE_SPACES]) {
        findings.push(warning(
            Kind::StorageSpaces,
            "The disk belongs to a storage pool (Storage Spaces), whose volumes p2v cannot look into",
            "The pool is left as it is; capture all of its disks to use it.",
        ));
    }
    findings
}

/// What every Windows notices of a new computer, adapted or not.
pub(super) fn of_new_computer(system: &System) -> Option<Finding> {
    if system.family != Family::Windows {
        return None;
    }
    let clock = match system.rtc_utc {
        Some(true) => "UTC",
        _ => "local time",
    };
    Some(Finding {
        system: Some(system.name.clone()),
        ..Finding::on_disk(
            Kind::NewComputer,
            Effect::Note,
            system.partition,
            "It will find itself on another computer, and may ask to be activated anew; a licence that came with the \
             old computer (OEM) is bound to that one",
            format!(
                "p2v changes nothing about that: licence, computer name, accounts and their identifiers (SIDs) stay as \
                 they are, and it goes on to read the clock as {clock}."
            ),
        )
    })
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

/// A warning about the whole disk.
fn warning(kind: Kind, what: impl Into<String>, default: &str) -> Finding {
    Finding::on_disk(kind, Effect::Warning, 0, what, default)
}

/// The number of a volume's partition; 0 for the whole disk.
fn number(contents: &PartitionContents) -> u32 {
    contents.partition.as_ref().map_or(0, |partition| partition.number)
}

fn has_type(layout: &DiskLayout, types: &[&str]) -> bool {
    let mut partitions = layout
        .contents
        .iter()
        .filter_map(|contents| contents.partition.as_ref());
    partitions.any(|partition| types.contains(&partition.type_code.as_str()))
}
