//! Locks that keep two programs from using an image at once.

use super::Qcow2Error;
use rustix::fs::FlockOperation;
use rustix::io::Errno;
use std::fs::File;
use std::path::Path;

/// Locks `file` for writing: nobody else may use it until it is closed.
pub(super) fn exclusive(file: &File, path: &Path) -> Result<(), Qcow2Error> {
    lock(file, path, FlockOperation::NonBlockingLockExclusive)
}

/// Locks `file` for reading: others may read it, nobody may write to it until it is closed.
pub(super) fn shared(file: &File, path: &Path) -> Result<(), Qcow2Error> {
    lock(file, path, FlockOperation::NonBlockingLockShared)
}

fn lock(file: &File, path: &Path, operation: FlockOperation) -> Result<(), Qcow2Error> {
    match rustix::fs::flock(file, operation) {
        Ok(()) => Ok(()),
        Err(Errno::WOULDBLOCK) => Err(Qcow2Error::Locked { path: path.to_owned() }),
        // Some network filesystems have no locks: better an image without one than no access to it.
        Err(Errno::NOLCK | Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => Ok(()),
        Err(error) => Err(Qcow2Error::io(path, error.into())),
    }
}
