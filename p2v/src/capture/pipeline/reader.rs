//! Reading chunks: what is not used reads as zeros, whatever the disk holds there.

use super::chunks::{Chunk, Chunks};
use super::{Done, worker};
use crate::capture::Buffer;
use crate::error::{Failure, Result};
use crate::source::Input;
use crossbeam_channel::{Receiver, Sender};
use std::ops::Range;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// Gaps up to this many bytes are read over: one request costs more than the bytes.
const READ_OVER: usize = 64 << 10;

/// One reading thread.
pub(super) struct Reader<'a> {
    pub(super) input: &'a Input,
    pub(super) path: &'a Path,
    pub(super) sector: u32,
    pub(super) chunks: &'a Mutex<Chunks<'a>>,
    pub(super) tickets: Receiver<()>,
    pub(super) spare: Receiver<Buffer>,
    pub(super) filled: Sender<(Chunk, Buffer)>,
    pub(super) done: Sender<Result<Done>>,
}

impl Reader<'_> {
    /// Reads until there is no chunk left, nobody takes them any more, or a read fails.
    pub(super) fn run(self) {
        let _guard = worker::PanicGuard(&self.done);
        while self.tickets.recv().is_ok() {
            // The ticket comes first: chunks are begun in ascending order, so the lowest one always has a ticket.
            let next = self.chunks.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some(chunk) = next else { return };
            let mut buffer = self.spare.try_recv().unwrap_or_else(|_| Buffer::new());
            if let Err(failure) = self.fill(&chunk, buffer.bytes_mut()) {
                let _ = self.done.send(Err(failure));
                return;
            }
            if self.filled.send((chunk, buffer)).is_err() {
                return;
            }
        }
    }

    fn fill(&self, chunk: &Chunk, bytes: &mut [u8]) -> Result<()> {
        for span in spans(&chunk.ranges) {
            let offset = chunk.offset.saturating_add(span.start as u64);
            let end = span.end;
            self.input
                .read_bulk(offset, &mut bytes[span])
                .map_err(|error| self.failure(offset, chunk, end, &error))?;
        }
        let mut at = 0;
        for range in &chunk.ranges {
            bytes[at..range.start].fill(0);
            at = range.end;
        }
        bytes[at..].fill(0);
        Ok(())
    }

    /// Finds the first unreadable sector of a span, so that the message names it and not the start of a long read.
    fn failure(&self, offset: u64, chunk: &Chunk, end: usize, error: &std::io::Error) -> Failure {
        let step = self.sector.max(512);
        let mut sector = vec![0; usize::try_from(step).unwrap_or(512)];
        let end = chunk.offset.saturating_add(end as u64);
        let mut at = offset;
        while at < end {
            let length = usize::try_from(end - at).unwrap_or(usize::MAX).min(sector.len());
            if let Err(error) = self.input.read_bulk(at, &mut sector[..length]) {
                return Failure::source_read(self.path, at, self.sector, &error);
            }
            at = at.saturating_add(u64::from(step));
        }
        Failure::source_read(self.path, offset, self.sector, error)
    }
}

/// `ranges` with small gaps closed.
fn spans(ranges: &[Range<usize>]) -> Vec<Range<usize>> {
    let mut spans: Vec<Range<usize>> = Vec::new();
    for range in ranges {
        match spans.last_mut() {
            Some(last) if range.start - last.end <= READ_OVER => last.end = range.end,
            _ => spans.push(range.clone()),
        }
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_gaps_are_read_over_and_large_ones_not() {
        let far = 100 << 10;
        let found = spans(&[0..4096, 8192..12288, far..far + 4096]);
        assert_eq!(found, vec![0..12288, far..far + 4096]);
    }
}
