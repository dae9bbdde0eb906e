//! The superblock: sizes, features, and whether the bitmaps can be believed.
//!
//! Source: Linux `Documentation/filesystems/ext4/super.rst`, `fs/ext4/ext4.h`.

use crate::bytes::{Fields, uuid};
use crate::checksum::crc32c;

/// Where it lies in the volume, and its size, both in bytes.
pub(super) const OFFSET: u64 = 1024;
pub(super) const SIZE: usize = 1024;

const COMPAT_JOURNAL: u32 = 0x4;
const COMPAT_FAST_COMMIT: u32 = 0x400;
const COMPAT_SPARSE_SUPER2: u32 = 0x200;

const INCOMPAT_RECOVER: u32 = 0x4;
const INCOMPAT_JOURNAL_DEVICE: u32 = 0x8;
const INCOMPAT_META_BG: u32 = 0x10;
const INCOMPAT_64BIT: u32 = 0x80;
const INCOMPAT_CSUM_SEED: u32 = 0x2000;
/// filetype, recover, meta_bg, extents, 64bit, mmp, flex_bg, ea_inode, dirdata, csum_seed, largedir, inline_data,
/// encrypt, casefold.
const INCOMPAT_KNOWN: u32 = 0x0003_F7D6;
/// What ext3 may have: filetype, recover, meta_bg.
const INCOMPAT_EXT3: u32 = 0x16;

const RO_SPARSE_SUPER: u32 = 0x1;
const RO_GDT_CSUM: u32 = 0x10;
const RO_BIGALLOC: u32 = 0x200;
const RO_METADATA_CSUM: u32 = 0x400;
/// sparse_super, large_file, btree_dir, huge_file, gdt_csum, dir_nlink, extra_isize, quota, bigalloc, metadata_csum,
/// read-only, project, shared_blocks, verity, orphan_present.
const RO_KNOWN: u32 = 0x0001_F77F;
/// What ext3 may have: sparse_super, large_file, btree_dir.
const RO_EXT3: u32 = 0x7;

/// `s_state`: cleanly unmounted; errors were seen.
const STATE_VALID: u16 = 1;
const STATE_ERRORS: u16 = 2;

/// How group descriptors and bitmaps are protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Checksums {
    None,
    /// CRC-16 in the descriptors. Its seed is the UUID.
    Descriptors,
    /// CRC-32C in descriptors and bitmaps, with its seed.
    Metadata(u32),
}

/// What the map needs of a superblock, checked. Block numbers and counts are in blocks of [`Superblock::block_size`].
#[derive(Clone, Debug)]
pub(super) struct Superblock {
    /// In bytes, 1 KiB to 64 KiB.
    pub(super) block_size: u64,
    pub(super) blocks: u64,
    /// Blocks a bit of the bitmaps stands for: 1 unless bigalloc.
    pub(super) blocks_per_cluster: u64,
    pub(super) clusters_per_group: u64,
    /// Length of an inode table.
    pub(super) inode_table_blocks: u64,
    /// Block of group 0 that holds the first bit of its bitmap.
    pub(super) first_data_block: u64,
    pub(super) groups: u64,
    /// Size of a group descriptor in bytes.
    pub(super) descriptor_size: usize,
    /// Descriptor blocks from this one on lie in their own meta group; `None` without meta_bg.
    pub(super) first_meta_bg: Option<u64>,
    pub(super) reserved_descriptor_blocks: u64,
    pub(super) checksums: Checksums,
    pub(super) uuid: [u8; 16],
    sparse_super: bool,
    /// The only two backups under sparse_super2.
    sparse_super2: Option<[u64; 2]>,
    /// Inode of the journal and whether it must be replayed before the bitmaps are true.
    pub(super) journal: Option<Journal>,
}

/// A journal that waits for its replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Journal {
    pub(super) inode: u32,
    pub(super) external: bool,
    pub(super) fast_commits: bool,
}

/// What is shown to people whatever the state of the filesystem is.
pub(super) struct Names {
    pub(super) kind: &'static str,
    pub(super) label: Option<String>,
    pub(super) uuid: Option<String>,
    /// The folder that it was mounted at last.
    pub(super) last_mounted: Option<String>,
}

/// `ext2`, `ext3` or `ext4` by the features, as blkid tells them apart, with label and UUID.
pub(super) fn names(bytes: &[u8; SIZE]) -> Names {
    let fields = Fields(bytes);
    let (compat, incompat, ro) = (fields.le32(92), fields.le32(96), fields.le32(100));
    let kind = if incompat & INCOMPAT_JOURNAL_DEVICE != 0 {
        "ext journal"
    } else if incompat & !INCOMPAT_EXT3 != 0 || ro & !RO_EXT3 != 0 {
        "ext4"
    } else if compat & COMPAT_JOURNAL != 0 {
        "ext3"
    } else {
        "ext2"
    };
    Names {
        kind,
        label: fields.text(120, 16),
        uuid: uuid(fields.array(104)),
        last_mounted: fields.text(136, 64),
    }
}

