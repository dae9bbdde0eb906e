//! One file of a backing chain: which bytes of the disk it has, and where.
#![warn(clippy::arithmetic_side_effects, clippy::as_conversions, clippy::indexing_slicing)]

use super::Qcow2Error;
use super::cache::Cache;
use super::entry::{self, L2Entry};
use super::header::{Header, HeaderError};
use super::lock::LockedFile;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Tables are read and kept in pieces of this many bytes (or of a cluster, if that is smaller).
const SLICE: u64 = 4096;

/// Pieces of L1 and L2 tables by (layer number, offset in its file).
pub(super) type TableCache = Cache<(usize, u64), Arc<[u64]>>;

/// Where bytes of the disk are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Not in this file: in the one behind it.
    Behind,
    /// Nowhere: they are zero.
    Zero,
    /// Here in the file (bytes).
    Plain(u64),
    /// In a compressed cluster.
    Compressed {
        /// Where in the file (bytes).
        offset: u64,
        /// No more bytes than this.
        max_len: u64,
        /// Where the cluster starts on the disk (bytes).
        cluster: u64,
    },
}

/// A file that holds (a part of) a disk.
pub(super) struct Layer {
    pub(super) file: LockedFile,
    pub(super) path: PathBuf,
    /// Length of the file in bytes.
    pub(super) file_size: u64,
    pub(super) format: Format,
}

/// What the file is.
pub(super) enum Format {
    /// Byte N of the file is byte N of the disk.
    Raw,
    /// A qcow2 image.
    Qcow2(Header),
}

impl Layer {
    /// Reads and checks the header of the qcow2 image `file`, `file_size` bytes long.
    pub(super) fn qcow2(file: LockedFile, path: &Path, file_size: u64) -> Result<Self, Qcow2Error> {
        let len = usize::try_from(file_size)
            .unwrap_or(usize::MAX)
            .min(Header::PARSE_LENGTH);
        let mut start = vec![0; len];
        file.read_exact_at(&mut start, 0).map_err(|e| Qcow2Error::io(path, e))?;
        let header = Header::parse(&start).map_err(|error| match error {
            HeaderError::Invalid(reason) => Qcow2Error::invalid(path, reason),
            HeaderError::Unsupported(feature) => Qcow2Error::unsupported(path, feature),
        })?;
        let l1_end = header
            .l1_offset
            .checked_add(header.l1_entries_needed().saturating_mul(8));
        if l1_end.is_none_or(|end| end > file_size) {
            return Err(Qcow2Error::invalid(
                path,
                format!(
                    "the L1 table at {:#x} lies past the end of the file ({file_size} bytes): it was cut short",
                    header.l1_offset
                ),
            ));
        }
        Ok(Layer {
            file,
            path: path.to_owned(),
            file_size,
            format: Format::Qcow2(header),
        })
    }

    /// Size of the disk in bytes, as this file knows it.
    pub(super) fn disk_size(&self) -> u64 {
        match &self.format {
            Format::Raw => self.file_size,
            Format::Qcow2(header) => header.size,
        }
    }

    /// Where the bytes from `offset` of the disk are, and for how many of the next `len` that holds (at least one;
    /// there may be more of the same kind behind them). `offset` must be less than [`disk_size`](Layer::disk_size).
    pub(super) fn locate(
        &self,
        number: usize,
        tables: &TableCache,
        offset: u64,
        len: u64,
    ) -> Result<(Place, u64), Qcow2Error> {
        let len = len.min(self.disk_size().saturating_sub(offset));
        match &self.format {
            Format::Raw => Ok((Place::Plain(offset), len)),
            Format::Qcow2(header) => Mapper {
                layer: self,
                header,
                number,
                tables,
            }
            .locate(offset, len),
        }
    }

    fn invalid(&self, reason: impl Into<String>) -> Qcow2Error {
        Qcow2Error::invalid(&self.path, reason)
    }
}

/// Finds clusters in a qcow2 image.
struct Mapper<'a> {
    layer: &'a Layer,
    header: &'a Header,
    number: usize,
    tables: &'a TableCache,
}

