//! The pipeline: readers (several reads in flight) → workers on all cores (zero check, compression, checksum) →
//! one appender that hands on in ascending order. A chunk with little to read is worked on where it was read.
//!
//! A ticket goes with every chunk from before it is read until it is handed on. There is a fixed number of them, so
//! memory is bounded, and the chunk that the appender waits for always has one, so nothing can lock up.
//!
//! What a failing disk cannot read is left out and handed back; [`rescue`](super::rescue) cares for it. The threads are
//! not waited for: one may hang in a read that never ends, and a person must be able to give up all the same.

mod chunks;
mod front;
mod reader;
mod tree_hash;
mod worker;

use super::Buffer;
use super::progress::{Progress, STUCK};
use super::store::{Packed, Sink};
use crate::error::{Failure, Result};
use crate::signals::Stop;
use crate::source::Input;
use chunks::{Chunk, Chunks};
use crossbeam_channel::{RecvTimeoutError, unbounded};
use disk::ExtentSet;
use disk::qcow2::{Compression, Qcow2Error, Writer};
use front::Front;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;
use worker::Packer;

/// Reads in flight: enough for a disk to sort them and for an SSD to work in parallel.
const READERS: usize = 4;
/// More workers than this have nothing to do: no disk is that fast.
const MAX_WORKERS: usize = 8;
/// Chunks under way at once. What is under way when the power fails must be read again.
const MOST_CHUNKS: usize = 12;
/// How often the appender looks for signals while it waits.
const POLL: Duration = Duration::from_millis(100);

/// What passes from worker to appender.
struct Done {
    /// Position in the order of chunks.
    sequence: u64,
    /// First byte on the disk.
    offset: u64,
    what: What,
}

enum What {
    /// It goes into the image.
    Packed(Packed),
    /// It is left for later, all of these ranges (bytes on the disk).
    Left(Vec<Range<u64>>),
    /// The same, because the disk could not read it.
    Failed(Vec<Range<u64>>),
}

/// How clusters are encoded.
pub(super) struct Encoding {
    /// For messages.
    pub(super) image: PathBuf,
    /// The image's cluster size as a power of two.
    pub(super) cluster_bits: u32,
    pub(super) compression: Compression,
}

impl Encoding {
    /// As `writer` expects it.
    pub(super) fn of(writer: &Writer) -> Self {
        let options = writer.options();
        Encoding {
            image: writer.path().to_owned(),
            cluster_bits: options.cluster_bits,
            compression: options.compression,
        }
    }
}

/// Copies `read` (bytes, a subset of what the image holds) from `input` to `sink`. The answer is what was left out because
/// the disk could not read it, or lies behind such a place, or behind one that it read slowly.
pub(super) fn run(
    input: &Input,
    read: &ExtentSet,
    encoding: &Encoding,
    sink: &mut dyn Sink,
    progress: &Progress,
    stop: &Stop,
) -> Result<ExtentSet> {
    let workers = thread::available_parallelism()
        .map_or(1, std::num::NonZero::get)
        .min(MAX_WORKERS);
    let size = input.info().size;
    let may_defer = matches!(input, Input::Disk(_));
    let front = Front::new(Chunks::new(read.clone(), size), size, READERS, may_defer);
    let front = Arc::new(Mutex::new(front));
    let (tickets, ticket_out) = unbounded();
    let (filled_in, filled_out) = unbounded::<(Chunk, Buffer)>();
    let (spare_in, spare_out) = unbounded();
    let (done_in, done_out) = unbounded();
    for _ in 0..(READERS + 2 * workers).min(MOST_CHUNKS) {
        let _ = tickets.send(());
    }
    for number in 0..READERS {
        let reader = reader::Reader {
            number,
            input: input.clone(),
            front: Arc::clone(&front),
            stop: stop.clone(),
            packer: Packer::new(encoding)?,
            tickets: ticket_out.clone(),
            spare: spare_out.clone(),
            filled: filled_in.clone(),
            done: done_in.clone(),
        };
        thread::spawn(move || reader.run());
    }
    for _ in 0..workers {
        let worker = worker::Worker {
            packer: Packer::new(encoding)?,
            filled: filled_out.clone(),
            spare: spare_in.clone(),
            done: done_in.clone(),
        };
        thread::spawn(move || worker.run());
    }
    // Only the threads hold these now: each channel closes when the threads before it are through. Leaving by an error
    // drops the two that are left: readers and workers notice and end.
    drop((ticket_out, filled_in, filled_out, spare_in, spare_out, done_in));

    let mut appender = Appender {
        sink,
        progress,
        next: 0,
        waiting: BTreeMap::new(),
        left: ExtentSet::new(),
    };
    loop {
        stop.check()?;
        let done: Done = match done_out.recv_timeout(POLL) {
            Ok(done) => done?,
            Err(RecvTimeoutError::Timeout) => {
                let waiting = front.lock().unwrap_or_else(PoisonError::into_inner).waiting();
                if waiting >= STUCK {
                    progress.waiting(waiting);
                }
                continue;
            }
            Err(RecvTimeoutError::Disconnected) => break,
        };
        progress.not_waiting();
        for _ in 0..appender.take(done)? {
            let _ = tickets.send(());
        }
    }
    Ok(appender.left)
}

/// Reads the one chunk of `part` into `buffer` as the pipeline does; `None` if there is none or the disk cannot.
pub(super) fn whole_chunk<'a>(input: &Input, part: &ExtentSet, size: u64, buffer: &'a mut Buffer) -> Option<&'a [u8]> {
    let chunk = Chunks::new(part.clone(), size).next()?;
    reader::fill(input, &chunk, buffer).ok()?;
    Some(&buffer.bytes()[..chunk.length])
}

/// Brings chunks into ascending order and hands them on.
struct Appender<'a> {
    sink: &'a mut dyn Sink,
    progress: &'a Progress,
    next: u64,
    waiting: BTreeMap<u64, Done>,
    left: ExtentSet,
}

impl Appender<'_> {
    /// Takes one chunk, hands on all whose turn it is, and returns how many that were.
    fn take(&mut self, done: Done) -> Result<usize> {
        self.progress.at(done.offset);
        if matches!(done.what, What::Failed(_)) {
            self.progress.failed_read(done.offset);
        }
        self.waiting.insert(done.sequence, done);
        let mut taken = 0;
        while let Some(done) = self.waiting.remove(&self.next) {
            match done.what {
                What::Packed(chunk) => {
                    let read = chunk.read;
                    self.sink.append(chunk)?;
                    self.progress.add(read);
                }
                What::Left(ranges) | What::Failed(ranges) => {
                    self.sink.leave(&ranges)?;
                    self.left.extend(ranges);
                }
            }
            self.next += 1;
            taken += 1;
        }
        Ok(taken)
    }
}

/// An error of the image writer, with advice.
pub(super) fn write_failure(image: &Path, error: Qcow2Error) -> Failure {
    match &error {
        Qcow2Error::Io { source, .. } => Failure::target_write(image, source),
        _ => Failure::from(error),
    }
}
