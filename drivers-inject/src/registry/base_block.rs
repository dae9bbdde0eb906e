//! The first 4096 bytes of a hive: who it is and whether its last write was finished.

use super::bytes::{put_u32, u32_at, u64_at};
use super::cell::CellOffset;
use super::error::HiveError;
use super::name;

/// Size of the base block in bytes; the bins follow it.
pub const SIZE: usize = 4096;
/// Where the checksum lies; it covers everything before it.
const CHECKSUM: usize = 0x1fc;
/// Bytes that hold all fields; the rest of the block is reserved. A log has a copy of at least these.
pub(super) const FIELDS: usize = 0x200;
/// The file type of a hive; logs have others.
pub(super) const PRIMARY: u32 = 0;

/// Where the fields lie that are written, too.
pub(super) mod at {
    pub(in crate::registry) const SEQUENCE1: usize = 0x4;
    pub(in crate::registry) const SEQUENCE2: usize = 0x8;
    pub(in crate::registry) const FILE_TYPE: usize = 0x1c;
    pub(in crate::registry) const BINS_SIZE: usize = 0x28;
    /// Sectors of 512 bytes in one of the disk that the hive was written to.
    pub(in crate::registry) const CLUSTERING: usize = 0x2c;
    pub(in crate::registry) const FLAGS: usize = 0x90;
}

/// The base block, decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseBlock {
    /// Incremented before a write.
    pub sequence1: u32,
    /// Set to the same number after the write.
    pub sequence2: u32,
    /// Last written, in 100 ns since 1601 (FILETIME).
    pub timestamp: u64,
    /// 3 (Windows 2000 and before) to 6.
    pub minor: u32,
    /// The root key.
    pub root: CellOffset,
    /// Bytes of bins.
    pub bins_size: u32,
    /// The end of the path that Windows knew the file by.
    pub file_name: String,
    /// The checksum that is stored.
    pub checksum: u32,
    /// The checksum that it should be.
    pub computed_checksum: u32,
}

impl BaseBlock {
    /// Decodes the base block at the start of `file`.
    pub fn parse(file: &[u8]) -> Result<Self, HiveError> {
        let block = file
            .get(..SIZE)
            .ok_or(HiveError::NotAHive("it is shorter than 4096 bytes"))?;
        let base = Self::decode(block)?;
        if u32_at(block, at::FILE_TYPE) != Some(PRIMARY) {
            return Err(HiveError::NotAHive("it is a transaction log"));
        }
        Ok(base)
    }

    /// Decodes a base block, or the copy of its fields that a transaction log starts with.
    pub(super) fn decode(block: &[u8]) -> Result<Self, HiveError> {
        let block = block
            .get(..FIELDS)
            .ok_or(HiveError::NotAHive("it is shorter than 512 bytes"))?;
        if !block.starts_with(b"regf") {
            return Err(HiveError::NotAHive("it does not start with \"regf\""));
        }
        // `block` has all its bytes, so that every field is there.
        let field = |at| u32_at(block, at).unwrap_or_default();
        let (major, minor) = (field(0x14), field(0x18));
        if major != 1 || !(3..=6).contains(&minor) {
            return Err(HiveError::Version { major, minor });
        }
        Ok(BaseBlock {
            sequence1: field(at::SEQUENCE1),
            sequence2: field(at::SEQUENCE2),
            timestamp: u64_at(block, 0xc).unwrap_or_default(),
            minor,
            root: CellOffset(field(0x24)),
            bins_size: field(at::BINS_SIZE),
            file_name: name::until_nul(block.get(0x30..0x70).unwrap_or_default()),
            checksum: field(CHECKSUM),
            computed_checksum: checksum(block),
        })
    }

    /// Whether the hive was not completely written: the truth is in its transaction logs.
    pub fn is_dirty(&self) -> bool {
        self.sequence1 != self.sequence2 || !self.is_intact()
    }

    /// Whether the stored checksum is right.
    pub(super) fn is_intact(&self) -> bool {
        self.checksum == self.computed_checksum
    }
}

/// XOR of the 127 double words before the checksum; two results are replaced.
fn checksum(block: &[u8]) -> u32 {
    let covered = block.get(..CHECKSUM).unwrap_or_default();
    let words = covered.chunks_exact(4).filter_map(|word| u32_at(word, 0));
    match words.fold(0, |sum, word| sum ^ word) {
        0 => 1,
        u32::MAX => u32::MAX.wrapping_sub(1),
        sum => sum,
    }
}

/// Marks the hive in `file` as completely written: both sequence numbers, then the checksum. `None` if the file is
/// shorter than the fields.
pub(super) fn seal(file: &mut [u8], sequence: u32) -> Option<()> {
    let block = file.get_mut(..FIELDS)?;
    put_u32(block, at::SEQUENCE1, sequence)?;
    put_u32(block, at::SEQUENCE2, sequence)?;
    let checksum = checksum(block);
    put_u32(block, CHECKSUM, checksum)
}
