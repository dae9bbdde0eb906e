//! `disk0.journal`: what of a capture is safe on the disk, so that another run can go on after this one ends, however it
//! does. It is removed when the capture is complete.
//!
//! It begins with what is captured, and what of it is to be copied. Then records follow, each written after what it speaks
//! of was synced, and synced itself. The last one may not be whole: it counts for nothing.

use super::frame;
use super::samples::Samples;
use crate::capture::CHUNK;
use crate::capture::fingerprint::Fingerprint;
use crate::capture::rescue::map::{Status, StatusMap};
use blake3::Hash;
use disk::ExtentSet;
use disk::qcow2::Compression;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader};
use std::ops::Range;
use std::path::Path;

/// Another number means that records have changed.
const VERSION: u32 = 1;
/// Ranges in one record.
const RANGES: usize = 100_000;

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
    version: u32,
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

/// What an unfinished capture came to.
#[derive(Clone, Debug)]
pub(crate) struct Past {
    /// What was captured.
    pub(crate) begun: Begun,
    /// What was to be copied.
    pub(crate) used: ExtentSet,
    /// Chunks that are in the image.
    pub(crate) done: ExtentSet,
    /// What was left for later.
    pub(crate) left: ExtentSet,
    /// Some chunks that hold data.
    samples: Samples,
    /// In the order in which they were added to the file of what was read late.
    pub(super) late: Vec<ExtentSet>,
    /// What became of them.
    pub(super) statuses: StatusMap,
    /// Length of the image file in bytes.
    pub(super) image: u64,
    /// Length of the journal's good part in bytes.
    pub(super) length: u64,
}

impl Past {
    /// Reads the journal at `path`. `None` if the capture had not even begun: nothing of it is of worth.
    pub(crate) fn load(path: &Path) -> io::Result<Option<Self>> {
        Past::of(Records::open(path, u64::MAX)?)
    }

    /// Puts together what records say; each comes with the byte where it ends.
    pub(super) fn of(records: impl IntoIterator<Item = io::Result<(Record, u64)>>) -> io::Result<Option<Self>> {
        let mut past: Option<Past> = None;
        let mut ready = false;
        let mut used = Vec::new();
        for record in records {
            let (record, end) = record?;
            match (&mut past, record) {
                (None, Record::Begun(begun)) if begun.version == VERSION => past = Some(Past::new(begun)),
                (None, Record::Begun(begun)) => {
                    return Err(out_of_place(&format!(
                        "its version is {}, not {VERSION}",
                        begun.version
                    )));
                }
                (Some(_), Record::Used(ranges)) if !ready => used.extend(ranges),
                (Some(past), Record::Ready) if !ready => {
                    ready = true;
                    past.used = set(&used)?;
                    past.length = end;
                }
                (Some(past), record) if ready => {
                    past.take(record)?;
                    past.length = end;
                }
                _ => return Err(out_of_place("a record is out of place")),
            }
        }
        Ok(past.filter(|_| ready))
    }

    /// The same in few records, for somebody who copies but does not store: without clusters, and with the checksums of
    /// the samples only.
    pub(super) fn condensed(&self) -> Vec<Record> {
        let mut records = first_records(self.begun.clone(), &self.used);
        let sums: BTreeMap<u64, Hash> = self.samples().collect();
        let numbers = self
            .done
            .iter()
            .flat_map(|range| range.start / CHUNK..range.end.div_ceil(CHUNK));
        let chunks: Vec<_> = numbers
            .map(|index| (index, sums.get(&index).map(|hash| *hash.as_bytes())))
            .collect();
        records.extend(chunks.chunks(RANGES).map(|chunks| {
            Record::Copied(Copied {
                chunks: chunks.to_vec(),
                ..Copied::default()
            })
        }));
        records.extend(pairs(&self.left).chunks(RANGES).map(|left| {
            Record::Copied(Copied {
                left: left.to_vec(),
                ..Copied::default()
            })
        }));
        for late in &self.late {
            records.extend(pairs(late).chunks(RANGES).map(|ranges| Record::Late(ranges.to_vec())));
        }
        let statuses: Vec<_> = self
            .statuses
            .iter()
            .map(|(range, status)| (range.start, range.end - range.start, status))
            .collect();
        records.extend(statuses.chunks(RANGES).map(|statuses| Record::Read(statuses.to_vec())));
        records
    }

