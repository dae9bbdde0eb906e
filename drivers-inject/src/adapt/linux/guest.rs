//! Virtual machines that ran on the captured computer, with logical volumes as their disks.

use super::super::finding::{Effect, Finding, Kind};
use super::fstab;
use super::text::TextFile;
use super::tree::Tree;
use crate::System;
use crate::volumes::{MountedVolume, VolumeId};

/// Whether a system on a logical volume believes to be on a disk of its own: that is the disk of a virtual machine
/// which ran on this computer.
pub(super) fn is_guest(volumes: &mut [MountedVolume], tree: &Tree) -> bool {
    matches!(tree.root(volumes), VolumeId::Logical(_))
        && TextFile::open(volumes, tree, fstab::FSTAB)
            .is_some_and(|file| fstab::mentions(&file).iter().any(|mention| mention.is_root))
}

/// What is said of it.
pub(super) fn finding(system: &System) -> Finding {
    Finding {
        system: Some(system.name.clone()),
        ..Finding::on_disk(
            Kind::NotAdapted,
            Effect::Note,
            system.partition,
            format!(
                "This system is on the logical volume {}, but its fstab names a disk as its root: it seems to be that \
                 of a virtual machine which ran on the old computer",
                system.volume.as_deref().unwrap_or_default()
            ),
            "It is left as it is.",
        )
    }
}
