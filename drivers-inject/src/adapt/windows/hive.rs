//! The SYSTEM hive as a file: read with its transaction logs, and put back into its own clusters.

use super::super::edited::Write;
use super::super::file::rewrite;
use crate::registry::edit::{EditError, Editor};
use crate::registry::log::{self, LogError};
use crate::volumes::MountedVolume;
use crate::windows::{HIVE_LIMIT, config};
use disk::guestfs::GuestFsError;

/// Logs are smaller than their hive.
const LOG_LIMIT: u64 = HIVE_LIMIT;

/// Why the hive cannot be changed.
#[derive(Debug, thiserror::Error)]
pub(super) enum HiveFileError {
    #[error(transparent)]
    File(#[from] GuestFsError),
    #[error("SYSTEM: {0}")]
    Log(#[from] LogError),
    #[error("SYSTEM: {0}")]
    Edit(#[from] EditError),
    #[error(
        "the SYSTEM registry hive would need {0} bytes more than its file has, and this version cannot make files larger"
    )]
    TooLarge(usize),
    #[error("the copy of the SYSTEM registry hive in SYSTEM.ALT differs from the hive: Windows did not finish writing")]
    Mirror,
}

/// A hive that was read.
pub(super) struct HiveFile {
    path: String,
    original: Vec<u8>,
    /// Windows 2000's second copy, if there is one.
    mirror: Option<String>,
    /// How many entries of the log were applied; 0 if the hive was complete.
    pub(super) log_entries: usize,
}

impl HiveFile {
    /// Reads the hive of the Windows in `folder`, with the logs applied if it was not completely written.
    pub(super) fn open(volume: &mut MountedVolume, folder: &str) -> Result<(Self, Editor), HiveFileError> {
        let path = config(folder, "SYSTEM");
        let original = volume.fs.read(&path, HIVE_LIMIT)?;
        let mut logs = Vec::new();
        let mut unreadable = None;
        for name in ["SYSTEM.LOG1", "SYSTEM.LOG2", "SYSTEM.LOG"] {
            match volume.fs.read(&config(folder, name), LOG_LIMIT) {
                Ok(log) => logs.push(log),
                Err(GuestFsError::NotFound(_)) => {}
                Err(error) => unreadable = Some(error),
            }
        }
        logs.retain(|log| !log.is_empty());
        let recovered = log::recover(original.clone(), &logs);
        // Only a hive that needs its logs needs all of them.
        let recovered = match (recovered, unreadable) {
            (Ok(recovered), Some(error)) if recovered.entries > 0 => return Err(error.into()),
            (Err(_), Some(error)) => return Err(error.into()),
            (recovered, _) => recovered?,
        };
        if let Some(more) = recovered
            .bytes
            .len()
            .checked_sub(original.len())
            .filter(|more| *more > 0)
        {
            return Err(HiveFileError::TooLarge(more));
        }
        // The size of the file, not of its clusters: another size would have to be written into NTFS' own tables.
        let editor = Editor::new(recovered.bytes, original.len())?;
        let mirror = config(folder, "SYSTEM.ALT");
        let hive = HiveFile {
            path,
            original,
            mirror: volume.fs.exists(&mirror).then_some(mirror),
            log_entries: recovered.entries,
        };
        Ok((hive, editor))
    }

    /// Its path inside the volume.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// The writes that put `changed` into the hive's file.
    pub(super) fn put(self, volume: &mut MountedVolume, mut changed: Vec<u8>) -> Result<Vec<Write>, HiveFileError> {
        let len = changed.len();
        match self.original.get(len..) {
            // What the file has behind the hive stays.
            Some(tail) => changed.extend(tail),
            None => return Err(HiveFileError::TooLarge(len.saturating_sub(self.original.len()))),
        }
        let mut writes = rewrite(volume, &self.path, &self.original, &changed)?;
        if let Some(mirror) = self.mirror {
            let copy = volume.fs.read(&mirror, HIVE_LIMIT)?;
            if copy != self.original {
                return Err(HiveFileError::Mirror);
            }
            writes.extend(rewrite(volume, &mirror, &copy, &changed)?);
        }
        Ok(writes)
    }
}
