//! ext2, ext3 and ext4, through the `ext4-view` crate.
//!
//! A journal with checksums (version 3, which Linux uses with `metadata_csum`) that waits for recovery is applied in memory
//! by the crate: one sees what the next mount would see. An older or damaged journal is left alone: the filesystem is
//! read as it stands, a few seconds behind.

use super::guard::Guard;
use super::volume::Volume;
use super::{GuestFs, GuestFsError, components, read_growing};
use crate::io::ReadAt;
use ext4_view::{Ext4, Ext4Error};
use std::sync::Arc;

const KIND: &str = "ext4";
/// Where the superblock lies, in bytes. Its fields: kernel documentation, "ext4 data structures", super block.
const SUPERBLOCK: u64 = 1024;
/// More block groups than any real filesystem has (a 16 TiB one of 1 KiB blocks has 2 M): the crate allocates for
/// all of them.
const MOST_GROUPS: u64 = 4 << 20;
/// Bytes of the smallest group descriptor: a volume cannot have more groups than it has room for these.
const LEAST_DESCRIPTOR: u64 = 32;
/// More names than this in one folder are not listed.
const MOST_NAMES: usize = 1_000_000;

/// An ext2/3/4 volume.
pub(super) struct Ext {
    fs: Ext4,
    guard: Guard,
}

impl Ext {
    pub(super) fn open(inner: &Arc<dyn ReadAt>) -> Result<Self, GuestFsError> {
        let guard = Guard::default();
        // The group descriptors are read at once: 64 bytes for every 8 to 128 MiB.
        let descriptors = inner.size() / (64 << 10);
        let fs = guard.run(KIND, descriptors, || {
            let mut volume = Volume::new(Arc::clone(inner), guard.clone());
            let mut superblock = vec![0; 1024];
            volume.read_bytes(SUPERBLOCK, &mut superblock).map_err(damaged)?;
            check_size(&superblock, inner.size())?;
            let error = match Ext4::load(Box::new(volume)) {
                Ok(fs) => return Ok(fs),
                Err(error) => error,
            };
            let Some(patch) = without_recovery(&superblock) else {
                return Err(translate(error, "/"));
            };
            let mut volume = Volume::new(Arc::clone(inner), guard.clone());
            volume.patch(SUPERBLOCK, patch);
            Ext4::load(Box::new(volume)).map_err(|_| translate(error, "/"))
        })?;
        Ok(Ext { fs, guard })
    }
}

impl GuestFs for Ext {
    fn size(&mut self, path: &str) -> Result<u64, GuestFsError> {
        self.guard.run(KIND, 0, || {
            let metadata = self.fs.metadata(&*absolute(path)).map_err(|e| translate(e, path))?;
            if !metadata.file_type().is_regular_file() {
                return Err(not_a_file(path));
            }
            Ok(metadata.len())
        })
    }

    fn read_start(&mut self, path: &str, len: u64) -> Result<Vec<u8>, GuestFsError> {
        self.guard.run(KIND, len, || {
            let mut file = self.fs.open(&*absolute(path)).map_err(|e| translate(e, path))?;
            read_growing(len, |buf| file.read_bytes(buf).map_err(|e| translate(e, path)))
        })
    }

    fn exists(&mut self, path: &str) -> bool {
        self.guard
            .run(KIND, 0, || {
                self.fs.exists(&*absolute(path)).map_err(|e| translate(e, path))
            })
            .unwrap_or(false)
    }

    fn list(&mut self, path: &str) -> Result<Vec<String>, GuestFsError> {
        self.guard.run(KIND, 0, || {
            let mut names = Vec::new();
            for entry in self.fs.read_dir(&*absolute(path)).map_err(|e| translate(e, path))? {
                let entry = entry.map_err(|e| translate(e, path))?;
                let name = String::from_utf8_lossy(entry.file_name().as_ref()).into_owned();
                if name != "." && name != ".." {
                    names.push(name);
                }
                if names.len() > MOST_NAMES {
                    return Err(damaged(format!("the folder {path} has more than {MOST_NAMES} entries")));
                }
            }
            names.sort_unstable();
            Ok(names)
        })
    }
}

