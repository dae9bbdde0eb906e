//! The data of the system files, found through the master file table.

use super::Refusal;
use super::boot::Boot;
use super::record::{ATTRIBUTE_LIST, Attribute, DATA, Run, Value, attributes};
use crate::bytes::Fields;
use crate::io::ReadAt;
use std::io;
use std::ops::Range;

/// Largest attribute list that is read: 256 KiB is Windows' own limit.
const MAX_LIST: u64 = 256 << 10;
/// Most pieces a file is put together from.
const MAX_PIECES: usize = 10_000;

/// A file's data.
#[derive(Clone, Debug)]
pub(super) enum Data {
    Resident(Vec<u8>),
    Runs {
        runs: Vec<Run>,
        /// Bytes that were ever written; all others read as zeros.
        initialised: u64,
    },
}

/// An answer, or why the volume cannot be mapped.
pub(super) type Checked<T> = Result<T, Refusal>;

/// The volume with what is known of its master file table.
pub(super) struct Files<'a, D: ?Sized> {
    device: &'a D,
    boot: &'a Boot,
    mft: Vec<Run>,
}

impl<'a, D: ReadAt + ?Sized> Files<'a, D> {
    /// Finds the master file table by its own first record.
    pub(super) fn open(device: &'a D, boot: &'a Boot) -> io::Result<Checked<Self>> {
        // Enough to read the first record with; its own list of runs then takes over.
        let length = u64::try_from(boot.record_size).unwrap_or(0).div_ceil(boot.cluster_size);
        let mut files = Files {
            device,
            boot,
            mft: vec![Run {
                cluster: Some(boot.mft),
                length,
            }],
        };
        let own = match files.attributes(0)? {
            Ok(attributes) => attributes,
            Err(refusal) => return Ok(Err(refusal)),
        };
        // The first piece is always in the first record, and it holds the records that the others are in.
        let first = own.iter().find_map(|attribute| match &attribute.value {
            Value::Runs { first: 0, runs, .. } if attribute.kind == DATA => Some(runs.clone()),
            _ => None,
        });
        match first {
            Some(runs) if runs.first().is_some_and(|run| run.cluster == Some(boot.mft)) => files.mft = runs,
            _ => return Ok(Err("the master file table does not know its own place")),
        }
        match files.data(0)? {
            Ok(Data::Runs { runs, .. }) => files.mft = runs,
            Ok(Data::Resident(_)) => return Ok(Err("the master file table does not know its own place")),
            Err(refusal) => return Ok(Err(refusal)),
        }
        Ok(Ok(files))
    }

    /// The raw bytes of a record.
    pub(super) fn record(&self, number: u64) -> io::Result<Checked<Vec<u8>>> {
        let mut bytes = vec![0; self.boot.record_size];
        let offset = number.saturating_mul(u64::try_from(self.boot.record_size).unwrap_or(1024));
        Ok(match self.read(&self.mft, offset, &mut bytes)? {
            true => Ok(bytes),
            false => Err("the master file table ends too early"),
        })
    }

    /// The attributes of one record, without those in its extension records.
    pub(super) fn attributes(&self, number: u64) -> io::Result<Checked<Vec<Attribute>>> {
        Ok(self.record(number)?.and_then(attributes))
    }

