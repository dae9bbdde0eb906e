//! Used-block maps: which bytes of a volume its filesystem says are in use. One file per filesystem.

use crate::extent::ExtentSet;
use crate::io::ReadAt;
use serde::Serialize;

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

/// Recognises what is on `volume` and maps its used bytes. What is not recognised, inconsistent or encrypted
/// comes back as a whole, with a note that says why; only I/O errors are errors.
pub fn map_volume<D: ReadAt + ?Sized>(volume: &D) -> std::io::Result<Volume> {
    let _ = volume;
    todo!()
}
