//! Clusters made ready for the image: the work that runs on every core.

use super::Qcow2Error;
use super::header::MAX_CLUSTER_BITS;
use super::zero_tail;
use flate2::{Compress, FlushCompress, Status};
use std::io;
use std::path::PathBuf;
use zstd::bulk::Compressor;
use zstd::zstd_safe::CParameter;

/// QEMU inflates with a window of 2^12 bytes: nothing in the data may reach back further.
const ZLIB_WINDOW_BITS: u8 = 12;
/// A cluster is stored compressed only if that saves at least 1/32 of it: less is not worth decompressing.
const LEAST_SAVING: usize = 32;
/// Entries of four bytes in the hash table of zstd's level 1, as a power of two; zstd itself takes 14. This one finds 1 %
/// more at the same speed, as long as the table fits the processor's cache.
const FAST_HASH_LOG: u32 = 16;
/// The same for [`SHORT`] bytes: clearing the larger table would cost more than compressing them.
const SHORT_HASH_LOG: u32 = 12;
const SHORT: usize = 16 << 10;

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

/// A cluster ready to be appended.
#[derive(Debug)]
pub enum EncodedCluster {
    /// All zeros: takes no space.
    Zero,
    /// Smaller when compressed.
    Compressed(Vec<u8>),
    /// Stored as it is (compression did not pay).
    Plain(Vec<u8>),
}

enum Codec {
    None,
    Zlib(Compress),
    Zstd {
        whole: Compressor<'static>,
        /// For clusters with little before their zeros.
        short: Compressor<'static>,
    },
}

/// Encodes clusters: zero check and compression. One a thread; it keeps its compression context.
pub struct ClusterEncoder {
    codec: Codec,
    cluster_size: usize,
    /// Compressed bytes of the cluster at hand, before they are cut to size.
    scratch: Vec<u8>,
    /// The image that the clusters are for, to name in errors.
    path: PathBuf,
}

impl ClusterEncoder {
    /// An encoder for the image at `path` (for errors only) with 2^`cluster_bits` bytes a cluster.
    pub fn new(path: PathBuf, cluster_bits: u32, compression: Compression) -> Result<Self, Qcow2Error> {
        let cluster_size = 1usize << cluster_bits.min(MAX_CLUSTER_BITS);
        let codec = match compression {
            Compression::None => Codec::None,
            Compression::Zlib => Codec::Zlib(Compress::new_with_window_bits(
                flate2::Compression::default(),
                false,
                ZLIB_WINDOW_BITS,
            )),
            Compression::Zstd(level) => {
                let context = |hash_log: u32| -> io::Result<Compressor<'static>> {
                    let mut context = Compressor::new(level)?;
                    if level == 1 {
                        context.set_parameter(CParameter::HashLog(hash_log))?;
                    }
                    Ok(context)
                };
                let failed = |source| Qcow2Error::io(&path, source);
                Codec::Zstd {
                    whole: context(FAST_HASH_LOG).map_err(failed)?,
                    short: context(SHORT_HASH_LOG).map_err(failed)?,
                }
            }
        };
        Ok(ClusterEncoder {
            codec,
            cluster_size,
            scratch: Vec::with_capacity(cluster_size),
            path,
        })
    }

    /// Encodes one cluster; `data` is a whole cluster (the last one of the disk padded with zeros).
    pub fn encode(&mut self, data: &[u8]) -> Result<EncodedCluster, Qcow2Error> {
        self.encode_filled(data, data.len())
    }

    /// The same, if nothing but zeros is known to follow the first `filled` bytes: they are not looked at again.
    pub fn encode_filled(&mut self, data: &[u8], filled: usize) -> Result<EncodedCluster, Qcow2Error> {
        if data.len() != self.cluster_size || filled > data.len() {
            let message = format!("{} bytes given for a cluster of {}", data.len(), self.cluster_size);
            return Err(Qcow2Error::io(
                &self.path,
                io::Error::new(io::ErrorKind::InvalidInput, message),
            ));
        }
        if is_zero(&data[..filled]) {
            return Ok(EncodedCluster::Zero);
        }
        let room = self.cluster_size - (self.cluster_size / LEAST_SAVING).max(1);
        self.scratch.clear();
        let fits = match &mut self.codec {
            Codec::None => false,
            Codec::Zlib(context) => deflate(context, data, &mut self.scratch) && self.scratch.len() <= room,
            Codec::Zstd { whole, short } => {
                self.scratch.reserve_exact(room);
                // The only error there can be is that the result is longer than the buffer.
                let done = match zero_tail::find(data, filled) {
                    Some(start) => {
                        let context = if start <= SHORT { short } else { whole };
                        zero_tail::compress(context.context_mut(), data, start, &mut self.scratch)
                    }
                    None => whole.compress_to_buffer(data, &mut self.scratch).is_ok(),
                };
                done && self.scratch.len() <= room
            }
        };
        Ok(if fits {
            EncodedCluster::Compressed(self.scratch.as_slice().to_vec())
        } else {
            EncodedCluster::Plain(data.to_vec())
        })
    }
}

