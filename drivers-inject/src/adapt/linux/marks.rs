//! Names of volumes that come from what they carry themselves, and so stay true on any hardware: UUIDs, labels, names of
//! logical volumes.

use crate::volumes::{self, VolumeId};
use disk::layout::{DiskLayout, PartitionContents};
use disk::usedmap::{Volume, VolumeKind};

/// Whether a spec names a volume by what it carries itself.
pub(super) fn is_mark(spec: &str) -> bool {
    let kinds = [
        "UUID=",
        "LABEL=",
        "PARTUUID=",
        "PARTLABEL=",
        "/dev/disk/by-uuid/",
        "/dev/disk/by-label/",
    ];
    kinds.iter().any(|kind| spec.starts_with(kind))
}

/// The volume that a spec names by what it carries itself.
pub(super) fn volume(layout: &DiskLayout, spec: &str) -> Option<VolumeId> {
    let plain = spec.replace('"', "");
    let value = |kinds: [&str; 2]| kinds.iter().find_map(|kind| plain.strip_prefix(kind));
    let is = |mark: &Option<String>, wanted: &str| mark.as_ref().is_some_and(|mark| mark.eq_ignore_ascii_case(wanted));
    let with = |wanted: &dyn Fn(&Volume) -> bool| {
        let found = volumes::places(layout).find(|place| wanted(place.volume));
        found.map(|place| place.id)
    };
    if let Some(uuid) = value(["UUID=", "/dev/disk/by-uuid/"]) {
        return with(&|volume| is(&volume.uuid, uuid));
    }
    if let Some(label) = value(["LABEL=", "/dev/disk/by-label/"]) {
        return with(&|volume| volume.label.as_deref() == Some(label));
    }
    if let Some(label) = value(["PARTLABEL=", "/dev/disk/by-partlabel/"]) {
        return partition(layout, |contents| {
            let partition = contents.partition.as_ref();
            partition.and_then(|partition| partition.name.as_deref()) == Some(label)
        });
    }
    if let Some(id) = value(["PARTUUID=", "/dev/disk/by-partuuid/"]) {
        let mbr = |number: u32| {
            let disk = layout.table.disk_id.as_deref()?.trim_start_matches("0x");
            Some(format!("{disk}-{number:02x}"))
        };
        return partition(layout, |contents| {
            contents.partition.as_ref().is_some_and(|partition| {
                let guid = partition.guid.clone().or_else(|| mbr(partition.number));
                is(&guid, id)
            })
        });
    }
    logical(layout, plain.strip_prefix("/dev/")?)
}

/// The logical volume that a name in `/dev` means: `mapper/GROUP-VOLUME`, `GROUP/VOLUME`, `disk/by-id/dm-name-…`.
fn logical(layout: &DiskLayout, name: &str) -> Option<VolumeId> {
    let mapped = ["mapper/", "disk/by-id/dm-name-"]
        .iter()
        .find_map(|folder| name.strip_prefix(folder));
    let mut bearers = layout.logical.iter().enumerate().filter(|(_, contents)| {
        let own = &contents.logical.name;
        match mapped {
            Some(mapped) => own.mapper() == mapped,
            None => own.to_string() == name,
        }
    });
    // Two groups of one name are two systems' groups: which one is meant?
    match (bearers.next(), bearers.next()) {
        (Some((index, _)), None) => Some(VolumeId::Logical(index)),
        _ => None,
    }
}

fn partition(layout: &DiskLayout, wanted: impl Fn(&PartitionContents) -> bool) -> Option<VolumeId> {
    let found = layout.contents.iter().find(|contents| wanted(contents))?;
    Some(VolumeId::Partition(number_of(found)))
}

fn number_of(contents: &PartitionContents) -> u32 {
    contents.partition.as_ref().map_or(0, |partition| partition.number)
}

/// Whether everything on the disk can be seen: no volume holds others that are not known.
pub(super) fn is_known(layout: &DiskLayout) -> bool {
    let physical = |contents: &PartitionContents| {
        let mut volumes = layout.physical.iter();
        volumes.any(|volume| volume.partition == number_of(contents) && volume.problems.is_empty())
    };
    let partitions = layout.contents.iter();
    let logical = layout.logical.iter().map(|contents| contents.volume.as_ref());
    partitions
        .into_iter()
        .all(|contents| is_known_volume(&contents.volume) || physical(contents))
        && logical.into_iter().all(|volume| volume.is_some_and(is_known_volume))
}

fn is_known_volume(volume: &Volume) -> bool {
    match volume.kind {
        VolumeKind::Ext | VolumeKind::Ntfs | VolumeKind::Fat | VolumeKind::Swap => volume.uuid.is_some(),
        VolumeKind::Unknown => true,
        _ => volume.uuid.is_some() && volume.label_of_kind != "LUKS",
    }
}
