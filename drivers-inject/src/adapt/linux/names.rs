//! Names of disks: `/dev/sda1` depends on the controller and on the other disks, a UUID does not.

use crate::volumes::{self, VolumeId};
use disk::layout::{DiskLayout, PartitionContents};
use disk::partition::Scheme;
use disk::usedmap::VolumeKind;
use std::collections::BTreeSet;

/// A device as a configuration names it, if the name depends on the hardware.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DeviceName {
    /// The disk: `sda`, `nvme0n1`, `disk/by-id/ata-ST3120026A_5JT1`.
    pub(super) disk: String,
    /// 0 for the whole disk.
    pub(super) partition: u32,
}

impl DeviceName {
    /// Whether it counts disks, so that it may mean another disk in another machine.
    pub(super) fn counts(&self) -> bool {
        !self.disk.contains("/by-")
    }
}

/// Reads `/dev/…`; `None` for what names no disk, or names it by something that it carries itself.
pub(super) fn parse(text: &str) -> Option<DeviceName> {
    let name = text.strip_prefix("/dev/")?;
    if ["disk/by-id/", "disk/by-path/"]
        .iter()
        .any(|folder| name.starts_with(folder))
    {
        // Volumes of LVM and the like have such names too, but belong to no disk.
        if ["dm-", "md-", "lvm-"]
            .iter()
            .any(|kind| name.contains(&format!("/{kind}")))
        {
            return None;
        }
        return match name.rsplit_once("-part") {
            Some((disk, number)) => device(disk, number),
            None => device(name, ""),
        };
    }
    let letters = |prefix: &str| {
        let rest = name.strip_prefix(prefix)?;
        let end = rest.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(rest.len());
        let (letters, number) = rest.split_at_checked(end)?;
        let disk = name.get(..prefix.len().checked_add(letters.len())?)?;
        (!letters.is_empty()).then(|| device(disk, number))?
    };
    // A number of the disk, then `p` and the number of the partition.
    let numbers = || {
        let known = ["nvme", "mmcblk", "cciss/c", "ida/c", "rd/c"]
            .iter()
            .any(|prefix| name.starts_with(prefix));
        let numbered = |disk: &str| known && disk.ends_with(|c: char| c.is_ascii_digit());
        match name.rsplit_once('p') {
            Some((disk, number)) if numbered(disk) => device(disk, number),
            _ if numbered(name) => device(name, ""),
            _ => None,
        }
    };
    ["xvd", "sd", "hd", "vd"]
        .iter()
        .find_map(|kind| letters(kind))
        .or_else(numbers)
}

fn device(disk: &str, number: &str) -> Option<DeviceName> {
    let partition = match number {
        "" => 0,
        number => number.parse().ok().filter(|number| *number > 0)?,
    };
    Some(DeviceName {
        disk: disk.to_owned(),
        partition,
    })
}

/// Something that names a device, and what it says about it.
#[derive(Clone, Debug)]
pub(super) struct Mention {
    pub(super) name: DeviceName,
    /// It is the system's root.
    pub(super) is_root: bool,
    /// It is mounted at `/boot`.
    pub(super) is_boot: bool,
    /// The filesystem type as `fstab` has it, where it is said.
    pub(super) kind: Option<String>,
    /// Where it is mounted, where it is said.
    pub(super) point: Option<String>,
}

/// What device names mean on the captured disk.
pub(super) struct Names<'a> {
    layout: &'a DiskLayout,
    /// Names of this disk.
    own: BTreeSet<String>,
}

impl<'a> Names<'a> {
    /// Finds out by which names `mentions` mean this disk. `root` is the volume of the system, `mounted` those that it
    /// names by something else than a device name, `boots` the partitions with kernels whose modules it has.
    pub(super) fn new(
        layout: &'a DiskLayout,
        root: VolumeId,
        mounted: &[VolumeId],
        boots: &[u32],
        mentions: &[Mention],
    ) -> Self {
        let is_here = |mention: &&Mention| contents_of(layout, mention.name.partition).is_some();
        let disks = |says: &dyn Fn(&Mention) -> bool| -> BTreeSet<String> {
            let saying = mentions.iter().filter(|mention| says(mention)).filter(is_here);
            saying.map(|mention| mention.name.disk.clone()).collect()
        };
        let mut own = disks(&|mention| mention.is_root && VolumeId::Partition(mention.name.partition) == root);
        if own.is_empty() {
            // A root on a logical volume, or named by its UUID, says nothing; its kernels may.
            own = disks(&|mention| mention.is_boot && boots.contains(&mention.name.partition));
            own = if own.len() == 1 { own } else { BTreeSet::new() };
        }
        if own.is_empty() {
            // No root says it: a name is this disk's if something speaks for it and nothing against it.
            let disks: BTreeSet<&String> = mentions.iter().map(|mention| &mention.name.disk).collect();
            let may_be = |disk: &&&String| {
                let of_disk = || mentions.iter().filter(|mention| mention.name.disk == ***disk);
                of_disk().all(|mention| agrees(layout, mounted, mention))
                    && of_disk().any(|mention| is_shown(layout, mention))
            };
            let candidates: Vec<&&String> = disks.iter().filter(may_be).collect();
            let counting = candidates.iter().filter(|disk| !disk.contains("/by-")).count();
            // Two that count disks are two disks: which is this one?
            own = candidates
                .into_iter()
                .filter(|disk| counting < 2 || disk.contains("/by-"))
                .map(|disk| (*disk).clone())
                .collect();
        }
        Names { layout, own }
    }

