//! ext2/3/4: every inode in use is asked where its blocks lie; the names come from the folders.
//!
//! Source: Linux `Documentation/filesystems/ext4/`: `super.rst`, `group_descr.rst`, `inodes.rst`, `ifork.rst`, `directory.rst`.

mod blocks;
mod geometry;
mod names;

use super::{Found, LostFile};
use crate::bytes::Fields;
use crate::extent::ExtentSet;
use crate::io::ReadAt;
use blocks::{Blocks, MOST_DEPTH};
use geometry::Geometry;
use names::{entries, path};
use std::collections::{HashMap, HashSet};
use std::ops::Range;

const INODE_UNINIT: u16 = 1;
const ROOT: u32 = 2;
/// Inodes before this one are the filesystem's own (journal, resizing), but for the root folder.
const FIRST_FILE: u32 = 11;
const EXTENTS: u32 = 0x8_0000;
const INLINE_DATA: u32 = 0x1000_0000;

/// The files of the volume that lost bytes. The error is the end of a sentence.
pub(super) fn find<D: ReadAt + ?Sized>(volume: &D, lost: &ExtentSet) -> Result<Found, String> {
    let mut scan = Scan {
        volume,
        geometry: Geometry::read(volume)?,
        lost,
        hits: HashMap::new(),
        owned: ExtentSet::new(),
        folders: Vec::new(),
        doubtful: 0,
        budget: 0,
    };
    // Each block belongs to one inode, or a few where blocks are shared: what goes on for longer runs in circles.
    scan.budget = scan
        .geometry
        .blocks
        .min(volume.size())
        .saturating_mul(4)
        .saturating_add(1024);
    for group in 0..scan.geometry.groups {
        scan.group(group);
    }
    let names = scan.names();
    let Scan {
        hits,
        owned,
        doubtful,
        folders,
        ..
    } = scan;
    let is_folder: HashSet<u32> = folders.iter().map(|(inode, _)| *inode).collect();
    let files = hits.into_iter().map(|(inode, bytes)| {
        let mut path = path(inode, &names);
        if is_folder.contains(&inode) && !path.ends_with('/') {
            path.push('/');
        }
        LostFile { path, bytes }
    });
    let mut notes = Vec::new();
    if doubtful > 0 {
        notes.push(format!(
            "{doubtful} places where files are described are damaged: files may be missing from this list"
        ));
    }
    Ok(Found {
        files: files.collect(),
        owned,
        notes,
    })
}

struct Scan<'a, D: ?Sized> {
    volume: &'a D,
    geometry: Geometry,
    lost: &'a ExtentSet,
    /// Inode: lost bytes.
    hits: HashMap<u32, u64>,
    owned: ExtentSet,
    /// Inode of each folder and where its blocks are.
    folders: Vec<(u32, Vec<Range<u64>>)>,
    /// Tables and lists that cannot be believed.
    doubtful: u64,
    /// How many blocks may still be looked at.
    budget: u64,
}

