//! ext2, ext3 and ext4, through libext2fs; the journal is replayed by code of our own ([`journal`]).
//!
//! The library runs in this process and trusts much of what it reads. So before a change, the superblock's sizes, the
//! group descriptors, and the bitmaps against the groups' counters are checked; a filesystem that contradicts itself is
//! refused. Orphans (files that were deleted while open) are left for the kernel's next mount.
//!
//! New files have no SELinux label, and the blocks that are reserved for root are used, too.
#![deny(unsafe_code)]
#![warn(clippy::arithmetic_side_effects, clippy::as_conversions, clippy::indexing_slicing)]

mod bytes;
mod ffi;
pub(crate) mod journal;
mod path;
mod superblock;
mod volume;

use crate::{Editor, FsEditError};
use disk::BlockDevice;
use ffi::{Code, CodeKind, Handle};
use path::{Inode, LastLink, Place, find};
use std::ffi::CString;
use std::io;
use std::ops::Range;
use std::sync::Arc;
use superblock::Superblock;
use volume::Device;

/// Inodes that are not written: compressed by old patches, encrypted, verity, holding another's attribute.
const UNWRITABLE: [(u32, &str); 4] = [
    (0x200, "it is compressed"),
    (0x800, "it is encrypted"),
    (0x0010_0000, "it is sealed by a checksum (fs-verity)"),
    (0x0020_0000, "it holds an attribute of another file"),
];
/// Most entries of the list of orphans that are looked at.
const MOST_ORPHANS: u32 = 1_000_000;
/// A folder with so many links could not count one more in every filesystem.
const MOST_LINKS: u32 = 65_000;

fn unfit(kind: &'static str, reason: &str) -> FsEditError {
    FsEditError::Unfit {
        kind,
        reason: reason.to_owned(),
    }
}

fn failed(path: &str, reason: &str) -> FsEditError {
    FsEditError::Failed {
        path: path.to_owned(),
        reason: reason.to_owned(),
    }
}

fn io_error(error: &io::Error) -> FsEditError {
    unfit("ext", &format!("it cannot be read: {error}"))
}

/// Opens the filesystem in `range` (bytes) of `disk` for changes.
pub(crate) fn open(disk: Arc<dyn BlockDevice>, range: Range<u64>) -> Result<Box<dyn Editor>, FsEditError> {
    let device = Device::new(disk, range).map_err(|error| io_error(&error))?;
    let superblock = Superblock::read(&device)?;
    superblock.check_fit()?;
    let kind = superblock.kind();
    let fs = Handle::open(device).map_err(|reason| unfit(kind, &format!("{reason}; let fsck repair it")))?;
    Ok(Box::new(Ext {
        fs,
        kind,
        block: superblock.block_size,
    }))
}

/// An open filesystem.
struct Ext {
    fs: Handle,
    kind: &'static str,
    /// In bytes.
    block: u64,
}

impl Ext {
    fn find(&self, path: &str, last: LastLink) -> Result<Place, FsEditError> {
        find(&self.fs, self.kind, path, last)
    }

    fn error(&self, path: &str, code: Code, needed: u64) -> FsEditError {
        let reason = self.fs.device().take_error();
        match (reason, code.kind()) {
            (Some(reason), _) => failed(path, &reason),
            (None, CodeKind::NoBlocks) => FsEditError::NoRoom {
                path: path.to_owned(),
                needed,
                free: self.fs.room().1,
            },
            (None, CodeKind::NoInodes) => failed(path, "the volume has no free inode: it holds no more files"),
            (None, CodeKind::NotFound) => FsEditError::NotFound(path.to_owned()),
            (None, CodeKind::Other) => failed(path, &code.message()),
        }
    }