impl Mapper<'_> {
    fn locate(&self, offset: u64, len: u64) -> Result<(Place, u64), Qcow2Error> {
        let table_bits = self.header.cluster_bits.saturating_add(self.header.l2_bits());
        let l1_index = offset >> table_bits;
        let Some(l2_offset) = self.l2_table(l1_index)? else {
            return self.no_table(offset, len, table_bits);
        };
        let cluster_bits = self.header.cluster_bits;
        let index_mask = (1u64 << self.header.l2_bits()).saturating_sub(1);
        let index = (offset >> cluster_bits) & index_mask;
        let (slice, at) = self.l2_slice(l2_offset, index)?;
        let in_cluster = offset & self.header.cluster_size().saturating_sub(1);
        let cluster_left = self.header.cluster_size().saturating_sub(in_cluster);
        let first = self.place(&slice, at, offset, in_cluster)?;
        let mut run = first.1.min(len);
        if self.header.extended_l2 || matches!(first.0, Place::Compressed { .. }) || run < cluster_left {
            return Ok((first.0, run));
        }
        // The following clusters, as far as they carry on the same way and this piece of the table goes.
        let mut next = at.saturating_add(1);
        while run < len && next < slice.len() {
            let here = offset.saturating_add(run);
            let (place, more) = self.place(&slice, next, here, 0)?;
            let carries_on = match (first.0, place) {
                (Place::Plain(start), Place::Plain(host)) => start.checked_add(run) == Some(host),
                (Place::Zero, Place::Zero) | (Place::Behind, Place::Behind) => true,
                _ => false,
            };
            if !carries_on {
                break;
            }
            run = run.saturating_add(more).min(len);
            next = next.saturating_add(1);
        }
        Ok((first.0, run))
    }

    /// Nothing here as far as L1 entries (of the same piece of the table) are empty.
    fn no_table(&self, offset: u64, len: u64, table_bits: u32) -> Result<(Place, u64), Qcow2Error> {
        let mut index = offset >> table_bits;
        let end = offset.saturating_add(len);
        loop {
            index = index.saturating_add(1);
            let border = index.saturating_mul(1 << table_bits);
            if border >= end {
                return Ok((Place::Behind, len));
            }
            if self.l2_table(index)?.is_some() {
                return Ok((Place::Behind, border.saturating_sub(offset)));
            }
        }
    }

    /// What the entry `at` of a piece of an L2 table says about the byte `in_cluster` of its cluster, and up to
    /// where in the cluster that holds (in bytes from there). `offset` is the byte's place on the disk.
    fn place(&self, slice: &[u64], at: usize, offset: u64, in_cluster: u64) -> Result<(Place, u64), Qcow2Error> {
        let cluster_size = self.header.cluster_size();
        let left = cluster_size.saturating_sub(in_cluster);
        let words = if self.header.extended_l2 {
            at.saturating_mul(2)
        } else {
            at
        };
        let word = slice.get(words).copied().unwrap_or(0);
        let has_flag = self.header.version >= 3 && !self.header.extended_l2;
        let entry = L2Entry::decode(word, self.header.cluster_bits, has_flag);
        let plain = |host: u64| {
            self.check_plain(host)
                .map(|()| Place::Plain(host.saturating_add(in_cluster)))
        };
        match entry {
            L2Entry::Compressed { offset: host, max_len } => {
                if host >= self.layer.file_size {
                    return Err(self.past_end("a compressed cluster", host));
                }
                let place = Place::Compressed {
                    offset: host,
                    max_len: max_len.min(self.layer.file_size.saturating_sub(host)),
                    cluster: offset.saturating_sub(in_cluster),
                };
                Ok((place, left))
            }
            _ if self.header.extended_l2 => {
                let bitmap = slice.get(words.saturating_add(1)).copied().unwrap_or(0);
                let (part, part_left) = self.subclusters(bitmap, in_cluster)?;
                match (part, entry) {
                    (Part::Behind, _) => Ok((Place::Behind, part_left)),
                    (Part::Zero, _) => Ok((Place::Zero, part_left)),
                    (Part::Here, L2Entry::Plain(host)) => Ok((plain(host)?, part_left)),
                    (Part::Here, _) => Err(self.layer.invalid(format!(
                        "the parts of the cluster at {:#x} of the disk are nowhere",
                        offset.saturating_sub(in_cluster)
                    ))),
                }
            }
            L2Entry::Unallocated => Ok((Place::Behind, left)),
            L2Entry::Zero => Ok((Place::Zero, left)),
            L2Entry::Plain(host) => Ok((plain(host)?, left)),
        }
    }

    /// What a bitmap of 32 parts says about the part that the byte `in_cluster` is in, and for how many bytes
    /// from there. Source: `qcow2.txt`, "Extended L2 Entries".
    fn subclusters(&self, bitmap: u64, in_cluster: u64) -> Result<(Part, u64), Qcow2Error> {
        let part_bits = self.header.cluster_bits.saturating_sub(5);
        let state = |part: u64| {
            let here = bitmap.checked_shr(u32::try_from(part).unwrap_or(63)).unwrap_or(0) & 1 != 0;
            let zero = bitmap
                .checked_shr(u32::try_from(part).unwrap_or(31).saturating_add(32))
                .unwrap_or(0)
                & 1
                != 0;
            match (here, zero) {
                (false, false) => Ok(Part::Behind),
                (false, true) => Ok(Part::Zero),
                (true, false) => Ok(Part::Here),
                (true, true) => Err(self.layer.invalid("a part of a cluster is both stored and zero")),
            }
        };
        let part = in_cluster >> part_bits;
        let first = state(part)?;
        let mut end = part.saturating_add(1);
        while end < 32 && state(end)? == first {
            end = end.saturating_add(1);
        }
        Ok((first, (end << part_bits).saturating_sub(in_cluster)))
    }

    fn check_plain(&self, host: u64) -> Result<(), Qcow2Error> {
        if !host.is_multiple_of(self.header.cluster_size()) {
            return Err(self.layer.invalid(format!(
                "a cluster is said to be at {host:#x}, which is no cluster border"
            )));
        }
        if host >= self.layer.file_size {
            return Err(self.past_end("a cluster", host));
        }
        Ok(())
    }

    /// Where the L2 table is that L1 entry `index` points to.
    fn l2_table(&self, index: u64) -> Result<Option<u64>, Qcow2Error> {
        let entries_a_slice = self.slice_bytes() >> 3;
        let slice_number = index.checked_div(entries_a_slice).unwrap_or(0);
        let start = self
            .header
            .l1_offset
            .saturating_add(slice_number.saturating_mul(self.slice_bytes()));
        let l1_end = self
            .header
            .l1_offset
            .saturating_add(u64::from(self.header.l1_entries).saturating_mul(8))
            .min(self.layer.file_size);
        let slice = self.table_slice(start, self.slice_bytes().min(l1_end.saturating_sub(start)))?;
        let at = usize::try_from(index.checked_rem(entries_a_slice).unwrap_or(0)).unwrap_or(usize::MAX);
        let Some(offset) = slice.get(at).copied().and_then(entry::decode_l1) else {
            return Ok(None);
        };
        if !offset.is_multiple_of(self.header.cluster_size()) {
            let reason = format!("L1 entry {index} points to {offset:#x}, which is no cluster border");
            return Err(self.layer.invalid(reason));
        }
        Ok(Some(offset))
    }

    /// The piece of the L2 table at `l2_offset` that holds entry `index`, and the entry's number in it.
    fn l2_slice(&self, l2_offset: u64, index: u64) -> Result<(Arc<[u64]>, usize), Qcow2Error> {
        let entry_bits = if self.header.extended_l2 { 4 } else { 3 };
        let entries_a_slice = self.slice_bytes() >> entry_bits;
        let in_table = index
            .checked_div(entries_a_slice)
            .unwrap_or(0)
            .saturating_mul(self.slice_bytes());
        let start = l2_offset.saturating_add(in_table);
        if start.saturating_add(self.slice_bytes()) > self.layer.file_size {
            return Err(self.past_end("an L2 table", l2_offset));
        }
        let at = usize::try_from(index.checked_rem(entries_a_slice).unwrap_or(0)).unwrap_or(usize::MAX);
        Ok((self.table_slice(start, self.slice_bytes())?, at))
    }

    fn slice_bytes(&self) -> u64 {
        SLICE.min(self.header.cluster_size())
    }

    /// `len` (at most [`SLICE`]) bytes of a table, as numbers.
    fn table_slice(&self, start: u64, len: u64) -> Result<Arc<[u64]>, Qcow2Error> {
        let key = (self.number, start);
        if let Some(slice) = self.tables.get(&key) {
            return Ok(slice);
        }
        let len = usize::try_from(len.min(SLICE)).unwrap_or(0);
        let mut bytes = vec![0; len];
        self.layer
            .file
            .read_exact_at(&mut bytes, start)
            .map_err(|e| Qcow2Error::io(&self.layer.path, e))?;
        let (words, _) = bytes.as_chunks::<8>();
        let slice: Arc<[u64]> = words.iter().map(|word| u64::from_be_bytes(*word)).collect();
        self.tables.insert(key, Arc::clone(&slice), len);
        Ok(slice)
    }

    fn past_end(&self, what: &str, offset: u64) -> Qcow2Error {
        self.layer.invalid(format!(
            "{what} is said to be at {offset:#x}, past the end of the file ({} bytes): it was cut short or damaged",
            self.layer.file_size
        ))
    }
}

/// Where a part of a cluster is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Behind,
    Zero,
    Here,
}
