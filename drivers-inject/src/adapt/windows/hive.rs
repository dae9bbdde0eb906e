//! A registry hive as a file: read with its transaction logs, and put back. Into its own clusters if it still fits;
//! else the file grows, through NTFS.

use super::super::edited::{FileChange, Write};
use super::replace::{ReplaceError, Replacement, replace};
use crate::registry::edit::{EditError, Editor};
use crate::registry::log::{self, LogError};
use crate::volumes::MountedVolume;
use crate::windows::{HIVE_LIMIT, config};
use disk::guestfs::GuestFsError;

/// Logs are smaller than their hive.
const LOG_LIMIT: u64 = HIVE_LIMIT;
/// The most that edits may make a hive larger, in bytes: all tables together need some 100 KiB.
const GROWTH_LIMIT: usize = 2 << 20;

/// Why a hive cannot be changed.
#[derive(Debug, thiserror::Error)]
pub(super) enum HiveFileError {
    #[error(transparent)]
    File(#[from] GuestFsError),
    #[error("{0}: {1}")]
    Log(&'static str, LogError),
    #[error("{0}: {1}")]
    Edit(&'static str, EditError),
    #[error(transparent)]
    Replace(#[from] ReplaceError),
    #[error("the {0} registry hive would grow by {1} bytes, more than any edit needs")]
    TooLarge(&'static str, usize),
    #[error("the copy of the SYSTEM registry hive in SYSTEM.ALT differs from the hive: Windows did not finish writing")]
    Mirror,
}

/// A hive that was read.
pub(super) struct HiveFile {
    name: &'static str,
    path: String,
    original: Vec<u8>,
    /// Bytes of the hive with its logs applied.
    recovered_len: usize,
    /// Windows 2000's second copy, if there is one.
    mirror: Option<String>,
    /// How many entries of the log were applied; 0 if the hive was complete.
    pub(super) log_entries: usize,
}

/// A changed hive on its way to the disk.
#[derive(Debug, Default)]
pub(super) struct Put {
    pub(super) writes: Vec<Write>,
    pub(super) files: Vec<FileChange>,
    /// Bytes of the file before and after, if it is written anew.
    pub(super) sizes: Option<(usize, usize)>,
}

impl HiveFile {
    /// Reads the hive `name` of the Windows in `folder`, with the logs applied if it was not completely written.
    pub(super) fn open(
        volume: &mut MountedVolume,
        folder: &str,
        name: &'static str,
    ) -> Result<(Self, Editor), HiveFileError> {
        let path = config(folder, name);
        let original = volume.fs.read(&path, HIVE_LIMIT)?;
        let mut logs = Vec::new();
        let mut unreadable = None;
        for end in ["LOG1", "LOG2", "LOG"] {
            match volume.fs.read(&config(folder, &format!("{name}.{end}")), LOG_LIMIT) {
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
            (recovered, _) => recovered.map_err(|error| HiveFileError::Log(name, error))?,
        };
        let recovered_len = recovered.bytes.len();
        let room = recovered_len.max(original.len());
        let editor = Editor::new(recovered.bytes, room).map_err(|error| HiveFileError::Edit(name, error))?;
        // Only SYSTEM has one.
        let mirror = Some(config(folder, "SYSTEM.ALT")).filter(|path| name == "SYSTEM" && volume.fs.exists(path));
        let hive = HiveFile {
            name,
            path,
            original,
            recovered_len,
            mirror,
            log_entries: recovered.entries,
        };
        Ok((hive, editor))
    }

    /// Its path inside the volume.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// What puts `changed` into the hive's file. `number` is the volume's index.
    pub(super) fn put(
        self,
        volume: &mut MountedVolume,
        number: usize,
        mut changed: Vec<u8>,
    ) -> Result<Put, HiveFileError> {
        let growth = changed
            .len()
            .saturating_sub(self.recovered_len.max(self.original.len()));
        let too_large = u64::try_from(changed.len()).is_ok_and(|len| len > HIVE_LIMIT);
        if growth > GROWTH_LIMIT || too_large {
            return Err(HiveFileError::TooLarge(self.name, growth));
        }
        // What the file has behind the hive stays.
        if let Some(tail) = self.original.get(changed.len()..) {
            changed.extend(tail);
        }
        let mut put = Put::default();
        let (before, after) = (self.original.len(), changed.len());
        if let Some(mirror) = &self.mirror {
            let copy = volume.fs.read(mirror, HIVE_LIMIT)?;
            if copy != self.original {
                return Err(HiveFileError::Mirror);
            }
            put.take(replace(volume, number, mirror, &copy, changed.clone())?);
        }
        put.take(replace(volume, number, &self.path, &self.original, changed)?);
        put.sizes = (!put.files.is_empty()).then_some((before, after));
        Ok(put)
    }
}

impl Put {
    fn take(&mut self, replacement: Replacement) {
        match replacement {
            Replacement::InPlace(writes) => self.writes.extend(writes),
            Replacement::Whole(change) => self.files.push(change),
        }
    }
}
