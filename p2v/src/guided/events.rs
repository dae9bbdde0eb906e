//! What goes in and out of the pages: keys and answers in, tasks out.

use super::computer::Answer;
use super::disks::{Disk, Looked};
use super::health::Health;
use super::places::{Place, Volume};
use super::report::Finished;
use super::working::Part;
use crate::capture::live::Snapshot;
use crate::error::Failure;
use std::path::PathBuf;
use std::time::Instant;

/// A key, whatever the terminal calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Up,
    Down,
    PageUp,
    PageDown,
    Enter,
    Esc,
    Backspace,
    Char(char),
    /// Ctrl-C.
    Interrupt,
}

/// What happens. Numbers tell answers that are waited for from those that came too late.
#[derive(Debug)]
pub(super) enum Event {
    Key(Key),
    /// There is no terminal any more.
    Gone,
    Disks(Answer<Vec<Disk>>),
    Looked(PathBuf, Answer<Looked>),
    Health(PathBuf, Health),
    Places(u64, Vec<Place>),
    /// Where a volume was mounted.
    Mounted(u64, Answer<PathBuf>),
    FolderChecked(u64, Answer<()>),
    Planned(u64, Result<Summary, NotPlanned>),
    /// A look at the copy that goes on.
    Progress(Snapshot, Instant),
    Finished(Result<Finished, Failure>),
}

/// Why there is no plan.
#[derive(Debug)]
pub(super) enum NotPlanned {
    /// Another name would do.
    Name(String),
    /// Something else must change first.
    Refused(Failure),
}

/// What is to be done for the guide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Task {
    ListDisks,
    Look(PathBuf),
    AskHealth(PathBuf),
    ListPlaces {
        ticket: u64,
        source: PathBuf,
        data: u64,
    },
    Mount {
        ticket: u64,
        volume: Volume,
        source: PathBuf,
        data: u64,
    },
    CheckFolder {
        ticket: u64,
        folder: PathBuf,
        source: PathBuf,
        data: u64,
    },
    Plan {
        ticket: u64,
        source: PathBuf,
        folder: PathBuf,
        mount: Option<PathBuf>,
    },
    /// Carry out the plan that was made last.
    Start,
    Pause(bool),
    Cancel,
    Leave,
}

/// What is on the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Page {
    Disks,
    Places,
    /// May this drive be mounted for writing?
    Mount,
    Folder,
    Name,
    /// Something takes its time; what, as a sentence.
    Waiting(&'static str),
    Ready,
    Working,
    Report,
    Failed,
}

/// The folder in which the machine's folder is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Base {
    pub(super) folder: PathBuf,
    /// For sentences: `on the drive "Backup"`, `in /srv`.
    pub(super) at: String,
    /// The drive, if it is one that was chosen as such.
    pub(super) device: Option<PathBuf>,
}

/// A plan, as far as it is shown.
#[derive(Clone, Debug, Default)]
pub(super) struct Summary {
    /// Bytes to be read.
    pub(super) data: u64,
    /// Bytes free where the copy goes.
    pub(super) free: u64,
    pub(super) systems: Vec<String>,
    pub(super) warnings: Vec<String>,
    /// What does the same, typed.
    pub(super) command: String,
    pub(super) parts: Vec<Part>,
}
