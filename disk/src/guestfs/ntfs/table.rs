//! The master file table: records by number, and attributes whose parts are in several records.

use super::boot::Boot;
use super::damaged;
use super::index::RECORD_NUMBER;
use super::record::{Attribute, Record, kind};
use super::stream::Stream;
use crate::bytes::Fields;
use crate::guestfs::GuestFsError;
use crate::guestfs::volume::Volume;

/// The longest attribute list that Windows makes, in bytes.
const LONGEST_LIST: u64 = 256 << 10;

/// The master file table.
pub(super) struct Table {
    pub(super) boot: Boot,
    data: Stream,
}

impl Table {
    /// Finds the table through its own first record.
    pub(super) fn open(volume: &mut Volume) -> Result<Self, GuestFsError> {
        let mut sector = [0; 512];
        volume.read_bytes(0, &mut sector).map_err(damaged)?;
        let boot = Boot::parse(&sector)?;
        let mut bytes = vec![0; boot.record];
        volume.read_bytes(boot.mft, &mut bytes).map_err(damaged)?;
        let first = Record::parse(bytes, 0)?;
        // A table in many parts has an attribute list that leads to records in its first part: start with that one.
        let own = first
            .attributes()?
            .into_iter()
            .filter(|part| part.kind == kind::DATA && part.name.is_empty());
        let mut table = Table {
            boot,
            data: Stream::join(own.collect(), boot.cluster)?,
        };
        if let Some(data) = table.stream(volume, &first, kind::DATA, "")? {
            table.data = data;
        }
        Ok(table)
    }

    /// The record with this number.
    pub(super) fn record(&self, volume: &mut Volume, number: u64) -> Result<Record, GuestFsError> {
        let len = u64::try_from(self.boot.record).unwrap_or(u64::MAX);
        let offset = number.checked_mul(len).filter(|offset| {
            let end = offset.checked_add(len);
            end.is_some_and(|end| end <= self.data.size)
        });
        let offset = offset.ok_or_else(|| damaged(format!("there is no record {number} in the master file table")))?;
        let mut bytes = vec![0; self.boot.record];
        self.data.read(volume, offset, &mut bytes)?;
        Record::parse(bytes, number)
    }

    /// The value of the attribute of this type and name (case counts), if the file has one.
    pub(super) fn stream(
        &self,
        volume: &mut Volume,
        file: &Record,
        kind: u32,
        name: &str,
    ) -> Result<Option<Stream>, GuestFsError> {
        let name: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let is_it = |part: &Attribute| part.kind == kind && part.name == name;
        let own = file.attributes()?;
        let list = own.iter().find(|part| part.kind == kind::ATTRIBUTE_LIST).cloned();
        let parts = match list {
            None => own.into_iter().filter(is_it).collect(),
            Some(list) => {
                let mut parts = Vec::new();
                for number in self.listed(volume, list, kind, &name)? {
                    if number == file.number {
                        parts.extend(own.iter().filter(|part| is_it(part)).cloned());
                    } else {
                        let extension = self.record(volume, number)?;
                        parts.extend(extension.attributes()?.into_iter().filter(is_it));
                    }
                }
                parts
            }
        };
        if parts.is_empty() {
            return Ok(None);
        }
        Stream::join(parts, self.boot.cluster).map(Some)
    }

    /// The numbers of the records that an attribute list names for this type and name, each once.
    fn listed(&self, volume: &mut Volume, list: Attribute, kind: u32, name: &[u8]) -> Result<Vec<u64>, GuestFsError> {
        let list = Stream::join(vec![list], self.boot.cluster)?;
        let mut bytes = vec![0; usize::try_from(list.size.min(LONGEST_LIST)).unwrap_or_default()];
        list.read(volume, 0, &mut bytes)?;
        let mut records = Vec::new();
        let mut rest = &*bytes;
        while rest.len() >= 0x1a {
            let entry = Fields(rest);
            let len = usize::from(entry.le16(4));
            let name_len = usize::from(entry.u8(6)).saturating_mul(2);
            let entry_name = entry.from(usize::from(entry.u8(7))).get(..name_len);
            let record = entry.le64(0x10) & RECORD_NUMBER;
            if entry.le32(0) == kind && entry_name == Some(name) && !records.contains(&record) {
                records.push(record);
            }
            match rest.get(len..) {
                Some(after) if len >= 0x1a => rest = after,
                _ => return Err(damaged("an attribute list is damaged")),
            }
        }
        Ok(records)
    }
}
