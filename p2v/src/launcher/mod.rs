//! The old PC in the new desktop's menu: a desktop entry that starts `p2v launch`, and an icon.

mod entry;

use crate::error::{Failure, Result};
use crate::machine::library::data_folder;
use entry::{Entry, file_part, folder_of};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Drawn for p2v.
const ICON: &str = include_str!("old-pc.svg");
const ICON_NAME: &str = "p2v-old-pc.svg";
/// What our entries' names begin with.
const PREFIX: &str = "p2v-";

/// What the desktop knows the machine in a folder by: the name of its entry, and the class of its window.
pub(crate) fn id(folder: &Path) -> Result<String> {
    let name = folder
        .file_name()
        .and_then(|name| name.to_str())
        .ok_or_else(|| unusable(folder))?;
    Ok(format!("{PREFIX}{}", file_part(name)))
}

/// Where the entry of a machine is, or would be.
fn entry_path(folder: &Path) -> Result<PathBuf> {
    Ok(data_folder()?
        .join("applications")
        .join(format!("{}.desktop", id(folder)?)))
}

fn icon_path() -> Result<PathBuf> {
    Ok(data_folder()?.join("icons/hicolor/scalable/apps").join(ICON_NAME))
}

fn unusable(path: &Path) -> Failure {
    Failure::refused(format!(
        "{} cannot stand in a desktop entry: it is not UTF-8, or has a control character",
        path.display()
    ))
    .advice("Rename it first.")
}

/// Text that an entry can hold.
fn usable(path: &Path) -> Result<&str> {
    let text = path.to_str().filter(|text| !text.contains(char::is_control));
    text.ok_or_else(|| unusable(path))
}

/// Whether the entry at `path` is for the machine in `folder`; `None` if there is no entry.
fn is_for(path: &Path, folder: &Path) -> Result<Option<bool>> {
    match fs::read(path) {
        Ok(text) => Ok(Some(
            folder_of(&String::from_utf8_lossy(&text)).is_some_and(|found| Path::new(&found) == folder),
        )),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::failed(format!("cannot read {}: {error}", path.display()))),
    }
}

/// Puts the machine in `folder` (absolute), whose name is `name`, into the menu. Returns the entry's path.
pub(crate) fn add(folder: &Path, name: &str) -> Result<PathBuf> {
    let (path, icon) = (entry_path(folder)?, icon_path()?);
    if is_for(&path, folder)? == Some(false) {
        return Err(Failure::refused(format!(
            "{} is there already, and is not for this machine",
            path.display()
        ))
        .advice("Remove that launcher first, or rename the machine."));
    }
    // Its own path: a desktop session may search fewer folders than a shell.
    let program = std::env::current_exe()
        .map_err(|error| Failure::failed(format!("cannot tell where p2v itself is: {error}")))?;
    let name: String = name.chars().filter(|c| !c.is_control()).collect();
    let entry = Entry {
        name: &name,
        command: &[usable(&program)?, "launch", usable(folder)?],
        icon: usable(&icon)?,
        folder: usable(folder)?,
        window: &id(folder)?,
    };
    write(&icon, ICON)?;
    write(&path, &entry.text())?;
    Ok(path)
}

/// Takes the machine in `folder` out of the menu; whether it was there. The icon goes with the last entry.
pub(crate) fn remove(folder: &Path) -> Result<bool> {
    let path = entry_path(folder)?;
    if is_for(&path, folder)? != Some(true) {
        return Ok(false);
    }
    let gone = |path: &Path| fs::remove_file(path).map_err(|error| Failure::target_write(path, &error));
    gone(&path)?;
    let entries = path.parent().map(fs::read_dir).and_then(io::Result::ok);
    let ours = |name: &str| name.starts_with(PREFIX) && name.ends_with(".desktop");
    let mut names = entries.into_iter().flatten().flatten().map(|entry| entry.file_name());
    let icon = icon_path()?;
    if !names.any(|name| ours(&name.to_string_lossy())) && icon.exists() {
        gone(&icon)?;
    }
    Ok(true)
}

/// Writes a whole file: menus never see half of one.
fn write(path: &Path, text: &str) -> Result<()> {
    let write = || -> io::Result<()> {
        let folder = path.parent().unwrap_or(Path::new("/"));
        fs::create_dir_all(folder)?;
        let mut unfinished = path.to_owned();
        unfinished.as_mut_os_string().push(".partial");
        fs::write(&unfinished, text)?;
        fs::rename(&unfinished, path)
    };
    write().map_err(|error| Failure::target_write(path, &error))
}