    /// Whether the name means this disk.
    pub(super) fn is_own(&self, name: &DeviceName) -> bool {
        self.own.contains(&name.disk)
    }

    /// Whether it is known by which name this disk goes.
    pub(super) fn knows_own(&self) -> bool {
        !self.own.is_empty()
    }

    /// `UUID=…` of what the name means; `None` if it is not on this disk, or has no UUID of its own.
    pub(super) fn uuid(&self, name: &DeviceName) -> Option<String> {
        let contents = self.own_contents(name)?;
        let uuid = contents.volume.uuid.as_ref()?;
        let bearers = volumes::places(self.layout);
        let unique = bearers.filter(|other| other.volume.uuid.as_ref() == Some(uuid)).count() == 1;
        unique.then(|| format!("UUID={uuid}"))
    }

    /// `PARTUUID=…` of the partition that the name means, as the kernel itself understands it.
    pub(super) fn part_uuid(&self, name: &DeviceName) -> Option<String> {
        let contents = self.own_contents(name)?;
        let partition = contents.partition.as_ref()?;
        match self.layout.table.scheme {
            Scheme::Gpt => Some(format!("PARTUUID={}", partition.guid.as_ref()?.to_lowercase())),
            Scheme::Mbr => {
                let id = self
                    .layout
                    .table
                    .disk_id
                    .as_ref()?
                    .trim_start_matches("0x")
                    .to_lowercase();
                let usable = id.len() == 8 && id.bytes().any(|digit| digit != b'0');
                usable.then(|| format!("PARTUUID={id}-{:02x}", partition.number))
            }
            Scheme::None => None,
        }
    }

    fn own_contents(&self, name: &DeviceName) -> Option<&PartitionContents> {
        let own = self.is_own(name);
        contents_of(self.layout, name.partition).filter(|_| own)
    }
}

/// The contents of a partition by its number; of a disk without a table for 0.
pub(super) fn contents_of(layout: &DiskLayout, number: u32) -> Option<&PartitionContents> {
    let number_of = |contents: &PartitionContents| contents.partition.as_ref().map_or(0, |partition| partition.number);
    layout.contents.iter().find(|contents| number_of(contents) == number)
}

/// Whether something on this disk shows that a mention is of it: swap space where it says so, or a filesystem that was
/// last mounted where it says.
fn is_shown(layout: &DiskLayout, mention: &Mention) -> bool {
    contents_of(layout, mention.name.partition).is_some_and(|contents| match mention.kind.as_deref() {
        Some("swap") => contents.volume.kind == VolumeKind::Swap,
        _ => mention.point.is_some() && contents.volume.last_mounted == mention.point,
    })
}

/// Whether what a mention says may be true of this disk.
fn agrees(layout: &DiskLayout, mounted: &[VolumeId], mention: &Mention) -> bool {
    let Some(contents) = contents_of(layout, mention.name.partition) else {
        return mention.name.partition == 0;
    };
    if mounted.contains(&VolumeId::Partition(mention.name.partition)) {
        return false;
    }
    // What is mounted is no physical volume of LVM.
    if layout
        .physical
        .iter()
        .any(|volume| volume.partition == mention.name.partition)
    {
        return false;
    }
    let kind = contents.volume.kind;
    match mention.kind.as_deref() {
        Some("swap") => kind == VolumeKind::Swap,
        Some("ext2" | "ext3" | "ext4") => kind == VolumeKind::Ext,
        Some("vfat" | "msdos" | "umsdos") => kind == VolumeKind::Fat,
        Some("ntfs" | "ntfs-3g" | "ntfs3") => kind == VolumeKind::Ntfs,
        Some("xfs" | "btrfs" | "reiserfs" | "jfs" | "f2fs") => kind == VolumeKind::Other,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_disks_and_partitions() {
        let read = |text: &str| parse(text).map(|name| (name.disk, name.partition));
        let is = |disk: &str, partition| Some((disk.to_owned(), partition));
        assert_eq!(read("/dev/sda1"), is("sda", 1));
        assert_eq!(read("/dev/hdc"), is("hdc", 0));
        assert_eq!(read("/dev/sdaa12"), is("sdaa", 12));
        assert_eq!(read("/dev/xvda2"), is("xvda", 2));
        assert_eq!(read("/dev/nvme0n1p3"), is("nvme0n1", 3));
        assert_eq!(read("/dev/nvme0n1"), is("nvme0n1", 0));
        assert_eq!(read("/dev/mmcblk0p1"), is("mmcblk0", 1));
        assert_eq!(read("/dev/cciss/c0d0p2"), is("cciss/c0d0", 2));
        let id = "disk/by-id/ata-ST3120026A_5JT1";
        assert_eq!(read(&format!("/dev/{id}-part5")), is(id, 5));
        for other in [
            "/dev/sr0",
            "/dev/cdrom",
            "/dev/fd0",
            "/dev/md0",
            "/dev/md0p1",
            "/dev/mapper/vg-root",
            "/dev/sda0",
            "/dev/disk/by-uuid/12",
            "/dev/disk/by-id/dm-name-vg-root",
            "UUID=1",
            "/dev/",
            "/dev/sd",
            "/dev/loop0",
            "proc",
        ] {
            assert_eq!(read(other), None, "{other}");
        }
    }
}
