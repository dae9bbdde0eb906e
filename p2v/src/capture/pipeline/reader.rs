//! Reading chunks: what is not used reads as zeros, whatever the disk holds there.

use super::chunks::Chunk;
use super::front::Front;
use super::worker::{self, Packer};
use super::{Done, What};
use crate::capture::{Buffer, media};
use crate::error::{Failure, Result};
use crate::signals::Stop;
use crate::source::Input;
use crossbeam_channel::{Receiver, Sender};
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Gaps up to this many bytes are read over: one request costs more than the bytes.
const READ_OVER: usize = 64 << 10;

/// One reading thread.
pub(super) struct Reader {
    /// Which one it is.
    pub(super) number: usize,
    pub(super) input: Input,
    pub(super) front: Arc<Mutex<Front>>,
    pub(super) stop: Stop,
    pub(super) tickets: Receiver<()>,
    pub(super) packer: Packer,
    pub(super) spare: Receiver<Buffer>,
    pub(super) filled: Sender<(Chunk, Buffer)>,
    pub(super) done: Sender<Result<Done>>,
}

impl Reader {
    /// Reads until there is no chunk left, nobody takes them any more, or the disk is gone. Chunks that the disk cannot
    /// read are left for later.
    pub(super) fn run(mut self) {
        let done = self.done.clone();
        let _guard = worker::PanicGuard(&done);
        let mut kept = None;
        while self.tickets.recv().is_ok() {
            self.stop.wait_while_paused();
            // The ticket comes first: chunks are begun in ascending order, so the lowest one always has a ticket.
            let next = self.front().next(self.number);
            let Some((chunk, now)) = next else { return };
            if !now {
                if self.done.send(Ok(left(&chunk, What::Left))).is_err() {
                    return;
                }
                continue;
            }
            let spare = kept.take().or_else(|| self.spare.try_recv().ok());
            let mut buffer = spare.unwrap_or_else(Buffer::new);
            let passed_on = match fill(&self.input, &chunk, &mut buffer) {
                Ok(()) => {
                    self.front().good(self.number, &chunk);
                    if chunk.is_little() {
                        let packed = self.packer.pack(&chunk, buffer.bytes());
                        kept = Some(buffer);
                        self.done.send(packed).is_ok()
                    } else {
                        self.filled.send((chunk, buffer)).is_ok()
                    }
                }
                Err((_, error)) if media::is_media_error(&self.input, &error) => {
                    self.front().bad(self.number, &chunk);
                    self.done.send(Ok(left(&chunk, What::Failed))).is_ok()
                }
                Err((offset, error)) => {
                    let info = self.input.info();
                    let failure = Failure::source_read(&info.path, offset, info.logical_sector, &error);
                    let _ = self.done.send(Err(failure));
                    false
                }
            };
            if !passed_on {
                return;
            }
        }
    }

    fn front(&self) -> MutexGuard<'_, Front> {
        self.front.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Fills `buffer` with a chunk. The error comes with where the read began.
pub(super) fn fill(input: &Input, chunk: &Chunk, buffer: &mut Buffer) -> std::result::Result<(), (u64, io::Error)> {
    let spans = spans(&chunk.ranges);
    let start = spans.first().map_or(0, |first| first.start);
    let end = spans.last().map_or(0, |last| last.end);
    let bytes = buffer.zeros_but(start..end);
    for span in spans {
        let offset = chunk.offset.saturating_add(span.start as u64);
        let bytes = &mut bytes[span];
        let read = match chunk.is_little() {
            true => input.read_little(offset, bytes),
            false => input.read_bulk(offset, bytes),
        };
        read.map_err(|error| (offset, error))?;
    }
    for gap in chunk.ranges.windows(2) {
        bytes[gap[0].end..gap[1].start].fill(0);
    }
    Ok(())
}

/// A chunk that is left for later.
fn left(chunk: &Chunk, why: fn(Vec<Range<u64>>) -> What) -> Done {
    Done {
        sequence: chunk.sequence,
        offset: chunk.offset,
        what: why(chunk.on_disk().collect()),
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
