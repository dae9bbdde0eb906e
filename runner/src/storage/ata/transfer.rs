//! Moving sectors between a hard disk and the host: by PIO block by block, by DMA through the worker.

use super::super::device::Interface;
use super::super::worker::{Work, read_sectors};
use super::{Disk, SECTOR};

/// How much is read at once for PIO reads, in sectors.
const LOAD: u64 = 128;

/// How many sectors go into a DRQ block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    /// One.
    Single,
    /// As many as SET MULTIPLE MODE said.
    Multiple,
}

/// How far a PIO command is.
#[derive(Default)]
pub(super) struct Pio {
    /// The sector that comes next.
    lba: u64,
    /// Sectors left, that one included.
    left: u64,
    /// Sectors a DRQ block.
    block: u64,
    /// The command ends with a flush.
    flush: bool,
    /// Bytes that were read from the medium and not yet sent, the next one at `taken`.
    loaded: Vec<u8>,
    taken: usize,
}

impl Pio {
    /// Bytes of the next DRQ block.
    fn next_len(&self) -> usize {
        (self.left.min(self.block) * SECTOR) as usize
    }

    fn advance(&mut self) {
        let sectors = self.left.min(self.block);
        self.lba += sectors;
        self.left -= sectors;
    }
}

impl Disk {
    /// READ SECTORS and READ MULTIPLE.
    pub(super) fn read_pio(&mut self, interface: &mut Interface, ext: bool, method: Method) {
        if self.start_pio(interface, ext, method, false) {
            self.send_next(interface);
        }
    }

    /// WRITE SECTORS and WRITE MULTIPLE; `fua` makes the data durable before the command ends.
    pub(super) fn write_pio(&mut self, interface: &mut Interface, ext: bool, method: Method, fua: bool) {
        let flush = fua || !self.write_cache;
        if self.start_pio(interface, ext, method, flush) {
            interface.receive(self.pio.next_len(), false);
        }
    }

    fn start_pio(&mut self, interface: &mut Interface, ext: bool, method: Method, flush: bool) -> bool {
        if method == Method::Multiple && self.multiple == 0 {
            interface.abort();
            return false;
        }
        let Some(span) = self.span(interface, ext) else {
            return false;
        };
        self.pio = Pio {
            lba: span.lba,
            left: span.count,
            block: if method == Method::Multiple {
                u64::from(self.multiple)
            } else {
                1
            },
            flush,
            ..Pio::default()
        };
        true
    }

    /// The host has fetched a DRQ block.
    pub(in super::super) fn block_sent(&mut self, interface: &mut Interface) {
        // Also after IDENTIFY, which has nothing left.
        if self.pio.left == 0 {
            self.pio = Pio::default();
            let pending = interface.interrupt;
            self.succeed(interface);
            interface.interrupt = pending;
            return;
        }
        self.send_next(interface);
    }

    fn send_next(&mut self, interface: &mut Interface) {
        let len = self.pio.next_len();
        if self.pio.taken >= self.pio.loaded.len()
            && let Err(index) = self.load(len)
        {
            let before = self.span.map_or(0, |span| self.pio.lba - span.lba);
            self.pio = Pio::default();
            self.read_failed(interface, before + index);
            return;
        }
        let end = self.pio.taken + len;
        let block = self.pio.loaded[self.pio.taken..end].to_vec();
        self.pio.taken = end;
        self.pio.advance();
        interface.send(block);
    }

    /// Reads many sectors at once, or, if one of them is bad, just the next block of `len` bytes; the error is
    /// the number of good sectors before the bad one in that block.
    fn load(&mut self, len: usize) -> Result<(), u64> {
        let offset = self.pio.lba * SECTOR;
        // A whole number of blocks, or all that is left.
        let sectors = self.pio.left.min(LOAD);
        let mut bytes = vec![0; (sectors * SECTOR) as usize];
        if self.medium.read(offset, &mut bytes).is_err() {
            bytes.truncate(len);
            let (good, failed) = read_sectors(&self.medium, offset, &mut bytes);
            if failed {
                return Err(good as u64 / SECTOR);
            }
        }
        self.pio.loaded = bytes;
        self.pio.taken = 0;
        Ok(())
    }

    /// The host has delivered a DRQ block.
    pub(in super::super) fn block_received(&mut self, interface: &mut Interface, block: &[u8]) -> Option<Work> {
        if self.medium.write(self.pio.lba * SECTOR, block).is_err() {
            let index = self.span.map_or(0, |span| self.pio.lba - span.lba);
            self.pio = Pio::default();
            self.write_failed(interface, index);
            return None;
        }
        self.pio.advance();
        if self.pio.left > 0 {
            interface.receive(self.pio.next_len(), true);
            return None;
        }
        if std::mem::take(&mut self.pio).flush {
            return self.flush(interface);
        }
        self.succeed(interface);
        None
    }

    /// READ DMA.
    pub(super) fn read_dma(&mut self, interface: &mut Interface, ext: bool) {
        if let Some(span) = self.span(interface, ext) {
            interface.await_dma(Work::Read {
                medium: self.medium.clone(),
                offset: span.lba * SECTOR,
                len: span.count * SECTOR,
            });
        }
    }

    /// WRITE DMA; `fua` makes the data durable before the command ends.
    pub(super) fn write_dma(&mut self, interface: &mut Interface, ext: bool, fua: bool) {
        if let Some(span) = self.span(interface, ext) {
            interface.await_dma(Work::Write {
                medium: self.medium.clone(),
                offset: span.lba * SECTOR,
                len: span.count * SECTOR,
                flush: fua || !self.write_cache,
            });
        }
    }

    /// READ VERIFY SECTORS: reads for real, so that a surface scan finds what cannot be read.
    pub(super) fn verify(&mut self, interface: &mut Interface, ext: bool) -> Option<Work> {
        let span = self.span(interface, ext)?;
        interface.work();
        Some(Work::Verify {
            medium: self.medium.clone(),
            offset: span.lba * SECTOR,
            len: span.count * SECTOR,
        })
    }
}
