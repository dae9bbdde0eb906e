//! Records of the master file table and their attributes.
//!
//! Source: the structures as the Linux-NTFS project documents them (FILE record, attributes, mapping pairs).

use super::Refusal;
use crate::bytes::Fields;

/// Bytes between two update sequence numbers, whatever the sector size.
const STRIDE: usize = 512;
/// Most attributes a record of 64 KiB can have.
const MAX_ATTRIBUTES: usize = 4096;

/// Attribute types.
pub(super) const ATTRIBUTE_LIST: u32 = 0x20;
pub(super) const VOLUME_NAME: u32 = 0x60;
pub(super) const VOLUME_INFORMATION: u32 = 0x70;
pub(super) const DATA: u32 = 0x80;
const END: u32 = 0xFFFF_FFFF;

/// Consecutive clusters: `length` of them from `cluster` on, or a hole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) cluster: Option<u64>,
    pub(super) length: u64,
}

/// Where an attribute's value is.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Resident(Vec<u8>),
    /// A piece of it or all, from virtual cluster `first` on. The sizes in bytes count in the first piece only.
    Runs {
        first: u64,
        runs: Vec<Run>,
        size: u64,
        initialised: u64,
    },
}

/// An attribute that has no name.
#[derive(Clone, Debug)]
pub(super) struct Attribute {
    pub(super) kind: u32,
    pub(super) value: Value,
}

/// Puts the last two bytes of each 512 back in place. Whether the structure was written completely.
pub(super) fn fix_up(bytes: &mut [u8]) -> bool {
    let fields = Fields(bytes);
    let (offset, count) = (usize::from(fields.le16(4)), usize::from(fields.le16(6)));
    let blocks = bytes.len() / STRIDE;
    let end = offset.saturating_add(count.saturating_mul(2));
    if count != blocks.saturating_add(1) || end > STRIDE.saturating_sub(2) {
        return false;
    }
    let sequence: Vec<[u8; 2]> = bytes.get(offset..end).unwrap_or_default().as_chunks::<2>().0.to_vec();
    let Some((number, originals)) = sequence.split_first() else {
        return false;
    };
    for (block, original) in bytes.chunks_exact_mut(STRIDE).zip(originals) {
        let Some(last) = block.last_chunk_mut::<2>() else {
            return false;
        };
        if last != number {
            return false;
        }
        *last = *original;
    }
    true
}

/// Whether two raw records say the same. Their update sequence numbers may differ: they count writes.
pub(super) fn same(one: &[u8], other: &[u8]) -> bool {
    let contents = |bytes: &[u8]| {
        let mut bytes = bytes.to_vec();
        let offset = usize::from(Fields(&bytes).le16(4));
        let whole = fix_up(&mut bytes);
        bytes.get_mut(offset..offset.saturating_add(2))?.fill(0);
        whole.then_some(bytes)
    };
    contents(one).is_some_and(|bytes| contents(other) == Some(bytes))
}

/// Reads a raw record: its attributes without a name.
pub(super) fn attributes(mut bytes: Vec<u8>) -> Result<Vec<Attribute>, Refusal> {
    if !bytes.starts_with(b"FILE") || !fix_up(&mut bytes) {
        return Err("a record of the master file table is damaged");
    }
    let record = Fields(&bytes);
    if record.le16(0x16) & 1 == 0 {
        return Err("a record of the master file table that must exist is not in use");
    }
    let mut found = Vec::new();
    let mut at = usize::from(record.le16(0x14));
    for _ in 0..MAX_ATTRIBUTES {
        let fields = Fields(record.from(at));
        let kind = fields.le32(0);
        if kind == END {
            return Ok(found);
        }
        let length = usize::try_from(fields.le32(4)).unwrap_or(usize::MAX);
        let attribute = fields.0.get(..length).filter(|_| length >= 24);
        let Some(attribute) = attribute.map(Fields) else { break };
        if attribute.u8(9) == 0 {
            let value = value(attribute).ok_or("an attribute in the master file table is damaged")?;
            found.push(Attribute { kind, value });
        }
        at = at.saturating_add(length);
    }
    Err("the attributes of a record in the master file table do not end")
}

