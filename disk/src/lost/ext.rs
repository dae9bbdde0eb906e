//! ext2/3/4: every inode in use is asked where its blocks lie; the names come from the folders.
//!
//! Source: Linux `Documentation/filesystems/ext4/`: `super.rst`, `group_descr.rst`, `inodes.rst`, `ifork.rst`, `directory.rst`.

use super::{Found, LostFile};
use crate::bytes::Fields;
use crate::extent::ExtentSet;
use crate::io::ReadAt;
use std::collections::{HashMap, HashSet};
use std::ops::Range;

const INCOMPAT_META_BG: u32 = 0x10;
const INCOMPAT_64BIT: u32 = 0x80;
const INODE_UNINIT: u16 = 1;
const ROOT: u32 = 2;
/// Inodes before this one are the filesystem's own (journal, resizing), but for the root folder.
const FIRST_FILE: u32 = 11;
const EXTENTS: u32 = 0x8_0000;
const INLINE_DATA: u32 = 0x1000_0000;
const EXTENT_MAGIC: u16 = 0xF30A;
/// An extent tree is no deeper (`EXT4_MAX_EXTENT_DEPTH`).
const MOST_DEPTH: u16 = 5;
/// More block groups than any real filesystem has.
const MOST_GROUPS: u64 = 4 << 20;
/// Folders in folders: a damaged volume can have circles.
const MOST_FOLDERS: usize = 256;

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

/// What must be known of the superblock.
struct Geometry {
    /// In bytes.
    block: u64,
    blocks: u64,
    inodes: u64,
    inodes_per_group: u64,
    /// In bytes.
    inode_size: u64,
    groups: u64,
    /// Where the group descriptors begin, in bytes, and how long one is.
    descriptors: u64,
    descriptor_size: u64,
    wide: bool,
}

impl Geometry {
    fn read<D: ReadAt + ?Sized>(volume: &D) -> Result<Self, String> {
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
    fn range(&self, first: u64, count: u64) -> Option<Range<u64>> {
        let end = first
            .checked_add(count)
            .filter(|end| *end <= self.blocks && first > 0)?;
        Some(first.checked_mul(self.block)?..end.checked_mul(self.block)?)
    }
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

/// The entries of one block of a folder, without `.` and `..`; up to the first that makes no sense. The blocks of an
/// index look like a single empty entry.
fn entries(block: &[u8]) -> Vec<(u32, String)> {
    let mut found = Vec::new();
    let mut at = 0usize;
    loop {
        let entry = Fields(block.get(at..).unwrap_or_default());
        let (inode, length, name) = (entry.le32(0), usize::from(entry.le16(4)), usize::from(entry.u8(6)));
        if length < 8 || length % 4 != 0 {
            return found;
        }
        let bytes = entry.from(8).get(..name).unwrap_or_default();
        if inode != 0 && !bytes.is_empty() && bytes != b"." && bytes != b".." {
            found.push((inode, String::from_utf8_lossy(bytes).into_owned()));
        }
        at = at.saturating_add(length);
    }
}

/// The path of an inode. One that no folder knows goes by its number.
fn path(inode: u32, names: &HashMap<u32, (u32, String)>) -> String {
    let mut parts = Vec::new();
    let mut here = inode;
    while here != ROOT {
        match names.get(&here) {
            Some((parent, name)) if parts.len() < MOST_FOLDERS => {
                parts.push(name.clone());
                here = *parent;
            }
            _ => {
                parts.push(format!("(inode {here}, whose folder is not known)"));
                break;
            }
        }
    }
    parts.push(String::new());
    parts.reverse();
    if parts.len() == 1 {
        return "/".to_owned();
    }
    parts.join("/")
}

/// Where the blocks of one inode are, in bytes.
struct Blocks<'a, D: ?Sized> {
    volume: &'a D,
    geometry: &'a Geometry,
    data: Vec<Range<u64>>,
    /// Blocks of the lists themselves.
    lists: Vec<Range<u64>>,
    budget: u64,
    doubtful: bool,
}

impl<D: ReadAt + ?Sized> Blocks<'_, D> {
    /// A node of an extent tree, at most `depth` deep.
    fn extents(&mut self, node: &[u8], depth: u16) {
        let fields = Fields(node);
        let (magic, entries, level) = (fields.le16(0), usize::from(fields.le16(2)), fields.le16(6));
        if magic != EXTENT_MAGIC || level > depth {
            self.doubtful = true;
            return;
        }
        for entry in fields.from(12).chunks_exact(12).take(entries) {
            let fields = Fields(entry);
            if level == 0 {
                // Longer than 32768 means: not written yet.
                let length = u64::from(fields.le16(4));
                let length = if length > 32_768 {
                    length.saturating_sub(32_768)
                } else {
                    length
                };
                let first = u64::from(fields.le16(6)) << 32 | u64::from(fields.le32(8));
                self.add(first, length);
            } else {
                let first = u64::from(fields.le16(8)) << 32 | u64::from(fields.le32(4));
                if let Some(node) = self.list(first) {
                    self.extents(&node, level.saturating_sub(1));
                }
            }
        }
    }

    /// Twelve blocks, then lists of blocks, of lists, and of lists of lists.
    fn pointers(&mut self, root: &[u8; 60]) {
        let fields = Fields(root);
        for place in (0..48).step_by(4) {
            self.add(u64::from(fields.le32(place)), 1);
        }
        for (place, level) in [(48, 1), (52, 2), (56, 3)] {
            self.indirect(u64::from(fields.le32(place)), level);
        }
    }

    fn indirect(&mut self, block: u64, level: u32) {
        if block == 0 {
            return;
        }
        let Some(list) = self.list(block) else { return };
        for pointer in list.as_chunks::<4>().0 {
            let pointer = u64::from(u32::from_le_bytes(*pointer));
            if pointer == 0 {
                continue;
            }
            if level == 1 {
                self.add(pointer, 1);
            } else {
                self.indirect(pointer, level.saturating_sub(1));
            }
        }
    }

    fn list(&mut self, block: u64) -> Option<Vec<u8>> {
        if !self.charge(1) {
            return None;
        }
        let range = self.geometry.range(block, 1);
        let mut bytes = vec![0; usize::try_from(self.geometry.block).unwrap_or(1024)];
        let read = range
            .clone()
            .and_then(|range| self.volume.read_at(range.start, &mut bytes).ok());
        if read.is_none() {
            self.doubtful = true;
        }
        self.lists.extend(range);
        read.map(|()| bytes)
    }

    fn add(&mut self, first: u64, count: u64) {
        if first == 0 || count == 0 || !self.charge(count) {
            return;
        }
        match (self.geometry.range(first, count), self.data.last_mut()) {
            (Some(range), Some(last)) if last.end == range.start => last.end = range.end,
            (Some(range), _) => self.data.push(range),
            (None, _) => self.doubtful = true,
        }
    }

    /// Counts blocks that are looked at; `false` when there cannot be so many.
    fn charge(&mut self, blocks: u64) -> bool {
        let left = self.budget.checked_sub(blocks);
        self.budget = left.unwrap_or(0);
        self.doubtful |= left.is_none();
        left.is_some()
    }
}
