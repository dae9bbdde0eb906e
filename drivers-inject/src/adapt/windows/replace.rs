//! New contents for a file that is there: in its own clusters where that is possible, else through NTFS.

use super::super::edited::{Action, FileChange, Write};
use super::super::file::rewrite;
use crate::volumes::MountedVolume;
use disk::guestfs::GuestFsError;
use disk::scratch::Scratch;
use disk::usedmap::VolumeKind;
use fs_edit::FsEditError;
use std::sync::Arc;

/// What makes Windows close a volume.
pub(super) const CLOSE: &str =
    "Start Windows once on the old computer, shut it down completely (`shutdown /s /t 0`), then capture again.";

/// How the contents get there.
#[derive(Debug)]
pub(super) enum Replacement {
    /// Into the clusters that the file has.
    InPlace(Vec<Write>),
    /// The file is written anew.
    Whole(FileChange),
}

/// Why a file cannot get its new contents.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReplaceError {
    #[error(transparent)]
    File(#[from] GuestFsError),
    #[error("{path} has to be written anew, since {why}, but {error}")]
    Volume {
        path: String,
        why: String,
        error: FsEditError,
    },
    #[error("{path} would need {more} bytes more than it has, and files on FAT volumes cannot be made larger by p2v")]
    Fat { path: String, more: usize },
}

impl ReplaceError {
    /// What a person can do about it; `None` if that depends.
    pub(super) fn advice(&self) -> Option<&'static str> {
        match self {
            ReplaceError::Volume {
                error: FsEditError::Unfit { .. },
                ..
            } => Some(CLOSE),
            ReplaceError::Fat { .. } => Some(
                "On NTFS it could be made larger. Windows can convert the volume on the old computer (`convert c: \
                 /fs:ntfs`); keep this capture until that has gone well, then capture again.",
            ),
            _ => None,
        }
    }
}

/// Makes `after` the contents of the file at `path`, which are `before` now. `number` is the volume's index.
pub(super) fn replace(
    volume: &mut MountedVolume,
    number: usize,
    path: &str,
    before: &[u8],
    after: Vec<u8>,
) -> Result<Replacement, ReplaceError> {
    let why = match before.len() == after.len() {
        true => match rewrite(volume, path, before, &after) {
            Ok(writes) => return Ok(Replacement::InPlace(writes)),
            Err(GuestFsError::NotInPlace { reason, .. }) if volume.kind == VolumeKind::Ntfs => reason,
            Err(error) => return Err(error.into()),
        },
        false => "it gets another size".to_owned(),
    };
    let path = path.to_owned();
    if volume.kind != VolumeKind::Ntfs {
        let more = after.len().saturating_sub(before.len());
        return Err(ReplaceError::Fat { path, more });
    }
    if let Err(error) = changeable(volume) {
        return Err(ReplaceError::Volume { path, why, error });
    }
    Ok(Replacement::Whole(FileChange {
        volume: number,
        path,
        action: Action::Write(after),
    }))
}

/// Whether files on this volume can be made and made larger. Tried on a scratch copy, of which nothing remains.
pub(super) fn changeable(volume: &MountedVolume) -> Result<(), FsEditError> {
    /// Opening writes next to nothing.
    const LIMIT: u64 = 1 << 20;
    if volume.kind != VolumeKind::Ntfs {
        return Err(FsEditError::Unsupported("FAT volumes".to_owned()));
    }
    let range = 0..volume.bytes.size();
    let scratch = Arc::new(Scratch::new(Arc::clone(&volume.bytes), LIMIT));
    fs_edit::open(volume.kind, scratch, range).map(|_| ())
}
