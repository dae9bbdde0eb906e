//! One Windows that is being adapted: its registry, its drivers, what was found.

use super::super::edited::{Action, FileChange};
use super::super::finding::{Effect, Finding, Kind};
use super::super::plan::Edit;
use super::registry::Registry;
use super::replace::{CLOSE, changeable};
use crate::System;
use crate::volumes::MountedVolume;
use disk::guestfs::GuestFsError;
use fs_edit::FsEditError;
use std::collections::{BTreeMap, HashSet};

/// Everything that the tables of edits look at and change.
pub(super) struct Windows<'a> {
    pub(super) system: &'a System,
    /// The folder: `Windows`, `WINNT`.
    pub(super) folder: &'a str,
    /// The volume with that folder.
    pub(super) volume: &'a mut MountedVolume,
    /// Its index.
    pub(super) number: usize,
    /// The SYSTEM hive.
    pub(super) registry: Registry,
    /// Names in `System32\drivers`, in lower case.
    drivers: HashSet<String>,
    /// Driver files that are missing, and why they cannot be had.
    pub(super) unrecovered: BTreeMap<String, String>,
    /// Whether files can be made; `None` until somebody asked.
    changeable: Option<Result<(), String>>,
    /// Files to write.
    pub(super) files: Vec<FileChange>,
    /// What is done to files, in words.
    pub(super) edits: Vec<Edit>,
    /// What a person should know.
    pub(super) findings: Vec<Finding>,
}

impl<'a> Windows<'a> {
    /// An error if its drivers cannot be listed: then nothing could be said about them.
    pub(super) fn new(
        system: &'a System,
        folder: &'a str,
        volume: &'a mut MountedVolume,
        number: usize,
        registry: Registry,
    ) -> Result<Self, GuestFsError> {
        let drivers = volume.fs.list(&format!("{folder}/System32/drivers"))?;
        Ok(Windows {
            system,
            folder,
            volume,
            number,
            registry,
            drivers: drivers.into_iter().map(|name| name.to_lowercase()).collect(),
            unrecovered: BTreeMap::new(),
            changeable: None,
            files: Vec::new(),
            edits: Vec::new(),
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

    /// Why these files cannot be had: sentences, each with a space before it.
    pub(super) fn why_not(&self, files: &[&str]) -> String {
        let mut reasons: Vec<&String> = files.iter().filter_map(|file| self.unrecovered.get(*file)).collect();
        reasons.dedup();
        reasons
            .iter()
            .fold(String::new(), |all, reason| format!("{all} {reason}"))
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

    /// Whether files can be made on its volume; else why not, and what a person can do: a sentence without its
    /// beginning.
    pub(super) fn can_make_files(&mut self) -> Result<(), String> {
        let volume = &*self.volume;
        let answer = self.changeable.get_or_insert_with(|| {
            changeable(volume).map_err(|error| match error {
                FsEditError::Unfit { .. } => format!("{error}. {CLOSE}"),
                error => format!("{error}."),
            })
        });
        answer.clone()
    }

    /// Plans to write a file; `path` is relative to the Windows folder, `origin` where the contents come from.
    pub(super) fn write_file(&mut self, path: &str, contents: Vec<u8>, origin: &str, why: &str) {
        let path = format!("{}/{path}", self.folder);
        let before = self.volume.fs.size(&path).ok().map(|size| format!("{size} bytes"));
        self.edits.push(Edit {
            system: self.system.name.clone(),
            partition: self.volume.partition,
            file: path.clone(),
            place: "the whole file".to_owned(),
            before,
            after: Some(format!("{} bytes from {origin}", contents.len())),
            why: why.to_owned(),
        });
        let action = Action::Write(contents);
        let volume = self.number;
        self.files.push(FileChange { volume, path, action });
    }

    /// Plans to make a folder below the Windows folder, unless it is there.
    pub(super) fn create_folder(&mut self, path: &str) {
        let path = format!("{}/{path}", self.folder);
        if !self.volume.fs.exists(&path) {
            let action = Action::CreateFolder;
            let volume = self.number;
            self.files.push(FileChange { volume, path, action });
        }
    }

    /// Plans to write a driver into `System32\drivers`: from now on it is there.
    pub(super) fn write_driver(&mut self, file: &str, contents: Vec<u8>, origin: &str, why: &str) {
        self.write_file(&format!("System32/drivers/{file}"), contents, origin, why);
        self.drivers.insert(file.to_lowercase());
    }

    /// Notes a finding about this system.
    pub(super) fn find(&mut self, kind: Kind, effect: Effect, what: impl Into<String>, default: impl Into<String>) {
        self.findings.push(Finding {
            system: Some(self.system.name.clone()),
            ..Finding::on_disk(kind, effect, self.volume.partition, what, default)
        });
    }
}
