//! Work on every core: zero check and compression cluster by cluster, a checksum over the chunk.

use super::chunks::Chunk;
use super::{Done, Encoding, What, tree_hash};
use crate::capture::Buffer;
use crate::capture::store::Packed;
use crate::error::{Failure, Result};
use crossbeam_channel::{Receiver, Sender};
use disk::qcow2::{ClusterEncoder, EncodedCluster};

/// One working thread.
pub(super) struct Worker {
    pub(super) packer: Packer,
    pub(super) filled: Receiver<(Chunk, Buffer)>,
    pub(super) spare: Sender<Buffer>,
    pub(super) done: Sender<Result<Done>>,
}

impl Worker {
    /// Works until no more chunks come or nobody takes them.
    pub(super) fn run(mut self) {
        let done = self.done.clone();
        let _guard = PanicGuard(&done);
        while let Ok((chunk, buffer)) = self.filled.recv() {
            let result = self.packer.pack(&chunk, buffer.bytes());
            let _ = self.spare.send(buffer);
            if self.done.send(result).is_err() {
                return;
            }
        }
    }
}

/// Makes chunks ready for the image.
pub(super) struct Packer {
    encoder: ClusterEncoder,
    cluster: usize,
}

impl Packer {
    pub(super) fn new(encoding: &Encoding) -> Result<Self> {
        let (bits, image) = (encoding.cluster_bits, encoding.image.clone());
        Ok(Packer {
            encoder: ClusterEncoder::new(image, bits, encoding.compression)?,
            cluster: 1 << bits,
        })
    }

    /// Makes `chunk` ready, whose bytes are `bytes`.
    pub(super) fn pack(&mut self, chunk: &Chunk, bytes: &[u8]) -> Result<Done> {
        let cluster = self.cluster;
        let first = chunk.offset / cluster as u64;
        let mut clusters = Vec::new();
        let mut ranges = chunk.ranges.as_slice();
        let mut next = 0;
        while let Some(range) = ranges.first() {
            let number = next.max(range.start / cluster);
            let (start, end) = (number * cluster, (number + 1) * cluster);
            // A cluster that several ranges touch is encoded once.
            let touching = ranges.partition_point(|range| range.start < end);
            let filled = ranges[touching - 1].end.min(end) - start;
            let encoded = self.encoder.encode_filled(&bytes[start..end], filled)?;
            if !matches!(encoded, EncodedCluster::Zero) {
                clusters.push((first + number as u64, encoded));
            }
            ranges = &ranges[ranges.partition_point(|range| range.end <= end)..];
            next = number + 1;
        }
        let packed = Packed {
            index: chunk.index,
            read: chunk.bytes_read(),
            hash: (!clusters.is_empty()).then(|| tree_hash::hash(&bytes[..chunk.length], &chunk.ranges)),
            clusters,
        };
        Ok(Done {
            sequence: chunk.sequence,
            offset: chunk.offset,
            what: What::Packed(packed),
        })
    }
}

/// Reports a thread that panics: the appender would wait for its chunk for ever.
pub(super) struct PanicGuard<'a>(pub(super) &'a Sender<Result<Done>>);

impl Drop for PanicGuard<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = self
                .0
                .send(Err(Failure::failed("a capture thread failed: this is a bug in p2v")));
        }
    }
}
