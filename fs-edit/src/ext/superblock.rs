//! The superblock: whether the filesystem may be changed, and what replaying its journal needs.
//!
//! Source: Linux `Documentation/filesystems/ext4/super.rst`, `fs/ext4/ext4.h`.

use super::bytes::{array, crc32c, le16, le32, put};
use super::{io_error, unfit};
use crate::FsEditError;
use disk::ReadAt;

/// Where it lies in the volume, and its size, both in bytes.
pub(super) const OFFSET: u64 = 1024;
pub(super) const SIZE: usize = 1024;

const COMPAT_JOURNAL: u32 = 0x4;

const INCOMPAT_RECOVER: u32 = 0x4;
const INCOMPAT_JOURNAL_DEVICE: u32 = 0x8;
const INCOMPAT_META_BG: u32 = 0x10;
const INCOMPAT_64BIT: u32 = 0x80;
const INCOMPAT_CSUM_SEED: u32 = 0x2000;
/// filetype, recover, meta_bg, extents, 64bit, mmp, flex_bg, ea_inode, csum_seed, largedir, inline_data, encrypt,
/// casefold.
const INCOMPAT_KNOWN: u32 = 0x0003_E7D6;
/// What ext3 may have: filetype, recover, meta_bg.
const INCOMPAT_EXT3: u32 = 0x16;

const RO_QUOTA: u32 = 0x100;
const RO_BIGALLOC: u32 = 0x200;
const RO_METADATA_CSUM: u32 = 0x400;
const RO_READONLY: u32 = 0x1000;
const RO_PROJECT: u32 = 0x2000;
const RO_SHARED_BLOCKS: u32 = 0x4000;
/// sparse_super, large_file, btree_dir, huge_file, gdt_csum, dir_nlink, extra_isize, quota, bigalloc, metadata_csum,
/// read-only, project, shared_blocks, verity, orphan_present.
const RO_KNOWN: u32 = 0x0001_F77F;
/// What ext3 may have: sparse_super, large_file, btree_dir.
const RO_EXT3: u32 = 0x7;

/// `s_state`: cleanly unmounted; errors were seen.
const STATE_VALID: u16 = 1;
const STATE_ERRORS: u16 = 2;

/// Where a journal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum JournalPlace {
    Inode(u32),
    OtherDevice,
}

/// A superblock whose sizes fit to each other and to the volume.
#[derive(Clone, Debug)]
pub(super) struct Superblock {
    bytes: Vec<u8>,
    /// In bytes, 1 KiB to 64 KiB.
    pub(super) block_size: u64,
    pub(super) blocks: u64,
    pub(super) first_data_block: u64,
    pub(super) groups: u64,
    pub(super) inodes_per_group: u32,
    /// In bytes.
    pub(super) inode_size: u64,
    /// Size of a group descriptor in bytes.
    pub(super) descriptor_size: u64,
    blocks_per_group: u64,
    blocks_per_cluster: u64,
    /// Descriptor blocks from this one on lie in their own meta group.
    first_meta_bg: Option<u64>,
}

/// `ext2`, `ext3` or `ext4` by the features, as blkid tells them apart.
fn kind(bytes: &[u8]) -> &'static str {
    let (compat, incompat, ro) = (le32(bytes, 92), le32(bytes, 96), le32(bytes, 100));
    if incompat & !INCOMPAT_EXT3 != 0 || ro & !RO_EXT3 != 0 {
        "ext4"
    } else if compat & COMPAT_JOURNAL != 0 {
        "ext3"
    } else {
        "ext2"
    }
}

impl Superblock {
    /// Reads and checks it; `volume` starts where the filesystem does.
    pub(super) fn read(volume: &impl ReadAt) -> Result<Self, FsEditError> {
        let mut bytes = vec![0; SIZE];
        volume.read_at(OFFSET, &mut bytes).map_err(|e| io_error(&e))?;
        Self::parse(bytes, volume.size())
    }

