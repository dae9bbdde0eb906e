//! Folders: B-trees of file names.
//!
//! The tree is walked from its root, because blocks outside of it hold names of files that are gone. It is walked as
//! a whole: that needs no rules about the order of names, of which damaged disks and old drivers have their own.

use super::damaged;
use super::record::undo_update_sequence;
use super::stream::Stream;
use crate::bytes::Fields;
use crate::guestfs::GuestFsError;
use crate::guestfs::volume::Volume;
use std::collections::BTreeSet;

/// A folder's entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) name: String,
    /// Number of the file's record.
    pub(super) record: u64,
    /// Whether the name is only the 8.3 form of another entry.
    pub(super) short: bool,
}

/// A reference to a record: 48 bits of number, 16 of sequence.
pub(super) const RECORD_NUMBER: u64 = 0xffff_ffff_ffff;

/// More than this in one folder is not read.
const MOST_ENTRIES: usize = 1_000_000;

/// Reads all entries of a folder. `root` is the value of `$INDEX_ROOT`, `blocks` that of `$INDEX_ALLOCATION`.
pub(super) fn entries(
    root: &[u8],
    blocks: Option<&Stream>,
    cluster: u64,
    volume: &mut Volume,
) -> Result<Vec<Entry>, GuestFsError> {
    const ROOT_NODE: usize = 0x10;
    const BLOCK_NODE: usize = 0x18;
    let block_size = u64::from(Fields(root).le32(8));
    if !block_size.is_power_of_two() || !(512..=64 << 10).contains(&block_size) {
        return Err(damaged("a folder has an impossible block size"));
    }
    // Block numbers count clusters, or sectors where a block is smaller than a cluster.
    let unit = if block_size < cluster { 512 } else { cluster };
    let mut entries = Vec::new();
    let mut waiting = Vec::new();
    let mut seen = BTreeSet::new();
    read_node(Fields(root).from(ROOT_NODE), &mut entries, &mut waiting)?;
    while let Some(number) = waiting.pop() {
        if !seen.insert(number) {
            continue;
        }
        let lost = || damaged("a folder lacks one of its blocks");
        let blocks = blocks.ok_or_else(lost)?;
        let offset: u64 = number.checked_mul(unit).ok_or_else(lost)?;
        let fits = offset.checked_add(block_size).is_some_and(|end| end <= blocks.size);
        let mut block = vec![0; usize::try_from(block_size).unwrap_or_default()];
        if !fits {
            return Err(lost());
        }
        blocks.read(volume, offset, &mut block)?;
        if !block.starts_with(b"INDX") || !undo_update_sequence(&mut block) {
            return Err(damaged("a block of a folder is damaged"));
        }
        read_node(Fields(&block).from(BLOCK_NODE), &mut entries, &mut waiting)?;
        if entries.len() > MOST_ENTRIES {
            return Err(damaged(format!("a folder has more than {MOST_ENTRIES} entries")));
        }
    }
    Ok(entries)
}

/// Reads the entries of a node, which starts with its header; children are added to `waiting`.
fn read_node(node: &[u8], entries: &mut Vec<Entry>, waiting: &mut Vec<u64>) -> Result<(), GuestFsError> {
    const HAS_CHILD: u16 = 1;
    const LAST: u16 = 2;
    let bad = || damaged("an entry of a folder is damaged");
    let header = Fields(node);
    let index = |at| usize::try_from(header.le32(at)).unwrap_or(usize::MAX);
    let mut rest = node.get(index(0)..index(4)).ok_or_else(bad)?;
    loop {
        let fields = Fields(rest);
        let len = usize::from(fields.le16(8));
        let entry = rest.get(..len).filter(|_| len >= 0x10).map(Fields).ok_or_else(bad)?;
        let flags = entry.le16(0xc);
        if flags & HAS_CHILD != 0 {
            let child = len.checked_sub(8).ok_or_else(bad)?;
            waiting.push(entry.le64(child));
        }
        if flags & LAST != 0 {
            return Ok(());
        }
        let key = entry.from(0x10).get(..usize::from(entry.le16(0xa))).ok_or_else(bad)?;
        let record = entry.le64(0) & RECORD_NUMBER;
        entries.push(file_name(Fields(key), record).ok_or_else(bad)?);
        rest = rest.get(len..).ok_or_else(bad)?;
    }
}

/// The name in a `$FILE_NAME` attribute, which is the key of the tree.
fn file_name(key: Fields<'_>, record: u64) -> Option<Entry> {
    const DOS_ONLY: u8 = 2;
    let len = usize::from(key.u8(0x40)).checked_mul(2)?;
    let units: Vec<u16> = key
        .from(0x42)
        .get(..len)?
        .as_chunks()
        .0
        .iter()
        .copied()
        .map(u16::from_le_bytes)
        .collect();
    Some(Entry {
        name: String::from_utf16_lossy(&units),
        record,
        short: key.u8(0x41) == DOS_ONLY,
    })
}
