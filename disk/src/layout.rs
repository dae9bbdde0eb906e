//! The whole disk at a glance: its table, its volumes, and the bytes that a capture must copy.

#![warn(clippy::arithmetic_side_effects, clippy::as_conversions, clippy::indexing_slicing)]

use crate::extent::ExtentSet;
use crate::io::{ReadAt, Window};
use crate::lvm::{self, LogicalVolume, PhysicalVolume};
use crate::mapping::Linear;
use crate::partition::{Partition, PartitionTable, Scheme, read_table};
use crate::usedmap::{self, Volume, VolumeKind, map_volume};
use serde::Serialize;
use std::io;
use std::ops::Range;

/// How much of a disk's start and of its end is copied whatever the volumes say, in bytes: boot loaders live behind
/// the table, RAID and dynamic-disk metadata at the end.
const ENDS: u64 = 1 << 20;

/// The name of a physical volume's signature.
const LVM: &str = "LVM";

/// One partition (or the whole disk where there is no table) with what is on it.
#[derive(Clone, Debug, Serialize)]
pub struct PartitionContents {
    /// The table's entry; `None` for a filesystem on the whole disk.
    pub partition: Option<Partition>,
    /// First byte on the disk.
    pub start: u64,
    /// Size in bytes.
    pub size: u64,
    /// What is on it.
    pub volume: Volume,
}

/// A logical volume of LVM with what is on it.
#[derive(Clone, Debug, Serialize)]
pub struct LogicalContents {
    /// Its name and place.
    #[serde(flatten)]
    pub logical: LogicalVolume,
    /// What is on it; `None` if it cannot be read. Nothing of it is skipped.
    pub volume: Option<Volume>,
}

/// What is on a disk and what of it must be copied.
#[derive(Clone, Debug, Serialize)]
pub struct DiskLayout {
    /// Size of the disk in bytes.
    pub size: u64,
    /// Logical sector size in bytes.
    pub sector: u32,
    /// The partition table.
    pub table: PartitionTable,
    /// Every partition that is no mere container, in ascending order of position.
    pub contents: Vec<PartitionContents>,
    /// The physical volumes of LVM among them.
    pub physical: Vec<PhysicalVolume>,
    /// The logical volumes on those.
    ///
    /// They change nothing in what is copied: physical volumes are copied whole. What is free on one is known only if
    /// all of its metadata are understood, those of snapshots, thin pools and half-finished moves too; a mistake
    /// would lose data.
    pub logical: Vec<LogicalContents>,
    /// Everything to copy: used blocks, boot code, tables, gaps, the disk's end. Absolute bytes.
    #[serde(skip)]
    pub used: ExtentSet,
}

/// Reads table and volumes of `disk` and works out what must be copied. `sector` is the logical sector size.
///
/// Only what a mapped volume says to be free is left out. Gaps between partitions are copied, whatever their size:
/// something may live there that no table knows. A table or a volume that cannot be read (a failing disk) is no
/// error either: all of it is to be copied, as far as that goes.
pub fn scan<D: ReadAt + ?Sized>(disk: &D, sector: u32) -> io::Result<DiskLayout> {
    let size = disk.size();
    let table = read_table(disk, sector).unwrap_or_else(|error| PartitionTable {
        scheme: Scheme::None,
        disk_id: None,
        partitions: Vec::new(),
        warnings: vec![format!(
            "the partition table cannot be read ({error}): everything is copied"
        )],
        trusted: false,
        raid: None,
    });
    let mut contents = Vec::new();
    if table.scheme == Scheme::None {
        contents.push(contents_of(disk, None, 0..size)?);
    }
    for partition in table.partitions.iter().filter(|partition| !partition.container) {
        let range = partition.range.start.min(size)..partition.range.end.min(size);
        if !range.is_empty() {
            contents.push(contents_of(disk, Some(partition), range)?);
        }
    }
    contents.sort_by_key(|content| (content.start, content.size));
    if !table.trusted {
        for content in contents.iter_mut().filter(|content| content.volume.mapped) {
            let note = "copied whole because the partition table cannot be trusted";
            content.volume.copy_whole(content.size, note);
        }
    }
    let used = used_bytes(&contents, size);
    let (physical, logical) = logical_volumes(disk, &contents);
    Ok(DiskLayout {
        size,
        sector,
        table,
        contents,
        physical,
        logical,
        used,
    })
}

