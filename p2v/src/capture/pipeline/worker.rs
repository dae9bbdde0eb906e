//! Work on every core: zero check and compression cluster by cluster, a checksum over the chunk.

use super::chunks::Chunk;
use super::{Done, What};
use crate::capture::Buffer;
use crate::capture::store::Packed;
use crate::error::{Failure, Result};
use crossbeam_channel::{Receiver, Sender};
use disk::qcow2::{ClusterEncoder, EncodedCluster, Qcow2Error};

/// One working thread.
pub(super) struct Worker {
    pub(super) encoder: ClusterEncoder,
    pub(super) cluster_bits: u32,
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
            let result = self.encode(&chunk, buffer.bytes()).map_err(Failure::from);
            let _ = self.spare.send(buffer);
            if self.done.send(result).is_err() {
                return;
            }
        }
    }

    fn encode(&mut self, chunk: &Chunk, bytes: &[u8]) -> std::result::Result<Done, Qcow2Error> {
        let cluster = 1usize << self.cluster_bits;
        let first = chunk.offset >> self.cluster_bits;
        let mut clusters = Vec::new();
        let mut next = 0;
        for range in &chunk.ranges {
            // The ranges ascend: a cluster that two of them touch is encoded once.
            let end = range.end.div_ceil(cluster);
            for number in next.max(range.start / cluster)..end {
                let encoded = self.encoder.encode(&bytes[number * cluster..][..cluster])?;
                if !matches!(encoded, EncodedCluster::Zero) {
                    clusters.push((first + number as u64, encoded));
                }
            }
            next = end;
        }
        let packed = Packed {
            index: chunk.index,
            read: chunk.ranges.iter().map(|range| range.len() as u64).sum(),
            hash: (!clusters.is_empty()).then(|| blake3::hash(&bytes[..chunk.length])),
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
