//! The superblock's words on where inodes and their descriptions are.

use crate::bytes::Fields;
use crate::io::ReadAt;
use std::ops::Range;

const INCOMPAT_META_BG: u32 = 0x10;
const INCOMPAT_64BIT: u32 = 0x80;
/// More block groups than any real filesystem has.
const MOST_GROUPS: u64 = 4 << 20;

/// What must be known of the superblock.
pub(super) struct Geometry {
    /// In bytes.
    pub(super) block: u64,
    pub(super) blocks: u64,
    pub(super) inodes: u64,
    pub(super) inodes_per_group: u64,
    /// In bytes.
    pub(super) inode_size: u64,
    pub(super) groups: u64,
    /// Where the group descriptors begin, in bytes, and how long one is.
    pub(super) descriptors: u64,
    pub(super) descriptor_size: u64,
    pub(super) wide: bool,
}

impl Geometry {
    pub(super) fn read<D: ReadAt + ?Sized>(volume: &D) -> Result<Self, String> {
        let mut bytes = [0; 1024];
        volume.read_at(1024, &mut bytes).map_err(|error| error.to_string())?;
        let fields = Fields(&bytes);
        if fields.le16(0x38) != 0xEF53 {
            return Err("its superblock is lost".to_owned());
        }
        let incompat = fields.le32(0x60);
        if incompat & INCOMPAT_META_BG != 0 {
            return Err("its group descriptors are spread (meta_bg), which is not understood here".to_owned());
        }
        let block = 1024u64.checked_shl(fields.le32(0x18)).filter(|block| *block <= 65_536);
        let block = block.ok_or("its superblock has an impossible block size")?;
        let wide = incompat & INCOMPAT_64BIT != 0;
        let high = if wide { u64::from(fields.le32(0x150)) << 32 } else { 0 };
        let (inodes, inodes_per_group) = (u64::from(fields.le32(0)), u64::from(fields.le32(0x28)));
        let inode_size = if fields.le32(0x4C) == 0 {
            128
        } else {
            u64::from(fields.le16(0x58))
        };
        let groups = inodes.checked_div(inodes_per_group).unwrap_or(0);
        let descriptor_size = if wide { u64::from(fields.le16(0xFE)) } else { 32 };
        let sane = (128..=block).contains(&inode_size)
            && (32..=1024).contains(&descriptor_size)
            && (1..=MOST_GROUPS).contains(&groups)
            && inodes.saturating_mul(inode_size) <= volume.size();
        if !sane {
            return Err("its superblock makes no sense".to_owned());
        }
        Ok(Geometry {
            block,
            blocks: high | u64::from(fields.le32(4)),
            inodes,
            inodes_per_group,
            inode_size,
            groups,
            descriptors: u64::from(fields.le32(0x14)).saturating_add(1).saturating_mul(block),
            descriptor_size,
            wide,
        })
    }

    /// The bytes of blocks; `None` outside of the filesystem.
    pub(super) fn range(&self, first: u64, count: u64) -> Option<Range<u64>> {
        let end = first
            .checked_add(count)
            .filter(|end| *end <= self.blocks && first > 0)?;
        Some(first.checked_mul(self.block)?..end.checked_mul(self.block)?)
    }
}
