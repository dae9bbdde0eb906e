//! The running sessions of a machine: one that keeps what it writes, and any number of ephemeral ones.

use super::lock::FolderLock;
use super::names::{CONTROL_SOCKET, SOCKETS, ephemeral_pid, ephemeral_socket};
use crate::error::{Failure, Result};
use rustix::fs::{Mode, OFlags};
use serde::{Serialize, Serializer};
use std::fmt;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// One of the sessions of a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Session {
    /// The one that keeps what it writes; there is one at most.
    Main,
    /// One that forgets, by its process ID.
    Ephemeral(u32),
}

impl Session {
    /// Its control socket.
    pub(crate) fn socket(self, folder: &Path) -> PathBuf {
        match self {
            Session::Main => folder.join(SOCKETS).join(CONTROL_SOCKET),
            Session::Ephemeral(pid) => folder.join(SOCKETS).join(ephemeral_socket(pid)),
        }
    }
}

impl fmt::Display for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Session::Main => f.write_str("main"),
            Session::Ephemeral(pid) => write!(f, "{pid}"),
        }
    }
}

impl FromStr for Session {
    type Err = &'static str;

    fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
        match text.parse() {
            Ok(pid) => Ok(Session::Ephemeral(pid)),
            Err(_) if text == "main" => Ok(Session::Main),
            Err(_) => Err("a session is `main` or a process ID"),
        }
    }
}

impl Serialize for Session {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The sessions that run, the main one first. Sockets that killed ephemeral sessions left behind are removed.
pub(crate) fn running(folder: &Path) -> Result<Vec<Session>> {
    let mut found = Vec::new();
    for session in listed(folder)? {
        if answers(folder, session) {
            found.push(session);
        } else if let Session::Ephemeral(pid) = session
            && !Path::new("/proc").join(pid.to_string()).exists()
        {
            // A process that is alive may be about to listen.
            let _ = std::fs::remove_file(session.socket(folder));
        }
    }
    // A session that is about to start may have made the folder, and holds the lock. It stays if there is anything in it.
    let sockets = folder.join(SOCKETS);
    if found.is_empty() && sockets.exists() && FolderLock::if_unused(folder)?.is_some() {
        let _ = std::fs::remove_dir(sockets);
    }
    found.sort();
    Ok(found)
}

/// Removes the sockets that sessions left behind. The caller holds the folder's lock: none runs.
pub(crate) fn forget(folder: &Path) -> Result<()> {
    for session in listed(folder)? {
        let _ = std::fs::remove_file(session.socket(folder));
    }
    let _ = std::fs::remove_dir(folder.join(SOCKETS));
    Ok(())
}

/// The sessions that have, or had, a socket.
fn listed(folder: &Path) -> Result<Vec<Session>> {
    let folder = folder.join(SOCKETS);
    let failed = |error| Failure::failed(format!("cannot read the folder {}: {error}", folder.display()));
    let entries = match std::fs::read_dir(&folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed)?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let file = entry.map_err(failed)?.file_name();
        match ephemeral_pid(&file) {
            Some(pid) => found.push(Session::Ephemeral(pid)),
            None if file == CONTROL_SOCKET => found.push(Session::Main),
            None => {}
        }
    }
    Ok(found)
}

/// Whether somebody listens on a session's socket, or may do so.
fn answers(folder: &Path, session: Session) -> bool {
    let socket = session.socket(folder);
    let (Some(folder), Some(name)) = (socket.parent(), socket.file_name()) else {
        return false;
    };
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let Ok(opened) = rustix::fs::open(folder, flags, Mode::empty()) else {
        return true;
    };
    // A socket's address holds 107 bytes, and folders may lie deeper.
    let short = PathBuf::from(format!("/proc/self/fd/{}", opened.as_raw_fd())).join(name);
    match UnixStream::connect(short) {
        Ok(_) => true,
        Err(error) => !matches!(error.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    #[test]
    fn who_listens_runs_and_what_the_dead_left_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let mut dead = std::process::Command::new("true").spawn().unwrap();
        let dead_pid = dead.id();
        dead.wait().unwrap();
        let own = Session::Ephemeral(std::process::id());
        assert_eq!(running(folder.path()).unwrap(), []);
        std::fs::create_dir(folder.path().join(SOCKETS)).unwrap();
        let kept = [Session::Main, own].map(|session| UnixListener::bind(session.socket(folder.path())).unwrap());
        let left = Session::Ephemeral(dead_pid).socket(folder.path());
        drop(UnixListener::bind(&left).unwrap());
        assert_eq!(running(folder.path()).unwrap(), [Session::Main, own]);
        assert!(!left.exists());
        drop(kept);
        assert_eq!(running(folder.path()).unwrap(), []);
        // This process is alive: it may be about to listen.
        assert!(own.socket(folder.path()).exists());
        forget(folder.path()).unwrap();
        assert!(!folder.path().join(SOCKETS).exists());
    }
}
