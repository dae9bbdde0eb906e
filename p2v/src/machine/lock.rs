//! Who uses a machine folder: sessions side by side, or one command that changes it.
//!
//! The lock is `flock` on the folder itself: it leaves no file behind, ends with its process however that dies, and
//! stays with the folder when it is renamed.

use super::sessions;
use crate::error::{Failure, Result};
use rustix::fs::FlockOperation;
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long somebody who does not answer is waited for.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two looks: flock(2) cannot wait for a limited time.
const PAUSE: Duration = Duration::from_millis(20);

/// A machine folder that is in use, until this is dropped.
#[derive(Debug)]
pub(crate) struct FolderLock {
    _folder: File,
}

impl FolderLock {
    /// For a session: other sessions may run, nobody changes the folder.
    pub(crate) fn shared(folder: &Path) -> Result<Self> {
        Self::wait(folder, FlockOperation::NonBlockingLockShared)
    }

    /// For a change of the folder: no session runs, no other change is made.
    pub(crate) fn exclusive(folder: &Path) -> Result<Self> {
        Self::wait(folder, FlockOperation::NonBlockingLockExclusive)
    }

    /// As [`exclusive`](Self::exclusive), but only if nobody has the lock now.
    pub(super) fn if_unused(folder: &Path) -> Result<Option<Self>> {
        Self::take(folder, FlockOperation::NonBlockingLockExclusive)
    }

    /// A session that answers no more may still be ending, and most changes take a moment only.
    fn wait(folder: &Path, operation: FlockOperation) -> Result<Self> {
        let asked = Instant::now();
        loop {
            if let Some(lock) = Self::take(folder, operation)? {
                return Ok(lock);
            }
            let running = sessions::running(folder).is_ok_and(|sessions| !sessions.is_empty());
            if running || asked.elapsed() >= PATIENCE {
                return Err(busy(folder, running));
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// `None` if somebody has it.
    fn take(folder: &Path, operation: FlockOperation) -> Result<Option<Self>> {
        let failed = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => super::no_folder(folder),
            _ => Failure::failed(format!("cannot open the folder {}: {error}", folder.display())),
        };
        let file = File::open(folder).map_err(failed)?;
        match rustix::fs::flock(&file, operation) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Ok(None),
            // Network file systems may have no locks for folders; the images have locks of their own.
            Err(Errno::NOLCK | Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL | Errno::BADF) => {}
            Err(error) => return Err(failed(error.into())),
        }
        Ok(Some(FolderLock { _folder: file }))
    }
}

fn busy(folder: &Path, running: bool) -> Failure {
    let folder = folder.display();
    if running {
        return Failure::refused(format!("the machine in {folder} is running"))
            .advice(format!("Shut it down first with `p2v shutdown {folder} --wait`."));
    }
    Failure::refused(format!("another p2v is working in {folder}")).advice("Try again when it has finished.")
}