fn value(attribute: Fields<'_>) -> Option<Value> {
    if attribute.u8(8) == 0 {
        let len = usize::try_from(attribute.le32(16)).ok()?;
        let value = attribute.from(usize::from(attribute.le16(20))).get(..len)?;
        return Some(Value::Resident(value.to_vec()));
    }
    // Compressed, encrypted or sparse: none of what is read here ever is.
    if attribute.le16(12) & 0xC0FF != 0 {
        return None;
    }
    let (first, last) = (attribute.le64(16), attribute.le64(24));
    let runs = runs(attribute.from(usize::from(attribute.le16(32))))?;
    let length = runs.iter().try_fold(0u64, |sum, run| sum.checked_add(run.length))?;
    // An empty value has -1 as its last cluster.
    (last.wrapping_add(1) == first.checked_add(length)?).then_some(Value::Runs {
        first,
        runs,
        size: attribute.le64(48),
        initialised: attribute.le64(56),
    })
}

/// Decodes mapping pairs: a byte with the sizes of two numbers, the length, and the distance from the run before.
fn runs(bytes: &[u8]) -> Option<Vec<Run>> {
    let mut runs = Vec::new();
    let mut rest = bytes;
    let mut cluster = 0i64;
    loop {
        let (header, after) = rest.split_first()?;
        if *header == 0 {
            return Some(runs);
        }
        let (length_size, distance_size) = (usize::from(header & 0xF), usize::from(header >> 4));
        let length = u64::try_from(signed(after.get(..length_size)?)?).ok()?;
        let after = after.get(length_size..)?;
        let distance = after.get(..distance_size)?;
        let place = if distance_size == 0 {
            None
        } else {
            cluster = cluster.checked_add(signed(distance)?)?;
            Some(u64::try_from(cluster).ok()?)
        };
        if length == 0 {
            return None;
        }
        runs.push(Run { cluster: place, length });
        rest = after.get(distance_size..)?;
    }
}

/// A little-endian number of up to eight bytes with a sign.
fn signed(bytes: &[u8]) -> Option<i64> {
    if bytes.len() > 8 {
        return None;
    }
    let fill = if bytes.last()? & 0x80 == 0 { 0 } else { 0xFF };
    let mut whole = [fill; 8];
    for (to, from) in whole.iter_mut().zip(bytes) {
        *to = *from;
    }
    Some(i64::from_le_bytes(whole))
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, clippy::as_conversions, clippy::indexing_slicing)]
mod tests {
    use super::*;

    #[test]
    fn mapping_pairs_go_forth_and_back() {
        let run = |cluster, length| Run { cluster, length };
        let bytes = [0x21, 0x18, 0x34, 0x56, 0x11, 0x05, 0xFF, 0x01, 0x07, 0x00];
        assert_eq!(
            runs(&bytes).unwrap(),
            [run(Some(0x5634), 0x18), run(Some(0x5633), 5), run(None, 7)]
        );
        // Before the first cluster, cut off, of length zero, without end.
        for bad in [
            &[0x11, 1, 0xFF, 0][..],
            &[0x21, 1, 0],
            &[0x11, 0, 1, 0],
            &[0x11, 1, 1],
            &[0x0F; 20],
        ] {
            assert_eq!(runs(bad), None, "{bad:x?}");
        }
    }

    #[test]
    fn a_record_torn_in_half_is_seen() {
        let mut record = vec![0; 1024];
        record[4] = 48;
        record[6] = 3;
        record[48..54].copy_from_slice(&[7, 0, 1, 2, 3, 4]);
        record[510] = 7;
        record[1022] = 7;
        let mut whole = record.clone();
        assert!(fix_up(&mut whole));
        assert_eq!((&whole[510..512], &whole[1022..]), (&[1, 2][..], &[3, 4][..]));
        record[1022] = 6;
        assert!(!fix_up(&mut record));
    }
}