    /// An error if a file of `size` bytes would not fit. `have`: bytes that it has already.
    fn check_room(&self, path: &str, size: u64, have: u64) -> Result<(), FsEditError> {
        let (cluster, free) = self.fs.room();
        let data = size.checked_next_multiple_of(cluster).unwrap_or(u64::MAX);
        let more = data.saturating_sub(have);
        // A file of few blocks is mapped in its inode. Else a block of the map is for many blocks: 256 of 1 KiB (block
        // map), or 84 extents, and extents are long as a rule.
        let map = if size > self.block.saturating_mul(4) && more > 0 {
            let blocks = more.checked_div(self.block).unwrap_or(0);
            let number = blocks.checked_div(self.block / 4).unwrap_or(0).saturating_add(1);
            number.saturating_mul(cluster)
        } else {
            0
        };
        let needed = more.saturating_add(map);
        if needed > free {
            return Err(FsEditError::NoRoom {
                path: path.to_owned(),
                needed,
                free,
            });
        }
        Ok(())
    }

    fn existing_file(&self, path: &str) -> Result<Inode, FsEditError> {
        let inode = self.find(path, LastLink::Follow)?.inode;
        let inode = inode.ok_or_else(|| FsEditError::NotFound(path.to_owned()))?;
        if inode.is_file() {
            Ok(inode)
        } else {
            Err(failed(path, "it is not a file"))
        }
    }

    fn check_writable(path: &str, inode: &Inode) -> Result<(), FsEditError> {
        if !inode.is_file() {
            return Err(failed(path, "it is not a file"));
        }
        Self::check_flags(path, inode)
    }

    fn check_flags(path: &str, inode: &Inode) -> Result<(), FsEditError> {
        match UNWRITABLE.iter().find(|(flag, _)| inode.stat.flags & flag != 0) {
            Some((_, reason)) => Err(failed(path, reason)),
            None => Ok(()),
        }
    }

    /// Puts `data` at `offset` of a file, which then has `size` bytes.
    fn put(&mut self, path: &str, inode: &Inode, offset: u64, data: &[u8], size: u64) -> Result<(), FsEditError> {
        self.check_room(path, size, inode.stat.allocated)?;
        self.fs
            .write(inode.number, offset, data, size)
            .and_then(|()| self.fs.touch(inode.number, true))
            .map_err(|code| self.error(path, code, size))
    }

    /// Whether an inode waits on the list of orphans, which its fields are part of.
    fn is_orphan(&self, path: &str, number: u32) -> Result<bool, FsEditError> {
        let mut orphan = self.fs.first_orphan();
        for _ in 0..MOST_ORPHANS {
            if orphan == 0 {
                return Ok(false);
            }
            if orphan == number {
                return Ok(true);
            }
            if !self.fs.in_use(orphan) {
                break;
            }
            orphan = self.fs.next_orphan(orphan).map_err(|code| self.error(path, code, 0))?;
        }
        Err(unfit(self.kind, "its list of orphans is damaged; let fsck repair it"))
    }

    /// Room for a folder to grow by a name.
    fn check_room_for_name(&self, path: &str, blocks: u64) -> Result<(), FsEditError> {
        let (cluster, free) = self.fs.room();
        let needed = cluster.saturating_mul(blocks);
        if needed > free {
            return Err(FsEditError::NoRoom {
                path: path.to_owned(),
                needed,
                free,
            });
        }
        Ok(())
    }
}

impl Editor for Ext {
    fn read(&mut self, path: &str, limit: u64) -> Result<Vec<u8>, FsEditError> {
        let inode = self.existing_file(path)?;
        if inode.stat.flags & 0x800 != 0 {
            return Err(failed(path, "it is encrypted"));
        }
        if inode.stat.size > limit {
            let reason = format!("it has {} bytes, more than the {limit} expected", inode.stat.size);
            return Err(failed(path, &reason));
        }
        let len = usize::try_from(inode.stat.size).map_err(|_| failed(path, "it is too large for memory"))?;
        let data = self
            .fs
            .read(inode.number, len)
            .map_err(|code| self.error(path, code, 0))?;
        if data.len() != len {
            return Err(failed(path, "it is shorter than its size says"));
        }
        Ok(data)
    }

    fn write(&mut self, path: &str, data: &[u8]) -> Result<(), FsEditError> {
        let size = u64::try_from(data.len()).unwrap_or(u64::MAX);
        let place = self.find(path, LastLink::Follow)?;
        if let Some(inode) = place.inode {
            Self::check_writable(path, &inode)?;
            return self.put(path, &inode, 0, data, size);
        }
        // Blocks of the folder: a leaf and, with an index, up to two blocks of it.
        self.check_room_for_name(path, 1)?;
        self.check_room(path, size, 0)?;
        self.fs
            .new_file(place.folder.number)
            .and_then(|number| {
                self.fs.write(number, 0, data, size)?;
                self.fs.link(place.folder.number, &place.name, number, 0o100_644)?;
                self.fs.touch(place.folder.number, true)
            })
            .map_err(|code| self.error(path, code, size))
    }