/// Reads a superblock. `volume_size` is in bytes. The error is a sentence: why the volume must be copied whole.
pub(super) fn parse(bytes: &[u8; SIZE], volume_size: u64) -> Result<Superblock, String> {
    let fields = Fields(bytes);
    let (compat, incompat, ro) = match fields.le32(76) {
        0 => (0, 0, 0),
        1 => (fields.le32(92), fields.le32(96), fields.le32(100)),
        revision => return Err(format!("revision {revision} of ext is not known")),
    };
    if incompat & INCOMPAT_JOURNAL_DEVICE != 0 {
        return Err("it holds the journal of another filesystem".to_owned());
    }
    if incompat & !INCOMPAT_KNOWN != 0 {
        return Err(format!(
            "unknown incompatible features {:#x}",
            incompat & !INCOMPAT_KNOWN
        ));
    }
    if ro & !RO_KNOWN != 0 {
        return Err(format!("unknown features {:#x}", ro & !RO_KNOWN));
    }
    let checksums = if ro & RO_METADATA_CSUM != 0 {
        let covered = bytes.get(..SIZE.saturating_sub(4)).unwrap_or_default();
        if crc32c(!0, covered) != fields.le32(0x3FC) {
            return Err("the superblock has a wrong checksum".to_owned());
        }
        Checksums::Metadata(if incompat & INCOMPAT_CSUM_SEED != 0 {
            fields.le32(0x270)
        } else {
            crc32c(!0, &fields.array::<16>(104))
        })
    } else if ro & RO_GDT_CSUM != 0 {
        Checksums::Descriptors
    } else {
        Checksums::None
    };
    let state = fields.le16(58);
    if state & STATE_ERRORS != 0 {
        return Err("the filesystem is marked as damaged (e2fsck repairs that)".to_owned());
    }
    if state & STATE_VALID == 0 {
        return Err("the filesystem was not unmounted cleanly and has no journal (e2fsck repairs that)".to_owned());
    }

    let impossible = |what: &str| format!("impossible {what} in the superblock");
    let block_shift = fields.le32(24);
    if block_shift > 6 {
        return Err(impossible("block size"));
    }
    let block_size = 1024u64 << block_shift;
    let wide = incompat & INCOMPAT_64BIT != 0;
    let high = if wide { u64::from(fields.le32(336)) << 32 } else { 0 };
    let blocks = high | u64::from(fields.le32(4));
    let first_data_block = u64::from(fields.le32(20));
    let bigalloc = ro & RO_BIGALLOC != 0;
    if first_data_block != u64::from(block_size == 1024 && !bigalloc) || blocks <= first_data_block {
        return Err(impossible("first block"));
    }
    match blocks.checked_mul(block_size) {
        Some(bytes) if bytes <= volume_size => {}
        _ => return Err("the filesystem is larger than its partition".to_owned()),
    }
    let blocks_per_group = u64::from(fields.le32(32));
    // Without bigalloc a cluster is a block, and both fields are written all the same: a damaged one stands out.
    let cluster_shift = fields.le32(28).checked_sub(block_shift).filter(|shift| *shift <= 20);
    let cluster_shift = cluster_shift.filter(|shift| bigalloc || *shift == 0);
    let blocks_per_cluster = 1u64 << cluster_shift.ok_or_else(|| impossible("cluster size"))?;
    let clusters_per_group = u64::from(fields.le32(36));
    let bits = block_size.saturating_mul(8);
    if clusters_per_group == 0
        || clusters_per_group > bits
        || !clusters_per_group.is_multiple_of(8)
        || clusters_per_group.checked_mul(blocks_per_cluster) != Some(blocks_per_group)
    {
        return Err(impossible("group size"));
    }
    let groups = blocks.saturating_sub(first_data_block).div_ceil(blocks_per_group);
    let inode_size = if fields.le32(76) == 0 {
        128
    } else {
        u64::from(fields.le16(88))
    };
    let inodes_per_group = u64::from(fields.le32(40));
    let inode_table_blocks = inodes_per_group.saturating_mul(inode_size).div_ceil(block_size);
    if inode_size < 128 || inode_size > block_size || inodes_per_group == 0 || inodes_per_group > bits {
        return Err(impossible("inode table"));
    }
    if inodes_per_group.checked_mul(groups) != Some(u64::from(fields.le32(0))) {
        return Err(impossible("number of inodes"));
    }
    let descriptor_size = if wide { fields.le16(254) } else { 32 };
    if !descriptor_size.is_power_of_two() || descriptor_size < if wide { 64 } else { 32 } || descriptor_size > 1024 {
        return Err(impossible("group descriptor size"));
    }
    let recover = incompat & INCOMPAT_RECOVER != 0;
    Ok(Superblock {
        block_size,
        blocks,
        blocks_per_cluster,
        clusters_per_group,
        inode_table_blocks,
        first_data_block,
        groups,
        descriptor_size: usize::from(descriptor_size),
        first_meta_bg: (incompat & INCOMPAT_META_BG != 0).then(|| u64::from(fields.le32(260))),
        reserved_descriptor_blocks: u64::from(fields.le16(206)),
        checksums,
        uuid: fields.array(104),
        sparse_super: ro & RO_SPARSE_SUPER != 0,
        sparse_super2: (compat & COMPAT_SPARSE_SUPER2 != 0)
            .then(|| [u64::from(fields.le32(0x24C)), u64::from(fields.le32(0x250))]),
        journal: recover.then(|| Journal {
            inode: fields.le32(224),
            external: fields.le32(224) == 0,
            fast_commits: compat & COMPAT_FAST_COMMIT != 0,
        }),
    })
}

