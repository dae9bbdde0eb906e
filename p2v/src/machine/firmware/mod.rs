//! What the old PC's firmware says of it, beside its disk: the folder `firmware/` of a machine. It appears whole or not
//! at all, and is never changed afterwards.

mod efivars;
mod reading;

pub(crate) use reading::{read, root};

use super::folder::give_away;
use super::names::{FIRMWARE, partial};
use crate::error::{Failure, Result};
use serde::Serialize;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

/// The SMBIOS entry point.
pub(crate) const SMBIOS_ENTRY_POINT: &str = "smbios_entry_point";
/// The SMBIOS structures.
pub(crate) const SMBIOS: &str = "dmi";
/// The ACPI table with a licence of Windows Vista or 7.
pub(crate) const SLIC: &str = "SLIC";
/// The ACPI table with a licence of Windows 8 or later.
pub(crate) const MSDM: &str = "MSDM";
/// The UEFI variables.
pub(crate) const UEFI_VARIABLES: &str = "efivars.json";
const NAMES: [&str; 5] = [SMBIOS_ENTRY_POINT, SMBIOS, SLIC, MSDM, UEFI_VARIABLES];

/// No file has more bytes: variables take the most, in hexadecimal.
pub(crate) const LARGEST: u64 = 12 << 20;

/// A file of the folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FirmwareFile {
    /// One of the names above.
    pub(crate) name: String,
    /// What is in it.
    pub(crate) bytes: Vec<u8>,
}

/// What was read of a PC's firmware.
#[derive(Clone, Debug, Default)]
pub(crate) struct FirmwareFiles {
    /// The files.
    pub(crate) files: Vec<FirmwareFile>,
    /// What could not be read, and why.
    pub(crate) missing: Vec<String>,
}

/// What is saved, for people and scripts.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Said<'a> {
    files: Vec<&'a str>,
    missing: &'a [String],
}

impl FirmwareFiles {
    /// For scripts.
    pub(crate) fn json(&self) -> Said<'_> {
        Said {
            files: self.files.iter().map(|file| &*file.name).collect(),
            missing: &self.missing,
        }
    }

    /// For people: `SMBIOS, SLIC`. `None` if there is nothing.
    pub(crate) fn text(&self) -> Option<String> {
        let words = [
            (SMBIOS, "SMBIOS"),
            (SLIC, "SLIC"),
            (MSDM, "MSDM"),
            (UEFI_VARIABLES, "UEFI variables"),
        ];
        let has = |name: &str| self.files.iter().any(|file| file.name == name);
        let words: Vec<&str> = words
            .iter()
            .filter(|(name, _)| has(name))
            .map(|(_, word)| *word)
            .collect();
        (!words.is_empty()).then(|| words.join(", "))
    }
}

/// Whether p2v makes files of this name in the folder.
pub(crate) fn is_ours(name: &str) -> bool {
    NAMES.contains(&name)
}

/// Makes the folder in a machine's folder, durably: a temporary name, sync, rename. If it is there already, it stays as it
/// is. Who may read the image may read it, and nobody else: the disk holds more secrets than these, and a machine that was
/// captured by root, on a stick, must be copied by its owner.
pub(crate) fn write(machine: &Path, files: &[FirmwareFile]) -> Result<()> {
    let (folder, unfinished) = (machine.join(FIRMWARE), machine.join(partial(FIRMWARE)));
    if files.is_empty() || folder.exists() {
        return Ok(());
    }
    remove(machine, &partial(FIRMWARE))?;
    let write = || -> io::Result<()> {
        fs::create_dir(&unfinished)?;
        for file in files {
            let path = unfinished.join(&file.name);
            let mut made = File::create_new(&path)?;
            made.write_all(&file.bytes)?;
            let mut permissions = made.metadata()?.permissions();
            permissions.set_readonly(true);
            // File systems without permissions (FAT on a USB stick) may refuse.
            let _ = made.set_permissions(permissions);
            made.sync_all()?;
            give_away(&path);
        }
        File::open(&unfinished)?.sync_all()?;
        give_away(&unfinished);
        fs::rename(&unfinished, &folder)?;
        File::open(machine)?.sync_all()
    };
    write().map_err(|error| Failure::target_write(&folder, &error))
}

/// Removes the folder `name` (the folder, or its temporary name) from a machine's folder, if it holds nothing but our files.
pub(crate) fn remove(machine: &Path, name: &str) -> Result<()> {
    let folder = machine.join(name);
    let failed = |error: io::Error| Failure::target_write(&folder, &error);
    for name in names(&folder).map_err(failed)? {
        if is_ours(&name) {
            fs::remove_file(folder.join(name)).map_err(failed)?;
        }
    }
    match fs::remove_dir(&folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(error)),
        _ => Ok(()),
    }
}

/// Removes the folder from a machine's folder, finished or not, as [`remove`] does.
pub(crate) fn remove_all(machine: &Path) -> Result<()> {
    // Both, even if one cannot be removed.
    folders().map(|name| remove(machine, &name)).into_iter().collect()
}

/// The folder's names in a machine's folder: when it is finished, and before.
pub(crate) fn folders() -> [String; 2] {
    [FIRMWARE.to_owned(), partial(FIRMWARE)]
}

/// What is in the folder, in order; nothing if it is not there.
pub(crate) fn names(folder: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
    let mut names: Vec<String> = names.collect::<io::Result<_>>()?;
    names.sort();
    Ok(names)
}

/// A file of the folder of a machine; `None` if there is none.
pub(crate) fn load(machine: &Path, name: &str) -> io::Result<Option<Vec<u8>>> {
    load_file(&machine.join(FIRMWARE).join(name), LARGEST)
}

/// All files of a machine's folder.
pub(crate) fn load_all(machine: &Path) -> io::Result<Vec<FirmwareFile>> {
    let mut files = Vec::new();
    for name in NAMES {
        if let Some(bytes) = load(machine, name)? {
            files.push(FirmwareFile {
                name: name.to_owned(),
                bytes,
            });
        }
    }
    Ok(files)
}

/// A file of at most `most` bytes; `None` if it is not there.
fn load_file(path: &Path, most: u64) -> io::Result<Option<Vec<u8>>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        let what = format!("it has more than {most} bytes");
        return Err(io::Error::new(io::ErrorKind::InvalidData, what));
    }
    Ok(Some(bytes))
}

#[cfg(test)]
mod tests;
