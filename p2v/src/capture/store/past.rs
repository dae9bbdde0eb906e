//! What the records of a journal come to: what of an unfinished capture is there.

use super::journal::{Begun, Copied, RANGES, Record, Records, VERSION, first_records, out_of_place, pairs, range, set};
use super::samples::Samples;
use crate::capture::CHUNK;
use crate::capture::rescue::map::{Status, StatusMap};
use blake3::Hash;
use disk::ExtentSet;
use std::collections::BTreeMap;
use std::io;
use std::path::Path;

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

#[cfg(test)]
mod tests {
    use super::super::journal::beginning;
    use super::*;
    use crate::capture::fingerprint::Fingerprint;
    use disk::qcow2::Compression;

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
