//! What a drive reads and writes: the backend, with read-ahead for sequential reads and a word on the first error.

use disk::{BlockDevice, ReadAt};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How much is read ahead at a time, in bytes. Bounds the memory a drive holds between commands.
const READ_AHEAD: usize = 256 * 1024;
/// How many reads in a row must follow one another before anything is read ahead.
const STREAK: u32 = 2;

enum Backend {
    Disk(Arc<dyn BlockDevice>),
    Disc(Arc<dyn ReadAt>),
}

/// A disc image whose last sector may be incomplete: the rest of it reads as zeros.
struct WholeSectors(Arc<dyn ReadAt>);

impl ReadAt for WholeSectors {
    fn size(&self) -> u64 {
        self.0.size().checked_next_multiple_of(2048).unwrap_or(self.0.size())
    }
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let there = usize::try_from(self.0.size().saturating_sub(offset)).unwrap_or(usize::MAX);
        let (data, padding) = buf.split_at_mut(there.min(buf.len()));
        padding.fill(0);
        if data.is_empty() {
            return Ok(());
        }
        self.0.read_at(offset, data)
    }
}

/// The bytes behind a drive. Shared between the drive and the channel's worker.
pub(super) struct Medium {
    backend: Backend,
    /// How messages call it.
    name: String,
    ahead: Mutex<Ahead>,
    read_error_told: AtomicBool,
    write_error_told: AtomicBool,
    flush_error_told: AtomicBool,
}

/// The read-ahead buffer and the pattern that fills it.
#[derive(Default)]
struct Ahead {
    start: u64,
    bytes: Vec<u8>,
    /// Where the last read ended.
    expected: u64,
    streak: u32,
}

impl Ahead {
    /// What the buffer holds from `offset` on; empty if it does not reach there.
    fn from(&self, offset: u64) -> &[u8] {
        offset
            .checked_sub(self.start)
            .and_then(|skip| usize::try_from(skip).ok())
            .and_then(|skip| self.bytes.get(skip..))
            .unwrap_or(&[])
    }

    /// Copies as much of the beginning of `buf` as the buffer holds; returns its length in bytes.
    fn serve(&self, offset: u64, buf: &mut [u8]) -> usize {
        let bytes = self.from(offset);
        let len = bytes.len().min(buf.len());
        buf[..len].copy_from_slice(&bytes[..len]);
        len
    }

    fn overlaps(&self, offset: u64, len: usize) -> bool {
        offset < self.start.saturating_add(self.bytes.len() as u64) && self.start < offset.saturating_add(len as u64)
    }
}

impl Medium {
    /// A hard disk's.
    pub(super) fn disk(name: String, backend: Arc<dyn BlockDevice>) -> Arc<Self> {
        Self::new(name, Backend::Disk(backend))
    }

    /// A disc in the CD-ROM drive.
    pub(super) fn disc(name: String, backend: Arc<dyn ReadAt>) -> Arc<Self> {
        Self::new(name, Backend::Disc(Arc::new(WholeSectors(backend))))
    }

    fn new(name: String, backend: Backend) -> Arc<Self> {
        Arc::new(Medium {
            backend,
            name,
            ahead: Mutex::default(),
            read_error_told: AtomicBool::new(false),
            write_error_told: AtomicBool::new(false),
            flush_error_told: AtomicBool::new(false),
        })
    }

    /// Size in bytes.
    pub(super) fn size(&self) -> u64 {
        match &self.backend {
            Backend::Disk(disk) => disk.size(),
            Backend::Disc(disc) => disc.size(),
        }
    }

    /// Fills `buf` from `offset` (bytes). The caller keeps inside [`size`](Medium::size).
    pub(super) fn read(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let mut ahead = self.ahead();
        ahead.streak = if ahead.expected == offset {
            ahead.streak.saturating_add(1)
        } else {
            0
        };
        ahead.expected = offset.saturating_add(buf.len() as u64);
        let served = ahead.serve(offset, buf);
        let (offset, rest) = (offset.saturating_add(served as u64), &mut buf[served..]);
        if rest.is_empty() {
            return Ok(());
        }
        self.read_backend(offset, rest)
            .inspect_err(|error| self.tell(&self.read_error_told, "reading", offset, error))
    }