/// Deflates all of `data` into `out`; whether that went well.
fn deflate(context: &mut Compress, data: &[u8], out: &mut Vec<u8>) -> bool {
    context.reset();
    // Room for the worst case: zlib-rs 0.6.8 panics later if a stream is given up because its output was full.
    out.resize(data.len() + data.len() / 8 + 64, 0);
    let finished = matches!(
        context.compress(data, out, FlushCompress::Finish),
        Ok(Status::StreamEnd)
    );
    let written = usize::try_from(context.total_out()).unwrap_or(usize::MAX);
    out.truncate(written);
    finished
}

/// Whether every byte is zero.
pub(super) fn is_zero(data: &[u8]) -> bool {
    // Whole blocks without a branch inside, so that the compiler can use wide registers.
    let (blocks, rest) = data.as_chunks::<256>();
    blocks
        .iter()
        .all(|block| block.iter().fold(0, |sum, byte| sum | byte) == 0)
        && rest.iter().all(|byte| *byte == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoder(compression: Compression) -> ClusterEncoder {
        ClusterEncoder::new(PathBuf::from("test.qcow2"), 12, compression).unwrap()
    }

    #[test]
    fn one_byte_anywhere_is_not_zero() {
        let mut data = vec![0; 4096];
        assert!(is_zero(&data));
        for at in 0..data.len() {
            data[at] = 1;
            assert!(!is_zero(&data));
            data[at] = 0;
        }
        assert!(!is_zero(&[0, 1]));
        assert!(is_zero(&[]));
    }

    #[test]
    fn clusters_are_stored_the_way_that_takes_least() {
        let text = b"The quick brown fox. ".repeat(200)[..4096].to_vec();
        // Multiples of an odd number, mixed by taking the high bits: no pattern for either method.
        let noise: Vec<u8> = (0u64..4096)
            .map(|i| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_pow(3) >> 32) as u8)
            .collect();
        for compression in [Compression::Zlib, Compression::Zstd(1), Compression::Zstd(3)] {
            let mut encoder = encoder(compression);
            for _ in 0..2 {
                assert!(matches!(encoder.encode(&text).unwrap(), EncodedCluster::Compressed(data) if data.len() < 400));
                assert!(matches!(encoder.encode(&noise).unwrap(), EncodedCluster::Plain(data) if data == noise));
                assert!(matches!(encoder.encode(&[0; 4096]).unwrap(), EncodedCluster::Zero));
            }
            assert!(encoder.encode(&text[1..]).is_err());
        }
        assert!(
            matches!(encoder(Compression::None).encode(&text).unwrap(), EncodedCluster::Plain(data) if data == text)
        );
    }
}