/// The volumes of LVM, and what is on the logical ones.
fn logical_volumes<D: ReadAt + ?Sized>(
    disk: &D,
    contents: &[PartitionContents],
) -> (Vec<PhysicalVolume>, Vec<LogicalContents>) {
    let candidates: Vec<lvm::Candidate> = contents
        .iter()
        .filter_map(|contents| candidate(disk, contents))
        .collect();
    let found = lvm::find(disk, &candidates);
    let logical = found.logical.into_iter().map(|mut logical| {
        let volume = logical.segments.clone().and_then(|mapping| {
            let mapped = Linear::new(disk, mapping).and_then(|volume| map_volume(&volume));
            match mapped {
                Ok(volume) => Some(volume),
                Err(error) => {
                    logical.unreadable = Some(format!("the disk cannot be read there: {error}"));
                    logical.segments = None;
                    None
                }
            }
        });
        let volume = volume.map(|mut volume| {
            // Its notes are on what a capture leaves out, and here that is nothing.
            volume.notes.clear();
            volume.mapped = false;
            volume.used = ExtentSet::from_range(0..logical.size);
            volume
        });
        LogicalContents { logical, volume }
    });
    let logical = logical.collect();
    (found.physical, logical)
}

/// A volume that may be a physical one of LVM.
fn candidate<D: ReadAt + ?Sized>(disk: &D, contents: &PartitionContents) -> Option<lvm::Candidate> {
    let range = contents.start..contents.start.saturating_add(contents.size);
    let partition = contents.partition.as_ref();
    let names = Window::new(disk, range.clone()).and_then(|volume| usedmap::signatures(&volume));
    let names = names.ok().filter(|names| names.contains(&LVM))?;
    // A member of a RAID array that starts like its contents bears both signatures.
    let others: Vec<&str> = names.into_iter().filter(|name| *name != LVM).collect();
    let doubt = match partition {
        _ if !others.is_empty() => Some(format!("it also bears the signature of {}", others.join(" and "))),
        Some(partition) if is_part_of_a_set(partition) => {
            Some("its partition may be one piece of a volume that spans several partitions or disks".to_owned())
        }
        _ => None,
    };
    Some(lvm::Candidate {
        partition: partition.map_or(0, |partition| partition.number),
        range,
        doubt,
    })
}

/// Recognises and maps what lies in `range` of `disk`.
fn contents_of<D: ReadAt + ?Sized>(
    disk: &D,
    partition: Option<&Partition>,
    range: Range<u64>,
) -> io::Result<PartitionContents> {
    let size = range.end.saturating_sub(range.start);
    let mut volume = map_volume(&Window::new(disk, range.clone())?).unwrap_or_else(|error| {
        let mut unreadable = Volume::whole(VolumeKind::Unknown, "unreadable", size);
        unreadable.copy_whole(size, format!("its structures cannot be read ({error}): copied whole"));
        unreadable
    });
    if volume.mapped && partition.is_some_and(is_part_of_a_set) {
        let note = "copied whole because it may be one piece of a volume that spans several partitions or disks";
        volume.copy_whole(size, note);
    }
    Ok(PartitionContents {
        partition: partition.cloned(),
        start: range.start,
        size,
        volume,
    })
}

/// Partitions whose filesystem may be only the first piece of something larger: Windows dynamic disks and storage
/// spaces, members of RAID arrays.
fn is_part_of_a_set(partition: &Partition) -> bool {
    matches!(
        partition.type_code.as_str(),
        "0x42"
            | "0xfd"
            | "5808C8AA-7E8F-42E0-85D2-E1E90434CFB3"
            | "AF9B60A0-1431-4F62-BC68-3311714A69AD"
            | "E75CAF8F-F680-4CEE-AFA3-B001E56EFC2D"
            | "A19D880F-05FC-4D3B-A006-743F0F84911E"
    )
}

/// The disk without what mapped volumes leave out. Where partitions overlap, each one's used bytes count.
fn used_bytes(contents: &[PartitionContents], size: u64) -> ExtentSet {
    let mapped = || contents.iter().filter(|content| content.volume.mapped);
    let covered: ExtentSet = mapped()
        .map(|content| content.start..content.start.saturating_add(content.size).min(size))
        .collect();
    let mut ranges = vec![0..ENDS.min(size), size.saturating_sub(ENDS)..size];
    ranges.extend(covered.complement(size).iter());
    let unmapped = contents.iter().filter(|content| !content.volume.mapped);
    ranges.extend(unmapped.map(|content| content.start..content.start.saturating_add(content.size).min(size)));
    for content in mapped() {
        let absolute = |offset: u64| content.start.saturating_add(offset).min(size);
        ranges.extend(
            content
                .volume
                .used
                .iter()
                .map(|used| absolute(used.start)..absolute(used.end)),
        );
    }
    // In ascending order each range is added in constant time.
    ranges.sort_unstable_by_key(|range| range.start);
    ranges.into_iter().collect()
}
