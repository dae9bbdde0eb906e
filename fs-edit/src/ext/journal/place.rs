//! Where the journal's blocks lie: its inode, mapped by extents or by a block map.
//!
//! Source: Linux `Documentation/filesystems/ext4/{inodes,ifork,group_descr}.rst`.

use crate::FsEditError;
use crate::ext::bytes::{le16, le32};
use crate::ext::superblock::Superblock;
use crate::ext::{io_error, unfit};
use disk::ReadAt;

const FLAG_EXTENTS: u32 = 0x8_0000;
const EXTENT_MAGIC: u16 = 0xF30A;
/// Extents longer than this are marked as unwritten.
const LONGEST_EXTENT: u16 = 32768;
/// Deeper trees cannot be needed for 2^32 blocks.
const DEEPEST: u16 = 5;
/// e2fsprogs makes no journal of more blocks.
const MOST_BLOCKS: u64 = 10_240_000;

/// Neighbouring blocks. All numbers are in blocks of the filesystem.
#[derive(Clone, Copy, Debug)]
struct Run {
    logical: u64,
    physical: u64,
    len: u64,
}

/// The journal's blocks.
#[derive(Debug)]
pub(super) struct Place {
    runs: Vec<Run>,
    /// First and last block of every run, in ascending order.
    taken: Vec<(u64, u64)>,
    /// How many there are.
    pub(super) blocks: u64,
}

impl Place {
    /// Reads inode `number` and its map.
    pub(super) fn read(volume: &impl ReadAt, superblock: &Superblock, number: u32) -> Result<Self, FsEditError> {
        let walk = Walk { volume, superblock };
        let inode = walk.inode(number)?;
        let size = u64::from(le32(&inode, 4)) | u64::from(le32(&inode, 108)) << 32;
        let blocks = size.checked_div(superblock.block_size).unwrap_or(0);
        if le16(&inode, 0) & 0xF000 != 0x8000 || blocks == 0 || blocks > MOST_BLOCKS.min(superblock.blocks) {
            return Err(walk.damaged("its inode is no journal's"));
        }
        let mut place = Place {
            runs: Vec::new(),
            taken: Vec::new(),
            blocks,
        };
        let map = inode.get(40..100).unwrap_or_default();
        if le32(&inode, 32) & FLAG_EXTENTS != 0 {
            let depth = le16(map, 6);
            walk.extents(map, depth, &mut place)?;
        } else {
            for slot in 0..15usize {
                walk.indirect(le32(map, slot.saturating_mul(4)), slot.saturating_sub(11), &mut place)?;
            }
        }
        if place.mapped() < blocks {
            return Err(walk.damaged("blocks of it are missing"));
        }
        let ends = |run: &Run| (run.physical, run.physical.saturating_add(run.len).saturating_sub(1));
        place.taken = place.runs.iter().map(ends).collect();
        place.taken.sort_unstable();
        if place.taken.windows(2).any(|pair| matches!(pair, [a, b] if b.0 <= a.1)) {
            return Err(walk.damaged("it has a block twice"));
        }
        Ok(place)
    }

    /// Blocks that are mapped from the start on without a gap.
    fn mapped(&self) -> u64 {
        self.runs.last().map_or(0, |run| run.logical.saturating_add(run.len))
    }

    /// The filesystem's block that is block `logical` of the journal.
    pub(super) fn block(&self, logical: u64) -> Option<u64> {
        let after = self.runs.partition_point(|run| run.logical <= logical);
        let run = self.runs.get(after.checked_sub(1)?)?;
        let inside = logical.checked_sub(run.logical).filter(|inside| *inside < run.len)?;
        run.physical.checked_add(inside)
    }

    /// Whether a block of the filesystem belongs to the journal.
    pub(super) fn holds(&self, block: u64) -> bool {
        let after = self.taken.partition_point(|(first, _)| *first <= block);
        let run = after.checked_sub(1).and_then(|at| self.taken.get(at));
        run.is_some_and(|(_, last)| *last >= block)
    }

    /// Adds `len` blocks behind the last. False if there are enough already.
    fn push(&mut self, physical: u64, len: u64) -> bool {
        let logical = self.mapped();
        let len = len.min(self.blocks.saturating_sub(logical));
        if len == 0 {
            return false;
        }
        match self.runs.last_mut() {
            Some(last) if last.physical.saturating_add(last.len) == physical => {
                last.len = last.len.saturating_add(len);
            }
            _ => self.runs.push(Run { logical, physical, len }),
        }
        true
    }
}

struct Walk<'a, V> {
    volume: &'a V,
    superblock: &'a Superblock,
}

