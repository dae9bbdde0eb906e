//! The master boot record and the chain of extended boot records.
//!
//! Source: UEFI 2.10 §5.2 (the record), Linux `block/partitions/msdos.c` for what extended partitions look like in
//! practice: links count from the start of the extended partition, data from the record itself.

use super::types::mbr_type_name;
use super::{Partition, PartitionTable, SECTOR, Scheme};
use crate::bytes::Fields;
use crate::io::ReadAt;
use std::collections::BTreeSet;
use std::io;

/// Longest chain that is followed. Linux gives up at 256 partitions.
const MAX_LOGICAL: usize = 256;
const FIRST_ENTRY: usize = 446;
const ENTRY_SIZE: usize = 16;
const PROTECTIVE: u8 = 0xEE;

/// One of the four entries, in sectors.
#[derive(Clone, Copy, Debug)]
struct Entry {
    flag: u8,
    kind: u8,
    start: u32,
    sectors: u32,
}

impl Entry {
    fn is_used(self) -> bool {
        self.kind != 0 && self.sectors != 0
    }
    fn is_extended(self) -> bool {
        matches!(self.kind, 0x05 | 0x0F | 0x85)
    }
}

/// What the four entries look like as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plausible {
    /// Four entries of zeros.
    Empty,
    /// At least one partition, and nothing that no partitioning tool would write.
    Yes,
    /// Something else than a partition table.
    No,
}

/// The first sector of a disk, or an extended boot record.
pub(super) struct BootSector {
    entries: [Entry; 4],
    disk_signature: u32,
    signature: bool,
    filesystem: bool,
    blank: bool,
}

impl BootSector {
    pub(super) fn new(sector: &[u8; SECTOR]) -> Self {
        let fields = Fields(sector);
        let entry = |index: usize| {
            let at = index.saturating_mul(ENTRY_SIZE).saturating_add(FIRST_ENTRY);
            let fields = Fields(fields.from(at));
            Entry {
                flag: fields.u8(0),
                kind: fields.u8(4),
                start: fields.le32(8),
                sectors: fields.le32(12),
            }
        };
        BootSector {
            entries: [entry(0), entry(1), entry(2), entry(3)],
            disk_signature: fields.le32(440),
            signature: fields.has(510, &[0x55, 0xAA]),
            filesystem: matches!(fields.u8(0), 0xEB | 0xE9)
                && fields.le16(11).is_power_of_two()
                && (512..=4096).contains(&fields.le16(11)),
            blank: sector.iter().all(|byte| *byte == 0),
        }
    }

    /// Whether it ends in 55 AA.
    pub(super) fn has_signature(&self) -> bool {
        self.signature
    }

    /// Whether it starts with a jump over a BIOS parameter block, as boot sectors of filesystems do.
    pub(super) fn is_filesystem(&self) -> bool {
        self.filesystem
    }

    /// Whether an entry says that a GPT is in charge.
    pub(super) fn is_protective(&self) -> bool {
        self.signature && self.entries.iter().any(|entry| entry.kind == PROTECTIVE)
    }

    pub(super) fn plausible_entries(&self, disk_size: u64, sector: u64) -> Plausible {
        let blank = |entry: &Entry| entry.kind == 0 && entry.flag == 0 && entry.start == 0 && entry.sectors == 0;
        if self.entries.iter().all(blank) {
            return Plausible::Empty;
        }
        let sane = |entry: &Entry| {
            let start = u64::from(entry.start).saturating_mul(sector);
            matches!(entry.flag, 0x00 | 0x80) && (!entry.is_used() || (entry.start > 0 && start < disk_size))
        };
        if self.entries.iter().all(sane) && self.entries.iter().any(|entry| entry.is_used()) {
            Plausible::Yes
        } else {
            Plausible::No
        }
    }
}

/// The partition that an entry describes. `base` is what its start counts from, in sectors.
fn partition(number: u32, entry: Entry, base: u64, sector: u64) -> Partition {
    let start = base.saturating_add(u64::from(entry.start));
    let end = start.saturating_add(u64::from(entry.sectors));
    Partition {
        number,
        range: start.saturating_mul(sector)..end.saturating_mul(sector),
        type_code: format!("0x{:02x}", entry.kind),
        type_name: mbr_type_name(entry.kind),
        name: None,
        guid: None,
        bootable: entry.flag == 0x80,
        container: entry.is_extended(),
    }
}

