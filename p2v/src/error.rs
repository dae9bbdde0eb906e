//! What is told to a person when something does not work.
//!
//! Rules, for every message of this crate:
//! 1. Say **what** did not work and **where**: the path, the partition, the offset. Never a bare system error.
//! 2. Say what to do now, as a command where there is one. If trying again helps, say so.
//! 3. Say it when data could be at risk, and when it is not.
//! 4. One exit code a kind, so that scripts can tell them apart; they are listed in `p2v --help`.

use disk::qcow2::Qcow2Error;
use disk::source::SourceError;
use rustix::io::Errno;
use std::fmt;
use std::io;
use std::path::Path;

/// How the process ends when a command does not succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It went wrong, or a check found differences.
    Failed = 1,
    /// p2v declined, and changed nothing.
    Refused = 3,
    /// The source could not be read.
    SourceUnreadable = 4,
    /// The target could not be written.
    TargetUnwritable = 5,
    /// Captured, but not all of it could be read.
    PartlyLost = 6,
    /// Ctrl-C.
    Interrupted = 130,
    /// SIGTERM or SIGHUP.
    Terminated = 143,
}

/// Why a command did not succeed, in words for a person.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    /// How the process ends.
    pub(crate) exit: Exit,
    what: String,
    advice: Option<String>,
    told_there: bool,
}

/// The result of everything that a person may have to be told about.
pub(crate) type Result<T> = std::result::Result<T, Failure>;

impl Failure {
    /// Something with its own exit code.
    pub(crate) fn new(exit: Exit, what: impl Into<String>) -> Self {
        Failure {
            exit,
            what: what.into(),
            advice: None,
            told_there: false,
        }
    }

    /// It went wrong.
    pub(crate) fn failed(what: impl Into<String>) -> Self {
        Failure::new(Exit::Failed, what)
    }

    /// p2v declines; nothing was changed.
    pub(crate) fn refused(what: impl Into<String>) -> Self {
        Failure::new(Exit::Refused, what)
    }

    /// What the person can do now.
    pub(crate) fn advice(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    /// It is what p2v on another computer has told.
    pub(crate) fn told_there(mut self, host: &str) -> Self {
        self.what = format!("on {host}: {}", self.what);
        self.told_there = true;
        self
    }

    /// Whether p2v on another computer has told it.
    pub(crate) fn was_told_there(&self) -> bool {
        self.told_there
    }

    /// What did not work, without the advice.
    pub(crate) fn what(&self) -> &str {
        &self.what
    }

    /// What to do now, if there is something.
    pub(crate) fn what_now(&self) -> Option<&str> {
        self.advice.as_deref()
    }

    /// The source at `path` could not be read at `offset` (bytes).
    pub(crate) fn source_read(path: &Path, offset: u64, sector: u32, error: &io::Error) -> Self {
        let gone = [Errno::NXIO, Errno::NODEV, Errno::NOMEDIUM]
            .iter()
            .any(|errno| error.raw_os_error() == Some(errno.raw_os_error()));
        let where_ = format!("byte {offset} (sector {})", offset / u64::from(sector.max(1)));
        if gone {
            return Failure::new(
                Exit::SourceUnreadable,
                format!("{} is gone: reading at {where_} failed: {error}", path.display()),
            )
            .advice("Check the cable and the power of the disk, then start the capture again.");
        }
        Failure::new(
            Exit::SourceUnreadable,
            format!("{} cannot be read at {where_}: {error}", path.display()),
        )
        .advice(
            "If `dmesg` shows I/O errors, the disk is failing. Use it as little as possible: every start costs it. `p2v \
             capture` copies what can still be read of a failing disk, but not when the errors are as this one is.",
        )
    }

    /// Writing to `path` failed.
    pub(crate) fn target_write(path: &Path, error: &io::Error) -> Self {
        let what = format!("cannot write {}: {error}", path.display());
        let failure = Failure::new(Exit::TargetUnwritable, what);
        match error.raw_os_error().map(Errno::from_raw_os_error) {
            Some(Errno::NOSPC | Errno::DQUOT) => {
                failure.advice("The target is full. Make room or choose another target with `-o`, then start again.")
            }
            Some(Errno::FBIG) => failure.advice(
                "The target's file system cannot hold files this large (FAT cannot go past 4 GiB). \
                 Use a target with exFAT, NTFS or ext4.",
            ),
            Some(Errno::ROFS) => failure.advice(
                "The target can only be read: it was mounted so, or the system made it so after an error. Is it still \
                 connected? Check it, or choose another folder with `-o`.",
            ),
            Some(Errno::ACCESS | Errno::PERM) => failure.advice("Choose a folder that you may write to, with `-o`."),
            Some(Errno::IO | Errno::NXIO | Errno::NODEV | Errno::STALE) => {
                failure.advice("Is the target still connected? Check it, then start again.")
            }
            _ => failure,
        }
    }

    /// A signal asked to stop.
    pub(crate) fn interrupted(exit: Exit) -> Self {
        Failure::new(exit, "interrupted; the source is untouched")
    }

    /// It ended a capture to `folder`, of which something stayed there, or nothing.
    pub(crate) fn of_capture(mut self, folder: &Path, host: Option<&str>, stays: bool) -> Self {
        let now = if stays {
            let folder = crate::machine::library::word(folder);
            let on = host.map_or(String::new(), |host| format!(" on {host}"));
            format!(
                "What was copied so far stays: the same command goes on from there. `p2v remove {folder}`{on} throws it away."
            )
        } else {
            "Nothing of it stays behind.".to_owned()
        };
        self.advice = Some(match self.advice {
            Some(advice) => format!("{advice}\n{now}"),
            None => now,
        });
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p2v: {}", self.what)?;
        if let Some(advice) = &self.advice {
            write!(f, "\n{advice}")?;
        }
        Ok(())
    }
}

impl From<SourceError> for Failure {
    fn from(error: SourceError) -> Self {
        let advice = match &error {
            SourceError::Open { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                "Run `p2v disks` to see the disks of this computer."
            }
            SourceError::Open { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                "Disks can be read by the administrator only: run the same command with `sudo`."
            }
            SourceError::NotADisk { .. } => "Give a disk such as /dev/sda, or the file of a raw image.",
            _ => return Failure::new(Exit::SourceUnreadable, error.to_string()),
        };
        Failure::new(Exit::SourceUnreadable, error.to_string()).advice(advice)
    }
}

impl From<Qcow2Error> for Failure {
    fn from(error: Qcow2Error) -> Self {
        match &error {
            Qcow2Error::Locked { .. } => Failure::refused(error.to_string()),
            _ => Failure::failed(error.to_string()),
        }
    }
}

/// Writes `text` to standard output. A reader that went away (`p2v man | head`) is no error.
pub(crate) fn print(text: &str) -> Result<()> {
    use io::Write;
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::failed(format!("cannot write to standard output: {error}")))
        }
        _ => Ok(()),
    }
}

/// Prints `value` as indented JSON.
pub(crate) fn print_json(value: &impl serde::Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(value).map_err(|error| Failure::failed(error.to_string()))?;
    print(&(text + "\n"))
}