impl Superblock {
    pub(super) fn blocks_per_group(&self) -> u64 {
        self.clusters_per_group.saturating_mul(self.blocks_per_cluster)
    }

    /// First block of a group.
    pub(super) fn group_start(&self, group: u64) -> u64 {
        group
            .saturating_mul(self.blocks_per_group())
            .saturating_add(self.first_data_block)
    }

    /// One past the last block of a group.
    pub(super) fn group_end(&self, group: u64) -> u64 {
        self.group_start(group.saturating_add(1)).min(self.blocks)
    }

    pub(super) fn descriptors_per_block(&self) -> u64 {
        let size = u64::try_from(self.descriptor_size).unwrap_or(32).max(32);
        self.block_size.checked_div(size).unwrap_or(32)
    }

    /// How many blocks hold group descriptors.
    pub(super) fn descriptor_blocks(&self) -> u64 {
        self.groups.div_ceil(self.descriptors_per_block().max(1))
    }

    /// Where descriptor block `index` lies.
    pub(super) fn descriptor_block(&self, index: u64) -> u64 {
        let superblock = u64::from(self.block_size == 1024);
        match self.first_meta_bg {
            Some(first) if index >= first => {
                let group = index.saturating_mul(self.descriptors_per_block());
                let mut skip = u64::from(self.has_superblock(group));
                // With 1 KiB blocks and bigalloc, group 0 starts with the boot block.
                if self.block_size == 1024 && group == 0 && self.first_data_block == 0 {
                    skip = skip.saturating_add(1);
                }
                self.group_start(group).saturating_add(skip)
            }
            _ => index.saturating_add(superblock).saturating_add(1),
        }
    }

    /// Whether a group starts with a copy of the superblock.
    pub(super) fn has_superblock(&self, group: u64) -> bool {
        if group == 0 {
            return true;
        }
        if let Some(backups) = self.sparse_super2 {
            return backups.contains(&group);
        }
        !self.sparse_super || group == 1 || [3, 5, 7].iter().any(|root| is_power(group, *root))
    }

    /// How many blocks at the start of a group hold superblock, descriptors and room for more of them.
    pub(super) fn leading_blocks(&self, group: u64) -> u64 {
        let superblock = u64::from(self.has_superblock(group));
        let per_block = self.descriptors_per_block().max(1);
        let meta_group = group.checked_div(per_block).unwrap_or(0);
        let mut leading = superblock;
        match self.first_meta_bg {
            Some(first) if meta_group >= first => {
                // The descriptors of a meta group are kept in its first, second and last group.
                let place = group.checked_rem(per_block).unwrap_or(0);
                leading = leading.saturating_add(u64::from(place < 2 || place == per_block.saturating_sub(1)));
            }
            first if superblock == 1 => {
                let table = first.unwrap_or_else(|| self.descriptor_blocks());
                leading = leading
                    .saturating_add(table)
                    .saturating_add(self.reserved_descriptor_blocks);
            }
            _ => {}
        }
        // The boot block before the superblock.
        if group == 0 && self.block_size == 1024 && self.first_data_block == 0 {
            leading = leading.saturating_add(1);
        }
        leading
    }
}

/// Whether `number` is `root` to the power of something.
fn is_power(number: u64, root: u64) -> bool {
    let mut power = root;
    while power < number {
        power = power.saturating_mul(root);
    }
    power == number
}