impl<V: ReadAt> Walk<'_, V> {
    fn damaged(&self, what: &str) -> FsEditError {
        unfit(
            self.superblock.kind(),
            &format!("its journal is damaged ({what}); run e2fsck"),
        )
    }

    fn block(&self, number: u64) -> Result<Vec<u8>, FsEditError> {
        read_block(self.volume, self.superblock, number)
    }

    fn inode(&self, number: u32) -> Result<Vec<u8>, FsEditError> {
        let missing = || self.damaged("there is no such inode");
        let index = number.checked_sub(1).ok_or_else(missing)?;
        let per_group = self.superblock.inodes_per_group;
        let group = u64::from(index.checked_div(per_group).ok_or_else(missing)?);
        let inside = u64::from(index.checked_rem(per_group).ok_or_else(missing)?);
        if group >= self.superblock.groups {
            return Err(missing());
        }
        let (block, offset) = self.superblock.descriptor(group).ok_or_else(missing)?;
        let block = self.block(block)?;
        let descriptor = usize::try_from(offset).ok().and_then(|offset| block.get(offset..));
        let descriptor = descriptor.unwrap_or_default();
        let high = match self.superblock.wide_descriptors() {
            true => le32(descriptor, 0x28),
            false => 0,
        };
        let table = u64::from(le32(descriptor, 8)) | u64::from(high) << 32;
        let offset = inside.checked_mul(self.superblock.inode_size).ok_or_else(missing)?;
        let block_size = self.superblock.block_size;
        let block = offset
            .checked_div(block_size)
            .and_then(|block| block.checked_add(table))
            .ok_or_else(missing)?;
        let block = self.block(block)?;
        let start = usize::try_from(offset.checked_rem(block_size).unwrap_or(0)).unwrap_or(0);
        block
            .get(start..start.saturating_add(128))
            .map(<[u8]>::to_vec)
            .ok_or_else(missing)
    }

    /// A node of an extent tree; `depth` is what it must be, 0 for a leaf.
    fn extents(&self, node: &[u8], depth: u16, place: &mut Place) -> Result<(), FsEditError> {
        if le16(node, 0) != EXTENT_MAGIC || le16(node, 6) != depth || depth > DEEPEST {
            return Err(self.damaged("its extent tree"));
        }
        let entries = node.get(12..).unwrap_or_default().as_chunks::<12>().0;
        for entry in entries.iter().take(usize::from(le16(node, 2))) {
            if u64::from(le32(entry, 0)) != place.mapped() {
                return Err(self.damaged("its extents leave a gap"));
            }
            if depth == 0 {
                let physical = u64::from(le32(entry, 8)) | u64::from(le16(entry, 6)) << 32;
                let len = le16(entry, 4);
                if len == 0 || len > LONGEST_EXTENT {
                    return Err(self.damaged("an extent of it was never written"));
                }
                self.check(physical, u64::from(len))?;
                if !place.push(physical, u64::from(len)) {
                    return Ok(());
                }
            } else {
                let child = u64::from(le32(entry, 4)) | u64::from(le16(entry, 8)) << 32;
                let child = self.block(child)?;
                let before = place.mapped();
                self.extents(&child, depth.saturating_sub(1), place)?;
                // Every node must bring something: so there are no more of them than blocks.
                if place.mapped() == before {
                    return Err(self.damaged("its extent tree"));
                }
            }
        }
        Ok(())
    }

    /// A block of the block map: `level` 0 is a block of the journal itself.
    fn indirect(&self, number: u32, level: usize, place: &mut Place) -> Result<(), FsEditError> {
        if place.mapped() >= place.blocks {
            return Ok(());
        }
        if number == 0 {
            return Err(self.damaged("blocks of it are missing"));
        }
        let number = u64::from(number);
        if level == 0 {
            self.check(number, 1)?;
            place.push(number, 1);
            return Ok(());
        }
        let block = self.block(number)?;
        for entry in block.as_chunks::<4>().0 {
            if place.mapped() >= place.blocks {
                break;
            }
            self.indirect(u32::from_le_bytes(*entry), level.saturating_sub(1), place)?;
        }
        Ok(())
    }

    fn check(&self, first: u64, len: u64) -> Result<(), FsEditError> {
        let inside = first > self.superblock.first_data_block
            && first.checked_add(len).is_some_and(|end| end <= self.superblock.blocks);
        if inside {
            Ok(())
        } else {
            Err(self.damaged("it lies outside the filesystem"))
        }
    }
}

/// A block of the filesystem.
pub(super) fn read_block(volume: &impl ReadAt, superblock: &Superblock, number: u64) -> Result<Vec<u8>, FsEditError> {
    let offset = number
        .checked_mul(superblock.block_size)
        .filter(|_| number < superblock.blocks)
        .ok_or_else(|| {
            unfit(
                superblock.kind(),
                &format!("block {number} lies past its end; run e2fsck"),
            )
        })?;
    let mut block = vec![0; usize::try_from(superblock.block_size).unwrap_or(0)];
    volume.read_at(offset, &mut block).map_err(|error| io_error(&error))?;
    Ok(block)
}
