//! Reading a source: through the page cache for structures, past it for bulk.

use crate::extent::ExtentSet;
use crate::io::check_bounds;
use rustix::fs::{Advice, OFlags, SeekFrom, fadvise, seek};
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Seek};
use std::num::NonZeroU64;
use std::ops::Range;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

/// What `O_DIRECT` wants offsets, lengths and addresses to be multiples of, on every disk there is.
const ALIGNMENT: usize = 4096;

/// The open files of one source. Neither can write.
#[derive(Debug)]
pub(super) struct Files {
    buffered: File,
    /// The same, opened with `O_DIRECT`; `None` where the filesystem refuses that.
    direct: Option<File>,
    /// Set when a direct read was refused after all (`EINVAL`): from then on everything goes through the page cache.
    direct_refused: AtomicBool,
}

impl Files {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let buffered = OpenOptions::new().read(true).open(path)?;
        let flags = OFlags::DIRECT.bits().cast_signed();
        let direct = OpenOptions::new().read(true).custom_flags(flags).open(path).ok();
        Ok(Files {
            buffered,
            direct,
            direct_refused: AtomicBool::new(false),
        })
    }

    pub(super) fn metadata(&self) -> io::Result<Metadata> {
        self.buffered.metadata()
    }

    /// Size in bytes, as the end of a seek: right for files and block devices.
    pub(super) fn size(&self) -> io::Result<u64> {
        (&self.buffered).seek(io::SeekFrom::End(0))
    }

    pub(super) fn read_buffered(&self, offset: u64, buf: &mut [u8], size: u64) -> io::Result<()> {
        check_bounds(offset, buf.len(), size)?;
        self.buffered.read_exact_at(buf, offset)
    }

    /// Has `range` read into the page cache while others go on.
    pub(super) fn will_read(&self, range: Range<u64>) {
        if let Some(length) = NonZeroU64::new(range.end.saturating_sub(range.start)) {
            let _ = fadvise(&self.buffered, range.start, Some(length), Advice::WillNeed);
        }
    }

    pub(super) fn read_bulk(&self, offset: u64, buf: &mut [u8], size: u64) -> io::Result<()> {
        check_bounds(offset, buf.len(), size)?;
        let done = self.read_direct(offset, buf)?;
        let rest = buf.get_mut(done..).unwrap_or_default();
        if rest.is_empty() {
            return Ok(());
        }
        let offset = offset.saturating_add(done as u64);
        self.read_uncached(offset, rest)
    }

    /// As [`read_bulk`](Self::read_bulk), but down to single sectors: what the page cache adds to a read may be what
    /// cannot be read.
    pub(super) fn read_sectors(&self, offset: u64, buf: &mut [u8], size: u64) -> io::Result<()> {
        check_bounds(offset, buf.len(), size)?;
        let Some(direct) = &self.direct else {
            return self.read_uncached(offset, buf);
        };
        let mut done = 0usize;
        while let Some(part) = buf.get_mut(done..).filter(|part| !part.is_empty()) {
            match direct.read_at(part, offset.saturating_add(done as u64)) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => done = done.saturating_add(read),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // Not a multiple of the sector (a disk's odd end, a filesystem that wants whole blocks).
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                    return self.read_uncached(offset.saturating_add(done as u64), part);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// For a few bytes that somebody may have read before.
    pub(super) fn read_little(&self, offset: u64, buf: &mut [u8], size: u64) -> io::Result<()> {
        check_bounds(offset, buf.len(), size)?;
        self.read_uncached(offset, buf)
    }

    /// Through the page cache, leaving nothing in it: a capture reads each byte once, and what it left there would only
    /// drive out what others need.
    fn read_uncached(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let result = self.buffered.read_exact_at(buf, offset);
        let length = NonZeroU64::new(buf.len() as u64);
        let _ = fadvise(&self.buffered, offset, length, Advice::DontNeed);
        result
    }

    /// Reads as much of `buf` as can go past the page cache, from its start; returns how many bytes that were.
    fn read_direct(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        let Some(direct) = &self.direct else { return Ok(0) };
        let aligned = offset.is_multiple_of(ALIGNMENT as u64) && buf.as_ptr().addr().is_multiple_of(ALIGNMENT);
        if !aligned || self.direct_refused.load(Ordering::Relaxed) {
            return Ok(0);
        }
        let whole = buf.len() / ALIGNMENT * ALIGNMENT;
        let mut done = 0;
        while done < whole {
            let Some(part) = buf.get_mut(done..whole) else { break };
            match direct.read_at(part, offset.saturating_add(done as u64)) {
                // A short read that leaves the alignment: the page cache takes over.
                Ok(read) if !read.is_multiple_of(ALIGNMENT) || read == 0 => return Ok(done),
                Ok(read) => done = done.saturating_add(read),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                    self.direct_refused.store(true, Ordering::Relaxed);
                    return Ok(done);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    /// Where the file has data, by `SEEK_DATA` and `SEEK_HOLE`; all of it where the filesystem cannot tell.
    pub(super) fn data_extents(&self, size: u64) -> io::Result<ExtentSet> {
        use rustix::io::Errno;
        let mut data = ExtentSet::new();
        let mut at = 0;
        while at < size {
            let start = match seek(&self.buffered, SeekFrom::Data(at)) {
                Ok(start) => start,
                Err(Errno::NXIO) => break,
                Err(Errno::INVAL | Errno::OPNOTSUPP) => return Ok(ExtentSet::from_range(0..size)),
                Err(error) => return Err(error.into()),
            };
            let end = seek(&self.buffered, SeekFrom::Hole(start))?.min(size);
            data.insert(start..end);
            if end <= at {
                // Cannot happen on an unchanging file; the rest counts as data.
                data.insert(at..size);
                break;
            }
            at = end;
        }
        Ok(data)
    }
}