    /// The unnamed data of a file, put together from all its records.
    pub(super) fn data(&self, number: u64) -> io::Result<Checked<Data>> {
        let base = match self.attributes(number)? {
            Ok(base) => base,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let list = base.iter().find(|attribute| attribute.kind == ATTRIBUTE_LIST);
        let pieces = match list {
            None => base,
            Some(list) => {
                let list = match self.list(&list.value)? {
                    Ok(list) => list,
                    Err(refusal) => return Ok(Err(refusal)),
                };
                match self.listed(&list)? {
                    Ok(pieces) => pieces,
                    Err(refusal) => return Ok(Err(refusal)),
                }
            }
        };
        Ok(join(pieces))
    }

    /// The contents of an attribute list.
    fn list(&self, value: &Value) -> io::Result<Checked<Vec<u8>>> {
        match value {
            Value::Resident(bytes) => Ok(Ok(bytes.clone())),
            Value::Runs { runs, size, .. } => {
                let len = usize::try_from((*size).min(MAX_LIST)).unwrap_or(0);
                let mut bytes = vec![0; len];
                Ok(match self.read(runs, 0, &mut bytes)? {
                    true => Ok(bytes),
                    false => Err("an attribute list is damaged"),
                })
            }
        }
    }

    /// The data attributes in the records that a list names.
    fn listed(&self, list: &[u8]) -> io::Result<Checked<Vec<Attribute>>> {
        let mut records = Vec::new();
        let mut rest = list;
        while rest.len() >= 26 && records.len() < MAX_PIECES {
            let entry = Fields(rest);
            let unnamed = entry.u8(6) == 0;
            let record = entry.le64(16) & 0xFFFF_FFFF_FFFF;
            if entry.le32(0) == DATA && unnamed && !records.contains(&record) {
                records.push(record);
            }
            let length = usize::from(entry.le16(4));
            match rest.get(length..) {
                Some(after) if length >= 26 => rest = after,
                _ => return Ok(Err("an attribute list is damaged")),
            }
        }
        let mut pieces = Vec::new();
        for record in records {
            match self.attributes(record)? {
                Ok(attributes) => pieces.extend(attributes),
                Err(refusal) => return Ok(Err(refusal)),
            }
        }
        Ok(Ok(pieces))
    }

    /// Fills `buf` from `offset` of what `runs` describe. Whether all of it is there.
    pub(super) fn read(&self, runs: &[Run], offset: u64, buf: &mut [u8]) -> io::Result<bool> {
        let cluster = self.boot.cluster_size;
        let mut start = 0u64;
        let mut done = 0usize;
        for run in runs {
            let end = start.saturating_add(run.length.saturating_mul(cluster));
            while done < buf.len() {
                let at = offset.saturating_add(u64::try_from(done).unwrap_or(u64::MAX));
                if at >= end {
                    break;
                }
                let Some(first) = run.cluster else { return Ok(false) };
                if !self.inside(&(first..first.saturating_add(run.length))) {
                    return Ok(false);
                }
                let left = usize::try_from(end.saturating_sub(at)).unwrap_or(usize::MAX);
                let upto = done.saturating_add(left).min(buf.len());
                let place = first.saturating_mul(cluster).saturating_add(at.saturating_sub(start));
                self.device
                    .read_at(place, buf.get_mut(done..upto).unwrap_or_default())?;
                done = upto;
            }
            start = end;
        }
        Ok(done == buf.len())
    }

    /// Whether clusters are all in the volume.
    pub(super) fn inside(&self, clusters: &Range<u64>) -> bool {
        clusters.start <= clusters.end && clusters.end <= self.boot.clusters
    }
}

/// Joins the pieces of an unnamed data attribute in the order of their virtual clusters, which must be complete.
fn join(pieces: Vec<Attribute>) -> Checked<Data> {
    let missing = "a system file has no data";
    let mut parts = Vec::new();
    for attribute in pieces.into_iter().filter(|attribute| attribute.kind == DATA) {
        match attribute.value {
            Value::Resident(bytes) => return Ok(Data::Resident(bytes)),
            Value::Runs {
                first,
                runs,
                size,
                initialised,
            } => parts.push((first, runs, size, initialised)),
        }
    }
    parts.sort_by_key(|(first, ..)| *first);
    let Some((0, _, size, initialised)) = parts.first() else {
        return Err(missing);
    };
    let initialised = *initialised.min(size);
    let mut joined = Vec::new();
    let mut next = 0u64;
    for (first, runs, ..) in parts {
        if first != next {
            return Err("the pieces of a system file do not fit together");
        }
        next = runs.iter().fold(next, |sum, run| sum.saturating_add(run.length));
        joined.extend(runs);
    }
    Ok(Data::Runs {
        runs: joined,
        initialised,
    })
}
