//! Writing a capture: clusters are appended in any order, tables follow, the header comes last.

use super::Qcow2Error;
use std::path::Path;

/// How the clusters of a new image are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Plain clusters.
    None,
    /// Raw deflate (any QEMU).
    Zlib,
    /// Zstandard (QEMU 5.1 and later) at this level.
    Zstd(i32),
}

/// Choices for a new image.
#[derive(Clone, Copy, Debug)]
pub struct WriterOptions {
    /// Size of the virtual disk in bytes.
    pub virtual_size: u64,
    /// 2^bits bytes a cluster, 9–21.
    pub cluster_bits: u32,
    /// How clusters are compressed.
    pub compression: Compression,
}

/// A cluster ready to be appended: the work that runs on every core.
#[derive(Debug)]
pub enum EncodedCluster {
    /// All zeros: takes no space.
    Zero,
    /// Smaller when compressed.
    Compressed(Vec<u8>),
    /// Stored as it is (compression did not pay).
    Plain(Vec<u8>),
}

/// Encodes clusters: zero check and compression. One a thread; it keeps its compression context.
pub struct ClusterEncoder {}

impl ClusterEncoder {
    /// Encodes one cluster; `data` is a whole cluster (the last one of the disk padded with zeros).
    pub fn encode(&mut self, data: &[u8]) -> Result<EncodedCluster, Qcow2Error> {
        let _ = data;
        todo!()
    }
}

/// What a finished image holds.
#[derive(Clone, Copy, Debug)]
pub struct Summary {
    /// Size of the image file in bytes.
    pub file_size: u64,
    /// Clusters stored compressed.
    pub compressed_clusters: u64,
    /// Clusters stored plain.
    pub plain_clusters: u64,
}

/// Appends clusters to a new image. Until [`finish`](Writer::finish) the file has no valid header.
pub struct Writer {}

impl Writer {
    /// Creates `path`, which must not exist.
    pub fn create(path: &Path, options: WriterOptions) -> Result<Self, Qcow2Error> {
        let _ = (path, options);
        todo!()
    }

    /// An encoder for this image, for one thread.
    pub fn encoder(&self) -> Result<ClusterEncoder, Qcow2Error> {
        todo!()
    }

    /// Appends the contents of guest cluster number `cluster` (virtual offset / cluster size). Each at most once.
    pub fn append(&mut self, cluster: u64, data: &EncodedCluster) -> Result<(), Qcow2Error> {
        let _ = (cluster, data);
        todo!()
    }

    /// Writes tables and header and syncs the file: now it is an image.
    pub fn finish(self) -> Result<Summary, Qcow2Error> {
        todo!()
    }
}
