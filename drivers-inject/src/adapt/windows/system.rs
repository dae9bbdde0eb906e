//! One Windows that is being adapted: its registry, its drivers, what was found.

use super::super::finding::{Effect, Finding, Kind};
use super::registry::Registry;
use crate::volumes::MountedVolume;
use disk::guestfs::GuestFsError;
use std::collections::HashSet;

/// Everything that the tables of edits look at and change.
pub(super) struct Windows<'a> {
    /// Its name, for people.
    pub(super) name: &'a str,
    /// The folder: `Windows`, `WINNT`.
    pub(super) folder: &'a str,
    /// The volume with that folder.
    pub(super) volume: &'a mut MountedVolume,
    /// The SYSTEM hive.
    pub(super) registry: Registry,
    /// Names in `System32\drivers`, in lower case.
    drivers: HashSet<String>,
    /// What a person should know.
    pub(super) findings: Vec<Finding>,
}

impl<'a> Windows<'a> {
    /// An error if its drivers cannot be listed: then nothing could be said about them.
    pub(super) fn new(
        name: &'a str,
        folder: &'a str,
        volume: &'a mut MountedVolume,
        registry: Registry,
    ) -> Result<Self, GuestFsError> {
        let drivers = volume.fs.list(&format!("{folder}/System32/drivers"))?;
        Ok(Windows {
            name,
            folder,
            volume,
            registry,
            drivers: drivers.into_iter().map(|name| name.to_lowercase()).collect(),
            findings: Vec::new(),
        })
    }

    /// Whether these files are in `System32\drivers`. A driver is only ever enabled if its files are there: Windows
    /// stops at a boot driver that it cannot load.
    pub(super) fn has_drivers(&self, files: &[&str]) -> bool {
        files.iter().all(|file| self.drivers.contains(&file.to_lowercase()))
    }

    /// The files among these that are not in `System32\drivers`.
    pub(super) fn missing<'f>(&self, files: &[&'f str]) -> Vec<&'f str> {
        let mut files = files.to_vec();
        files.retain(|file| !self.has_drivers(&[file]));
        files
    }

    /// Whether the file of a driver is there, by the `ImagePath` of its service (`None`: the default place); `None` if
    /// the path leads elsewhere than into the Windows folder, or the folder cannot be read.
    pub(super) fn has_image(&mut self, service: &str, image: Option<&str>) -> Option<bool> {
        let Some(image) = image else {
            return Some(self.has_drivers(&[&format!("{service}.sys")]));
        };
        let path = image.trim().trim_matches('"').replace('/', "\\").to_lowercase();
        let path = path.trim_start_matches('\\');
        let path = path.strip_prefix("systemroot\\").unwrap_or(path);
        let path = path.strip_prefix("%systemroot%\\").unwrap_or(path);
        // Boot drivers' paths are relative to the Windows folder.
        if !path.starts_with("system32\\") {
            return None;
        }
        let path = format!("{}/{}", self.folder, path.replace('\\', "/"));
        match self.volume.fs.size(&path) {
            Err(GuestFsError::NotFound(_)) => Some(false),
            Err(_) => None,
            Ok(_) => Some(true),
        }
    }

    /// Notes a finding about this system.
    pub(super) fn find(&mut self, kind: Kind, effect: Effect, what: impl Into<String>, default: impl Into<String>) {
        self.findings.push(Finding {
            system: Some(self.name.to_owned()),
            ..Finding::on_disk(kind, effect, self.volume.partition, what, default)
        });
    }
}
