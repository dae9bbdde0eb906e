//! The used map of ext2, ext3 and ext4, from their block bitmaps.
//!
//! What is checked before a block counts as free: the superblock's checksum, state and features, each descriptor's and
//! bitmap's checksum where the filesystem has them, the number of free blocks of each group, and that all metadata is
//! marked as used. A group in doubt is copied whole; metadata marked as free makes the whole volume doubtful.

mod group;
mod superblock;

use super::builder::{UsedBuilder, runs_of_ones};
use super::{Volume, VolumeKind};
use crate::extent::ExtentSet;
use crate::io::ReadAt;
use group::{Descriptor, Doubt};
use std::io;
use std::ops::Range;
use superblock::Superblock;

/// Most bytes of bitmaps that are read at once.
const READ: u64 = 1 << 20;
/// Blocks of descriptors that are looked at before the bitmaps of their groups are read. A block of 4 KiB has those of 8 GiB.
const AHEAD: u64 = 64;

/// Number and descriptor of a group.
type Group = (u64, Result<Descriptor, Doubt>);

/// Maps an ext volume; it has the magic number at least.
pub(super) fn map<D: ReadAt + ?Sized>(device: &D) -> io::Result<Volume> {
    let size = device.size();
    let mut bytes = [0; superblock::SIZE];
    let mut volume = Volume::whole(VolumeKind::Ext, "ext", size);
    if size < superblock::OFFSET.saturating_add(1024) {
        volume.copy_whole(size, "too small for a superblock: copied whole");
        return Ok(volume);
    }
    device.read_at(superblock::OFFSET, &mut bytes)?;
    let names = superblock::names(&bytes);
    names.kind.clone_into(&mut volume.label_of_kind);
    volume.label = names.label;
    volume.uuid = names.uuid;
    volume.last_mounted = names.last_mounted;
    let superblock = match superblock::parse(&bytes, size) {
        Ok(superblock) => superblock,
        Err(why) => {
            volume.copy_whole(size, format!("{why}: copied whole"));
            return Ok(volume);
        }
    };
    volume.block_size = u32::try_from(superblock.block_size).ok();
    if superblock.journal.is_some() {
        volume.copy_whole(
            size,
            "the filesystem was in use when the computer stopped: what is free will only be known after its \
             journal was replayed: copied whole",
        );
        return Ok(volume);
    }
    let mut mapper = Mapper::new(device, &superblock);
    mapper.run()?;
    if !mapper.unmarked.is_empty() {
        volume.copy_whole(
            size,
            "some of its metadata is marked as free space: copied whole (e2fsck repairs that)",
        );
        return Ok(volume);
    }
    if let Some((group, doubt)) = mapper.first_doubt {
        volume.notes.push(format!(
            "{} of {} block groups are copied whole; group {group}: {doubt}",
            mapper.doubtful, superblock.groups
        ));
    }
    volume.used = mapper.used.finish();
    volume.mapped = true;
    Ok(volume)
}

/// Walks the groups in order.
struct Mapper<'a, D: ?Sized> {
    device: &'a D,
    superblock: &'a Superblock,
    used: UsedBuilder,
    /// Bitmaps and inode tables of all groups, in bytes.
    metadata: ExtentSet,
    /// Those of them that the bitmaps call free.
    unmarked: ExtentSet,
    doubtful: u64,
    first_doubt: Option<(u64, Doubt)>,
}

impl<'a, D: ReadAt + ?Sized> Mapper<'a, D> {
    fn new(device: &'a D, superblock: &'a Superblock) -> Self {
        let mut used = UsedBuilder::new(device.size());
        // Boot code and the superblock itself, which lies before the first group of a volume with 1 KiB blocks.
        used.add(0..superblock::OFFSET.saturating_add(1024));
        Mapper {
            device,
            superblock,
            used,
            metadata: ExtentSet::new(),
            unmarked: ExtentSet::new(),
            doubtful: 0,
            first_doubt: None,
        }
    }

    fn run(&mut self) -> io::Result<()> {
        let superblock = self.superblock;
        let blocks = superblock.descriptor_blocks();
        let mut at = 0;
        while at < blocks {
            let end = at.saturating_add(AHEAD).min(blocks);
            let groups = (at..end)
                .map(|index| self.descriptors(index))
                .collect::<io::Result<Vec<_>>>()?;
            self.announce(groups.iter().flatten());
            for descriptors in &groups {
                self.map_groups(descriptors)?;
            }
            at = end;
        }
        // What lies behind the filesystem belongs to nobody known.
        let end = superblock.blocks.saturating_mul(superblock.block_size);
        self.used.add(end..self.device.size());
        let used = self.used.so_far();
        for range in self.metadata.iter() {
            let marked: ExtentSet = used.within(range.clone()).collect();
            if marked.bytes() != range.end.saturating_sub(range.start) {
                self.unmarked.insert(range);
            }
        }
        Ok(())
    }

    /// The groups whose descriptors are in block `index` of them.
    fn descriptors(&mut self, index: u64) -> io::Result<Vec<Group>> {
        let superblock = self.superblock;
        let per_block = superblock.descriptors_per_block();
        let first = index.saturating_mul(per_block);
        let groups = first..first.saturating_add(per_block).min(superblock.groups);
        let at = superblock.descriptor_block(index);
        if at >= superblock.blocks {
            let doubt = "its descriptor lies outside the filesystem";
            return Ok(groups.map(|group| (group, Err(doubt))).collect());
        }
        self.add_metadata(at..at.saturating_add(1));
        let mut block = vec![0; usize::try_from(superblock.block_size).unwrap_or(1024)];
        self.device
            .read_at(at.saturating_mul(superblock.block_size), &mut block)?;
        let descriptors = block.chunks_exact(superblock.descriptor_size.max(32));
        Ok(groups
            .zip(descriptors)
            .map(|(group, bytes)| (group, Descriptor::parse(bytes, group, superblock)))
            .collect())
    }

