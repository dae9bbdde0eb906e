//! What goes in and out of the pages: keys and answers in, tasks out.

use super::computer::Answer;
use super::disks::{Disk, Looked};
use super::far::FarPlace;
use super::health::Health;
use super::places::{Place, Volume};
use super::report::Finished;
use super::working::Part;
use crate::askpass::{Question, Secret};
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
    Tab,
    BackTab,
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
    /// ssh asks something while the plan is made.
    Asked(u64, Question),
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
        target: Target,
    },
    /// The answer to what ssh has asked.
    Answer {
        ticket: u64,
        answer: Secret,
    },
    /// Nobody waits for the plan any more.
    GiveUp,
    /// Carry out the plan that was made last.
    Start,
    Pause(bool),
    Cancel,
    Leave,
}

/// Where the machine's folder is made, as `p2v capture` is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// A folder of this computer; the device that p2v has mounted for it.
    Folder { folder: PathBuf, mount: Option<PathBuf> },
    /// An address, and a name if that says none.
    Far { output: String, name: Option<String> },
}

/// What is on the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Page {
    Disks,
    Places,
    /// May this drive be mounted for writing?
    Mount,
    Folder,
    /// Which other PC?
    Far,
    Name,
    /// What ssh asks.
    Question,
    /// Something takes its time; what, as a sentence.
    Waiting(&'static str),
    Ready,
    Working,
    Report,
    Failed,
}

/// Where the machine's folder is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Base {
    pub(super) root: Root,
    /// For sentences: `on the drive "Backup"`, `in /srv`.
    pub(super) at: String,
}

/// The folder in which it is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Root {
    /// On this computer; the drive, if it is one that was chosen as such.
    Folder { folder: PathBuf, device: Option<PathBuf> },
    /// On another one.
    Far(FarPlace),
}

impl Base {
    /// The other PC, if it is on one.
    pub(super) fn far(&self) -> Option<&FarPlace> {
        match &self.root {
            Root::Folder { .. } => None,
            Root::Far(place) => Some(place),
        }
    }
}

/// A plan, as far as it is shown.
#[derive(Clone, Debug, Default)]
pub(super) struct Summary {
    /// Bytes to be read.
    pub(super) data: u64,
    /// How many of them an earlier run has copied.
    pub(super) copied_before: u64,
    /// Bytes free where the copy goes.
    pub(super) free: u64,
    pub(super) systems: Vec<String>,
    pub(super) warnings: Vec<String>,
    /// What does the same, typed.
    pub(super) command: String,
    /// The machine's folder, on the computer where it is.
    pub(super) folder: PathBuf,
    pub(super) parts: Vec<Part>,
}
