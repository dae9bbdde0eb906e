//! Used-block maps: which bytes of a volume its filesystem says are in use. One file per filesystem.

#![warn(clippy::arithmetic_side_effects, clippy::as_conversions, clippy::indexing_slicing)]

mod bitlocker;
mod builder;
mod ext;
mod fat;
mod ntfs;
mod signature;
mod swap;

use crate::extent::ExtentSet;
use crate::io::ReadAt;
use serde::Serialize;
use signature::Signature;
use std::io;
use std::ops::Range;

pub use bitlocker::{BitLocker, Protector, bitlocker};
pub(crate) use fat::chain as fat_chain;
pub use ntfs::{NtfsState, ntfs_state};
pub use swap::{SwapSession, swap_session};

/// What was recognised on a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum VolumeKind {
    /// ext2, ext3, ext4.
    Ext,
    /// NTFS.
    Ntfs,
    /// FAT12, FAT16, FAT32.
    Fat,
    /// Linux swap space: the header is kept, the contents are skipped.
    Swap,
    /// Something known by its signature but copied whole; see [`Volume::label_of_kind`].
    Other,
    /// Nothing known.
    Unknown,
}

/// A volume and the bytes of it that must be copied.
#[derive(Clone, Debug, Serialize)]
pub struct Volume {
    /// The family.
    pub kind: VolumeKind,
    /// The exact kind for people: `ext4`, `NTFS`, `FAT32`, `swap`, `LUKS`, `BitLocker`, `XFS`, `LVM`, `unknown`.
    pub label_of_kind: String,
    /// The volume label.
    pub label: Option<String>,
    /// The filesystem's UUID or serial number, as `blkid` prints it.
    pub uuid: Option<String>,
    /// Where it was mounted last, as far as the filesystem keeps that (ext).
    pub last_mounted: Option<String>,
    /// Cluster or block size in bytes, where known.
    pub block_size: Option<u32>,
    /// What must be copied, relative to the volume's start. The whole volume if nothing may be skipped.
    #[serde(skip)]
    pub used: ExtentSet,
    /// Why the volume is copied whole although it was recognised, or anything else worth a sentence.
    pub notes: Vec<String>,
    /// Whether the free space is skipped.
    pub mapped: bool,
}

/// A boot sector, a superblock or a page of swap space fits into this many bytes.
const MIN_SIZE: u64 = 4096;

/// How much of a volume's start is a mark, in bytes: ext's superblock, FAT's sector of free counts, all of XFS' and btrfs'
/// first superblocks lie there.
const MARK: u64 = 68 << 10;

impl Volume {
    /// A volume of `size` bytes that is copied whole.
    pub(crate) fn whole(kind: VolumeKind, label_of_kind: impl Into<String>, size: u64) -> Self {
        Volume {
            kind,
            label_of_kind: label_of_kind.into(),
            label: None,
            uuid: None,
            last_mounted: None,
            block_size: None,
            used: ExtentSet::from_range(0..size),
            notes: Vec::new(),
            mapped: false,
        }
    }

    /// Gives up skipping anything on this volume, for the reason in `note`. `size` is the volume's in bytes.
    pub(crate) fn copy_whole(&mut self, size: u64, note: impl Into<String>) {
        self.used = ExtentSet::from_range(0..size);
        self.mapped = false;
        self.notes.push(note.into());
    }
}

/// Recognises what is on `volume` and maps its used bytes. What is not recognised, inconsistent or encrypted
/// comes back as a whole, with a note that says why; only I/O errors are errors.
pub fn map_volume<D: ReadAt + ?Sized>(volume: &D) -> io::Result<Volume> {
    let size = volume.size();
    // Nothing that can be mapped is smaller.
    let found = if size < MIN_SIZE {
        Vec::new()
    } else {
        signature::all(volume)?
    };
    let mut names = found.iter().map(Signature::name);
    let Some(first) = found.first() else {
        return Ok(Volume::whole(VolumeKind::Unknown, "unknown", size));
    };
    if found.len() > 1 {
        let mut whole = Volume::whole(VolumeKind::Other, names.next().unwrap_or_default(), size);
        let others: Vec<_> = names.collect();
        whole.copy_whole(
            size,
            format!("it also bears the signature of {}: copied whole", others.join(" and ")),
        );
        return Ok(whole);
    }
    Ok(match first {
        Signature::Ext => ext::map(volume)?,
        Signature::Ntfs => ntfs::map(volume)?,
        Signature::Fat => fat::map(volume)?,
        Signature::Swap => swap::map(volume)?,
        Signature::Other(name) => {
            let mut whole = Volume::whole(VolumeKind::Other, *name, size);
            whole.uuid = signature::uuid_of(name, volume)?;
            whole.copy_whole(
                size,
                format!("free space of {name} cannot be told apart yet: copied whole"),
            );
            whole
        }
    })
}

/// Places of `volume`, in bytes, that nobody can mount for writing without changing one of them: superblocks with their
/// times, the sector of free counts, the log. They tell whether a disk is still as it was.
pub fn marks<D: ReadAt + ?Sized>(volume: &D, kind: VolumeKind) -> Vec<Range<u64>> {
    let size = volume.size();
    let log = match kind {
        VolumeKind::Ntfs => ntfs::log_start(volume).ok().flatten(),
        _ => None,
    };
    let marks = std::iter::once(0..MARK).chain(log);
    let inside = marks.map(|mark| mark.start.min(size)..mark.end.min(size));
    inside.filter(|mark| !mark.is_empty()).collect()
}

/// The name of what is on `volume`, from its signature alone; `None` if nothing is known.
pub(crate) fn recognise<D: ReadAt + ?Sized>(volume: &D) -> io::Result<Option<&'static str>> {
    Ok(signature::all(volume)?.first().map(Signature::name))
}

/// The names of everything that `volume` bears the signature of.
pub(crate) fn signatures<D: ReadAt + ?Sized>(volume: &D) -> io::Result<Vec<&'static str>> {
    Ok(signature::all(volume)?.iter().map(Signature::name).collect())
}

/// Which RAID a whole disk is a member of, if any.
pub(crate) fn raid_member<D: ReadAt + ?Sized>(disk: &D) -> io::Result<Option<&'static str>> {
    signature::raid_member(disk)
}
