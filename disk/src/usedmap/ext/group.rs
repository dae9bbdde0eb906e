//! Group descriptors and block bitmaps.
//!
//! Source: Linux `Documentation/filesystems/ext4/group_descr.rst`, `bitmaps.rst`, `checksums.rst`; for groups whose bitmap
//! was never written, `ext4_init_block_bitmap` in `fs/ext4/balloc.c`.

use super::superblock::{Checksums, Superblock};
use crate::bytes::Fields;
use crate::checksum::{crc16, crc32c};
use crate::extent::ExtentSet;
use std::ops::Range;

/// The bitmap was never written: only metadata is in use.
const FLAG_BLOCK_UNINIT: u16 = 0x2;

/// One group descriptor. Positions are block numbers in the volume.
#[derive(Clone, Debug)]
pub(super) struct Descriptor {
    bitmap: u64,
    inode_bitmap: u64,
    inode_table: u64,
    free_clusters: u64,
    uninitialised: bool,
    /// The bitmap's checksum and the bits of it that the descriptor has room for.
    bitmap_checksum: Option<(u32, u32)>,
}

/// Why a group cannot be believed.
pub(super) type Doubt = &'static str;

impl Descriptor {
    pub(super) fn parse(bytes: &[u8], group: u64, superblock: &Superblock) -> Result<Self, Doubt> {
        let fields = Fields(bytes);
        let wide = superblock.descriptor_size >= 64;
        let pair = |low: usize, high: usize| {
            let high = if wide { u64::from(fields.le32(high)) << 32 } else { 0 };
            high | u64::from(fields.le32(low))
        };
        let number = u32::try_from(group).unwrap_or(u32::MAX).to_le_bytes();
        let (before, after) = (bytes.get(..0x1E).unwrap_or_default(), fields.from(0x20));
        let expected = match superblock.checksums {
            Checksums::None => None,
            Checksums::Descriptors => {
                let seed = crc16(crc16(!0, &superblock.uuid), &number);
                Some(crc16(crc16(seed, before), if wide { after } else { &[] }))
            }
            Checksums::Metadata(seed) => {
                let crc = crc32c(crc32c(crc32c(seed, &number), before), &[0, 0]);
                let [low, high, ..] = crc32c(crc, after).to_le_bytes();
                Some(u16::from_le_bytes([low, high]))
            }
        };
        if expected.is_some_and(|expected| expected != fields.le16(0x1E)) {
            return Err("wrong checksum of its descriptor");
        }
        let protected = superblock.checksums != Checksums::None;
        let descriptor = Descriptor {
            bitmap: pair(0, 0x20),
            inode_bitmap: pair(4, 0x24),
            inode_table: pair(8, 0x28),
            free_clusters: u64::from(fields.le16(0xC)) | if wide { u64::from(fields.le16(0x2C)) << 16 } else { 0 },
            uninitialised: protected && fields.le16(0x12) & FLAG_BLOCK_UNINIT != 0,
            bitmap_checksum: match superblock.checksums {
                Checksums::Metadata(_) if wide => {
                    Some((u32::from(fields.le16(0x18)) | u32::from(fields.le16(0x38)) << 16, !0))
                }
                Checksums::Metadata(_) => Some((u32::from(fields.le16(0x18)), 0xFFFF)),
                _ => None,
            },
        };
        if descriptor
            .metadata(superblock)
            .iter()
            .any(|range| range.start < superblock.first_data_block.max(1) || range.end > superblock.blocks)
        {
            return Err("its descriptor points outside the filesystem");
        }
        Ok(descriptor)
    }

    /// The blocks of bitmaps and inode table, wherever they lie.
    pub(super) fn metadata(&self, superblock: &Superblock) -> [Range<u64>; 3] {
        [
            self.bitmap..self.bitmap.saturating_add(1),
            self.inode_bitmap..self.inode_bitmap.saturating_add(1),
            self.inode_table..self.inode_table.saturating_add(superblock.inode_table_blocks),
        ]
    }

    /// The block of the bitmap, if it was ever written.
    pub(super) fn written_bitmap(&self) -> Option<u64> {
        (!self.uninitialised).then_some(self.bitmap)
    }

    /// The used clusters of a group that has no bitmap on disk, as numbers in the group.
    pub(super) fn implied(&self, group: u64, superblock: &Superblock) -> ExtentSet {
        let (start, end) = (superblock.group_start(group), superblock.group_end(group));
        let leading = start..start.saturating_add(superblock.leading_blocks(group));
        let ranges = self.metadata(superblock).into_iter().chain([leading]);
        let inside = ranges.map(|range| range.start.max(start)..range.end.min(end));
        let per_cluster = superblock.blocks_per_cluster.max(1);
        inside
            .filter(|range| !range.is_empty())
            .map(|range| {
                let cluster = |block: u64| block.saturating_sub(start);
                let first = cluster(range.start).checked_div(per_cluster).unwrap_or(0);
                first..cluster(range.end).div_ceil(per_cluster)
            })
            .collect()
    }

    /// Checks the bitmap of a group that has one against its checksum and the number of free clusters. `clusters` is how
    /// many the group has.
    pub(super) fn check(&self, bitmap: &[u8], clusters: u64, superblock: &Superblock) -> Result<(), Doubt> {
        if let (Some((expected, mask)), Checksums::Metadata(seed)) = (self.bitmap_checksum, superblock.checksums) {
            let covered = usize::try_from(superblock.clusters_per_group >> 3).unwrap_or(0);
            if (crc32c(seed, bitmap.get(..covered).unwrap_or_default()) ^ expected) & mask != 0 {
                return Err("wrong checksum of its block bitmap");
            }
        }
        self.check_free(count_zeros(bitmap, clusters))
    }

    /// Checks the number of clusters that were found to be free.
    pub(super) fn check_free(&self, free: u64) -> Result<(), Doubt> {
        if free != self.free_clusters {
            return Err("its block bitmap has another number of free blocks than its descriptor says");
        }
        Ok(())
    }
}

/// How many of the first `bits` bits are zero.
fn count_zeros(bitmap: &[u8], bits: u64) -> u64 {
    let whole = usize::try_from(bits >> 3).unwrap_or(usize::MAX);
    let (words, rest) = bitmap.get(..whole).unwrap_or(bitmap).as_chunks::<8>();
    let words = words.iter().map(|word| u64::from_le_bytes(*word).count_zeros());
    let full: u64 = words
        .chain(rest.iter().map(|byte| byte.count_zeros()))
        .map(u64::from)
        .sum();
    let last = bitmap.get(whole).copied().unwrap_or(0xFF);
    let tail = (0..bits & 7).filter(|bit| last & (1 << bit) == 0).count();
    full.saturating_add(u64::try_from(tail).unwrap_or(0))
}
