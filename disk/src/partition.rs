//! Partition tables: MBR with extended and logical partitions, GPT, or none at all.

use crate::io::ReadAt;
use serde::Serialize;
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
}

/// Reads the partition table of `disk`. `sector` is the logical sector size in bytes.
///
/// A damaged table is not an error: what can be read is returned with warnings. Only I/O errors are.
pub fn read_table<D: ReadAt + ?Sized>(disk: &D, sector: u32) -> std::io::Result<PartitionTable> {
    let _ = (disk, sector);
    todo!()
}
