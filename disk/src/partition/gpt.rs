//! The GUID partition table with its backup.
//!
//! Source: UEFI 2.10 §5.3.

use super::types::gpt_type_name;
use super::{Partition, PartitionTable, Scheme};
use crate::bytes::{Fields, guid, utf16};
use crate::checksum::crc32;
use crate::io::ReadAt;
use std::io;

pub(super) const SIGNATURE: &[u8; 8] = b"EFI PART";
/// Largest array of entries that is read, in bytes: 256 times the usual one.
const MAX_ARRAY: u64 = 4 << 20;
/// Bytes of the header that have a meaning.
const HEADER: usize = 92;
/// The attribute "legacy BIOS bootable".
const LEGACY_BOOT: u64 = 1 << 2;

/// A header and its array, both with a right checksum.
#[derive(PartialEq, Eq)]
struct Table {
    /// Where the other copy lies, in sectors.
    other: u64,
    disk_guid: [u8; 16],
    entry_size: usize,
    entries: Vec<u8>,
}

/// Reads the header in sector `lba` and its array. The inner error is what is wrong with them.
fn read_copy<D: ReadAt + ?Sized>(disk: &D, sector: u64, lba: u64) -> io::Result<Result<Table, &'static str>> {
    let offset = lba.saturating_mul(sector);
    let mut bytes = vec![0; usize::try_from(sector).unwrap_or(512)];
    if offset.saturating_add(sector) > disk.size() {
        return Ok(Err("lies past the end of the disk"));
    }
    disk.read_at(offset, &mut bytes)?;
    let fields = Fields(&bytes);
    if !fields.has(0, SIGNATURE) {
        return Ok(Err("is missing"));
    }
    let header_size = usize::try_from(fields.le32(12)).unwrap_or(0);
    let Some(header) = bytes.get(..header_size).filter(|header| header.len() >= HEADER) else {
        return Ok(Err("has an impossible size"));
    };
    let mut unsummed = header.to_vec();
    if let Some(sum) = unsummed.get_mut(16..20) {
        sum.fill(0);
    }
    if crc32(&unsummed) != fields.le32(16) {
        return Ok(Err("has a wrong checksum"));
    }
    if fields.le64(24) != lba {
        return Ok(Err("was written for another place"));
    }
    let count = u64::from(fields.le32(80));
    let entry_size = u64::from(fields.le32(84));
    let array_size = count.saturating_mul(entry_size);
    // 128 times a power of two (UEFI 2.10 table 5-5).
    if entry_size < 128 || !entry_size.is_power_of_two() || array_size > MAX_ARRAY {
        return Ok(Err("has an impossible table of entries"));
    }
    let array = fields.le64(72).saturating_mul(sector);
    if array.saturating_add(array_size) > disk.size() {
        return Ok(Err("has its entries past the end of the disk"));
    }
    let (Ok(array_len), Ok(entry_size)) = (usize::try_from(array_size), usize::try_from(entry_size)) else {
        return Ok(Err("has an impossible table of entries"));
    };
    let mut entries = vec![0; array_len];
    disk.read_at(array, &mut entries)?;
    if crc32(&entries) != fields.le32(88) {
        return Ok(Err("has entries with a wrong checksum"));
    }
    Ok(Ok(Table {
        other: fields.le64(32),
        disk_guid: fields.array(56),
        entry_size,
        entries,
    }))
}

/// The table of whichever copy is whole, the primary one first; `None` if neither is.
pub(super) fn read_any<D: ReadAt + ?Sized>(disk: &D, sector: u64) -> io::Result<Option<PartitionTable>> {
    let table = read(disk, sector)?;
    Ok(table.disk_id.is_some().then_some(table))
}

/// Reads the table of a disk that must have one. With both copies damaged it comes back empty and not trusted.
pub(super) fn read<D: ReadAt + ?Sized>(disk: &D, sector: u64) -> io::Result<PartitionTable> {
    let mut table = PartitionTable::empty(Scheme::Gpt);
    let last = disk.size().checked_div(sector).unwrap_or(0).saturating_sub(1);
    let primary = read_copy(disk, sector, 1)?;
    let backup_at = match &primary {
        // A disk that grew still has its backup where it was.
        Ok(primary) if primary.other < last => primary.other,
        _ => last,
    };
    let backup = read_copy(disk, sector, backup_at)?;
    let chosen = match (primary, backup) {
        (Ok(primary), Ok(backup)) => {
            if primary.entries != backup.entries || primary.disk_guid != backup.disk_guid {
                table.distrust("the two copies of the GUID partition table differ");
            }
            if backup_at != last {
                table.warn("the backup of the GUID partition table is not at the disk's end: the disk has grown");
            }
            primary
        }
        (Ok(primary), Err(what)) => {
            table.warn(format!("the backup of the GUID partition table {what}"));
            primary
        }
        (Err(what), Ok(backup)) => {
            table.warn(format!("the GUID partition table {what}; its backup was used instead"));
            backup
        }
        (Err(what), Err(backup)) => {
            table.distrust(format!(
                "the GUID partition table {what}, its backup {backup}: everything is copied"
            ));
            return Ok(table);
        }
    };
    table.disk_id = Some(guid(chosen.disk_guid));
    for (number, entry) in (1..).zip(chosen.entries.chunks_exact(chosen.entry_size.max(1))) {
        let fields = Fields(entry);
        let kind: [u8; 16] = fields.array(0);
        if kind == [0; 16] {
            continue;
        }
        let (first, last) = (fields.le64(32), fields.le64(40));
        if last < first {
            table.distrust(format!("partition {number} ends before it starts"));
            continue;
        }
        let end = last.saturating_add(1);
        let type_code = guid(kind);
        table.partitions.push(Partition {
            number,
            range: first.saturating_mul(sector)..end.saturating_mul(sector),
            type_name: gpt_type_name(&type_code),
            type_code,
            name: Some(utf16(entry.get(56..128).unwrap_or_default())).filter(|name| !name.is_empty()),
            guid: Some(guid(fields.array(16))),
            bootable: fields.le64(48) & LEGACY_BOOT != 0,
            container: false,
        });
    }
    Ok(table)
}