/// Reads primary and logical partitions.
pub(super) fn read<D: ReadAt + ?Sized>(disk: &D, sector: u64, boot: &BootSector) -> io::Result<PartitionTable> {
    let mut table = PartitionTable::empty(Scheme::Mbr);
    table.disk_id = Some(format!("{:08x}", boot.disk_signature));
    for (number, entry) in (1..).zip(boot.entries) {
        if entry.is_used() {
            table.partitions.push(partition(number, entry, 0, sector));
        }
    }
    for entry in boot
        .entries
        .iter()
        .filter(|entry| entry.is_used() && entry.is_extended())
    {
        read_chain(disk, sector, *entry, &mut table)?;
    }
    Ok(table)
}

/// Follows the extended boot records from the start of one extended partition.
fn read_chain<D: ReadAt + ?Sized>(
    disk: &D,
    sector: u64,
    extended: Entry,
    table: &mut PartitionTable,
) -> io::Result<()> {
    let base = u64::from(extended.start);
    let end = base.saturating_add(u64::from(extended.sectors));
    let mut seen = BTreeSet::new();
    let mut at = base;
    loop {
        if !seen.insert(at) {
            table.distrust(format!(
                "the list of logical partitions runs in a circle: the record in sector {at} comes twice"
            ));
            return Ok(());
        }
        let mut bytes = [0; SECTOR];
        let offset = at.saturating_mul(sector);
        if offset.saturating_add(512) > disk.size() {
            table.distrust(format!(
                "the list of logical partitions leaves the disk: there is no sector {at}"
            ));
            return Ok(());
        }
        disk.read_at(offset, &mut bytes)?;
        let record = BootSector::new(&bytes);
        if !record.signature {
            // An extended partition that never held anything needs no record.
            if at != base || !record.blank {
                table.distrust(format!(
                    "the list of logical partitions breaks off: the record in sector {at} is damaged"
                ));
            }
            return Ok(());
        }
        let logical = |entry: &&Entry| entry.is_used() && !entry.is_extended();
        for (index, entry) in record.entries.iter().enumerate().filter(|(_, entry)| logical(entry)) {
            let number = u32::try_from(table.partitions.iter().filter(|p| p.number > 4).count()).unwrap_or(0);
            let partition = partition(number.saturating_add(5), *entry, at, sector);
            let inside = partition.range.start >= base.saturating_mul(sector)
                && partition.range.end <= end.saturating_mul(sector);
            // Some old tools leave rubbish in the last two entries.
            if index >= 2 && !inside {
                continue;
            }
            if !inside {
                table.warn(format!(
                    "logical partition {} lies outside the extended partition",
                    partition.number
                ));
            }
            table.partitions.push(partition);
        }
        if seen.len() >= MAX_LOGICAL {
            table.distrust(format!(
                "the list of logical partitions does not end after {MAX_LOGICAL} records"
            ));
            return Ok(());
        }
        let Some(next) = record
            .entries
            .iter()
            .find(|entry| entry.is_used() && entry.is_extended())
        else {
            return Ok(());
        };
        at = base.saturating_add(u64::from(next.start));
        if at >= end {
            table.distrust(format!(
                "the list of logical partitions leaves the extended partition: it goes on in sector {at}"
            ));
            return Ok(());
        }
    }
}

/// Reports entries beside the protective one: a hybrid table, which old systems read instead of the GPT.
pub(super) fn compare_with_gpt(boot: &BootSector, table: &mut PartitionTable, sector: u64) {
    let others = |entry: &&Entry| entry.is_used() && entry.kind != PROTECTIVE;
    let mut unknown = 0u32;
    let mut known = 0u32;
    for entry in boot.entries.iter().filter(others) {
        let range = partition(0, *entry, 0, sector).range;
        if table.partitions.iter().any(|partition| partition.range == range) {
            known = known.saturating_add(1);
        } else {
            unknown = unknown.saturating_add(1);
        }
    }
    if unknown > 0 {
        table.distrust(format!(
            "the master boot record lists {unknown} partition(s) that the GUID partition table does not know"
        ));
    } else if known > 0 {
        table.warn(format!(
            "hybrid table: the master boot record lists {known} partition(s) of the GUID partition table, too"
        ));
    }
}
