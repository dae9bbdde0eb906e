//! Files inside guest filesystems, read-only: ext2/3/4, NTFS, FAT, behind one trait.

use crate::io::ReadAt;
use crate::usedmap::VolumeKind;
use std::sync::Arc;

/// What can go wrong when a guest file is read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GuestFsError {
    /// No such file; the path is as it was asked for.
    #[error("no file {0} on this volume")]
    NotFound(String),
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
    /// The disk could not be read.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// A mounted-for-looking filesystem. Paths use `/` and start at the volume's root; NTFS and FAT ignore case.
pub trait GuestFs: Send {
    /// The whole file, at most `limit` bytes. Symbolic links inside the volume are followed.
    fn read(&mut self, path: &str, limit: u64) -> Result<Vec<u8>, GuestFsError>;
    /// Whether a file or folder is there.
    fn exists(&mut self, path: &str) -> bool;
    /// The names in a folder, without `.` and `..`, sorted.
    fn list(&mut self, path: &str) -> Result<Vec<String>, GuestFsError>;
}

/// Opens the filesystem of `kind` on `volume`; `None` if this kind has no reader.
pub fn open(kind: VolumeKind, volume: Arc<dyn ReadAt>) -> Result<Option<Box<dyn GuestFs>>, GuestFsError> {
    let _ = (kind, volume);
    todo!()
}
