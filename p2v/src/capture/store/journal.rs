//! `disk0.journal`: what of a capture is safe on the disk, so that another run can go on after this one ends, however it
//! does. It is removed when the capture is complete.
//!
//! It begins with what is captured, and what of it is to be copied. Then records follow, each written after what it speaks
//! of was synced, and synced itself. The last one may not be whole: it counts for nothing.

use super::frame;
use crate::capture::fingerprint::Fingerprint;
use crate::capture::rescue::map::Status;
use disk::ExtentSet;
use disk::qcow2::Compression;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, BufReader};
use std::ops::Range;
use std::path::Path;

/// Another number means that records have changed.
pub(super) const VERSION: u32 = 1;
/// Ranges in one record.
pub(super) const RANGES: usize = 100_000;

/// A record.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Record {
    /// The first one.
    Begun(Begun),
    /// Some of the ranges to be copied: first byte and length.
    Used(Vec<(u64, u64)>),
    /// The last of them was given: the capture begins.
    Ready,
    /// Chunks that are in the image.
    Copied(Copied),
    /// Ranges that will be read late, in addition to those before: first byte and length.
    Late(Vec<(u64, u64)>),
    /// What became of some of those: first byte, length, status.
    Read(Vec<(u64, u64, Status)>),
}

/// What is captured, and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Begun {
    pub(super) version: u32,
    /// How the disk is known again.
    pub(crate) disk: Fingerprint,
    /// The image's cluster size as a power of two.
    pub(crate) cluster_bits: u32,
    /// How it is compressed.
    pub(crate) codec: Codec,
    /// The name of the image that it lies on.
    pub(crate) base: Option<Vec<u8>>,
}

impl Begun {
    pub(super) fn new(disk: Fingerprint, cluster_bits: u32, compression: Compression) -> Self {
        Begun {
            version: VERSION,
            disk,
            cluster_bits,
            codec: compression.into(),
            base: None,
        }
    }
}

/// What an image is compressed with, whatever the level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Codec {
    None,
    Zlib,
    Zstd,
}

impl From<Compression> for Codec {
    fn from(compression: Compression) -> Self {
        match compression {
            Compression::None => Codec::None,
            Compression::Zlib => Codec::Zlib,
            Compression::Zstd(_) => Codec::Zstd,
        }
    }
}

impl Codec {
    /// As on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Codec::None => "none",
            Codec::Zlib => "zlib",
            Codec::Zstd => "zstd",
        }
    }
}

/// What was made durable at once.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Copied {
    /// Length of the image file in bytes.
    pub(super) image: u64,
    /// Chunks: number, and checksum if they hold anything but zeros. They ascend through all records.
    pub(super) chunks: Vec<(u64, Option<[u8; 32]>)>,
    /// Clusters: number and L2 entry.
    pub(super) clusters: Vec<(u64, u64)>,
    /// What was left for later: first byte and length.
    pub(super) left: Vec<(u64, u64)>,
}

/// The whole records of a journal, with the byte where each ends.
pub(super) struct Records {
    from: BufReader<File>,
    at: u64,
    end: u64,
}

impl Records {
    /// Of the first `end` bytes of the journal at `path`.
    pub(super) fn open(path: &Path, end: u64) -> io::Result<Self> {
        Ok(Records {
            from: BufReader::with_capacity(1 << 16, File::open(path)?),
            at: 0,
            end,
        })
    }
}

impl Iterator for Records {
    type Item = io::Result<(Record, u64)>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.end {
            return None;
        }
        let bytes = match frame::read(&mut self.from) {
            Ok(bytes) => bytes?,
            // The end of a journal whose writer was killed.
            Err(error) if matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof) => {
                return None;
            }
            Err(error) => return Some(Err(error)),
        };
        self.at += frame::size(bytes.len());
        Some(frame::decode(&bytes).map(|(record, _)| (record, self.at)))
    }
}

/// The records with which a journal begins.
pub(super) fn first_records(begun: Begun, used: &ExtentSet) -> Vec<Record> {
    let mut records = vec![Record::Begun(begun)];
    records.extend(pairs(used).chunks(RANGES).map(|ranges| Record::Used(ranges.to_vec())));
    records.push(Record::Ready);
    records
}

/// The same as bytes.
pub(super) fn beginning(begun: Begun, used: &ExtentSet) -> io::Result<Vec<u8>> {
    encoded(first_records(begun, used))
}

/// The bytes that say that `late` will be read late.
pub(super) fn late(late: &ExtentSet) -> io::Result<Vec<u8>> {
    encoded(pairs(late).chunks(RANGES).map(|ranges| Record::Late(ranges.to_vec())))
}

fn encoded(records: impl IntoIterator<Item = Record>) -> io::Result<Vec<u8>> {
    let encoded = records.into_iter().map(|record| frame::encode(&record, &[]));
    encoded.collect::<io::Result<Vec<_>>>().map(|records| records.concat())
}

/// First byte and length of each range.
pub(super) fn pairs(set: &ExtentSet) -> Vec<(u64, u64)> {
    set.iter().map(|range| (range.start, range.end - range.start)).collect()
}

/// The set of ranges that `pairs` are.
pub(super) fn set(pairs: &[(u64, u64)]) -> io::Result<ExtentSet> {
    pairs.iter().map(|(start, length)| range(*start, *length)).collect()
}

pub(super) fn range(start: u64, length: u64) -> io::Result<Range<u64>> {
    let end = start
        .checked_add(length)
        .ok_or_else(|| out_of_place("a range has no end"))?;
    Ok(start..end)
}

pub(super) fn out_of_place(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
