//! The file that a new image is written to: positioned writes, gathered into large ones, sent to the disk early.

use super::Qcow2Error;
use super::lock::LockedFile;
use rustix::fs::Advice;
use std::fs::File;
use std::io;
use std::num::NonZeroU64;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// A run of this many bytes is written at once.
const GATHER: usize = 1 << 20;
/// After this many bytes the kernel is told to start writing them out.
const WRITE_BACK: u64 = 32 << 20;

/// The file and its name.
pub(super) struct Output {
    file: LockedFile,
    path: PathBuf,
    written: u64,
}

impl Output {
    /// Writes to `file`, which errors call `path`.
    pub(super) fn new(file: LockedFile, path: &Path) -> Self {
        Output {
            file,
            path: path.to_owned(),
            written: 0,
        }
    }

    /// The file's name.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// A system error with this file's name.
    pub(super) fn error(&self, source: io::Error) -> Qcow2Error {
        Qcow2Error::io(&self.path, source)
    }

    /// Writes `data` at `offset`.
    pub(super) fn write(&mut self, offset: u64, data: &[u8]) -> Result<(), Qcow2Error> {
        self.file.write_all_at(data, offset).map_err(|e| self.error(e))?;
        self.written += data.len() as u64;
        if self.written >= WRITE_BACK {
            self.written = 0;
            self.start_write_back();
        }
        Ok(())
    }

    /// Reads back what was written at `offset`: zeros where nothing was, also behind the end that the file has so far.
    pub(super) fn read(&self, offset: u64, buf: &mut [u8]) -> Result<(), Qcow2Error> {
        let there = self.len()?.saturating_sub(offset).min(buf.len() as u64) as usize;
        let (written, rest) = buf.split_at_mut(there);
        rest.fill(0);
        self.file.read_exact_at(written, offset).map_err(|e| self.error(e))
    }

    /// Another handle of the file.
    pub(super) fn clone_file(&self) -> Result<File, Qcow2Error> {
        self.file.try_clone().map_err(|e| self.error(e))
    }

    /// How many bytes the file has.
    pub(super) fn len(&self) -> Result<u64, Qcow2Error> {
        Ok(self.file.metadata().map_err(|e| self.error(e))?.len())
    }

    /// Sets the file's length and waits until everything is on the disk.
    pub(super) fn set_len_and_sync(&self, len: u64) -> Result<(), Qcow2Error> {
        self.file
            .set_len(len)
            .and_then(|()| self.file.sync_all())
            .map_err(|e| self.error(e))
    }

    /// Bytes that nobody reads soon need not fill the page cache: the first call starts writing them out, and a
    /// later one drops those that are. It is advice: where the filesystem takes none, the only loss is memory.
    fn start_write_back(&self) {
        let whole_file: Option<NonZeroU64> = None;
        let _ = rustix::fs::fadvise(&*self.file, 0, whole_file, Advice::DontNeed);
    }
}

/// Bytes that follow each other in the file, gathered until they are worth a write.
#[derive(Default)]
pub(super) struct Run {
    offset: u64,
    data: Vec<u8>,
}

impl Run {
    /// Adds `data` at `offset`; writes what was there before if this does not follow it.
    pub(super) fn push(&mut self, out: &mut Output, offset: u64, data: &[u8]) -> Result<(), Qcow2Error> {
        if offset != self.offset + self.data.len() as u64 {
            self.flush(out)?;
            self.offset = offset;
        }
        self.data.extend_from_slice(data);
        if self.data.len() >= GATHER {
            self.flush(out)?;
        }
        Ok(())
    }

    /// Writes what was gathered.
    pub(super) fn flush(&mut self, out: &mut Output) -> Result<(), Qcow2Error> {
        if !self.data.is_empty() {
            out.write(self.offset, &self.data)?;
            self.offset += self.data.len() as u64;
            self.data.clear();
        }
        Ok(())
    }
}