    fn append(&mut self, path: &str, data: &[u8]) -> Result<(), FsEditError> {
        let inode = self.existing_file(path)?;
        Self::check_writable(path, &inode)?;
        let size = u64::try_from(data.len())
            .ok()
            .and_then(|len| inode.stat.size.checked_add(len))
            .ok_or_else(|| failed(path, "it would be too large"))?;
        self.put(path, &inode, inode.stat.size, data, size)
    }

    fn create_folder(&mut self, path: &str) -> Result<(), FsEditError> {
        let mut so_far = String::new();
        for part in path.split('/').filter(|part| !part.is_empty() && *part != ".") {
            so_far.push('/');
            so_far.push_str(part);
            let place = self.find(&so_far, LastLink::Follow)?;
            match place.inode {
                Some(inode) if inode.is_folder() => continue,
                Some(_) => return Err(failed(&so_far, "a file of this name is there")),
                None => {}
            }
            // 1 stands for more than can be counted (feature dir_nlink).
            if place.folder.stat.links >= MOST_LINKS || place.folder.stat.links < 2 {
                return Err(failed(&so_far, "the folder above it holds no more folders"));
            }
            self.check_room_for_name(&so_far, 2)?;
            self.fs
                .new_folder(place.folder.number, &place.name)
                .and_then(|()| self.fs.touch(place.folder.number, true))
                .map_err(|code| self.error(&so_far, code, self.block))?;
        }
        Ok(())
    }

    fn remove(&mut self, path: &str) -> Result<(), FsEditError> {
        let place = self.find(path, LastLink::Keep)?;
        let inode = place.inode.ok_or_else(|| FsEditError::NotFound(path.to_owned()))?;
        if inode.is_folder() {
            return Err(failed(path, "it is a folder"));
        }
        Self::check_flags(path, &inode)?;
        if self.is_orphan(path, inode.number)? {
            return Err(failed(
                path,
                "shortening it was not finished; start the system once, then try again",
            ));
        }
        self.fs
            .unlink(place.folder.number, &place.name, inode.number)
            .and_then(|()| self.fs.release(inode.number))
            .and_then(|()| self.fs.touch(place.folder.number, true))
            .map_err(|code| self.error(path, code, 0))
    }

    fn rename(&mut self, path: &str, name: &str) -> Result<(), FsEditError> {
        let place = self.find(path, LastLink::Keep)?;
        let inode = place.inode.ok_or_else(|| FsEditError::NotFound(path.to_owned()))?;
        if matches!(place.name.to_bytes(), b"." | b"..") {
            return Err(failed(path, "it ends in no name that could be changed"));
        }
        let bad = name.is_empty() || name.len() > 255 || name.contains('/') || name == "." || name == "..";
        let new = CString::new(name).ok().filter(|_| !bad);
        let new = new.ok_or_else(|| failed(path, &format!("{name:?} is not a name for a file")))?;
        let folder = place.folder.number;
        match self.fs.lookup(folder, &new) {
            Ok(_) => return Err(failed(path, &format!("{name} is there already"))),
            Err(code) if code.kind() == CodeKind::NotFound => {}
            Err(code) => return Err(self.error(path, code, 0)),
        }
        self.check_room_for_name(path, 1)?;
        self.fs
            .link(folder, &new, inode.number, inode.stat.mode)
            .and_then(|()| self.fs.unlink(folder, &place.name, inode.number))
            .and_then(|()| self.fs.touch(inode.number, false))
            .and_then(|()| self.fs.touch(folder, true))
            .map_err(|code| self.error(path, code, self.block))
    }

    fn finish(self: Box<Self>) -> Result<(), FsEditError> {
        let kind = self.kind;
        self.fs
            .close()
            .map_err(|reason| unfit(kind, &format!("its last changes were not written: {reason}")))
    }
}