    /// Tells the device which bitmaps will be read: they may lie far from each other.
    fn announce<'g>(&self, groups: impl Iterator<Item = &'g Group>) {
        let block_size = self.superblock.block_size;
        let bitmaps: ExtentSet = groups
            .filter_map(|(_, descriptor)| descriptor.as_ref().ok()?.written_bitmap())
            .map(|bitmap| {
                let start = bitmap.saturating_mul(block_size);
                start..start.saturating_add(block_size)
            })
            .collect();
        bitmaps.iter().for_each(|range| self.device.will_read(range));
    }

    /// Maps neighbouring groups. Bitmaps that lie side by side (flex_bg) are read together.
    fn map_groups(&mut self, descriptors: &[Group]) -> io::Result<()> {
        let block_size = self.superblock.block_size;
        let mut buffer: Vec<u8> = Vec::new();
        let mut buffered = 0..0u64;
        for (at, (group, descriptor)) in descriptors.iter().enumerate() {
            let descriptor = match descriptor {
                Ok(descriptor) => descriptor,
                Err(doubt) => {
                    self.doubt(*group, doubt);
                    continue;
                }
            };
            for range in descriptor.metadata(self.superblock) {
                self.add_metadata(range);
            }
            let Some(bitmap) = descriptor.written_bitmap() else {
                let used = descriptor.implied(*group, self.superblock);
                let free = self.clusters(*group).saturating_sub(used.bytes());
                match descriptor.check_free(free) {
                    Ok(()) => used.iter().for_each(|clusters| self.add_clusters(*group, clusters)),
                    Err(doubt) => self.doubt(*group, doubt),
                }
                continue;
            };
            if !buffered.contains(&bitmap) {
                let rest = descriptors.get(at..).unwrap_or_default();
                buffered = side_by_side(rest, READ.checked_div(block_size).unwrap_or(1));
                let len = buffered.end.saturating_sub(buffered.start).saturating_mul(block_size);
                buffer.resize(usize::try_from(len).unwrap_or(0), 0);
                self.device
                    .read_at(buffered.start.saturating_mul(block_size), &mut buffer)?;
            }
            let offset = bitmap.saturating_sub(buffered.start).saturating_mul(block_size);
            let start = usize::try_from(offset).unwrap_or(usize::MAX);
            let end = start.saturating_add(usize::try_from(block_size).unwrap_or(0));
            self.map_group(*group, descriptor, buffer.get(start..end).unwrap_or_default());
        }
        Ok(())
    }

    fn map_group(&mut self, group: u64, descriptor: &Descriptor, bitmap: &[u8]) {
        let clusters = self.clusters(group);
        match descriptor.check(bitmap, clusters, self.superblock) {
            Ok(()) => runs_of_ones(bitmap, clusters, |run| self.add_clusters(group, run)),
            Err(doubt) => self.doubt(group, doubt),
        }
    }

    /// How many clusters a group has.
    fn clusters(&self, group: u64) -> u64 {
        let superblock = self.superblock;
        let blocks = superblock
            .group_end(group)
            .saturating_sub(superblock.group_start(group));
        blocks.div_ceil(superblock.blocks_per_cluster.max(1))
    }

    /// Marks clusters of a group (numbers in it) as used.
    fn add_clusters(&mut self, group: u64, clusters: Range<u64>) {
        let superblock = self.superblock;
        let byte = |cluster: u64| {
            let block = cluster
                .saturating_mul(superblock.blocks_per_cluster)
                .saturating_add(superblock.group_start(group));
            block
                .min(superblock.group_end(group))
                .saturating_mul(superblock.block_size)
        };
        self.used.add(byte(clusters.start)..byte(clusters.end));
    }

    /// Copies a group whole.
    fn doubt(&mut self, group: u64, doubt: Doubt) {
        let block_size = self.superblock.block_size;
        let start = self.superblock.group_start(group).saturating_mul(block_size);
        self.used
            .add(start..self.superblock.group_end(group).saturating_mul(block_size));
        self.doubtful = self.doubtful.saturating_add(1);
        self.first_doubt.get_or_insert((group, doubt));
    }

    fn add_metadata(&mut self, blocks: Range<u64>) {
        let block_size = self.superblock.block_size;
        self.metadata
            .insert(blocks.start.saturating_mul(block_size)..blocks.end.saturating_mul(block_size));
    }
}

/// The bitmap of the first group and those of the following groups as long as they lie behind it without a gap, and were
/// ever written.
fn side_by_side(descriptors: &[Group], most: u64) -> Range<u64> {
    let mut bitmaps = descriptors
        .iter()
        .map_while(|(_, descriptor)| descriptor.as_ref().ok()?.written_bitmap());
    let Some(start) = bitmaps.next() else { return 0..0 };
    let mut end = start.saturating_add(1);
    for bitmap in bitmaps {
        if bitmap != end || end.saturating_sub(start) >= most.max(1) {
            break;
        }
        end = end.saturating_add(1);
    }
    start..end
}
