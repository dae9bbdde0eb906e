//! Locks that keep two programs from using an image at once, ours as well as QEMU.
//!
//! Ours is `flock` on the whole file. QEMU's is a row of byte locks that belong to the open file (OFD locks): byte
//! 100 + N says "I do N", byte 200 + N "nobody else may do N", with N from its list of permissions
//! (`include/block/block-common.h`, `block/file-posix.c`). A lock is asked for where somebody forbids what we do, or
//! does what we forbid.

use super::Qcow2Error;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc::{self, off_t};
use rustix::fs::FlockOperation;
use std::fs::File;
use std::ops::Deref;
use std::path::Path;

/// First byte of the row "I do".
const DOES: off_t = 100;
/// First byte of the row "nobody else may".
const FORBIDS: off_t = 200;
/// Permission numbers.
const READ: off_t = 0;
const WRITE: off_t = 1;
const WRITE_UNCHANGED: off_t = 2;
const RESIZE: off_t = 3;

/// What a user of an image does, and what nobody else may do meanwhile.
struct Use {
    flock: FlockOperation,
    does: &'static [off_t],
    forbids: &'static [off_t],
}

/// Reading: others may read too.
const SHARED: Use = Use {
    flock: FlockOperation::NonBlockingLockShared,
    does: &[READ],
    forbids: &[WRITE, RESIZE],
};

/// Writing: others may do nothing.
const EXCLUSIVE: Use = Use {
    flock: FlockOperation::NonBlockingLockExclusive,
    does: &[READ, WRITE, RESIZE],
    forbids: &[READ, WRITE, WRITE_UNCHANGED, RESIZE],
};

/// An open file that is locked until it is dropped.
#[derive(Debug)]
pub(super) struct LockedFile(File);

impl LockedFile {
    /// Locks `file` for reading: others may read it, nobody may write to it. `path` is for errors.
    pub(super) fn shared(file: File, path: &Path) -> Result<Self, Qcow2Error> {
        Self::lock(file, path, &SHARED)
    }

    /// Locks `file`, which is open for writing: nobody else may use it.
    pub(super) fn exclusive(file: File, path: &Path) -> Result<Self, Qcow2Error> {
        Self::lock(file, path, &EXCLUSIVE)
    }

    fn lock(file: File, path: &Path, wanted: &Use) -> Result<Self, Qcow2Error> {
        let locked = || Qcow2Error::Locked { path: path.to_owned() };
        match rustix::fs::flock(&file, wanted.flock) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Err(locked()),
            // Some network filesystems have no locks: better an image without one than no access to it.
            Err(e) if no_locks(e.raw_os_error()) => {}
            Err(e) => return Err(Qcow2Error::io(path, e.into())),
        }
        let file = LockedFile(file);
        // First say it, then look: of two that come at the same time, at least one sees the other.
        let said = wanted
            .does
            .iter()
            .map(|n| DOES + n)
            .chain(wanted.forbids.iter().map(|n| FORBIDS + n));
        for byte in said {
            file.byte_lock(byte, 1, libc::F_RDLCK, path)?;
        }
        let in_the_way = wanted
            .does
            .iter()
            .map(|n| FORBIDS + n)
            .chain(wanted.forbids.iter().map(|n| DOES + n));
        for byte in in_the_way {
            let mut probe = byte_range(byte, 1, libc::F_WRLCK);
            match fcntl(&file.0, FcntlArg::F_OFD_GETLK(&mut probe)) {
                Ok(_) if i32::from(probe.l_type) != libc::F_UNLCK => return Err(locked()),
                Ok(_) => {}
                Err(e) if no_locks(e as i32) => {}
                Err(e) => return Err(Qcow2Error::io(path, e.into())),
            }
        }
        Ok(file)
    }

    fn byte_lock(&self, start: off_t, len: off_t, kind: i32, path: &Path) -> Result<(), Qcow2Error> {
        match fcntl(&self.0, FcntlArg::F_OFD_SETLK(&byte_range(start, len, kind))) {
            Ok(_) => Ok(()),
            Err(Errno::EAGAIN | Errno::EACCES) => Err(Qcow2Error::Locked { path: path.to_owned() }),
            Err(e) if no_locks(e as i32) => Ok(()),
            Err(e) => Err(Qcow2Error::io(path, e.into())),
        }
    }
}

fn byte_range(start: off_t, len: off_t, kind: i32) -> libc::flock {
    libc::flock {
        l_type: kind as i16,
        l_whence: libc::SEEK_SET as i16,
        l_start: start,
        l_len: len,
        l_pid: 0,
    }
}

/// Whether the error says that the filesystem has no locks.
fn no_locks(errno: i32) -> bool {
    [libc::ENOLCK, libc::EOPNOTSUPP, libc::ENOSYS, libc::EINVAL].contains(&errno)
}

impl Drop for LockedFile {
    /// Closing alone would not do: a child process may have been started at this moment, and shares the open file
    /// until it runs its program.
    fn drop(&mut self) {
        let _ = self.byte_lock(0, 0, libc::F_UNLCK, Path::new(""));
        let _ = rustix::fs::flock(&self.0, FlockOperation::Unlock);
    }
}

impl Deref for LockedFile {
    type Target = File;

    fn deref(&self) -> &File {
        &self.0
    }
}
