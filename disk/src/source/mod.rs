//! Where a capture reads from: a block device or an image file, opened read-only.

mod in_use;
mod list;
mod read;
mod sysfs;

use crate::extent::ExtentSet;
use crate::io::ReadAt;
use crate::partition;
use serde::Serialize;
use std::fs;
use std::io;
use std::ops::Range;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use sysfs::{DeviceNumber, System};

pub use list::list_disks;

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

impl SourceInfo {
    /// A source of `size` bytes and of sectors of 512 bytes, of which nothing else is known.
    pub fn new(path: PathBuf, kind: SourceKind, size: u64) -> Self {
        SourceInfo {
            path,
            kind,
            size,
            logical_sector: 512,
            physical_sector: 512,
            model: None,
            serial: None,
            wwn: None,
            rotational: None,
            removable: false,
            in_use: Vec::new(),
        }
    }
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
    files: read::Files,
}

impl Source {
    /// Opens `path` read-only and asks the system what it is.
    ///
    /// An image file has no sector size of its own: 512 bytes are assumed unless its GPT lies where only a disk
    /// with 4096-byte sectors has it.
    pub fn open(path: &Path) -> Result<Self, SourceError> {
        let failed = |source| SourceError::Open {
            path: path.to_owned(),
            source,
        };
        // Asked before opening: opening a FIFO waits for its writer, opening some character devices does things.
        kind_of(path, &fs::metadata(path).map_err(failed)?)?;
        let files = read::Files::open(path).map_err(failed)?;
        let metadata = files.metadata().map_err(failed)?;
        let kind = kind_of(path, &metadata)?;
        let size = files.size().map_err(failed)?;
        let system = System::running();
        let mut info = match kind {
            SourceKind::BlockDevice => system.describe(path, DeviceNumber::of(metadata.rdev())),
            SourceKind::ImageFile => SourceInfo {
                in_use: system.uses_of_file(path),
                ..SourceInfo::new(path.to_owned(), kind, size)
            },
        };
        info.size = size;
        let mut source = Source { info, files };
        if kind == SourceKind::ImageFile && partition::looks_like_4k(&source) {
            source.info.logical_sector = 4096;
            source.info.physical_sector = 4096;
        }
        Ok(source)
    }

    /// What was found when it was opened.
    pub fn info(&self) -> &SourceInfo {
        &self.info
    }

    /// Fills `buf` from `offset`, past the page cache where the kernel allows it (`O_DIRECT`) and else through it,
    /// leaving nothing behind in it. `offset` and the address of `buf` must be multiples of 4096 for the direct way;
    /// a rest of the length that is not goes through the page cache.
    ///
    /// An unreadable sector is an error that keeps the kernel's number (`EIO`); `buf` then holds nothing of worth.
    pub fn read_bulk(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.files.read_bulk(offset, buf, self.info.size)
    }

    /// The same for little, alone in its surroundings: most of that is the metadata of a large empty filesystem, which
    /// was read before to know what is used, and may still be in the page cache.
    pub fn read_little(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        // A mounted filesystem writes its files past the device's page cache: what is in there may be old.
        if self.info.in_use.iter().any(|user| user.writable) {
            return self.read_bulk(offset, buf);
        }
        self.files.read_little(offset, buf, self.info.size)
    }

    /// Fills `buf` from `offset` with no more read around it than the disk's sectors: for places where reads fail. The
    /// address of `buf` must be a multiple of the sector size for reads past the page cache, which else reads whole pages.
    pub fn read_sectors(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.files.read_sectors(offset, buf, self.info.size)
    }

    /// The parts of an image file that hold data (`SEEK_DATA`/`SEEK_HOLE`): what lies outside reads as zeros.
    /// The whole range for block devices and filesystems that cannot tell.
    pub fn data_extents(&self) -> io::Result<ExtentSet> {
        match self.info.kind {
            SourceKind::BlockDevice => Ok(ExtentSet::from_range(0..self.info.size)),
            SourceKind::ImageFile => self.files.data_extents(self.info.size),
        }
    }
}

impl ReadAt for Source {
    fn size(&self) -> u64 {
        self.info.size
    }
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.files.read_buffered(offset, buf, self.info.size)
    }
    fn will_read(&self, range: Range<u64>) {
        self.files.will_read(range);
    }
}

/// Block device or image file; anything else is refused by name.
fn kind_of(path: &Path, metadata: &fs::Metadata) -> Result<SourceKind, SourceError> {
    let file_type = metadata.file_type();
    let what = if file_type.is_block_device() {
        return Ok(SourceKind::BlockDevice);
    } else if file_type.is_file() {
        return Ok(SourceKind::ImageFile);
    } else if file_type.is_dir() {
        "a directory"
    } else if file_type.is_fifo() {
        "a named pipe"
    } else if file_type.is_char_device() {
        "a character device"
    } else if file_type.is_socket() {
        "a socket"
    } else {
        "something else"
    };
    Err(SourceError::NotADisk {
        path: path.to_owned(),
        what,
    })
}
