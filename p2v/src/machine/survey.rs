//! What there is to say about a machine folder without opening its disk: whole, half-finished or broken.

use super::backing::backing_name;
use super::names::{ADAPTED, NOW};
use super::sessions::{self, Session};
use super::snapshots::Snapshots;
use super::{FoundSystem, Machine, Unfinished, unfinished};
use serde::Serialize;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// What a machine is up to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum State {
    /// At least one session runs.
    Running,
    /// It has run, and is off.
    Stopped,
    /// It was adapted and has not run since.
    Adapted,
    /// It is as it was captured.
    NeverStarted,
    /// Its capture was not finished, or still goes on.
    Unfinished,
    /// Something is missing or cannot be read.
    Broken,
}

impl State {
    /// For people.
    pub(crate) fn text(self) -> &'static str {
        match self {
            State::Running => "running",
            State::Stopped => "stopped",
            State::Adapted => "adapted",
            State::NeverStarted => "never started",
            State::Unfinished => "unfinished",
            State::Broken => "broken",
        }
    }
}

/// A machine as `p2v list` shows it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Survey {
    /// The folder's name.
    pub(crate) name: String,
    /// The folder.
    pub(crate) folder: PathBuf,
    /// Operating systems.
    pub(crate) systems: Vec<FoundSystem>,
    /// Bytes that its files take on the disk.
    pub(crate) size_bytes: u64,
    /// What it is up to.
    pub(crate) state: State,
    /// Those that run.
    pub(crate) sessions: Vec<Session>,
    /// Names, the oldest first.
    pub(crate) snapshots: Vec<String>,
    /// Why it is broken or unfinished.
    pub(crate) problem: Option<String>,
}

impl Survey {
    /// Looks at a folder. It never fails: what cannot be read is the answer.
    pub(crate) fn of(folder: &Path) -> Self {
        let name = folder.file_name().unwrap_or(folder.as_os_str());
        let snapshots = Snapshots::of(folder).list().unwrap_or_default();
        let mut survey = Survey {
            name: name.to_string_lossy().into_owned(),
            folder: folder.to_owned(),
            systems: Vec::new(),
            size_bytes: size(folder),
            state: State::Broken,
            sessions: sessions::running(folder).unwrap_or_default(),
            snapshots: snapshots.into_iter().map(|snapshot| snapshot.name).collect(),
            problem: None,
        };
        if !matches!(unfinished(folder), Unfinished::No) {
            survey.state = State::Unfinished;
            survey.problem = Some(
                "its capture still goes on, or was not finished: the same `p2v capture` command goes on with it"
                    .to_owned(),
            );
            return survey;
        }
        match Machine::load(folder) {
            Ok(machine) => {
                survey.problem = missing(folder, &machine);
                survey.systems = machine.systems;
            }
            Err(failure) => survey.problem = Some(failure.what().to_owned()),
        }
        let there = |name| folder.join(name).exists();
        survey.state = match survey.problem {
            _ if !survey.sessions.is_empty() => State::Running,
            Some(_) => State::Broken,
            None if there(NOW) => State::Stopped,
            None if there(ADAPTED) => State::Adapted,
            None => State::NeverStarted,
        };
        survey
    }
}

/// What stands in the way of a start, as far as names and headers tell.
fn missing(folder: &Path, machine: &Machine) -> Option<String> {
    let capture = match machine.capture_path(folder) {
        Ok(path) => path,
        Err(failure) => return Some(failure.what().to_owned()),
    };
    if !capture.exists() {
        return Some(format!("the disk {} is missing", capture.display()));
    }
    for overlay in [capture, folder.join(ADAPTED), folder.join(NOW)] {
        if !overlay.exists() {
            continue;
        }
        match backing_name(&overlay) {
            Ok(Some(name)) if folder.join(OsStr::from_bytes(&name)).exists() => {}
            Ok(Some(name)) => {
                let name = String::from_utf8_lossy(&name).into_owned();
                return Some(format!("{} lies on {name}, which is missing", overlay.display()));
            }
            Ok(None) if overlay.ends_with(ADAPTED) || overlay.ends_with(NOW) => {
                return Some(format!("{} lies on nothing", overlay.display()));
            }
            Ok(None) => {}
            Err(failure) => return Some(failure.what().to_owned()),
        }
    }
    None
}

/// Bytes on the disk of the files in a folder.
fn size(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let sizes = entries.filter_map(|entry| entry.metadata().ok().map(|meta| meta.blocks()));
    sizes.fold(0_u64, u64::saturating_add).saturating_mul(512)
}