    fn new(begun: Begun) -> Self {
        Past {
            begun,
            used: ExtentSet::new(),
            done: ExtentSet::new(),
            left: ExtentSet::new(),
            samples: Samples::new(),
            late: Vec::new(),
            statuses: StatusMap::default(),
            image: 0,
            length: 0,
        }
    }

    fn take(&mut self, record: Record) -> io::Result<()> {
        match record {
            Record::Copied(copied) => {
                self.image = copied.image;
                self.left.extend(set(&copied.left)?.iter());
                for (index, hash) in copied.chunks {
                    let start = index
                        .checked_mul(CHUNK)
                        .ok_or_else(|| out_of_place("a chunk lies nowhere"))?;
                    self.done.insert(start..start.saturating_add(CHUNK));
                    if let Some(hash) = hash {
                        self.samples.pass(index, Hash::from_bytes(hash));
                    }
                }
            }
            Record::Late(ranges) => {
                let late = set(&ranges)?;
                for range in late.iter() {
                    self.statuses.add(range, Status::NonTried);
                }
                self.late.push(late);
            }
            Record::Read(statuses) => {
                for (start, length, status) in statuses {
                    self.statuses.set(range(start, length)?, status);
                }
            }
            Record::Begun(_) | Record::Used(_) | Record::Ready => return Err(out_of_place("it begins twice")),
        }
        Ok(())
    }

    /// Number and checksum of some chunks that hold data: does the disk still hold the same?
    pub(crate) fn samples(&self) -> impl Iterator<Item = (u64, Hash)> {
        self.samples.iter()
    }

    /// What became of the ranges that are read late.
    pub(crate) fn statuses(&self) -> &StatusMap {
        &self.statuses
    }

    /// Bytes of `read` that need not be read again.
    pub(crate) fn bytes_done(&self, read: &ExtentSet) -> u64 {
        let copied = crate::capture::intersection(read, &self.done).bytes();
        copied + self.statuses.having(Status::Finished).bytes()
    }
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

fn range(start: u64, length: u64) -> io::Result<Range<u64>> {
    let end = start
        .checked_add(length)
        .ok_or_else(|| out_of_place("a range has no end"))?;
    Ok(start..end)
}

fn out_of_place(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_condensed_says_the_same() {
        let begun = Begun::new(Fingerprint::default(), 18, Compression::None);
        let mut past = Past::new(begun);
        past.used = [0..7 * CHUNK, 9 * CHUNK..10 * CHUNK].into_iter().collect();
        for (index, hash) in [(0, Some([1; 32])), (1, None), (4, Some([2; 32])), (5, Some([3; 32]))] {
            let record = Copied {
                chunks: vec![(index, hash)],
                left: vec![(index * CHUNK + 2 * CHUNK, 4096)],
                ..Copied::default()
            };
            past.take(Record::Copied(record)).unwrap();
        }
        past.take(Record::Late(vec![(2 * CHUNK, 4096), (3 * CHUNK, 4096)]))
            .unwrap();
        past.take(Record::Read(vec![(2 * CHUNK, 512, Status::Bad)])).unwrap();
        let again = Past::of(past.condensed().into_iter().map(|record| Ok((record, 0))))
            .unwrap()
            .unwrap();
        assert_eq!(
            (&again.used, &again.done, &again.left),
            (&past.used, &past.done, &past.left)
        );
        assert_eq!(
            (&again.statuses, &again.late, &again.begun),
            (&past.statuses, &past.late, &past.begun)
        );
        assert!(again.samples().eq(past.samples()));
    }

    #[test]
    fn a_journal_without_a_whole_beginning_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let begun = Begun::new(Fingerprint::default(), 18, Compression::Zlib);
        let used: ExtentSet = (0..3).map(|at| at * 10..at * 10 + 5).collect();
        let whole = beginning(begun.clone(), &used).unwrap();
        for length in [0, 3, whole.len() - 1] {
            std::fs::write(&path, &whole[..length]).unwrap();
            assert!(Past::load(&path).unwrap().is_none(), "{length}");
        }
        std::fs::write(&path, &whole).unwrap();
        let past = Past::load(&path).unwrap().unwrap();
        assert_eq!((past.used, past.begun, past.length), (used, begun, whole.len() as u64));
    }
}
