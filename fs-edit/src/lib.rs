//! Changes files inside guest filesystems on any [`disk::BlockDevice`]: nothing is mounted, no device node is needed.
//!
//! [`open`] → an [`Editor`] → [`finish`](Editor::finish). Until it is finished the volume may be inconsistent: work on
//! a [`disk::scratch::Scratch`] or an overlay that is thrown away after an error.

mod ext;
mod ntfs;

use disk::usedmap::VolumeKind;
use disk::{BlockDevice, ReadAt};
use std::ops::Range;
use std::sync::Arc;

/// Why a file could not be changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FsEditError {
    /// This kind of filesystem cannot be changed.
    #[error("files on {0} cannot be changed by this version")]
    Unsupported(String),
    /// The filesystem is not in a state in which it may be changed: not closed, damaged, hibernated.
    #[error("the {kind} filesystem must not be changed: {reason}")]
    Unfit {
        /// `ext4`, `NTFS`.
        kind: &'static str,
        /// Why, as the end of a sentence.
        reason: String,
    },
    /// No such file or folder.
    #[error("no file {0} on this volume")]
    NotFound(String),
    /// There is no room for what would be written.
    #[error("the volume has {free} bytes free, and {path} needs {needed}")]
    NoRoom {
        /// Path inside the volume.
        path: String,
        /// Bytes that are needed.
        needed: u64,
        /// Bytes that are free.
        free: u64,
    },
    /// The library could not do it.
    #[error("{path} cannot be changed: {reason}")]
    Failed {
        /// Path inside the volume.
        path: String,
        /// The library's words.
        reason: String,
    },
}

/// A filesystem that is open for changes. Paths use `/` and start at the volume's root; NTFS ignores case. Symbolic
/// links inside the volume are followed, for all but the last part in [`remove`](Editor::remove) and
/// [`rename`](Editor::rename).
pub trait Editor {
    /// The whole file, at most `limit` bytes.
    fn read(&mut self, path: &str, limit: u64) -> Result<Vec<u8>, FsEditError>;

    /// Makes `data` the contents of a file. One that is there keeps its owner, mode, times of creation, security
    /// descriptor and extended attributes; a new one belongs to root (ext: mode 0644), or inherits (NTFS).
    fn write(&mut self, path: &str, data: &[u8]) -> Result<(), FsEditError>;

    /// Adds `data` at the end of a file that is there.
    fn append(&mut self, path: &str, data: &[u8]) -> Result<(), FsEditError>;

    /// Makes a folder, and those above it; one that is there is left as it is.
    fn create_folder(&mut self, path: &str) -> Result<(), FsEditError>;

    /// Removes a file.
    fn remove(&mut self, path: &str) -> Result<(), FsEditError>;

    /// Gives a file another name in its folder; `name` has no slash, and must not be there.
    fn rename(&mut self, path: &str, name: &str) -> Result<(), FsEditError>;

    /// Writes everything out and closes the filesystem.
    fn finish(self: Box<Self>) -> Result<(), FsEditError>;
}

/// Whether a filesystem has a journal that must be replayed before files may be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum JournalState {
    /// It has no journal.
    None,
    /// Nothing waits in it.
    Clean,
    /// See [`replay_journal`].
    NeedsReplay,
}

/// What was replayed. Nothing, if nothing waited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Replayed {
    /// Complete transactions.
    pub transactions: u64,
    /// Blocks that were written to their places.
    pub blocks: u64,
    /// The number of a transaction that was complete, but has a wrong checksum. It and what came after it are lost; the
    /// filesystem was marked as having errors, so that fsck checks it at the next start, and cannot be opened here.
    pub damaged: Option<u32>,
}

/// Whether the journal of the filesystem of `kind` in `range` (bytes) of `device` must be replayed.
pub fn journal_state(kind: VolumeKind, device: &dyn ReadAt, range: Range<u64>) -> Result<JournalState, FsEditError> {
    match kind {
        VolumeKind::Ext => ext::journal::state(device, range),
        _ => Err(FsEditError::Unsupported(format!("{kind:?}"))),
    }
}

/// Replays the journal of the filesystem of `kind` in `range` (bytes) of `device`, as the next mount would. If it cannot
/// be replayed as a whole, nothing is written; only a writing that fails leaves half of it.
pub fn replay_journal(kind: VolumeKind, device: &dyn BlockDevice, range: Range<u64>) -> Result<Replayed, FsEditError> {
    match kind {
        VolumeKind::Ext => ext::journal::replay(device, range),
        _ => Err(FsEditError::Unsupported(format!("{kind:?}"))),
    }
}

/// Opens the filesystem of `kind` that lies in `range` (bytes) of `device`.
pub fn open(kind: VolumeKind, device: Arc<dyn BlockDevice>, range: Range<u64>) -> Result<Box<dyn Editor>, FsEditError> {
    match kind {
        VolumeKind::Ext => ext::open(device, range),
        VolumeKind::Ntfs => Ok(Box::new(ntfs::Ntfs::open(device, range)?)),
        _ => Err(FsEditError::Unsupported(format!("{kind:?}"))),
    }
}
