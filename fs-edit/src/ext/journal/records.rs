//! What descriptor and revoke blocks hold, and the checksums of both and of commit blocks.
//!
//! Source: Linux `Documentation/filesystems/ext4/journal.rst`, `fs/jbd2/recovery.c`.

use super::header::{Checksums, Header};
use crate::ext::bytes::{array, be16, be32, be64, crc32c, put};

/// Bytes of the header of descriptor, commit and revoke blocks.
const HEADER: usize = 12;
/// Bytes of the checksum at the end of a descriptor or revoke block.
const TAIL: usize = 4;
/// Where a commit block has its checksum, and when it was written.
const COMMIT_CHECKSUM: usize = 16;
const COMMIT_SECONDS: usize = 48;
const COMMIT_NANOSECONDS: usize = 56;

const FLAG_ESCAPED: u32 = 1;
const FLAG_SAME_UUID: u32 = 2;
const FLAG_LAST: u32 = 8;

/// A block in the log, and where it belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tag {
    /// Block of the filesystem.
    pub(super) target: u64,
    /// Its first bytes were the log's magic number, and are zeros in the log.
    pub(super) escaped: bool,
    checksum: u32,
}

/// The tags of a descriptor block.
pub(super) fn tags(header: &Header, block: &[u8]) -> Vec<Tag> {
    let v3 = matches!(header.checksums, Checksums::V3(_));
    let v2 = matches!(header.checksums, Checksums::V2(_));
    let len = match (v3, v2, header.wide) {
        (true, ..) => 16usize,
        (false, true, true) => 14,
        (false, true, false) => 10,
        (false, false, true) => 12,
        (false, false, false) => 8,
    };
    let end = block
        .len()
        .saturating_sub(if header.seed().is_some() { TAIL } else { 0 });
    let mut tags = Vec::new();
    let mut at = HEADER;
    while let Some(tag) = block
        .get(at..at.saturating_add(len))
        .filter(|_| at.saturating_add(len) <= end)
    {
        let flags = if v3 { be32(tag, 4) } else { u32::from(be16(tag, 6)) };
        let high = if header.wide { u64::from(be32(tag, 8)) << 32 } else { 0 };
        tags.push(Tag {
            target: u64::from(be32(tag, 0)) | high,
            escaped: flags & FLAG_ESCAPED != 0,
            checksum: if v3 { be32(tag, 12) } else { u32::from(be16(tag, 4)) },
        });
        if flags & FLAG_LAST != 0 {
            break;
        }
        at = at.saturating_add(len);
        if flags & FLAG_SAME_UUID == 0 {
            at = at.saturating_add(16);
        }
    }
    tags
}

/// Whether a data block in the log is what its tag says.
pub(super) fn data_fits(header: &Header, tag: &Tag, sequence: u32, block: &[u8]) -> bool {
    let Some(seed) = header.seed() else {
        return true;
    };
    let checksum = crc32c(crc32c(seed, &sequence.to_be_bytes()), block);
    match header.checksums {
        Checksums::V2(_) => checksum & 0xFFFF == tag.checksum,
        _ => checksum == tag.checksum,
    }
}

/// Whether the checksum at the end of a descriptor or revoke block fits.
pub(super) fn tail_fits(header: &Header, block: &[u8]) -> bool {
    let Some(seed) = header.seed() else {
        return true;
    };
    let Some((covered, tail)) = block.len().checked_sub(TAIL).and_then(|at| block.split_at_checked(at)) else {
        return false;
    };
    crc32c(crc32c(seed, covered), &[0; TAIL]) == be32(tail, 0)
}

/// Whether the checksum of a commit block fits, by itself (versions 2 and 3) or to `blocks`, the CRC-32 of all blocks
/// of its transaction.
pub(super) fn commit_fits(header: &Header, block: &[u8], blocks: u32) -> bool {
    let found = be32(block, COMMIT_CHECKSUM);
    match header.checksums {
        Checksums::None => true,
        Checksums::Commit => match array::<2>(block, 12) {
            // Type 1 is CRC-32, of 4 bytes; nothing at all is fine, too.
            [1, 4] => found == blocks,
            [0, 0] => found == 0,
            _ => false,
        },
        Checksums::V2(seed) | Checksums::V3(seed) => {
            let mut block = block.to_vec();
            put(&mut block, COMMIT_CHECKSUM, &[0; 4]);
            crc32c(seed, &block) == found
        }
    }
}

/// When a commit block was written: seconds and nanoseconds since 1970.
pub(super) fn commit_time(block: &[u8]) -> (u64, u32) {
    (be64(block, COMMIT_SECONDS), be32(block, COMMIT_NANOSECONDS))
}

/// The blocks that a revoke block names; `None` if its length is impossible.
pub(super) fn revoked(header: &Header, block: &[u8]) -> Option<Vec<u64>> {
    let end = usize::try_from(be32(block, HEADER)).ok()?;
    let tail = if header.seed().is_some() { TAIL } else { 0 };
    if end > block.len().checked_sub(tail)? {
        return None;
    }
    let records = block.get(16..end.max(16))?;
    Some(if header.wide {
        records
            .as_chunks::<8>()
            .0
            .iter()
            .map(|record| u64::from_be_bytes(*record))
            .collect()
    } else {
        let records = records.as_chunks::<4>().0.iter();
        records.map(|record| u64::from(u32::from_be_bytes(*record))).collect()
    })
}