    fn parse(mut bytes: Vec<u8>, volume_size: u64) -> Result<Self, FsEditError> {
        if le16(&bytes, 56) != 0xEF53 {
            return Err(unfit("ext", "there is no superblock of ext2, ext3 or ext4"));
        }
        let revision = le32(&bytes, 76);
        if revision == 0 {
            // Such a superblock ends where the features would be.
            for byte in bytes.iter_mut().skip(80) {
                *byte = 0;
            }
        }
        let kind = kind(&bytes);
        let refused = |reason: String| Err(unfit(kind, &reason));
        let impossible = |what: &str| unfit(kind, &format!("impossible {what} in the superblock"));
        if revision > 1 {
            return refused(format!("its revision {revision} is not known"));
        }
        let (incompat, ro) = (le32(&bytes, 96), le32(&bytes, 100));
        if incompat & INCOMPAT_JOURNAL_DEVICE != 0 {
            return refused("it is not a filesystem but the journal of one".to_owned());
        }
        if incompat & !INCOMPAT_KNOWN != 0 {
            return refused(format!("it has unknown features {:#x}", incompat & !INCOMPAT_KNOWN));
        }
        if ro & !RO_KNOWN != 0 {
            return refused(format!("it has unknown read-only features {:#x}", ro & !RO_KNOWN));
        }
        let covered = bytes.get(..SIZE.saturating_sub(4)).unwrap_or_default();
        if ro & RO_METADATA_CSUM != 0 && crc32c(!0, covered) != le32(&bytes, 0x3FC) {
            return refused("the superblock has a wrong checksum".to_owned());
        }
        let block_shift = le32(&bytes, 24);
        if block_shift > 6 {
            return Err(impossible("block size"));
        }
        let block_size = 1024u64 << block_shift;
        let wide = incompat & INCOMPAT_64BIT != 0;
        let high = if wide { u64::from(le32(&bytes, 336)) << 32 } else { 0 };
        let blocks = high | u64::from(le32(&bytes, 4));
        let bigalloc = ro & RO_BIGALLOC != 0;
        let first_data_block = u64::from(le32(&bytes, 20));
        if first_data_block != u64::from(block_size == 1024 && !bigalloc) || blocks <= first_data_block {
            return Err(impossible("first block"));
        }
        if blocks.checked_mul(block_size).is_none_or(|bytes| bytes > volume_size) {
            return refused("it is larger than its partition".to_owned());
        }
        let cluster_shift = le32(&bytes, 28).checked_sub(block_shift).filter(|shift| *shift <= 20);
        let cluster_shift = cluster_shift.filter(|shift| bigalloc || *shift == 0);
        let blocks_per_cluster = 1u64 << cluster_shift.ok_or_else(|| impossible("cluster size"))?;
        let blocks_per_group = u64::from(le32(&bytes, 32));
        let clusters = u64::from(le32(&bytes, 36));
        let bits = block_size.saturating_mul(8);
        // mke2fs makes no group of fewer than 256 blocks; so there are not more groups than there is room for.
        if blocks_per_group < 256
            || clusters > bits
            || !clusters.is_multiple_of(8)
            || clusters.checked_mul(blocks_per_cluster) != Some(blocks_per_group)
        {
            return Err(impossible("group size"));
        }
        let groups = blocks.saturating_sub(first_data_block).div_ceil(blocks_per_group);
        let inode_size = match revision {
            0 => 128,
            _ => u64::from(le16(&bytes, 88)),
        };
        let inodes_per_group = le32(&bytes, 40);
        if !inode_size.is_power_of_two()
            || inode_size < 128
            || inode_size > block_size
            || inodes_per_group == 0
            || u64::from(inodes_per_group) > bits
            || !inodes_per_group.is_multiple_of(8)
            || u64::from(inodes_per_group).checked_mul(groups) != Some(u64::from(le32(&bytes, 0)))
        {
            return Err(impossible("inode table"));
        }
        let descriptor_size = if wide { u64::from(le16(&bytes, 254)) } else { 32 };
        if !descriptor_size.is_power_of_two() || descriptor_size < if wide { 64 } else { 32 } || descriptor_size > 1024
        {
            return Err(impossible("group descriptor size"));
        }
        let first_meta_bg = (incompat & INCOMPAT_META_BG != 0).then(|| u64::from(le32(&bytes, 260)));
        Ok(Superblock {
            bytes,
            block_size,
            blocks,
            first_data_block,
            groups,
            inodes_per_group,
            inode_size,
            descriptor_size,
            blocks_per_group,
            blocks_per_cluster,
            first_meta_bg,
        })
    }

