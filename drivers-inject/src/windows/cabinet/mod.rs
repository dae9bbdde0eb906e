//! Driver files that a Windows keeps for itself: as files, and in the cabinets from which it installs devices.
//!
//! Setup copies only what the machine needed. What another machine needs is still there: `ServicePackFiles` and
//! `Driver Cache` (Windows 2000 to 2003), `DriverStore` (Vista and later).
#![warn(clippy::arithmetic_side_effects, clippy::as_conversions, clippy::indexing_slicing)]

mod archive;
#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, clippy::as_conversions, clippy::indexing_slicing)]
#[path = "../../../tests/common/lzx.rs"]
mod lzx;
#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, clippy::as_conversions, clippy::indexing_slicing)]
mod tests;

use crate::executable::{driver_fault, file_version};
use crate::volumes::MountedVolume;
use archive::Archive;
use disk::guestfs::GuestFsError;
use std::collections::BTreeMap;

/// The largest driver file that is taken; those that are looked for have 100 KiB.
const DRIVER_LIMIT: u64 = 16 << 20;
/// The largest cabinet that is read: driver.cab of Windows Server 2003 has some 80 MiB.
const CABINET_LIMIT: u64 = 192 << 20;
/// Cabinets of `Driver Cache`, the newest first.
const CABINETS: [&str; 5] = ["sp4.cab", "sp3.cab", "sp2.cab", "sp1.cab", "driver.cab"];
/// The packages of `DriverStore` with the drivers of disk controllers start with this.
const STORE_PACKAGE: &str = "mshdc.inf_";

/// A driver file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// Its contents: a driver for the right processor, whole.
    pub(crate) bytes: Vec<u8>,
    /// Where it came from, for a person: `WINDOWS/Driver Cache/i386/driver.cab`.
    pub(crate) origin: String,
}

/// A file is nowhere on this system, or not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this Windows keeps no usable {name}{}", in_brackets(.rejected))]
pub(crate) struct NotFound {
    /// Its name.
    pub(crate) name: String,
    /// What was found and cannot be used: path and why.
    pub(crate) rejected: Vec<String>,
}

fn in_brackets(rejected: &[String]) -> String {
    match rejected {
        [] => String::new(),
        rejected => format!(" ({})", rejected.join("; ")),
    }
}

/// Looks for driver files (`intelide.sys`) in the sources of the Windows in `folder`. `architecture` is `x86` or
/// `x86_64`. The newest source comes first.
pub(crate) fn find(
    volume: &mut MountedVolume,
    folder: &str,
    names: &[&str],
    architecture: &str,
) -> BTreeMap<String, Result<Found, NotFound>> {
    let mut search = Search {
        volume,
        architecture,
        wanted: names
            .iter()
            .map(|name| ((*name).to_owned(), Wanted::default()))
            .collect(),
    };
    let platform = match architecture {
        "x86_64" => "amd64",
        _ => "i386",
    };
    search.plain_files(&format!("{folder}/ServicePackFiles/{platform}"));
    for cabinet in CABINETS {
        search.cabinet(&format!("{folder}/Driver Cache/{platform}/{cabinet}"));
    }
    search.driver_store(&format!("{folder}/System32/DriverStore/FileRepository"));
    let result = |(name, wanted): (String, Wanted)| {
        let found = wanted.found.ok_or_else(|| NotFound {
            name: name.clone(),
            rejected: wanted.rejected,
        });
        (name, found)
    };
    search.wanted.into_iter().map(result).collect()
}

/// What is known of a file so far.
#[derive(Default)]
struct Wanted {
    found: Option<Found>,
    rejected: Vec<String>,
}

struct Search<'a> {
    volume: &'a mut MountedVolume,
    architecture: &'a str,
    wanted: BTreeMap<String, Wanted>,
}

