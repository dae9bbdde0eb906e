//! A machine folder in the making: files appear in it whole or not at all.

use super::firmware::{self, FirmwareFile};
use super::lock::FolderLock;
use super::names::{self, CHECKSUMS, DISK, FIRMWARE, JOURNAL, LOST, MACHINE, MAP, partial};
use crate::error::{Failure, Result};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

/// A machine folder in the making. Dropped before there is something that is worth [keeping](NewFolder::keep), it removes
/// what it made.
#[derive(Debug)]
pub(crate) struct NewFolder {
    path: PathBuf,
    /// Every file made so far, in the order of making.
    files: Vec<PathBuf>,
    made_folder: bool,
    /// Whether what was made stays, finished or not.
    stays: bool,
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
            stays: false,
            _lock: FolderLock::exclusive(path)?,
        })
    }

    /// Goes on with a folder that was not finished. What was completed of it is incomplete again.
    pub(crate) fn reopen(path: &Path) -> Result<Self> {
        let lock = FolderLock::exclusive(path)?;
        // Only now is it certain that nobody has just finished it.
        if unfinished(path) != Unfinished::Resumable {
            let what = format!(
                "the capture in {} was finished, or thrown away, by another p2v meanwhile",
                path.display()
            );
            return Err(Failure::refused(what).advice("Look at it with `p2v list` or `p2v verify`."));
        }
        let failed = |path: &Path, error| Failure::target_write(path, &error);
        let (image, unfinished) = (path.join(DISK), path.join(partial(DISK)));
        if image.exists() && !unfinished.exists() {
            let mut permissions = std::fs::metadata(&image)
                .map_err(|error| failed(&image, error))?
                .permissions();
            #[expect(clippy::permissions_set_readonly_false, reason = "it was made by us, for its owner")]
            permissions.set_readonly(false);
            let _ = std::fs::set_permissions(&image, permissions);
            std::fs::rename(&image, &unfinished).map_err(|error| failed(&image, error))?;
        }
        firmware::remove(path, &partial(FIRMWARE))?;
        let made_again = [CHECKSUMS, MAP, LOST].map(str::to_owned);
        let halves = [CHECKSUMS, MAP, LOST, MACHINE].map(partial);
        for name in made_again.into_iter().chain(halves) {
            match std::fs::remove_file(path.join(&name)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(failed(&path.join(name), error));
                }
                _ => {}
            }
        }
        Ok(NewFolder {
            path: path.to_owned(),
            files: Vec::new(),
            made_folder: true,
            stays: true,
            _lock: lock,
        })
    }

    /// Removes what an unfinished capture left in `path`.
    pub(crate) fn discard(path: &Path) -> Result<()> {
        let _lock = FolderLock::exclusive(path)?;
        // Only now is it certain that nobody has just finished it.
        if matches!(unfinished(path), Unfinished::No) {
            return Ok(());
        }
        let failed = |error| Failure::target_write(path, &error);
        // The journal last: without it nobody goes on with the rest.
        let mut ours = Vec::new();
        for entry in std::fs::read_dir(path).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            if names::is_ours(&name) {
                ours.push(name);
            }
        }
        ours.sort_by_key(|name| name == JOURNAL);
        firmware::remove_all(path)?;
        ours.iter()
            .try_for_each(|name| std::fs::remove_file(path.join(name)))
            .map_err(failed)
    }

    /// Its path.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A file of this capture that is there only while it is made; the caller makes it.
    pub(crate) fn own_file(&mut self, name: &str) -> PathBuf {
        let path = self.path.join(name);
        self.files.push(path.clone());
        path
    }

    /// From here on what was made stays, whatever happens: another run can go on with it.
    pub(crate) fn keep(&mut self) {
        if !self.stays {
            self.stays = true;
            self.give_away();
        }
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

    /// Keeps what the old PC's firmware says of it, unless that was done before.
    pub(crate) fn write_firmware(&mut self, files: &[FirmwareFile]) -> Result<()> {
        firmware::write(&self.path, files)
    }

    /// Makes the names durable.
    pub(crate) fn sync(&self) -> Result<()> {
        let sync = |path: &Path| File::open(path).and_then(|folder| folder.sync_all());
        sync(&self.path).map_err(|error| Failure::target_write(&self.path, &error))?;
        // The new folder's own name. Its parent may not be readable; the files are safe by then.
        let _ = self.path.parent().filter(|_| self.made_folder).map(sync);
        Ok(())
    }

    /// It is complete: what is not part of the result goes, the rest stays. Made through `sudo`, it belongs to the person
    /// who asked for it.
    pub(crate) fn finish(&mut self, superfluous: &[&str]) {
        self.stays = true;
        for path in superfluous
            .iter()
            .flat_map(|name| [self.path.join(name), self.path.join(partial(name))])
        {
            let _ = std::fs::remove_file(&path);
            self.files.retain(|file| *file != path);
        }
        self.give_away();
    }

    fn give_away(&self) {
        let folder = self.made_folder.then_some(&self.path);
        for path in self.files.iter().chain(folder) {
            give_away(path);
        }
    }
}

impl Drop for NewFolder {
    fn drop(&mut self) {
        if self.stays {
            return;
        }
        let _ = firmware::remove_all(&self.path);
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

/// Whether a folder holds a capture that was not finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unfinished {
    /// It holds none.
    No,
    /// One that another run can go on with.
    Resumable,
    /// One of which nobody knows how far it is.
    Lost,
}

/// Looks whether `folder` holds a capture that was not finished.
pub(crate) fn unfinished(folder: &Path) -> Unfinished {
    if folder.join(MACHINE).exists() {
        Unfinished::No
    } else if folder.join(JOURNAL).exists() {
        Unfinished::Resumable
    } else if folder.join(partial(DISK)).exists() {
        Unfinished::Lost
    } else {
        Unfinished::No
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
    Err(Failure::refused(format!("{} is not empty", path.display()))
        .advice("Choose another folder with `-o`: p2v never writes over files."))
}