    /// Writes `data` at `offset` (bytes).
    pub(super) fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut ahead = self.ahead();
        if ahead.overlaps(offset, data.len()) {
            ahead.bytes.clear();
        }
        let result = match &self.backend {
            Backend::Disk(disk) => disk.write_at(offset, data),
            Backend::Disc(_) => Err(io::ErrorKind::ReadOnlyFilesystem.into()),
        };
        result.inspect_err(|error| self.tell(&self.write_error_told, "writing", offset, error))
    }

    /// Makes everything that was written durable.
    pub(super) fn flush(&self) -> io::Result<()> {
        match &self.backend {
            Backend::Disk(disk) => disk
                .flush()
                .inspect_err(|error| self.tell(&self.flush_error_told, "flushing", 0, error)),
            Backend::Disc(_) => Ok(()),
        }
    }

    /// Fills the buffer up if the last reads were sequential and less than half of it is left. Errors are not
    /// told: nobody asked for these bytes yet.
    pub(super) fn read_ahead(&self) {
        let mut ahead = self.ahead();
        let kept = ahead.from(ahead.expected).len();
        if ahead.streak < STREAK || kept >= READ_AHEAD / 2 {
            return;
        }
        let consumed = ahead.bytes.len() - kept;
        ahead.bytes.drain(..consumed);
        ahead.start = ahead.expected;
        let from = ahead.start.saturating_add(kept as u64);
        let left = usize::try_from(self.size().saturating_sub(from)).unwrap_or(READ_AHEAD);
        ahead.bytes.resize(kept + left.min(READ_AHEAD - kept), 0);
        if self.read_backend(from, &mut ahead.bytes[kept..]).is_err() {
            ahead.bytes.truncate(kept);
        }
    }

    fn read_backend(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        match &self.backend {
            Backend::Disk(disk) => disk.read_at(offset, buf),
            Backend::Disc(disc) => disc.read_at(offset, buf),
        }
    }

    fn ahead(&self) -> MutexGuard<'_, Ahead> {
        self.ahead.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the first error of a kind on standard error; the guest gets every one.
    fn tell(&self, told: &AtomicBool, what: &str, offset: u64, error: &io::Error) {
        if !told.swap(true, Ordering::Relaxed) {
            eprintln!(
                "{}: {what} at byte {offset} failed: {error} (the guest was told; further errors are not repeated here)",
                self.name
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::RamDisk;
    use super::*;

    fn read(medium: &Medium, offset: u64, len: usize) -> Vec<u8> {
        let mut buf = vec![0; len];
        medium.read(offset, &mut buf).unwrap();
        buf
    }

    /// A medium that was read sequentially up to 96 KiB, and then ahead; 2 MiB large.
    fn after_sequential_reads() -> (Arc<RamDisk>, Arc<Medium>) {
        let disk = RamDisk::new(4096);
        let medium = Medium::disk("test".to_owned(), disk.clone());
        for offset in [0, 32, 64] {
            read(&medium, offset * 1024, 32 * 1024);
            medium.read_ahead();
        }
        (disk, medium)
    }

    #[test]
    fn sequential_reads_are_served_from_memory() {
        let (disk, medium) = after_sequential_reads();
        let expected = disk.sectors(192, 512);
        // Whatever is served now was read before the disk broke.
        disk.bad_byte.store(96 * 1024 + 1000, Ordering::SeqCst);
        assert!(read(&medium, 96 * 1024, READ_AHEAD) == expected);
        let fresh = Medium::disk("fresh".to_owned(), disk);
        assert!(fresh.read(96 * 1024, &mut [0; 2048]).is_err());
    }

    #[test]
    fn a_read_that_the_buffer_holds_in_part_is_whole() {
        let (disk, medium) = after_sequential_reads();
        let start = 96 * 1024 + READ_AHEAD - 512;
        assert!(read(&medium, start as u64, 1536) == disk.sectors(start / 512, 3));
    }

    #[test]
    fn scattered_reads_do_not_read_ahead() {
        let disk = RamDisk::new(4096);
        let medium = Medium::disk("test".to_owned(), disk.clone());
        for offset in [5, 900, 17, 333] {
            read(&medium, offset * 512, 512);
            medium.read_ahead();
        }
        assert!(medium.ahead().bytes.is_empty());
    }

    #[test]
    fn a_write_into_what_was_read_ahead_is_seen() {
        let (disk, medium) = after_sequential_reads();
        medium.write(100 * 1024, &[0xEE; 512]).unwrap();
        assert_eq!(read(&medium, 100 * 1024, 512), [0xEE; 512]);
        assert!(read(&medium, 96 * 1024, 8192) == disk.sectors(192, 16));
    }

    #[test]
    fn reading_ahead_stops_at_the_end() {
        let disk = RamDisk::new(100);
        let medium = Medium::disk("test".to_owned(), disk.clone());
        for sector in 0..100 {
            assert!(read(&medium, sector * 512, 512) == disk.sectors(sector as usize, 1));
            medium.read_ahead();
        }
    }
}