impl Search<'_> {
    /// The names that are still looked for.
    fn missing(&self) -> Vec<String> {
        let missing = self.wanted.iter().filter(|(_, wanted)| wanted.found.is_none());
        missing.map(|(name, _)| name.clone()).collect()
    }

    /// Reads a file of the volume; `None` if it is not there. What else is wrong is noted for `names`.
    fn read(&mut self, path: &str, limit: u64, names: &[String]) -> Option<Vec<u8>> {
        match self.volume.fs.read(path, limit) {
            Ok(bytes) => Some(bytes),
            Err(GuestFsError::NotFound(_)) => None,
            Err(error) => {
                for name in names {
                    self.reject(name, error.to_string());
                }
                None
            }
        }
    }

    fn reject(&mut self, name: &str, why: String) {
        if let Some(wanted) = self.wanted.get_mut(name) {
            wanted.rejected.push(why);
        }
    }

    /// Takes a file if it is a driver that can be used.
    fn offer(&mut self, name: &str, bytes: Vec<u8>, origin: &str) {
        match driver_fault(&bytes, self.architecture) {
            Some(fault) => self.reject(name, format!("{origin}: {fault}")),
            None => {
                let origin = origin.to_owned();
                if let Some(wanted) = self.wanted.get_mut(name) {
                    wanted.found = Some(Found { bytes, origin });
                }
            }
        }
    }

    /// Files in a folder, as they are, or each in a cabinet of its own (`intelide.sy_`).
    fn plain_files(&mut self, folder: &str) {
        for name in self.missing() {
            let names = std::slice::from_ref(&name);
            let path = format!("{folder}/{name}");
            if let Some(bytes) = self.read(&path, DRIVER_LIMIT, names) {
                self.offer(&name, bytes, &path);
            }
        }
        for name in self.missing() {
            let mut packed = name.clone();
            packed.pop();
            self.cabinet_for(&format!("{folder}/{packed}_"), std::slice::from_ref(&name));
        }
    }

    fn cabinet(&mut self, path: &str) {
        let names = self.missing();
        if !names.is_empty() {
            self.cabinet_for(path, &names);
        }
    }

    /// Looks into a cabinet for these names.
    fn cabinet_for(&mut self, path: &str, names: &[String]) {
        let Some(bytes) = self.read(path, CABINET_LIMIT, names) else {
            return;
        };
        let mut archive = match Archive::open(bytes) {
            Ok(archive) => archive,
            Err(why) => {
                for name in names {
                    self.reject(name, format!("{path}: {why}"));
                }
                return;
            }
        };
        for name in names {
            match archive.read(name, DRIVER_LIMIT) {
                Ok(Some(bytes)) => self.offer(name, bytes, path),
                Ok(None) => {}
                Err(why) => self.reject(name, format!("{path}: {why}")),
            }
        }
    }

    /// Of the packages in `DriverStore`, the one with the newest file: updates leave the older ones there.
    fn driver_store(&mut self, folder: &str) {
        let packages = self.volume.fs.list(folder).unwrap_or_default();
        let packages = packages
            .into_iter()
            .filter(|name| name.to_lowercase().starts_with(STORE_PACKAGE));
        let packages: Vec<String> = packages.collect();
        for name in self.missing() {
            let mut newest: Option<(u64, Vec<u8>, String)> = None;
            for package in &packages {
                let path = format!("{folder}/{package}/{name}");
                let Some(bytes) = self.read(&path, DRIVER_LIMIT, std::slice::from_ref(&name)) else {
                    continue;
                };
                if let Some(fault) = driver_fault(&bytes, self.architecture) {
                    self.reject(&name, format!("{path}: {fault}"));
                    continue;
                }
                let version = file_version(&bytes);
                if newest.as_ref().is_none_or(|(other, ..)| version > *other) {
                    newest = Some((version, bytes, path));
                }
            }
            if let Some((_, bytes, path)) = newest {
                self.offer(&name, bytes, &path);
            }
        }
    }
}
