//! NTFS, through libntfs-3g: no mount, no FUSE, no device node.
//!
//! # What is opened
//! Only a volume that Windows closed: its log is clean, it is not marked for `chkdsk`, no session is saved in
//! `hiberfil.sys`, its version is 3.0 or 3.1 (Windows 2000 and later). Everything else is
//! [`FsEditError::Unfit`]; a log is never reset.
//!
//! # What is written
//! Opening and closing write nothing by themselves: libntfs-3g leaves a clean `$LogFile` and the flags of `$Volume` as
//! they are. (One exception: if the root folder's `$TXF_DATA` is not resident, it is made so, as Windows needs it.)
//! A change writes file records, indexes, bitmaps, `$Secure` for a descriptor that is new to the volume, and the
//! file's clusters. It is not journalled, neither in `$LogFile` nor in the USN journal. Times of changed files and
//! folders become the present time.
//!
//! # New files and folders
//! * Rights: as if made in Windows. The folder's inheritable entries become the file's own, and it belongs to the group
//!   Administrators. That is what a driver file gets that is installed later, so that Windows can replace it; a copy of
//!   an inbox driver's descriptor would let only TrustedInstaller do so. A folder that gives no rights on hands down
//!   its own descriptor, so that a new file is never open to more people than the folder.
//! * Names: one that is a valid 8.3 name gets the namespace "Win32 and DOS", as in Windows. A longer one gets the
//!   namespace POSIX and no short name, as ntfs-3g makes them; Windows finds it without regard to case all the same.
//!
//! # Not done
//! Reparse points (junctions, symbolic links, files that Windows 10 compressed with WOF) are not followed and not
//! changed, encrypted files are not touched, NTFS' own files neither. A file with several names (hard links: Windows
//! has them between System32 and WinSxS) is changed under all of them.

mod descriptor;
mod device;
mod editor;
mod ffi;
mod name;
mod volume;

use crate::FsEditError;
use disk::BlockDevice;
use disk::io::Window;
use disk::usedmap::{NtfsState, ntfs_state};
use ffi::Facts;
use std::ops::Range;
use std::sync::Arc;
use volume::{Failure, FileId, Volume};

const KIND: &str = "NTFS";
/// Records below this belong to NTFS itself (but for the root folder).
const FIRST_OF_USERS: u64 = 24;
/// `ENOSPC`.
const NO_SPACE: i32 = 28;
/// `EPERM`: what the library says of a saved session.
const SAVED_SESSION: i32 = 1;
/// `EOPNOTSUPP`: what the library says of a log that is not closed.
const OPEN_LOG: i32 = 95;
/// Bytes that must be left for what else grows with a file.
const RESERVE: u64 = 64 << 10;
/// The reparse tag of files that Windows 10 compressed ("CompactOS").
const WOF: u32 = 0x8000_0017;

/// An NTFS volume that is open for changes.
pub(crate) struct Ntfs {
    volume: Volume,
    /// A change went wrong half-way: the volume may be inconsistent.
    broken: bool,
}

/// A name in a folder, and what is there.
struct Entry {
    folder: FileId,
    name: Vec<u16>,
    file: Option<FileId>,
}

impl Ntfs {
    pub(crate) fn open(device: Arc<dyn BlockDevice>, range: Range<u64>) -> Result<Self, FsEditError> {
        let window = Window::new(Arc::clone(&device), range.clone()).map_err(|error| unfit(error.to_string()))?;
        let state = ntfs_state(&window).map_err(|error| unfit(error.to_string()))?;
        match state {
            NtfsState::Closed => {}
            NtfsState::InUse => {
                return Err(unfit(
                    "Windows did not close it: it crashed, hibernates, or was shut down with Fast Startup",
                ));
            }
            NtfsState::Dirty => return Err(unfit("Windows marked it for chkdsk, which must mend it first")),
            NtfsState::Unknown => return Err(unfit("its boot sector, its first records or its log are damaged")),
        }
        let volume = Volume::open(device, range).map_err(|failure| match failure.code {
            SAVED_SESSION => unfit("a saved session is in hiberfil.sys, or Windows keeps a part of it in its memory"),
            OPEN_LOG => unfit("Windows did not close it"),
            _ => unfit(failure.reason),
        })?;
        let (major, minor) = volume.version();
        if major != 3 || minor > 1 {
            return Err(unfit(format!(
                "its version is {major}.{minor}, and only 3.0 and 3.1 are known"
            )));
        }
        Ok(Ntfs { volume, broken: false })
    }

    /// What `path` leads to. All folders above the last part must be there.
    fn entry(&mut self, path: &str) -> Result<Entry, FsEditError> {
        let mut parts: Vec<&str> = path
            .split('/')
            .filter(|part| !part.is_empty() && *part != ".")
            .collect();
        let last = parts.pop().ok_or_else(|| failed(path, "it is the root folder"))?;
        let mut folder = FileId::ROOT;
        for part in parts {
            let file = self.child(path, folder, part)?;
            folder = file.ok_or_else(|| FsEditError::NotFound(path.to_owned()))?;
            self.check_folder(path, folder)?;
        }
        let file = self.child(path, folder, last)?;
        let name = name::utf16(last);
        Ok(Entry { folder, name, file })
    }

