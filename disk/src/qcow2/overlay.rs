//! Live overlays: what a running machine writes, on top of a capture that never changes.

use super::Qcow2Error;
use crate::io::{BlockDevice, ReadAt};
use std::io;
use std::path::Path;

/// Choices for an overlay.
#[derive(Clone, Copy, Debug, Default)]
pub struct OverlayOptions {
    /// The file has no name: it is gone when the process is, however it dies.
    pub ephemeral: bool,
}

/// A qcow2 image that takes writes, backed by a capture (or by an adapted overlay on it) that does not.
pub struct Overlay {}

impl Overlay {
    /// Opens the overlay at `path`, or creates it (backed by `backing`, recorded as a path relative to the
    /// overlay's folder) if it is not there. With [`OverlayOptions::ephemeral`] a nameless one is made in the
    /// folder of `path`. Locks the overlay against a second writer, and the backing chain against any writer.
    pub fn open_or_create(path: &Path, backing: &Path, options: OverlayOptions) -> Result<Self, Qcow2Error> {
        let _ = (path, backing, options);
        todo!()
    }
}

impl ReadAt for Overlay {
    fn size(&self) -> u64 {
        todo!()
    }
    fn read_at(&self, _offset: u64, _buf: &mut [u8]) -> io::Result<()> {
        todo!()
    }
}

impl BlockDevice for Overlay {
    fn write_at(&self, _offset: u64, _data: &[u8]) -> io::Result<()> {
        todo!()
    }
    fn flush(&self) -> io::Result<()> {
        todo!()
    }
}
