//! Snapshots of a stopped machine: copies of what it wrote.
//!
//! A snapshot is a copy of `disk0.now.qcow2` beside it, on the same backing file under the same relative name. So
//! none depends on another: deleting one is removing a file, no chain grows, and every step takes effect with one
//! rename. Whoever killed p2v in the middle left a `.partial` file, which the next command removes.

use super::backing::backing_name;
use super::copy::copy;
use super::folder::give_away;
use super::lock::FolderLock;
use super::names::{self, ADAPTED, NOW, partial, snapshot_file, snapshot_name};
use super::{library, rfc3339};
use crate::error::{Failure, Result};
use crate::signals::Stop;
use disk::qcow2::{Image, Qcow2Error};
use rustix::fs::{CWD, RenameFlags};
use rustix::io::Errno;
use serde::Serialize;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// One of a machine's snapshots.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Snapshot {
    /// What it was called.
    pub(crate) name: String,
    /// When it was made (its file's time), RFC 3339, UTC.
    pub(crate) created: String,
    /// Bytes on the disk.
    pub(crate) size_bytes: u64,
    /// The file that it is an overlay on; `None` if that cannot be read.
    pub(crate) on: Option<String>,
    #[serde(skip)]
    time: Option<SystemTime>,
}

/// The snapshots in a machine folder.
#[derive(Clone, Debug)]
pub(crate) struct Snapshots {
    folder: PathBuf,
}

impl Snapshots {
    pub(crate) fn of(folder: &Path) -> Self {
        let folder = folder.to_owned();
        Snapshots { folder }
    }

    fn now(&self) -> PathBuf {
        self.folder.join(NOW)
    }

    /// All of them, the oldest first.
    pub(crate) fn list(&self) -> Result<Vec<Snapshot>> {
        let mut found = Vec::new();
        for file in self.files()? {
            let Some(name) = snapshot_name(file.as_ref()) else {
                continue;
            };
            let path = self.folder.join(&file);
            let meta = fs::symlink_metadata(&path)
                .map_err(|error| Failure::failed(format!("cannot read {}: {error}", path.display())))?;
            let on = backing_name(&path).ok().flatten();
            found.push(Snapshot {
                name: name.to_owned(),
                created: meta.modified().map(rfc3339).unwrap_or_default(),
                size_bytes: meta.blocks().saturating_mul(512),
                on: on.map(|name| String::from_utf8_lossy(&name).into_owned()),
                time: meta.modified().ok(),
            });
        }
        found.sort_by(|a, b| (a.time, &a.name).cmp(&(b.time, &b.name)));
        Ok(found)
    }

    /// Those that are lost if the adapted overlay goes: they lie on it, or do not say what they lie on.
    pub(crate) fn on_adapted(&self) -> Result<Vec<String>> {
        let depends = |on: &Option<String>| on.as_ref().is_none_or(|on| Path::new(on).ends_with(ADAPTED));
        let all = self.list()?.into_iter();
        Ok(all
            .filter(|snapshot| depends(&snapshot.on))
            .map(|snapshot| snapshot.name)
            .collect())
    }

    /// Keeps the disk as it is now under a name.
    pub(crate) fn create(&self, name: &str, quiet: bool, stop: &Stop, _lock: &FolderLock) -> Result<()> {
        names::check(name).map_err(|why| library::bad_name(name, why))?;
        let (now, file) = (self.now(), snapshot_file(name));
        let path = self.folder.join(&file);
        if path.symlink_metadata().is_ok() {
            return Err(Failure::refused(format!("there is a snapshot {name} already"))
                .advice("Choose another name, or delete that one first with `p2v snapshot delete`."));
        }
        if !now.exists() {
            return Err(
                Failure::refused("the machine has written nothing yet: there is nothing to keep")
                    .advice("`p2v reset` brings this state back at any time, without a snapshot."),
            );
        }
        // Held while it is copied: nobody may write to it.
        let _source = Image::open(&now)?;
        self.tidy()?;
        let unfinished = self.folder.join(partial(&file));
        copy(&now, &unfinished, "Copying", quiet, stop)?;
        self.publish(&unfinished, &path, true)
    }