    /// The file called `name` in a folder.
    fn child(&mut self, path: &str, folder: FileId, name: &str) -> Result<Option<FileId>, FsEditError> {
        let name = name::utf16(name);
        if name.len() > 255 || name.contains(&0) {
            return Ok(None);
        }
        let file = self
            .volume
            .lookup(folder, &name)
            .map_err(|failure| failed(path, failure.reason))?;
        match file {
            Some(file) if file.number() < FIRST_OF_USERS => Err(failed(path, "it is one of the files of NTFS itself")),
            // Two open copies of one record would overwrite each other.
            Some(file) if file.number() == folder.number() => Err(failed(path, "the folder above it is damaged")),
            file => Ok(file),
        }
    }

    fn facts(&mut self, path: &str, file: FileId) -> Result<Facts, FsEditError> {
        self.volume.facts(file).map_err(|failure| failed(path, failure.reason))
    }

    fn check_folder(&mut self, path: &str, file: FileId) -> Result<(), FsEditError> {
        let facts = self.facts(path, file)?;
        if facts.reparse_tag != 0 {
            return Err(failed(path, "a folder above it is a junction or a symbolic link"));
        }
        match facts.folder {
            0 => Err(FsEditError::NotFound(path.to_owned())),
            _ => Ok(()),
        }
    }

    /// The facts of a file whose bytes may be read and changed.
    fn plain_file(&mut self, path: &str, file: FileId) -> Result<Facts, FsEditError> {
        let facts = self.facts(path, file)?;
        let why = match facts {
            Facts { reparse_tag: WOF, .. } | Facts { wof: 1.., .. } => "Windows 10 has compressed it (CompactOS)",
            Facts { reparse_tag: 1.., .. } => "it is a reparse point: a symbolic link, or kept somewhere else",
            Facts { folder: 1.., .. } => "it is a folder",
            Facts { encrypted: 1.., .. } => "it is encrypted",
            Facts { has_data: 0, .. } => "it has no data",
            _ => return Ok(facts),
        };
        Err(failed(path, why))
    }

    /// Refuses what cannot fit before anything is changed. `taken`: bytes of clusters that can be used again.
    fn check_room(&self, path: &str, size: u64, taken: u64) -> Result<(), FsEditError> {
        let cluster = self.volume.cluster_size();
        let clusters = size.div_ceil(cluster).saturating_mul(cluster);
        // The master file table, the folder's index and the list of descriptors may have to grow, too.
        let needed = clusters.saturating_add(cluster.saturating_mul(16).max(RESERVE));
        let free = self.volume.free();
        if needed > free.saturating_add(taken) {
            let path = path.to_owned();
            return Err(FsEditError::NoRoom { path, needed, free });
        }
        Ok(())
    }

    /// The outcome of a change. After one that failed nothing else is done.
    fn changed<T>(&mut self, path: &str, needed: u64, result: Result<T, Failure>) -> Result<T, FsEditError> {
        result.map_err(|failure| {
            self.broken = true;
            match failure.code {
                NO_SPACE => FsEditError::NoRoom {
                    path: path.to_owned(),
                    needed,
                    free: self.volume.free(),
                },
                _ => failed(path, failure.reason),
            }
        })
    }

    fn check_usable(&self, path: &str) -> Result<(), FsEditError> {
        match self.broken {
            true => Err(failed(path, "an earlier change of this volume went wrong")),
            false => Ok(()),
        }
    }

    /// Makes an empty file or folder.
    fn create(&mut self, path: &str, entry: &Entry, is_folder: bool) -> Result<FileId, FsEditError> {
        self.check_name(path, &entry.name)?;
        self.check_room(path, 0, 0)?;
        let descriptor = self
            .volume
            .descriptor(entry.folder)
            .map_err(|failure| failed(path, failure.reason))?;
        let inherit = descriptor::gives_on(&descriptor, is_folder);
        let made = self.volume.create(entry.folder, &entry.name, is_folder, inherit);
        let made = self.changed(path, self.volume.cluster_size(), made)?;
        self.name_for_dos(path, entry.folder, made, &entry.name)?;
        Ok(made)
    }

    fn check_name(&mut self, path: &str, name: &[u16]) -> Result<(), FsEditError> {
        if name.is_empty() || name.len() > 255 || name.contains(&0) {
            return Err(failed(path, "its name has more than 255 characters, or a zero in it"));
        }
        match self.volume.is_forbidden(name) {
            Ok(false) => Ok(()),
            Ok(true) => Err(failed(path, "Windows does not allow this name")),
            Err(failure) => Err(failed(path, failure.reason)),
        }
    }

    /// Gives a name that is a valid 8.3 name the namespace that Windows gives it.
    fn name_for_dos(&mut self, path: &str, folder: FileId, file: FileId, name: &[u16]) -> Result<(), FsEditError> {
        if !name::is_dos_name(&String::from_utf16_lossy(name)) {
            return Ok(());
        }
        let marked = self.volume.mark_dos(folder, file, name);
        self.changed(path, self.volume.cluster_size(), marked)
    }
}

fn bytes(size: i64) -> u64 {
    u64::try_from(size).unwrap_or(0)
}

fn unfit(reason: impl Into<String>) -> FsEditError {
    let reason = reason.into();
    FsEditError::Unfit { kind: KIND, reason }
}

fn failed(path: &str, reason: impl Into<String>) -> FsEditError {
    FsEditError::Failed {
        path: path.to_owned(),
        reason: reason.into(),
    }
}
