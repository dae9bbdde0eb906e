//! The whole disk at a glance: its table, its volumes, and the bytes that a capture must copy.

use crate::extent::ExtentSet;
use crate::io::ReadAt;
use crate::partition::{Partition, PartitionTable};
use crate::usedmap::Volume;
use serde::Serialize;

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
    /// Everything to copy: used blocks, boot code, tables, gaps, the disk's end. Absolute bytes.
    #[serde(skip)]
    pub used: ExtentSet,
}

/// Reads table and volumes of `disk` and works out what must be copied. `sector` is the logical sector size.
pub fn scan<D: ReadAt + ?Sized>(disk: &D, sector: u32) -> std::io::Result<DiskLayout> {
    let _ = (disk, sector);
    todo!()
}
