//! The reader that the filesystem libraries get: a position, a small cache, a limit, and no way to write.

use super::guard::Guard;
use crate::io::{ReadAt, check_bounds};
use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Cached blocks are this large and start at multiples of it.
const BLOCK: u64 = 64 << 10;
/// How many blocks are kept. Libraries jump between a few tables and the data.
const BLOCKS: usize = 16;

/// A volume for a filesystem library. Libraries read in pieces of 1 to 4096 bytes; the cache makes that bearable on
/// compressed images.
pub(super) struct Volume {
    inner: Arc<dyn ReadAt>,
    position: u64,
    /// Where the last read began.
    last: Arc<AtomicU64>,
    /// Latest used first.
    blocks: VecDeque<(u64, Vec<u8>)>,
    /// Bytes shown instead of what the volume has.
    patches: Vec<(u64, Vec<u8>)>,
    guard: Guard,
}

impl Volume {
    pub(super) fn new(inner: Arc<dyn ReadAt>, guard: Guard) -> Self {
        Volume {
            inner,
            position: 0,
            last: Arc::default(),
            blocks: VecDeque::new(),
            patches: Vec::new(),
            guard,
        }
    }

    /// Where the last read began, in bytes: for the time after a library has taken the volume.
    pub(super) fn last_read(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.last)
    }

    /// Size in bytes.
    pub(super) fn size(&self) -> u64 {
        self.inner.size()
    }

    /// Shows `bytes` at `offset` from now on. The volume itself is not touched.
    pub(super) fn patch(&mut self, offset: u64, bytes: Vec<u8>) {
        self.patches.push((offset, bytes));
    }

    /// Fills `buf` from `offset`.
    pub(super) fn read_bytes(&mut self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.guard.charge(buf.len())?;
        check_bounds(offset, buf.len(), self.inner.size())?;
        if buf.len() as u64 >= BLOCK {
            self.read_disk(offset, buf)?;
        } else {
            let mut at = offset;
            let mut rest = &mut *buf;
            while !rest.is_empty() {
                let block = self.block(at / BLOCK)?;
                let from = (at % BLOCK) as usize;
                let len = rest.len().min(block.len() - from);
                let (now, later) = rest.split_at_mut(len);
                now.copy_from_slice(&block[from..from + len]);
                rest = later;
                at += len as u64;
            }
        }
        for (start, bytes) in &self.patches {
            lay_over(offset, buf, *start, bytes);
        }
        Ok(())
    }

    /// The cached block `index`, shorter than the others at the end of the volume.
    fn block(&mut self, index: u64) -> io::Result<&[u8]> {
        let cached = self.blocks.iter().position(|(cached, _)| *cached == index);
        let entry = match cached.and_then(|place| self.blocks.remove(place)) {
            Some(entry) => entry,
            None => {
                let range = self.block_range(index);
                let mut bytes = vec![0; (range.end - range.start) as usize];
                self.read_disk(range.start, &mut bytes)?;
                (index, bytes)
            }
        };
        self.blocks.truncate(BLOCKS - 1);
        self.blocks.push_front(entry);
        Ok(&self.blocks[0].1)
    }

    fn block_range(&self, index: u64) -> Range<u64> {
        let start = index * BLOCK;
        start..start.saturating_add(BLOCK).min(self.inner.size())
    }

    fn read_disk(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let result = self.inner.read_at(offset, buf);
        if let Err(error) = &result {
            self.guard.disk_failed(error);
        }
        result
    }
}

/// Replaces the part of `buf` (which starts at `offset`) that `bytes` (which start at `start`) cover.
fn lay_over(offset: u64, buf: &mut [u8], start: u64, bytes: &[u8]) {
    let end = (start + bytes.len() as u64).min(offset + buf.len() as u64);
    let from = start.max(offset);
    if from < end {
        let target = &mut buf[(from - offset) as usize..(end - offset) as usize];
        target.copy_from_slice(&bytes[(from - start) as usize..(end - start) as usize]);
    }
}

impl io::Read for Volume {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let left = self.inner.size().saturating_sub(self.position);
        let len = buf.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        self.last.store(self.position, Ordering::Relaxed);
        self.read_bytes(self.position, &mut buf[..len])?;
        self.position += len as u64;
        Ok(len)
    }
}

impl io::Seek for Volume {
    fn seek(&mut self, to: io::SeekFrom) -> io::Result<u64> {
        let target = match to {
            io::SeekFrom::Start(offset) => Some(offset),
            io::SeekFrom::End(delta) => self.inner.size().checked_add_signed(delta),
            io::SeekFrom::Current(delta) => self.position.checked_add_signed(delta),
        };
        self.position = target.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "seek before the start"))?;
        Ok(self.position)
    }
}

/// `fatfs` wants a writer even for reading.
impl io::Write for Volume {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl ext4_view::Ext4Read for Volume {
    fn read(&mut self, start: u64, buf: &mut [u8]) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        Ok(self.read_bytes(start, buf)?)
    }
}
