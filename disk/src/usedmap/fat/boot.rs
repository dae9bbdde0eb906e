//! The boot sector: where file allocation tables, root directory and clusters lie.
//!
//! Source: Microsoft, "FAT32 File System Specification" 1.03. The kind of FAT is told as Linux (`fs/fat/inode.c`) and
//! Windows do it: FAT32 by its 16-bit table size of zero, FAT12 and FAT16 by the number of clusters.

use crate::bytes::Fields;
use std::ops::Range;

pub(super) const SIZE: usize = 512;

/// Most clusters of FAT12 and of FAT16.
const MAX_FAT12: u64 = 4084;
const MAX_FAT16: u64 = 65524;
const MAX_FAT32: u64 = 0x0FFF_FFF5;

/// Width of a table's entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Width {
    Fat12,
    Fat16,
    Fat32,
}

impl Width {
    pub(super) fn name(self) -> &'static str {
        match self {
            Width::Fat12 => "FAT12",
            Width::Fat16 => "FAT16",
            Width::Fat32 => "FAT32",
        }
    }
    /// Bytes that hold the entries up to `count`.
    pub(super) fn table_bytes(self, count: u64) -> u64 {
        match self {
            Width::Fat12 => count.saturating_mul(3).div_ceil(2),
            Width::Fat16 => count.saturating_mul(2),
            Width::Fat32 => count.saturating_mul(4),
        }
    }
}

/// Below this size (bytes), formatters round tables up as they like.
const SLACK: u64 = 16 << 10;

/// What the boot sector says, checked. Positions and sizes are in bytes.
#[derive(Clone, Debug)]
pub(super) struct Boot {
    pub(super) width: Width,
    pub(super) cluster_size: u64,
    /// Number of clusters. The first one has the number 2.
    pub(super) clusters: u64,
    pub(super) tables: u64,
    pub(super) first_table: u64,
    pub(super) table_size: u64,
    /// Where cluster 2 lies.
    pub(super) data: u64,
    /// The root directory of FAT12 and FAT16, or the first cluster of it.
    pub(super) root: Range<u64>,
    /// Cluster of the root directory; `None` where it lies before the clusters.
    pub(super) root_cluster: Option<u64>,
    /// Where FAT32 keeps a copy of the boot sector.
    pub(super) backup: Option<u64>,
    pub(super) media: u8,
    /// Whether the boot sector says that the volume was not unmounted.
    pub(super) dirty: bool,
    pub(super) label: Option<String>,
    pub(super) serial: Option<String>,
}

impl Boot {
    /// First byte of a cluster.
    pub(super) fn cluster(&self, number: u64) -> u64 {
        number
            .saturating_sub(2)
            .saturating_mul(self.cluster_size)
            .saturating_add(self.data)
    }
}

/// Whether two boot sectors describe the same volume: the BIOS parameter block without the state of the volume.
pub(super) fn same(one: &[u8; SIZE], other: &[u8; SIZE]) -> bool {
    one.get(11..64) == other.get(11..64)
}

/// Reads a boot sector. `volume_size` is in bytes. The error is a sentence: why the volume must be copied whole.
pub(super) fn parse(bytes: &[u8; SIZE], volume_size: u64) -> Result<Boot, String> {
    let fields = Fields(bytes);
    let impossible = |what: &str| format!("impossible {what} in the boot sector");
    let sector = u64::from(fields.le16(11));
    let per_cluster = u64::from(fields.u8(13));
    if !sector.is_power_of_two() || !(512..=4096).contains(&sector) || !per_cluster.is_power_of_two() {
        return Err(impossible("cluster size"));
    }
    let reserved = u64::from(fields.le16(14));
    let tables = u64::from(fields.u8(16));
    if reserved == 0 || !(1..=4).contains(&tables) {
        return Err(impossible("number of tables"));
    }
    let root_sectors = u64::from(fields.le16(17)).saturating_mul(32).div_ceil(sector);
    let total = match fields.le16(19) {
        0 => u64::from(fields.le32(32)),
        total => u64::from(total),
    };
    let (table_sectors, large) = match fields.le16(22) {
        0 => (u64::from(fields.le32(36)), true),
        sectors => (u64::from(sectors), false),
    };
    if total.saturating_mul(sector) > volume_size {
        return Err("the filesystem is larger than its partition".to_owned());
    }
    // None of these products of 16- and 32-bit numbers can reach 64 bits.
    let root_at = reserved.saturating_add(tables.saturating_mul(table_sectors));
    let data_at = root_at.saturating_add(root_sectors);
    let clusters = total
        .checked_sub(data_at)
        .and_then(|sectors| sectors.checked_div(per_cluster))
        .unwrap_or(0);
    if clusters == 0 {
        return Err(impossible("size"));
    }
    let width = match (large, clusters) {
        (true, ..=MAX_FAT32) if root_sectors == 0 => Width::Fat32,
        (false, ..=MAX_FAT12) if root_sectors > 0 => Width::Fat12,
        (false, ..=MAX_FAT16) if root_sectors > 0 => Width::Fat16,
        _ => return Err(impossible("number of clusters")),
    };
    let table_size = table_sectors.saturating_mul(sector);
    if width.table_bytes(clusters.saturating_add(2)) > table_size {
        return Err("the file allocation table is too small for the volume".to_owned());
    }
    // Tables are made to measure. Twice what is needed means that a number above is wrong.
    let needed = width.table_bytes(clusters.saturating_add(2)).max(SLACK);
    if table_size > needed.saturating_mul(2) {
        return Err("the file allocation table is too large for the volume".to_owned());
    }
    // FAT32 has these fields behind its own ones.
    let more = Fields(fields.from(if large { 64 } else { 36 }));
    if large && fields.le16(42) != 0 {
        return Err("this version of FAT32 is not known".to_owned());
    }
    if large && fields.le16(40) & 0x80 != 0 {
        return Err("only one of its file allocation tables is kept up to date".to_owned());
    }
    let described = matches!(more.u8(2), 0x28 | 0x29);
    let mut boot = Boot {
        width,
        cluster_size: per_cluster.saturating_mul(sector),
        clusters,
        tables,
        first_table: reserved.saturating_mul(sector),
        table_size,
        data: data_at.saturating_mul(sector),
        root: root_at.saturating_mul(sector)..data_at.saturating_mul(sector),
        root_cluster: large.then(|| u64::from(fields.le32(44))),
        backup: (large && (1..reserved).contains(&u64::from(fields.le16(50))))
            .then(|| u64::from(fields.le16(50)).saturating_mul(sector)),
        media: fields.u8(21),
        dirty: more.u8(1) & 1 != 0,
        label: more.text(7, 11).filter(|label| described && label != "NO NAME"),
        serial: described.then(|| format!("{:04X}-{:04X}", more.le16(5), more.le16(3))),
    };
    if let Some(root) = boot.root_cluster {
        if root < 2 || root >= clusters.saturating_add(2) {
            return Err(impossible("root directory"));
        }
        boot.root = boot.cluster(root)..boot.cluster(root.saturating_add(1));
    }
    Ok(boot)
}
