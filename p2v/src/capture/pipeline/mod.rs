//! The pipeline: readers (several reads in flight) → workers on all cores (zero check, compression, checksum) →
//! one appender that writes in ascending order.
//!
//! A ticket goes with every chunk from before it is read until it is appended. There is a fixed number of them, so
//! memory is bounded, and the chunk that the appender waits for always has one, so nothing can lock up.
//!
//! What a failing disk cannot read is left out and handed back; [`rescue`](super::rescue) cares for it. The threads are
//! not waited for: one may hang in a read that never ends, and a person must be able to give up all the same.

mod chunks;
mod front;
mod reader;
mod worker;

use super::progress::{Progress, STUCK};
use super::{Buffer, CHUNK};
use crate::error::{Failure, Result};
use crate::signals::Stop;
use crate::source::Input;
use blake3::Hash;
use chunks::{Chunk, Chunks};
use crossbeam_channel::{RecvTimeoutError, unbounded};
use disk::ExtentSet;
use disk::qcow2::{EncodedCluster, Qcow2Error, Writer};
use front::Front;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// Reads in flight: enough for a disk to sort them and for an SSD to work in parallel.
const READERS: usize = 4;
/// More workers than this would need more memory than is worth it.
const MAX_WORKERS: usize = 24;
/// How often the appender looks for signals while it waits.
const POLL: Duration = Duration::from_millis(100);

/// What passes from worker to appender.
struct Done {
    /// Position in the order of chunks.
    sequence: u64,
    /// Number of the chunk on the disk.
    index: u64,
    /// Bytes that were read for it.
    read: u64,
    /// Checksum, if it holds anything but zeros.
    hash: Option<Hash>,
    /// Clusters that hold data, ascending.
    clusters: Vec<(u64, EncodedCluster)>,
    /// Whether the disk could not read it.
    failed: bool,
}

impl Done {
    /// A chunk that is left for later.
    fn nothing(chunk: &Chunk) -> Self {
        Done {
            sequence: chunk.sequence,
            index: chunk.index,
            read: 0,
            hash: None,
            clusters: Vec::new(),
            failed: false,
        }
    }
}

/// Where the pipeline ends.
pub(super) struct Target<'a> {
    /// Takes the clusters, in ascending order.
    pub(super) writer: &'a mut Writer,
    /// The writer's file, for messages.
    pub(super) image: &'a Path,
    /// The image's cluster size as a power of two.
    pub(super) cluster_bits: u32,
    /// Takes number and checksum of each chunk that holds data, in ascending order.
    pub(super) checksum: &'a mut dyn FnMut(u64, Hash) -> Result<()>,
}

/// Copies `read` (bytes, a subset of what the image holds) from `input` to `target`. The answer is what was left out
/// because the disk could not read it, or lies behind such a place, or behind one that it read slowly.
pub(super) fn run<'a>(
    input: &Input,
    read: &ExtentSet,
    target: Target<'a>,
    progress: &'a Progress,
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
    for _ in 0..READERS + 2 * workers {
        let _ = tickets.send(());
    }
    let encoders = (0..workers)
        .map(|_| target.writer.encoder())
        .collect::<std::result::Result<Vec<_>, _>>()?;
    for number in 0..READERS {
        let reader = reader::Reader {
            number,
            input: input.clone(),
            front: Arc::clone(&front),
            stop: stop.clone(),
            tickets: ticket_out.clone(),
            spare: spare_out.clone(),
            filled: filled_in.clone(),
            done: done_in.clone(),
        };
        thread::spawn(move || reader.run());
    }
    for encoder in encoders {
        let worker = worker::Worker {
            encoder,
            cluster_bits: target.cluster_bits,
            filled: filled_out.clone(),
            spare: spare_in.clone(),
            done: done_in.clone(),
        };
        thread::spawn(move || worker.run());
    }
    // Only the threads hold these now: each channel closes when the threads before it are through. Leaving by an error
    // drops the two that are left: readers and workers notice and end.
    drop((ticket_out, filled_in, filled_out, spare_in, spare_out, done_in));

    let mut appender = Appender::new(target, progress);
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
    let front = front.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(front.deferred().clone())
}

/// Brings chunks into ascending order and appends them.
struct Appender<'a> {
    target: Target<'a>,
    progress: &'a Progress,
    next: u64,
    waiting: BTreeMap<u64, Done>,
}

impl<'a> Appender<'a> {
    fn new(target: Target<'a>, progress: &'a Progress) -> Self {
        Appender {
            target,
            progress,
            next: 0,
            waiting: BTreeMap::new(),
        }
    }

    /// Takes one chunk, appends all whose turn it is, and returns how many that were.
    fn take(&mut self, done: Done) -> Result<usize> {
        let offset = done.index.saturating_mul(CHUNK);
        self.progress.at(offset);
        if done.failed {
            self.progress.failed_read(offset);
        }
        self.waiting.insert(done.sequence, done);
        let mut appended = 0;
        while let Some(done) = self.waiting.remove(&self.next) {
            for (cluster, data) in &done.clusters {
                self.target
                    .writer
                    .append(*cluster, data)
                    .map_err(|error| write_failure(self.target.image, error))?;
            }
            if let Some(hash) = done.hash {
                (self.target.checksum)(done.index, hash)?;
            }
            self.progress.add(done.read);
            self.next += 1;
            appended += 1;
        }
        Ok(appended)
    }
}

/// An error of the image writer, with advice.
pub(super) fn write_failure(image: &Path, error: Qcow2Error) -> Failure {
    match &error {
        Qcow2Error::Io { source, .. } => Failure::target_write(image, source),
        _ => Failure::from(error),
    }
}
