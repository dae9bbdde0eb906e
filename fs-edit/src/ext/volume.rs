//! A part of a disk as the library's device.

use disk::{BlockDevice, ReadAt};
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

/// Writing compares pieces of this size, in bytes.
const PIECE: usize = 4096;

/// The bytes of a volume. Offsets are relative to its start.
pub(super) struct Device {
    disk: Arc<dyn BlockDevice>,
    range: Range<u64>,
    /// The first thing that went wrong: the library itself only has numbers for errors.
    error: Mutex<Option<String>>,
}

impl Device {
    /// An error if the range is not on the disk.
    pub(super) fn new(disk: Arc<dyn BlockDevice>, range: Range<u64>) -> io::Result<Self> {
        disk::io::Window::new(&*disk, range.clone())?;
        Ok(Device {
            disk,
            range,
            error: Mutex::default(),
        })
    }

    /// What went wrong, once.
    pub(super) fn take_error(&self) -> Option<String> {
        self.error.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(super) fn read(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.note(self.read_at(offset, buf))
    }

    /// Only what differs is written: the library writes all bitmaps, and the disk may keep every write in memory.
    pub(super) fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.note(self.write_changed(offset, data))
    }

    fn write_changed(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut before = [0; PIECE];
        let mut at = offset;
        for piece in data.chunks(PIECE) {
            let before = before.get_mut(..piece.len()).unwrap_or_default();
            self.read_at(at, before)?;
            if before != piece {
                self.disk.write_at(self.range.start.saturating_add(at), piece)?;
            }
            at = at.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
        }
        Ok(())
    }

    fn note<T>(&self, result: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &result {
            let mut first = self.error.lock().unwrap_or_else(PoisonError::into_inner);
            first.get_or_insert_with(|| error.to_string());
        }
        result
    }
}

impl ReadAt for Device {
    fn size(&self) -> u64 {
        self.range.end.saturating_sub(self.range.start)
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        disk::io::check_bounds(offset, buf.len(), self.size())?;
        self.disk.read_at(self.range.start.saturating_add(offset), buf)
    }
}