impl<D: ReadAt + ?Sized> Scan<'_, D> {
    fn group(&mut self, group: u64) {
        let geometry = &self.geometry;
        let at = group
            .saturating_mul(geometry.descriptor_size)
            .saturating_add(geometry.descriptors);
        let mut descriptor = [0; 64];
        let len = if geometry.wide && geometry.descriptor_size >= 64 {
            64
        } else {
            32
        };
        let part = descriptor.get_mut(..len).unwrap_or_default();
        if self.volume.read_at(at, part).is_err() {
            self.doubt();
            return;
        }
        let fields = Fields(&descriptor);
        if fields.le16(0x12) & INODE_UNINIT != 0 {
            return;
        }
        let table = u64::from(fields.le32(8)) | u64::from(fields.le32(0x28)) << 32;
        let first = group.saturating_mul(geometry.inodes_per_group);
        let count = geometry.inodes_per_group.min(geometry.inodes.saturating_sub(first));
        let bytes = count.saturating_mul(geometry.inode_size);
        let Some(range) = geometry.range(table, bytes.div_ceil(geometry.block)) else {
            self.doubt();
            return;
        };
        // Inodes that were lost look like free ones.
        if self.lost.within(range.clone()).next().is_some() {
            self.doubt();
        }
        let size = usize::try_from(self.geometry.inode_size).unwrap_or(128);
        let per_read = (1u64 << 20).checked_div(self.geometry.inode_size).unwrap_or(1).max(1);
        let mut index = 0;
        while index < count {
            let now = per_read.min(count.saturating_sub(index));
            let at = range
                .start
                .saturating_add(index.saturating_mul(self.geometry.inode_size));
            let mut inodes = vec![0; usize::try_from(now).unwrap_or(0).saturating_mul(size)];
            if self.volume.read_at(at, &mut inodes).is_err() {
                self.doubt();
                return;
            }
            let numbers = first.saturating_add(index).saturating_add(1)..;
            for (number, inode) in numbers.zip(inodes.chunks_exact(size)) {
                self.inode(u32::try_from(number).unwrap_or(0), inode);
            }
            index = index.saturating_add(now);
        }
    }

    fn inode(&mut self, number: u32, inode: &[u8]) {
        let fields = Fields(inode);
        let (kind, links, flags) = (fields.le16(0) & 0xF000, fields.le16(0x1A), fields.le32(0x20));
        let (folder, file, link) = (kind == 0x4000, kind == 0x8000, kind == 0xA000);
        let own = number < FIRST_FILE && number != ROOT;
        if links == 0 || own || !(folder || file || link) || flags & INLINE_DATA != 0 {
            return;
        }
        // A short symbolic link is in the inode itself.
        if link && fields.le32(4) < 60 && flags & EXTENTS == 0 {
            return;
        }
        let root: [u8; 60] = fields.array(0x28);
        let mut blocks = Blocks {
            volume: self.volume,
            geometry: &self.geometry,
            data: Vec::new(),
            lists: Vec::new(),
            budget: self.budget,
            doubtful: false,
        };
        if flags & EXTENTS != 0 {
            blocks.extents(&root, MOST_DEPTH);
        } else {
            blocks.pointers(&root);
        }
        let Blocks {
            data,
            lists,
            doubtful,
            budget,
            ..
        } = blocks;
        self.budget = budget;
        let mut hit = 0u64;
        for range in data.iter().chain(&lists) {
            for lost in self.lost.within(range.clone()) {
                hit = hit.saturating_add(lost.end.saturating_sub(lost.start));
                self.owned.insert(lost);
            }
        }
        let lost_list = lists
            .iter()
            .any(|range| self.lost.within(range.clone()).next().is_some());
        if doubtful || lost_list {
            self.doubt();
        }
        if hit > 0 {
            self.hits.insert(number, hit);
        }
        if folder {
            self.folders.push((number, data));
        }
    }

    fn doubt(&mut self) {
        self.doubtful = self.doubtful.saturating_add(1);
    }

    /// Parent and name of every folder, and of every file that lost bytes.
    fn names(&self) -> HashMap<u32, (u32, String)> {
        let mut names = HashMap::new();
        if self.hits.is_empty() {
            return names;
        }
        let folders: HashSet<u32> = self.folders.iter().map(|(inode, _)| *inode).collect();
        let mut block = vec![0; usize::try_from(self.geometry.block).unwrap_or(1024)];
        for (folder, ranges) in &self.folders {
            let starts = ranges.iter().flat_map(|range| {
                let step = usize::try_from(self.geometry.block).unwrap_or(1024);
                range.clone().step_by(step)
            });
            for at in starts {
                if self.volume.read_at(at, &mut block).is_err() {
                    continue;
                }
                for (inode, name) in entries(&block) {
                    if folders.contains(&inode) || self.hits.contains_key(&inode) {
                        names.entry(inode).or_insert_with(|| (*folder, name));
                    }
                }
            }
        }
        names
    }
}
