//! Files inside guest filesystems, read-only: ext2/3/4, NTFS, FAT, behind one trait.
//!
//! The bytes are a stranger's and may be damaged or made to harm. Every operation runs behind [`guard`]: what it may
//! read is limited, and a panic inside a filesystem library becomes an error.

mod ext;
mod fat;
mod guard;
mod ntfs;
mod place;
mod volume;

use crate::io::ReadAt;
use crate::usedmap::VolumeKind;
use std::ops::Range;
use std::sync::Arc;

pub use guard::catch_panic;
pub use place::Placement;

/// What can go wrong when a guest file is read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GuestFsError {
    /// No such file; the path is as it was asked for.
    #[error("no file {0} on this volume")]
    NotFound(String),
    /// There is something of this name, but not a file (or, for a listing, not a folder).
    #[error("{path} is not {expected}")]
    WrongKind {
        /// Path inside the volume.
        path: String,
        /// What it should have been, with its article: "a regular file", "a folder".
        expected: &'static str,
    },
    /// The file is larger than the limit that the caller set (bytes).
    #[error("{path} has {size} bytes, more than the {limit} that are read here")]
    TooLarge {
        /// Path inside the volume.
        path: String,
        /// Its size in bytes.
        size: u64,
        /// The caller's limit in bytes.
        limit: u64,
    },
    /// The filesystem is damaged or uses a feature that is not understood.
    #[error("the {kind} filesystem cannot be read: {reason}")]
    Damaged {
        /// `ext4`, `NTFS`, `FAT`.
        kind: &'static str,
        /// What was wrong.
        reason: String,
    },
    /// The file's bytes do not lie on the volume as they are, each at its own place.
    #[error("{path} cannot be changed in place: {reason}")]
    NotInPlace {
        /// Path inside the volume.
        path: String,
        /// Why, as the end of a sentence.
        reason: String,
    },
    /// The disk could not be read.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// One entry of a folder that was surveyed.
#[derive(Debug)]
pub struct Surveyed {
    /// Its name.
    pub name: String,
    /// What it is, or why it cannot be looked at.
    pub what: Result<Occupant, GuestFsError>,
}

/// Where the bytes of an entry are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Occupant {
    /// A folder. Two paths that lead to the same one have the same number, so that a damaged volume, on which a folder can
    /// be inside itself, need not be walked for ever.
    Folder(u64),
    /// A file, and the ranges of the volume (bytes) that hold its contents, however they are stored; none if they lie
    /// inside a structure.
    File(Vec<Range<u64>>),
}

/// A mounted-for-looking filesystem. Paths use `/` and start at the volume's root; NTFS and FAT ignore case.
///
/// Not [`Send`]: open it in the thread that looks.
pub trait GuestFs {
    /// The size of a file in bytes. Symbolic links inside the volume are followed.
    fn size(&mut self, path: &str) -> Result<u64, GuestFsError>;

    /// The first `len` bytes of a file, or all of it if it is shorter. Symbolic links inside the volume are followed.
    fn read_start(&mut self, path: &str, len: u64) -> Result<Vec<u8>, GuestFsError>;

    /// Whether a file or folder is there.
    fn exists(&mut self, path: &str) -> bool;

    /// The names in a folder, without `.` and `..`, sorted.
    fn list(&mut self, path: &str) -> Result<Vec<String>, GuestFsError>;

    /// Where the bytes of a file lie, for changing them in place. [`GuestFsError::NotInPlace`] if they are not on the
    /// volume as they are (inside the master file table, compressed, sparse, encrypted), or if this filesystem's
    /// reader cannot tell.
    fn place(&mut self, path: &str) -> Result<Placement, GuestFsError> {
        Err(GuestFsError::NotInPlace {
            path: path.to_owned(),
            reason: "this is not supported on this kind of filesystem yet".to_owned(),
        })
    }

    /// What is in a folder and where its bytes lie, for finding out whose a place is.
    fn survey(&mut self, path: &str) -> Result<Vec<Surveyed>, GuestFsError> {
        Err(GuestFsError::NotInPlace {
            path: path.to_owned(),
            reason: "this is not supported on this kind of filesystem yet".to_owned(),
        })
    }

    /// The whole file, at most `limit` bytes. Symbolic links inside the volume are followed.
    fn read(&mut self, path: &str, limit: u64) -> Result<Vec<u8>, GuestFsError> {
        let size = self.size(path)?;
        if size > limit {
            let path = path.to_owned();
            return Err(GuestFsError::TooLarge { path, size, limit });
        }
        self.read_start(path, size)
    }

    /// The entry of `folder` whose name equals `name` but for case, as it is spelt on the volume.
    fn find(&mut self, folder: &str, name: &str) -> Result<Option<String>, GuestFsError> {
        let wanted = name.to_lowercase();
        let names = self.list(folder)?;
        let exact = names.iter().find(|found| *found == name);
        let folded = || names.iter().find(|found| found.to_lowercase() == wanted);
        Ok(exact.or_else(folded).cloned())
    }
}

/// Opens the filesystem of `kind` on `volume`; `None` if this kind has no reader.
pub fn open(kind: VolumeKind, volume: Arc<dyn ReadAt>) -> Result<Option<Box<dyn GuestFs>>, GuestFsError> {
    Ok(match kind {
        VolumeKind::Ext => Some(Box::new(ext::Ext::open(&volume)?)),
        VolumeKind::Ntfs => Some(Box::new(ntfs::NtfsVolume::open(volume)?)),
        VolumeKind::Fat => Some(Box::new(fat::Fat::open(volume)?)),
        _ => None,
    })
}

/// The parts of a path, without empty ones and `.`.
fn components(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|part| !part.is_empty() && *part != ".")
}

/// Reads up to `len` bytes with `read` (which returns 0 at the end), growing the buffer as data really comes, so
/// that a size field that lies costs no memory.
fn read_growing(
    len: u64,
    mut read: impl FnMut(&mut [u8]) -> Result<usize, GuestFsError>,
) -> Result<Vec<u8>, GuestFsError> {
    const STEP: usize = 1 << 20;
    let mut data = Vec::new();
    while (data.len() as u64) < len {
        let start = data.len();
        let left = usize::try_from(len - start as u64).unwrap_or(usize::MAX);
        data.resize(start + left.min(STEP), 0);
        let got = read(&mut data[start..])?;
        data.truncate(start + got);
        if got == 0 {
            break;
        }
    }
    Ok(data)
}
