//! The journal's own superblock: where the log starts, and how it is protected. All numbers are big-endian.
//!
//! Source: Linux `Documentation/filesystems/ext4/journal.rst`, `include/linux/jbd2.h`.

use super::place::Place;
use crate::FsEditError;
use crate::ext::bytes::{array, be32, crc32c, put};
use crate::ext::unfit;

/// Bytes of it.
pub(super) const SIZE: usize = 1024;
pub(super) const MAGIC: u32 = 0xC03B_3998;

const COMPAT_CHECKSUM: u32 = 0x1;
const INCOMPAT_64BIT: u32 = 0x2;
const INCOMPAT_ASYNC_COMMIT: u32 = 0x4;
const INCOMPAT_CSUM_V2: u32 = 0x8;
const INCOMPAT_CSUM_V3: u32 = 0x10;
const INCOMPAT_FAST_COMMIT: u32 = 0x20;
/// These, and revoke records.
const INCOMPAT_KNOWN: u32 = 0x3F;
/// `s_checksum_type` of CRC-32C.
const TYPE_CRC32C: u8 = 4;
/// Blocks for fast commits if their number is not given.
const FAST_COMMIT_BLOCKS: u32 = 256;

/// What checksums protect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Checksums {
    None,
    /// One CRC-32 over all blocks of a transaction, in its commit block.
    Commit,
    /// CRC-32C in every block, with its seed; 16 bits of it for data.
    V2(u32),
    /// The same with 32 bits for data.
    V3(u32),
}

/// A journal superblock that makes sense. Block numbers are those of the journal.
#[derive(Clone, Debug)]
pub(super) struct Header {
    bytes: Vec<u8>,
    /// The log is this ring: `first..end`.
    pub(super) first: u64,
    pub(super) end: u64,
    /// Number of the first transaction in the log.
    pub(super) sequence: u32,
    /// Where it starts; `None`: the log is empty.
    pub(super) start: Option<u64>,
    pub(super) checksums: Checksums,
    pub(super) wide: bool,
    /// Commit blocks may be written before the blocks that they are for.
    pub(super) async_commit: bool,
    /// First block of the fast commits.
    pub(super) fast_commits: Option<u64>,
    /// An error that the running system noted.
    pub(super) error: u32,
}

impl Header {
    /// Reads it from the start of the journal's first block. `block_size` is the filesystem's.
    pub(super) fn parse(kind: &'static str, block: &[u8], block_size: u64, place: &Place) -> Result<Self, FsEditError> {
        let damaged = |what: &str| unfit(kind, &format!("its journal is damaged ({what}); run e2fsck"));
        let refused = |what: String| {
            unfit(
                kind,
                &format!("its journal {what}, which this version cannot replay; start the system once"),
            )
        };
        let bytes = block.get(..SIZE).ok_or_else(|| damaged("its superblock"))?.to_vec();
        let version = be32(&bytes, 4);
        if be32(&bytes, 0) != MAGIC || !matches!(version, 3 | 4) {
            return Err(damaged("its superblock"));
        }
        let (compat, incompat, ro) = match version {
            3 => (0, 0, 0),
            _ => (be32(&bytes, 0x24), be32(&bytes, 0x28), be32(&bytes, 0x2C)),
        };
        if incompat & !INCOMPAT_KNOWN != 0 || ro != 0 {
            return Err(refused(format!(
                "has unknown features {:#x}",
                incompat & !INCOMPAT_KNOWN | ro
            )));
        }
        let v1 = compat & COMPAT_CHECKSUM != 0;
        let [v2, v3] = [INCOMPAT_CSUM_V2, INCOMPAT_CSUM_V3].map(|bit| incompat & bit != 0);
        let seed = crc32c(!0, &array::<16>(&bytes, 0x30));
        let checksums = match (v1, v2, v3) {
            (false, false, false) => Checksums::None,
            (true, false, false) => Checksums::Commit,
            (false, true, false) => Checksums::V2(seed),
            (false, false, true) => Checksums::V3(seed),
            _ => return Err(damaged("it has several kinds of checksums")),
        };
        if v2 || v3 {
            let kind_of_checksum = bytes.get(0x50).copied();
            if kind_of_checksum != Some(TYPE_CRC32C) {
                return Err(refused("has an unknown kind of checksum".to_owned()));
            }
            if checksum(&bytes) != be32(&bytes, 0xFC) {
                return Err(damaged("its superblock has a wrong checksum"));
            }
        }
        let (len, first, start) = (be32(&bytes, 0x10), be32(&bytes, 0x14), be32(&bytes, 0x1C));
        if u64::from(be32(&bytes, 0x0C)) != block_size {
            return Err(damaged("its block size"));
        }
        let mut end = u64::from(len);
        if end > place.blocks {
            return Err(damaged("it is longer than its file"));
        }
        let mut fast_commits = None;
        if incompat & INCOMPAT_FAST_COMMIT != 0 {
            let count = match be32(&bytes, 0x54) {
                0 => FAST_COMMIT_BLOCKS,
                count => count,
            };
            end = end
                .checked_sub(u64::from(count))
                .ok_or_else(|| damaged("its room for fast commits"))?;
            // As Linux counts: the block between both parts is used by neither.
            fast_commits = Some(end.saturating_add(1));
        }
        let first = u64::from(first);
        if first == 0 || first >= end {
            return Err(damaged("its first block"));
        }
        let start = (start != 0).then_some(u64::from(start));
        if start.is_some_and(|start| start < first || start >= end) {
            return Err(damaged("the start of its log"));
        }
        Ok(Header {
            first,
            end,
            sequence: be32(&bytes, 0x18),
            start,
            checksums,
            wide: incompat & INCOMPAT_64BIT != 0,
            async_commit: incompat & INCOMPAT_ASYNC_COMMIT != 0,
            fast_commits,
            error: be32(&bytes, 0x20),
            bytes,
        })
    }

    /// The bytes of the superblock of an empty log whose next transaction is `sequence`.
    pub(super) fn emptied(&self, sequence: u32) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        put(&mut bytes, 0x18, &sequence.to_be_bytes());
        put(&mut bytes, 0x1C, &[0; 8]);
        if matches!(self.checksums, Checksums::V2(_) | Checksums::V3(_)) {
            let checksum = checksum(&bytes);
            put(&mut bytes, 0xFC, &checksum.to_be_bytes());
        }
        bytes
    }

    /// The seed of CRC-32C checksums in every block.
    pub(super) fn seed(&self) -> Option<u32> {
        match self.checksums {
            Checksums::V2(seed) | Checksums::V3(seed) => Some(seed),
            Checksums::None | Checksums::Commit => None,
        }
    }
}

/// The superblock's checksum, which counts as zero in itself.
fn checksum(bytes: &[u8]) -> u32 {
    let mut bytes = bytes.to_vec();
    put(&mut bytes, 0xFC, &[0; 4]);
    crc32c(!0, &bytes)
}