    /// `ext2`, `ext3`, `ext4`.
    pub(super) fn kind(&self) -> &'static str {
        kind(&self.bytes)
    }

    /// The journal, if there is one.
    pub(super) fn journal(&self) -> Option<JournalPlace> {
        if le32(&self.bytes, 92) & COMPAT_JOURNAL == 0 {
            return None;
        }
        Some(match (le32(&self.bytes, 224), le32(&self.bytes, 228)) {
            (inode, 0) => JournalPlace::Inode(inode),
            _ => JournalPlace::OtherDevice,
        })
    }

    pub(super) fn needs_recovery(&self) -> bool {
        le32(&self.bytes, 96) & INCOMPAT_RECOVER != 0
    }

    pub(super) fn has_errors(&self) -> bool {
        le16(&self.bytes, 58) & STATE_ERRORS != 0
    }

    /// Whether group descriptors have the upper halves of numbers.
    pub(super) fn wide_descriptors(&self) -> bool {
        le32(&self.bytes, 96) & INCOMPAT_64BIT != 0
    }

    /// What metadata checksums start with; `None`: there are none.
    pub(super) fn checksum_seed(&self) -> Option<u32> {
        if le32(&self.bytes, 100) & RO_METADATA_CSUM == 0 {
            None
        } else if le32(&self.bytes, 96) & INCOMPAT_CSUM_SEED != 0 {
            Some(le32(&self.bytes, 0x270))
        } else {
            Some(crc32c(!0, &array::<16>(&self.bytes, 104)))
        }
    }

    /// An error that says why, if files must not be changed.
    pub(super) fn check_fit(&self) -> Result<(), FsEditError> {
        let refused = |reason: &str| Err(unfit(self.kind(), reason));
        if self.has_errors() {
            return refused(
                "its own check found errors; start the system once and let fsck repair it, or run e2fsck, then try again",
            );
        }
        if self.needs_recovery() {
            return refused("its journal must be replayed first");
        }
        if le16(&self.bytes, 58) & STATE_VALID == 0 {
            return refused(
                "it was not unmounted cleanly and has no journal; start the system once and let fsck check it, or run \
                 e2fsck, then try again",
            );
        }
        let ro = le32(&self.bytes, 100);
        if ro & RO_READONLY != 0 {
            return refused("it is marked as read-only for ever (feature read-only)");
        }
        if ro & RO_SHARED_BLOCKS != 0 {
            return refused("its files share blocks (feature shared_blocks)");
        }
        if ro & (RO_QUOTA | RO_PROJECT) != 0 {
            return refused("it counts what each user has in hidden files (feature quota), which would become wrong");
        }
        Ok(())
    }

    /// The block that holds group descriptor `group`, and the descriptor's offset in it in bytes.
    pub(super) fn descriptor(&self, group: u64) -> Option<(u64, u64)> {
        let per_block = self.block_size.checked_div(self.descriptor_size)?;
        let number = group.checked_div(per_block)?;
        let offset = group.checked_rem(per_block)?.checked_mul(self.descriptor_size)?;
        let block = match self.first_meta_bg {
            Some(first) if number >= first => {
                let group = number.checked_mul(per_block)?;
                let start = group
                    .checked_mul(self.blocks_per_group)?
                    .checked_add(self.first_data_block)?;
                start.checked_add(u64::from(self.has_superblock(group)))?
            }
            _ => self.first_data_block.checked_add(1)?.checked_add(number)?,
        };
        // A bigalloc filesystem of 1 KiB blocks starts at block 0, but its superblock lies in block 1.
        let shifted =
            self.block_size == 1024 && self.first_data_block == 0 && (self.first_meta_bg.is_none() || group == 0);
        Some((block.checked_add(u64::from(shifted))?, offset))
    }

    /// Whether a group starts with a copy of the superblock: all without sparse_super, else 0, 1 and powers of 3, 5, 7.
    fn has_superblock(&self, group: u64) -> bool {
        let power_of = |base: u64| {
            let mut power = base;
            while power < group {
                power = power.saturating_mul(base);
            }
            power == group
        };
        if group == 0 {
            return true;
        }
        if le32(&self.bytes, 92) & 0x200 != 0 {
            // sparse_super2: two copies, in the groups that it names.
            return u64::from(le32(&self.bytes, 0x24C)) == group || u64::from(le32(&self.bytes, 0x250)) == group;
        }
        le32(&self.bytes, 100) & 1 == 0 || group == 1 || [3, 5, 7].into_iter().any(power_of)
    }

    /// Sets the counters of free clusters and inodes, summed over the groups.
    pub(super) fn set_free(&mut self, clusters: u64, inodes: u64) {
        let blocks = clusters.saturating_mul(self.blocks_per_cluster);
        let [b0, b1, b2, b3, b4, b5, b6, b7] = blocks.to_le_bytes();
        put(&mut self.bytes, 12, &[b0, b1, b2, b3]);
        if self.wide_descriptors() {
            put(&mut self.bytes, 344, &[b4, b5, b6, b7]);
        }
        let [i0, i1, i2, i3, ..] = inodes.to_le_bytes();
        put(&mut self.bytes, 16, &[i0, i1, i2, i3]);
    }

    /// The journal has been replayed.
    pub(super) fn clear_recovery(&mut self) {
        let incompat = le32(&self.bytes, 96) & !INCOMPAT_RECOVER;
        put(&mut self.bytes, 96, &incompat.to_le_bytes());
    }

    /// Makes the next fsck check everything.
    pub(super) fn mark_errors(&mut self) {
        let state = le16(&self.bytes, 58) | STATE_ERRORS;
        put(&mut self.bytes, 58, &state.to_le_bytes());
    }

    /// The bytes to be written, with the checksum.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        if self.checksum_seed().is_some() {
            let covered = bytes.get(..SIZE.saturating_sub(4)).unwrap_or_default();
            let checksum = crc32c(!0, covered);
            put(&mut bytes, 0x3FC, &checksum.to_le_bytes());
        }
        bytes
    }
}