/// The path as the crate wants it: `..` is left to it, because it depends on symbolic links.
fn absolute(path: &str) -> String {
    let mut absolute = String::from("/");
    for (place, part) in components(path).enumerate() {
        if place > 0 {
            absolute.push('/');
        }
        absolute.push_str(part);
    }
    absolute
}

/// Refuses sizes that the volume cannot have, before the crate allocates by them.
fn check_size(superblock: &[u8], size: u64) -> Result<(), GuestFsError> {
    let blocks = u64::from(field(superblock, 0x4));
    let log_block_size = field(superblock, 0x18);
    let blocks_per_group = u64::from(field(superblock, 0x20));
    if log_block_size > 6 || blocks_per_group == 0 {
        return Err(damaged("the superblock has an impossible block or group size"));
    }
    // Without the 64bit feature the upper half means nothing and is zero; the crate adds it all the same.
    let blocks = u64::from(field(superblock, 0x150)) << 32 | blocks;
    let groups = blocks.div_ceil(blocks_per_group);
    if groups > MOST_GROUPS || groups > size / LEAST_DESCRIPTOR {
        let reason = format!("the superblock speaks of {blocks} blocks in groups of {blocks_per_group}");
        return Err(damaged(format!("{reason}, on a volume of {size} bytes")));
    }
    Ok(())
}

const INCOMPAT: usize = 0x60;
const RO_COMPAT: usize = 0x64;

/// The superblock without the "needs recovery" flag, and without metadata checksums: its own would be wrong now, and
/// blocks whose newer version lies in the journal may have stale ones. `None` if no recovery is due.
fn without_recovery(superblock: &[u8]) -> Option<Vec<u8>> {
    const NEEDS_RECOVERY: u32 = 0x4;
    const METADATA_CSUM: u32 = 0x400;
    if field(superblock, INCOMPAT) & NEEDS_RECOVERY == 0 {
        return None;
    }
    let mut patched = superblock.to_vec();
    for (place, bit) in [(INCOMPAT, NEEDS_RECOVERY), (RO_COMPAT, METADATA_CSUM)] {
        let value = field(superblock, place) & !bit;
        patched.get_mut(place..place + 4)?.copy_from_slice(&value.to_le_bytes());
    }
    Some(patched)
}

/// A little-endian field of the superblock.
fn field(superblock: &[u8], place: usize) -> u32 {
    let bytes = superblock.get(place..place + 4).and_then(|b| b.try_into().ok());
    bytes.map_or(0, u32::from_le_bytes)
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
fn damaged(reason: impl ToString) -> GuestFsError {
    GuestFsError::Damaged {
        kind: KIND,
        reason: reason.to_string(),
    }
}

fn not_a_file(path: &str) -> GuestFsError {
    GuestFsError::WrongKind {
        path: path.to_owned(),
        expected: "a regular file",
    }
}

fn translate(error: Ext4Error, path: &str) -> GuestFsError {
    match error {
        Ext4Error::NotFound => GuestFsError::NotFound(path.to_owned()),
        Ext4Error::IsADirectory | Ext4Error::IsASpecialFile => not_a_file(path),
        Ext4Error::NotADirectory => GuestFsError::WrongKind {
            path: path.to_owned(),
            expected: "a folder",
        },
        error => damaged(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A superblock of `blocks` blocks of 1 KiB in groups of 8192, with the upper half of the count.
    fn superblock(blocks: u32, upper: u32) -> Vec<u8> {
        let mut bytes = vec![0; 1024];
        for (place, value) in [(0x4, blocks), (0x20, 8192), (0x150, upper)] {
            bytes[place..place + 4].copy_from_slice(&value.to_le_bytes());
        }
        bytes
    }

    #[test]
    fn counts_of_groups_that_cannot_be_are_refused() {
        let size = 16 << 20;
        assert!(check_size(&superblock(16 << 10, 0), size).is_ok());
        // Also without the 64bit feature.
        assert!(check_size(&superblock(16 << 10, 0xff), size).is_err());
        assert!(check_size(&superblock(u32::MAX, 0), 1 << 10).is_err());
    }
}
