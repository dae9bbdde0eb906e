//! What one system needs: in words for a person, and as changes that nothing has carried out yet.

use super::finding::Finding;
use super::plan::Edit;

/// Bytes to be replaced in place. The same number of bytes, always.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Write {
    /// First byte on the disk.
    pub(super) offset: u64,
    pub(super) before: Vec<u8>,
    pub(super) after: Vec<u8>,
}

/// A change of a file that its filesystem's structures take part in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FileChange {
    /// Index of the volume.
    pub(super) volume: usize,
    /// Path inside it.
    pub(super) path: String,
    pub(super) action: Action,
}

/// What happens to a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// It gets these contents; it is made if it is not there.
    Write(Vec<u8>),
    /// It gets these bytes at its end.
    Append(Vec<u8>),
    /// It is a folder, and is made if it is not there.
    CreateFolder,
    /// It is removed.
    Remove,
    /// It gets this name in its folder.
    Rename(String),
}

/// Everything about one system. `writes` and `files` are carried out together or not at all; `edits` says the same
/// in words.
#[derive(Debug, Default)]
pub(super) struct Edited {
    pub(super) findings: Vec<Finding>,
    pub(super) edits: Vec<Edit>,
    pub(super) writes: Vec<Write>,
    pub(super) files: Vec<FileChange>,
    /// Addresses of network cards that settings of the system depend on.
    pub(super) addresses: Vec<String>,
}

impl Edited {
    /// Whether nothing would be changed.
    pub(super) fn is_empty(&self) -> bool {
        self.edits.is_empty() && self.writes.is_empty() && self.files.is_empty()
    }
}
