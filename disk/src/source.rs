//! Where a capture reads from: a block device or an image file, opened read-only.

use crate::extent::ExtentSet;
use crate::io::ReadAt;
use serde::Serialize;
use std::io;
use std::path::{Path, PathBuf};

/// What kind of thing a source is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SourceKind {
    /// A block device: a disk, a partition, a loop device.
    BlockDevice,
    /// A regular file that holds a raw disk.
    ImageFile,
}

/// What is known of a source without reading its contents.
#[derive(Clone, Debug, Serialize)]
pub struct SourceInfo {
    /// The path it was opened by.
    pub path: PathBuf,
    /// Block device or file.
    pub kind: SourceKind,
    /// Size in bytes.
    pub size: u64,
    /// Logical sector size in bytes: the unit of partition tables.
    pub logical_sector: u32,
    /// Physical sector size in bytes: the unit of media errors.
    pub physical_sector: u32,
    /// Vendor and model, from sysfs.
    pub model: Option<String>,
    /// Serial number, from sysfs.
    pub serial: Option<String>,
    /// World Wide Name, from sysfs.
    pub wwn: Option<String>,
    /// Whether it has spinning platters; `None` if the kernel does not say.
    pub rotational: Option<bool>,
    /// Whether it is removable media.
    pub removable: bool,
    /// Who uses it now: mounts, swap, RAID members, device-mapper holders. Empty if nobody.
    pub in_use: Vec<InUse>,
}

/// One use of a disk or of a partition on it by the running system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InUse {
    /// The device that is in use, e.g. `/dev/sda1`.
    pub device: PathBuf,
    /// How, in words, e.g. `mounted at /home (read-write)`, `active swap`, `member of md0`.
    pub how: String,
    /// Whether its contents can change while it is read.
    pub writable: bool,
}

/// What can go wrong when a source is opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// It cannot be opened or asked.
    #[error("cannot open {path}: {source}")]
    Open {
        /// What was to be opened.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// It is neither a block device nor a regular file.
    #[error("{path} is {what}, not a disk or an image file")]
    NotADisk {
        /// What was to be opened.
        path: PathBuf,
        /// What it is, with its article: "a directory".
        what: &'static str,
    },
}

/// An opened source. [`ReadAt`] goes through the page cache (good for metadata, unaligned); bulk reads go
/// through [`Source::read_bulk`].
#[derive(Debug)]
pub struct Source {
    info: SourceInfo,
}

impl Source {
    /// Opens `path` read-only and asks the system what it is.
    pub fn open(path: &Path) -> Result<Self, SourceError> {
        let _ = path;
        todo!()
    }

    /// What was found when it was opened.
    pub fn info(&self) -> &SourceInfo {
        &self.info
    }

    /// Fills `buf` from `offset`, past the page cache where the kernel allows it (O_DIRECT) and else through it.
    /// Fastest when `offset`, the length and the address of `buf` are multiples of 4096.
    pub fn read_bulk(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.read_at(offset, buf)
    }

    /// The parts of an image file that hold data (`SEEK_DATA`/`SEEK_HOLE`): what lies outside reads as zeros.
    /// The whole range for block devices and filesystems that cannot tell.
    pub fn data_extents(&self) -> io::Result<ExtentSet> {
        Ok(ExtentSet::from_range(0..self.info.size))
    }
}

impl ReadAt for Source {
    fn size(&self) -> u64 {
        self.info.size
    }
    fn read_at(&self, _offset: u64, _buf: &mut [u8]) -> io::Result<()> {
        todo!()
    }
}

/// Every disk of this computer (not partitions, not loop devices without a file), for `p2v disks`.
pub fn list_disks() -> io::Result<Vec<SourceInfo>> {
    todo!()
}
