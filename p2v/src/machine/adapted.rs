//! The overlay that `p2v adapt` makes, and its record: they appear whole or not at all.

use super::folder::give_away;
use super::names::{ADAPTED, ADAPTED_RECORD, NOW, partial};
use super::settings::Setting;
use super::snapshots::Snapshots;
use crate::error::{Failure, Result};
use disk::qcow2::{Overlay, OverlayOptions};
use rustix::fs::{CWD, RenameFlags};
use rustix::io::Errno;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The places of the overlay in a machine folder.
#[derive(Clone, Debug)]
pub(crate) struct Adapted {
    folder: PathBuf,
}

impl Adapted {
    pub(crate) fn of(folder: &Path) -> Self {
        let folder = folder.to_owned();
        Adapted { folder }
    }

    /// The overlay's file.
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.join(ADAPTED)
    }

    fn record(&self) -> PathBuf {
        self.folder.join(ADAPTED_RECORD)
    }

    /// The changes of `machine.toml` that its record speaks of; none if there is no record that can be read.
    pub(crate) fn settings(&self) -> Vec<Setting> {
        #[derive(serde::Deserialize)]
        struct Record {
            #[serde(default)]
            machine: Vec<Setting>,
        }
        let text = fs::read(self.record()).unwrap_or_default();
        let record = serde_json::from_slice::<Record>(&text);
        record.map(|record| record.machine).unwrap_or_default()
    }

    fn unfinished(&self) -> PathBuf {
        self.folder.join(partial(ADAPTED))
    }

    /// Whether there is one.
    pub(crate) fn exists(&self) -> bool {
        self.path().exists()
    }

    /// Refuses if the machine has run: what it wrote lies on top of the disk as it is.
    pub(crate) fn refuse_after_run(&self) -> Result<()> {
        let now = self.folder.join(NOW);
        if !now.exists() {
            return Ok(());
        }
        Err(Failure::refused(format!(
            "the machine in {} has run already: {NOW} holds what it wrote, on top of the disk as it is now",
            self.folder.display()
        ))
        .advice(format!(
            "To take that away, which loses what the machine wrote, type `p2v reset {}` and repeat this command. \
             `p2v snapshot create` keeps it first.",
            self.folder.display()
        )))
    }

    /// Refuses if snapshots lie on the overlay: without it they would be of no use.
    pub(crate) fn refuse_with_snapshots(&self) -> Result<()> {
        let names = Snapshots::of(&self.folder).on_adapted()?;
        if !self.exists() || names.is_empty() {
            return Ok(());
        }
        let what = format!(
            "snapshots of the machine in {} lie on the adapted disk: {}",
            self.folder.display(),
            names.join(", ")
        );
        Err(Failure::refused(what)
            .advice("Delete them first with `p2v snapshot delete`, if they are not needed any more."))
    }

    /// A new, empty overlay on `capture`, under a temporary name.
    pub(crate) fn start(&self, capture: &Path) -> Result<Overlay> {
        let path = self.unfinished();
        if path.exists() {
            // Left by a process that died; one that is alive has locked it.
            drop(Overlay::open_or_create(&path, capture, OverlayOptions::default())?);
            fs::remove_file(&path).map_err(|error| Failure::target_write(&path, &error))?;
        }
        Ok(Overlay::open_or_create(&path, capture, OverlayOptions::default())?)
    }

    /// Gives the overlay, which is written and flushed, its name, and writes the record beside it.
    pub(crate) fn finish(&self, overlay: Overlay, record: &[u8]) -> Result<()> {
        let (from, to) = (self.unfinished(), self.path());
        let text = self.record();
        let unfinished_text = self.folder.join(partial(ADAPTED_RECORD));
        write_synced(&unfinished_text, record)
            .and_then(|()| fs::rename(&unfinished_text, &text))
            .map_err(|error| Failure::target_write(&text, &error))?;
        drop(overlay);
        let named = || -> io::Result<()> {
            let file = File::open(&from)?;
            file.sync_all()?;
            let mut permissions = file.metadata()?.permissions();
            permissions.set_readonly(true);
            // File systems without permissions (FAT on a USB stick) may refuse.
            let _ = file.set_permissions(permissions);
            match rustix::fs::renameat_with(CWD, &from, CWD, &to, RenameFlags::NOREPLACE) {
                Err(Errno::INVAL | Errno::NOSYS) => fs::rename(&from, &to)?,
                other => other?,
            }
            self.sync_folder()
        };
        named().map_err(|error| Failure::target_write(&to, &error))?;
        give_away(&to);
        give_away(&text);
        Ok(())
    }

    /// Removes what [`start`](Self::start) made, after a failure.
    pub(crate) fn give_up(&self, overlay: Overlay) {
        drop(overlay);
        let _ = fs::remove_file(self.unfinished());
    }

    /// Removes the overlay and its record; whether there was one.
    pub(crate) fn remove(&self) -> Result<bool> {
        let mut there = false;
        // The overlay first: without it the record means nothing.
        for path in [self.path(), self.record()] {
            match fs::remove_file(&path) {
                Ok(()) => there = true,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(Failure::target_write(&path, &error)),
            }
        }
        if there {
            self.sync_folder()
                .map_err(|error| Failure::target_write(&self.folder, &error))?;
        }
        Ok(there)
    }

    fn sync_folder(&self) -> io::Result<()> {
        File::open(&self.folder)?.sync_all()
    }
}

fn write_synced(path: &Path, contents: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(contents)?;
    file.sync_all()
}
