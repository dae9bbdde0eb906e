//! A folder of this computer as a source of drivers.

use disk::guestfs::{GuestFs, GuestFsError};
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

/// A folder and what is below it. Names are found whatever their case, as they are written for Windows.
pub(super) struct HostFolder(PathBuf);

impl HostFolder {
    pub(super) fn new(path: &Path) -> Self {
        HostFolder(path.to_owned())
    }

    fn walk(&self, path: &str) -> Result<PathBuf, GuestFsError> {
        let not_found = || GuestFsError::NotFound(path.to_owned());
        let mut here = self.0.clone();
        for part in path.split('/').filter(|part| !part.is_empty() && *part != ".") {
            // Nothing above the folder.
            if part == ".." {
                return Err(not_found());
            }
            let plain = here.join(part);
            here = match plain.exists() {
                true => plain,
                false => {
                    let names = names(&here).map_err(|_| not_found())?;
                    let name = names
                        .into_iter()
                        .find(|name| name.to_lowercase() == part.to_lowercase());
                    here.join(name.ok_or_else(not_found)?)
                }
            };
        }
        Ok(here)
    }
}

fn names(folder: &Path) -> std::io::Result<Vec<String>> {
    let entries = fs::read_dir(folder)?;
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    names.sort_unstable();
    Ok(names)
}

impl GuestFs for HostFolder {
    fn size(&mut self, path: &str) -> Result<u64, GuestFsError> {
        let facts = fs::metadata(self.walk(path)?)?;
        match facts.is_file() {
            true => Ok(facts.len()),
            false => Err(GuestFsError::WrongKind {
                path: path.to_owned(),
                expected: "a regular file",
            }),
        }
    }

    fn read_start(&mut self, path: &str, len: u64) -> Result<Vec<u8>, GuestFsError> {
        self.size(path)?;
        let mut bytes = Vec::new();
        File::open(self.walk(path)?)?.take(len).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn exists(&mut self, path: &str) -> bool {
        self.walk(path).is_ok()
    }

    fn list(&mut self, path: &str) -> Result<Vec<String>, GuestFsError> {
        Ok(names(&self.walk(path)?)?)
    }
}
