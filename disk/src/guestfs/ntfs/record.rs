//! Records of the master file table, and the attributes in them.

use super::damaged;
use super::runs::{Run, decode_runs};
use crate::bytes::Fields;
use crate::guestfs::GuestFsError;

/// Attribute types.
pub(super) mod kind {
    pub(in super::super) const ATTRIBUTE_LIST: u32 = 0x20;
    pub(in super::super) const DATA: u32 = 0x80;
    pub(in super::super) const INDEX_ROOT: u32 = 0x90;
    pub(in super::super) const INDEX_ALLOCATION: u32 = 0xa0;
    pub(super) const END: u32 = u32::MAX;
}

/// Update sequence numbers stand at the end of every 512 bytes, whatever the sector size.
const STRIDE: usize = 512;

/// A record with its update sequence undone.
#[derive(Clone, Debug)]
pub(super) struct Record {
    bytes: Vec<u8>,
    pub(super) number: u64,
}

/// One attribute, or the part of one that is in this record.
#[derive(Clone, Debug)]
pub(super) struct Attribute {
    pub(super) kind: u32,
    /// UTF-16LE.
    pub(super) name: Vec<u8>,
    /// Compressed 0x1, encrypted 0x4000, sparse 0x8000.
    pub(super) flags: u16,
    pub(super) value: Value,
}

/// Where an attribute's value is.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Resident(Vec<u8>),
    /// Clusters from virtual cluster `first` on. The sizes, in bytes, are only meant in the part that starts at 0.
    Runs {
        first: u64,
        runs: Vec<Run>,
        size: u64,
        /// Bytes that were ever written: what follows reads as zeros.
        initialized: u64,
    },
}

impl Record {
    /// Takes the bytes of a record as they are on the disk.
    pub(super) fn parse(mut bytes: Vec<u8>, number: u64) -> Result<Self, GuestFsError> {
        if !bytes.starts_with(b"FILE") || !undo_update_sequence(&mut bytes) {
            return Err(damaged(format!("record {number} of the master file table is damaged")));
        }
        let record = Record { bytes, number };
        if record.flags() & 0x1 == 0 {
            return Err(damaged(format!(
                "record {number} of the master file table is not in use"
            )));
        }
        Ok(record)
    }

    fn flags(&self) -> u16 {
        Fields(&self.bytes).le16(0x16)
    }

    pub(super) fn is_folder(&self) -> bool {
        self.flags() & 0x2 != 0
    }

    /// The attributes in this record, in the order of the disk.
    pub(super) fn attributes(&self) -> Result<Vec<Attribute>, GuestFsError> {
        let bad = || {
            damaged(format!(
                "record {} of the master file table has a damaged attribute",
                self.number
            ))
        };
        let record = Fields(&self.bytes);
        let mut at = usize::from(record.le16(0x14));
        let mut attributes = Vec::new();
        loop {
            let rest = record.from(at);
            // Some tools leave the end mark out where the record is full.
            if rest.len() < 8 || Fields(rest).le32(0) == kind::END {
                return Ok(attributes);
            }
            let len = usize::try_from(Fields(rest).le32(4)).unwrap_or(usize::MAX);
            let bytes = rest.get(..len).filter(|_| len >= 0x18).ok_or_else(bad)?;
            attributes.push(decode(Fields(bytes)).ok_or_else(bad)?);
            at = at.saturating_add(len);
        }
    }
}

fn decode(fields: Fields<'_>) -> Option<Attribute> {
    let name_len = usize::from(fields.u8(9)).checked_mul(2)?;
    let name = fields.from(usize::from(fields.le16(0xa))).get(..name_len)?;
    let value = if fields.u8(8) == 0 {
        let len = usize::try_from(fields.le32(0x10)).ok()?;
        Value::Resident(fields.from(usize::from(fields.le16(0x14))).get(..len)?.to_vec())
    } else {
        Value::Runs {
            first: fields.le64(0x10),
            runs: decode_runs(fields.from(usize::from(fields.le16(0x20))))?,
            size: fields.le64(0x30),
            initialized: fields.le64(0x38),
        }
    };
    Some(Attribute {
        kind: fields.le32(0),
        name: name.to_vec(),
        flags: fields.le16(0xc),
        value,
    })
}

/// Puts the last two bytes of every 512 back in place. False if they are not what was written last: the record or
/// index block was torn.
pub(super) fn undo_update_sequence(bytes: &mut [u8]) -> bool {
    let fields = Fields(bytes);
    let count = usize::from(fields.le16(6));
    let sequence = fields.from(usize::from(fields.le16(4)));
    let Some(sequence) = sequence.get(..count.saturating_mul(2)) else {
        return false;
    };
    let sequence = sequence.as_chunks::<2>().0.to_vec();
    let Some((number, originals)) = sequence.split_first() else {
        return false;
    };
    let blocks = bytes.as_chunks_mut::<STRIDE>().0;
    if originals.len() < blocks.len() {
        return false;
    }
    for (block, original) in blocks.iter_mut().zip(originals) {
        match block.last_chunk_mut::<2>() {
            Some(last) if last == number => *last = *original,
            _ => return false,
        }
    }
    true
}
