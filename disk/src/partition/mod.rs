//! Partition tables: MBR with extended and logical partitions, GPT, or none at all.

#![warn(clippy::arithmetic_side_effects, clippy::as_conversions, clippy::indexing_slicing)]

mod check;
mod gpt;
mod mbr;
mod types;

use crate::bytes::Fields;
use crate::io::ReadAt;
use crate::usedmap;
use serde::Serialize;
use std::io;
use std::ops::Range;

/// How a disk is divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scheme {
    /// A master boot record, with or without an extended partition.
    Mbr,
    /// A GUID partition table.
    Gpt,
    /// No table: a filesystem, or something unknown, on the whole disk.
    None,
}

/// One partition. For an MBR, the extended partition itself is listed too, with [`Partition::container`] set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Partition {
    /// As Linux numbers it: 1–4 primary, 5… logical; GPT entry index + 1.
    pub number: u32,
    /// Where it lies, in bytes.
    pub range: Range<u64>,
    /// The type as the table has it: `0x83`, or a GUID.
    pub type_code: String,
    /// The type in words, where it is known.
    pub type_name: Option<&'static str>,
    /// The GPT name.
    pub name: Option<String>,
    /// The GPT partition GUID.
    pub guid: Option<String>,
    /// The MBR active flag or the GPT legacy boot attribute.
    pub bootable: bool,
    /// Whether it only holds other partitions.
    pub container: bool,
}

/// What the table says, and what is wrong with it.
#[derive(Clone, Debug, Serialize)]
pub struct PartitionTable {
    /// MBR, GPT or none.
    pub scheme: Scheme,
    /// The MBR disk signature (8 hex digits) or the GPT disk GUID.
    pub disk_id: Option<String>,
    /// In the order of their numbers.
    pub partitions: Vec<Partition>,
    /// Wrong CRCs, overlaps, partitions past the end, a hybrid MBR…: a sentence each.
    pub warnings: Vec<String>,
    /// Whether the table is so inconsistent that nothing may be skipped on its word.
    pub trusted: bool,
    /// The RAID that the whole disk is a member of, by the mark at its end: `Intel`, `DDF`, `NVIDIA`, `Linux`.
    pub raid: Option<&'static str>,
}

/// Smallest unit that a table can start in, in bytes.
const SECTOR: usize = 512;

impl PartitionTable {
    fn empty(scheme: Scheme) -> Self {
        PartitionTable {
            scheme,
            disk_id: None,
            partitions: Vec::new(),
            warnings: Vec::new(),
            trusted: true,
            raid: None,
        }
    }

    /// What [`warnings`](Self::warnings) say about [`raid`](Self::raid).
    pub fn raid_warning(&self) -> Option<String> {
        let raid = self.raid?;
        Some(format!(
            "the disk bears the mark of a member of a {raid} RAID: its partitions may be only pieces of volumes"
        ))
    }

    /// Adds a sentence that people should read.
    fn warn(&mut self, warning: impl Into<String>) {
        self.warnings.push(warning.into());
    }

    /// Adds a sentence and gives up skipping anything on this table's word.
    fn distrust(&mut self, warning: impl Into<String>) {
        self.warn(warning);
        self.trusted = false;
    }
}

/// Reads the partition table of `disk`. `sector` is the logical sector size in bytes.
///
/// A damaged table is not an error: what can be read is returned with warnings. Only I/O errors are.
pub fn read_table<D: ReadAt + ?Sized>(disk: &D, sector: u32) -> io::Result<PartitionTable> {
    let mut boot = [0; SECTOR];
    if disk.size() < 2 * 512 {
        return Ok(PartitionTable::empty(Scheme::None));
    }
    disk.read_at(0, &mut boot)?;
    let boot = mbr::BootSector::new(&boot);
    let mut table = choose(disk, u64::from(sector), &boot)?;
    check::partitions(&mut table, disk.size());
    table.raid = usedmap::raid_member(disk)?;
    if let Some(warning) = table.raid_warning() {
        table.distrust(warning);
    }
    Ok(table)
}

/// Decides which of the things that the first sectors may be is meant.
fn choose<D: ReadAt + ?Sized>(disk: &D, sector: u64, boot: &mbr::BootSector) -> io::Result<PartitionTable> {
    if boot.is_protective() {
        let mut table = gpt::read(disk, sector)?;
        if table.partitions.is_empty() && !table.trusted {
            let other = if sector == 4096 { 512 } else { 4096 };
            let found = gpt::read(disk, other)?;
            if found.disk_id.is_some() {
                table = found;
                table.distrust(format!(
                    "the partition table was written for sectors of {other} bytes, but this disk has {sector}: \
                     it was probably used in another enclosure"
                ));
            }
        }
        mbr::compare_with_gpt(boot, &mut table, sector);
        return Ok(table);
    }
    let filesystem = usedmap::recognise(disk)?;
    if !boot.has_signature() {
        let mut table = PartitionTable::empty(Scheme::None);
        if let Some(found) = gpt::read_any(disk, sector)? {
            if filesystem.is_none() {
                table = found;
            }
            table.distrust(
                "there is a GUID partition table but no master boot record that says so: one of them is damaged or left over",
            );
        }
        return Ok(table);
    }
    // Boot sectors of filesystems end in the same two bytes as a master boot record.
    let entries = boot.plausible_entries(disk.size(), sector);
    match (&filesystem, entries) {
        (Some(_), mbr::Plausible::Empty | mbr::Plausible::No) => return Ok(PartitionTable::empty(Scheme::None)),
        (None, mbr::Plausible::No) => {
            let mut table = mbr::read(disk, sector, boot)?;
            table.distrust(
                "the entries of the master boot record make no sense: it is damaged, or no partition table at all",
            );
            return Ok(table);
        }
        _ => {}
    }
    let mut table = mbr::read(disk, sector, boot)?;
    if let Some(name) = filesystem.filter(|_| boot.is_filesystem()) {
        table.distrust(format!(
            "the first sector is a partition table and the start of a {name} filesystem at once"
        ));
    }
    if gpt::read_any(disk, sector)?.is_some() {
        table.warn("there is also a GUID partition table, but the master boot record does not refer to it: left over");
    }
    Ok(table)
}

/// Whether an image shows the GPT of a disk with 4096-byte sectors and none for 512-byte sectors.
pub fn looks_like_4k<D: ReadAt + ?Sized>(disk: &D) -> bool {
    let mut start = [0; 4096 + 8];
    disk.read_at(0, &mut start).is_ok() && {
        let start = Fields(&start);
        start.has(4096, gpt::SIGNATURE) && !start.has(512, gpt::SIGNATURE)
    }
}