    /// Puts the disk back to a snapshot, which stays. What is there now is lost.
    pub(crate) fn restore(&self, name: &str, quiet: bool, stop: &Stop, _lock: &FolderLock) -> Result<()> {
        let (now, path) = (self.now(), self.existing(name)?);
        let _source = Image::open(&path)?;
        refuse_in_use(&now)?;
        self.tidy()?;
        let unfinished = self.folder.join(partial(NOW));
        copy(&path, &unfinished, "Copying", quiet, stop)?;
        self.publish(&unfinished, &now, false)
    }

    /// Removes a snapshot.
    pub(crate) fn delete(&self, name: &str, _lock: &FolderLock) -> Result<()> {
        let path = self.existing(name)?;
        refuse_in_use(&path)?;
        self.tidy()?;
        self.remove(&path)
    }

    /// Removes what the machine wrote; whether there was anything. Snapshots stay.
    pub(crate) fn reset(&self, _lock: &FolderLock) -> Result<bool> {
        let now = self.now();
        self.tidy()?;
        if now.symlink_metadata().is_err() {
            return Ok(false);
        }
        refuse_in_use(&now)?;
        self.remove(&now).map(|()| true)
    }

    /// The file of a snapshot that must be there.
    pub(crate) fn existing(&self, name: &str) -> Result<PathBuf> {
        names::check(name).map_err(|why| library::bad_name(name, why))?;
        let path = self.folder.join(snapshot_file(name));
        if path.symlink_metadata().is_ok() {
            return Ok(path);
        }
        let names: Vec<_> = self.list()?.into_iter().map(|snapshot| snapshot.name).collect();
        let advice = if names.is_empty() {
            "The machine has none.".to_owned()
        } else {
            format!("There are: {}.", names.join(", "))
        };
        Err(Failure::refused(format!("there is no snapshot {name}")).advice(advice))
    }

    /// Gives a complete copy its name. From then on it counts.
    fn publish(&self, unfinished: &Path, path: &Path, keep: bool) -> Result<()> {
        // Readable with all that is behind it, or it does not get the name.
        if let Err(error) = Image::open(unfinished) {
            let _ = fs::remove_file(unfinished);
            return Err(error.into());
        }
        let failed = |error: io::Error| Failure::target_write(path, &error);
        if keep {
            let mut permissions = fs::metadata(unfinished).map_err(failed)?.permissions();
            permissions.set_readonly(true);
            // File systems without permissions (FAT on a USB stick) may refuse.
            let _ = fs::set_permissions(unfinished, permissions);
        }
        let renamed = || match rustix::fs::renameat_with(CWD, unfinished, CWD, path, RenameFlags::NOREPLACE) {
            Err(Errno::EXIST) if !keep => fs::rename(unfinished, path),
            Err(Errno::INVAL | Errno::NOSYS) => fs::rename(unfinished, path),
            other => Ok(other?),
        };
        renamed().and_then(|()| self.sync()).map_err(failed)?;
        give_away(path);
        Ok(())
    }

    fn remove(&self, path: &Path) -> Result<()> {
        fs::remove_file(path)
            .and_then(|()| self.sync())
            .map_err(|error| Failure::target_write(path, &error))
    }

    /// Removes copies that were not finished. The lock says that nobody is at work on them.
    fn tidy(&self) -> Result<()> {
        for file in self.files()? {
            let whole = file.strip_suffix(".partial").unwrap_or_default();
            if whole == NOW || snapshot_name(whole.as_ref()).is_some() {
                let path = self.folder.join(&file);
                fs::remove_file(&path).map_err(|error| Failure::target_write(&path, &error))?;
            }
        }
        Ok(())
    }

    fn files(&self) -> Result<Vec<String>> {
        let failed = |error| Failure::failed(format!("cannot read the folder {}: {error}", self.folder.display()));
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.folder).map_err(failed)? {
            files.extend(entry.map_err(failed)?.file_name().into_string().ok());
        }
        Ok(files)
    }

    fn sync(&self) -> io::Result<()> {
        File::open(&self.folder)?.sync_all()
    }
}

/// Refuses if another program, QEMU for example, writes to an overlay that is to be replaced or removed. One that
/// cannot be read any more may go.
fn refuse_in_use(path: &Path) -> Result<()> {
    match Image::open(path) {
        Err(error @ Qcow2Error::Locked { .. }) => Err(error.into()),
        _ => Ok(()),
    }
}
