//! A machine folder in the making: files appear in it whole or not at all.

use super::lock::FolderLock;
use super::names::{DISK, MACHINE, partial};
use crate::error::{Failure, Result};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

/// A machine folder in the making. Dropped before [`finish`](NewFolder::finish), it removes what it made.
#[derive(Debug)]
pub(crate) struct NewFolder {
    path: PathBuf,
    /// Every file made so far, in the order of making.
    files: Vec<PathBuf>,
    made_folder: bool,
    finished: bool,
    /// Nobody removes or launches what is not finished.
    _lock: FolderLock,
}

impl NewFolder {
    /// Makes `path`; an empty folder that is there already will do.
    pub(crate) fn create(path: &Path) -> Result<Self> {
        let made_folder = !path.exists();
        check_unused(path)?;
        if made_folder {
            make_folders(path)?;
        }
        Ok(NewFolder {
            path: path.to_owned(),
            files: Vec::new(),
            made_folder,
            finished: false,
            _lock: FolderLock::exclusive(path)?,
        })
    }

    /// Where `name` is written until it is complete; the caller makes the file.
    pub(crate) fn start_file(&mut self, name: &str) -> PathBuf {
        let path = self.path.join(partial(name));
        self.files.push(path.clone());
        path
    }

    /// Gives a file that the caller has written and synced its real name. It becomes read-only.
    pub(crate) fn complete_file(&mut self, name: &str) -> Result<()> {
        let (from, to) = (self.path.join(partial(name)), self.path.join(name));
        let failed = |error| Failure::target_write(&to, &error);
        if name != MACHINE {
            let mut permissions = std::fs::metadata(&from).map_err(failed)?.permissions();
            permissions.set_readonly(true);
            // File systems without permissions (FAT on a USB stick) may refuse.
            let _ = std::fs::set_permissions(&from, permissions);
        }
        std::fs::rename(&from, &to).map_err(failed)?;
        self.files.retain(|path| *path != from);
        self.files.push(to);
        Ok(())
    }

    /// Writes a whole small file: temporary name, sync, rename.
    pub(crate) fn write_file(&mut self, name: &str, contents: &[u8]) -> Result<()> {
        let path = self.start_file(name);
        let write = || -> std::io::Result<()> {
            let mut file = OpenOptions::new().write(true).create_new(true).open(&path)?;
            file.write_all(contents)?;
            file.sync_all()
        };
        write().map_err(|error| Failure::target_write(&path, &error))?;
        self.complete_file(name)
    }

    /// Makes the names durable.
    pub(crate) fn sync(&self) -> Result<()> {
        let sync = |path: &Path| File::open(path).and_then(|folder| folder.sync_all());
        sync(&self.path).map_err(|error| Failure::target_write(&self.path, &error))?;
        // The new folder's own name. Its parent may not be readable; the files are safe by then.
        let _ = self.path.parent().filter(|_| self.made_folder).map(sync);
        Ok(())
    }

    /// From here on everything stays. Made through `sudo`, it belongs to the person who asked for it.
    pub(crate) fn finish(mut self) {
        self.finished = true;
        let folder = self.made_folder.then_some(&self.path);
        for path in self.files.iter().chain(folder) {
            give_away(path);
        }
    }
}

impl Drop for NewFolder {
    fn drop(&mut self) {
        if self.finished {
            return;
        }
        for file in self.files.iter().rev() {
            let _ = std::fs::remove_file(file);
        }
        if self.made_folder {
            let _ = std::fs::remove_dir(&self.path);
        }
    }
}

/// Makes a folder, and those above it that are missing. Made through `sudo`, they belong to the person who asked for it.
fn make_folders(path: &Path) -> Result<()> {
    let missing: Vec<_> = path.ancestors().take_while(|path| !path.exists()).collect();
    std::fs::create_dir_all(path).map_err(|error| Failure::target_write(path, &error))?;
    // The folder itself is given away when it is finished.
    for folder in missing.into_iter().skip(1).filter(|path| !path.as_os_str().is_empty()) {
        give_away(folder);
    }
    Ok(())
}

/// Who called `sudo`, if this process runs as root through it.
pub(super) fn behind_sudo() -> Option<(u32, u32)> {
    let id = |name| std::env::var(name).ok()?.parse().ok();
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    Some((id("SUDO_UID")?, id("SUDO_GID")?))
}

/// Gives a file made through `sudo` to the person who asked for it.
pub(crate) fn give_away(path: &Path) {
    if let Some((user, group)) = behind_sudo() {
        // Some file systems have no owners (FAT).
        let _ = std::os::unix::fs::lchown(path, Some(user), Some(group));
    }
}

/// Refuses a target that is there and not an empty folder.
pub(crate) fn check_unused(path: &Path) -> Result<()> {
    let mut entries = match std::fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => {
            return Err(
                Failure::refused(format!("{} is there already and is no folder", path.display()))
                    .advice("Choose another folder with `-o`."),
            );
        }
        Err(error) => return Err(Failure::target_write(path, &error)),
    };
    if entries.next().is_none() {
        return Ok(());
    }
    if path.join(MACHINE).exists() {
        return Err(Failure::refused(format!("{} holds a machine already", path.display()))
            .advice("p2v never writes over a capture. Choose another folder with `-o`."));
    }
    if path.join(partial(DISK)).exists() {
        return Err(
            Failure::refused(format!("{} holds a capture that was not finished", path.display()))
                .advice("If no other p2v is writing there, delete that folder and start again."),
        );
    }
    Err(Failure::refused(format!("{} is not empty", path.display()))
        .advice("Choose another folder with `-o`: p2v never writes over files."))
}
