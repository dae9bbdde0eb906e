//! Members of RAID arrays, and filesystems of Linux that p2v does not read.

use super::super::finding::{Effect, Finding, Kind};
use super::{number, warning};
use disk::layout::{DiskLayout, PartitionContents};

/// What Linux systems live on, and this version has no reader for.
const UNREAD: [&str; 9] = [
    "XFS", "Btrfs", "F2FS", "ReiserFS", "Reiser4", "JFS", "NILFS2", "ZFS", "bcache",
];

/// A whole disk that is one of an array's.
pub(super) fn of_array(layout: &DiskLayout) -> Option<Finding> {
    let raid = match layout.table.raid? {
        "Intel" => "an Intel RAID (Rapid Storage Technology)",
        "NVIDIA" => "an NVIDIA RAID",
        "DDF" => "a RAID of its controller (DDF)",
        _ => "a Linux RAID",
    };
    Some(warning(
        Kind::Raid,
        format!(
            "The disk is a member of {raid}. One disk of a mirror (RAID 1) works alone; one disk of a RAID 0, 5 or 10 \
             has only every other piece of its volumes"
        ),
        "Systems that can be read are adapted. Unless it was a mirror, capture the assembled volume instead: a Linux \
         live system on the old computer shows it as /dev/md126 or in /dev/mapper.",
    ))
}

/// A volume of another system's, whose files cannot be read. `linux`: whether a Linux was found on the disk.
pub(super) fn of_volume(contents: &PartitionContents, linux: bool) -> Option<Finding> {
    let kind = contents.volume.label_of_kind.as_str();
    if kind == "mdraid" {
        return Some(Finding::on_disk(
            Kind::Raid,
            Effect::Warning,
            number(contents),
            "This is a member of a Linux RAID array, and p2v does not look into it. A mirror (RAID 1) starts from one \
             of its disks alone; other levels need all of them",
            "It is left as it is. A system on it starts if its start files (initramfs) have drivers for the virtual \
             machine's disk; if it does not, choose the fallback or rescue entry of its boot menu.",
        ));
    }
    UNREAD.contains(&kind).then(|| {
        Finding::on_disk(
            Kind::NotAdapted,
            // With a Linux elsewhere it holds data, most likely.
            if linux { Effect::Note } else { Effect::Warning },
            number(contents),
            format!("This is {kind}: it may hold a Linux, and p2v cannot look into it"),
            "Nothing on it is changed. Most systems start as they are, if they name their disks by UUID and their start \
             files (initramfs) have drivers for the virtual machine's disk. If it does not start, choose the fallback or \
             rescue entry of its boot menu and make new start files there (`dracut --regenerate-all --force`, \
             `update-initramfs -u -k all`).",
        )
    })
}
