//! Entries of logs of Windows 8.1 and later (`HvLE`): the pages of one write, checked by two hashes.

use super::marvin32::{self, LOG_SEED};
use crate::registry::bytes::{index, u32_at, u64_at};

/// Where the references to pages start; the hash of everything from here on is in the part before.
const REFERENCES: usize = 40;
/// What the hash of the fields covers: all of them but itself.
const FIELDS: usize = 32;
/// Bytes of a reference: an offset and a size.
const REFERENCE: usize = 8;
/// Entries are multiples of this.
const SECTOR: usize = 512;

/// One entry, both of whose hashes are right.
#[derive(Clone, Debug)]
pub(super) struct Entry<'l> {
    pub(super) sequence: u32,
    /// For the base block.
    pub(super) flags: u32,
    /// Bytes of bins after this write.
    pub(super) bins_size: u32,
    /// Where each page goes (bytes from the first bin), and the page.
    pub(super) pages: Vec<(usize, &'l [u8])>,
}

impl<'l> Entry<'l> {
    /// The entry that `bytes` start with and the bytes it takes; `None` if it is not valid. No hive with more than
    /// `most_bins` bytes of bins is believed.
    fn parse(bytes: &'l [u8], most_bins: usize) -> Option<(Self, usize)> {
        if !bytes.starts_with(b"HvLE") {
            return None;
        }
        let size = index(u32_at(bytes, 4)?);
        let entry = bytes.get(..size).filter(|_| size.is_multiple_of(SECTOR))?;
        let content = entry.get(REFERENCES..)?;
        if marvin32::hash(LOG_SEED, content) != u64_at(entry, 24)?
            || marvin32::hash(LOG_SEED, entry.get(..FIELDS)?) != u64_at(entry, 32)?
        {
            return None;
        }
        let bins_size = u32_at(entry, 16)?;
        if index(bins_size) > most_bins || !bins_size.is_multiple_of(4096) {
            return None;
        }
        let count = index(u32_at(entry, 20)?);
        let (references, mut rest) = content.split_at_checked(count.checked_mul(REFERENCE)?)?;
        let mut pages = Vec::with_capacity(count);
        for reference in references.chunks_exact(REFERENCE) {
            let (offset, size) = (index(u32_at(reference, 0)?), index(u32_at(reference, 4)?));
            let page;
            (page, rest) = rest.split_at_checked(size)?;
            if offset.checked_add(size)? > index(bins_size) {
                return None;
            }
            pages.push((offset, page));
        }
        let entry = Entry {
            sequence: u32_at(entry, 12)?,
            flags: u32_at(entry, 8)?,
            bins_size,
            pages,
        };
        Some((entry, size))
    }
}

/// The entries of a log, up to the first that is not valid.
pub(super) struct Entries<'l> {
    rest: &'l [u8],
    most_bins: usize,
}

impl<'l> Entries<'l> {
    /// `bytes` start with the first entry.
    pub(super) fn new(bytes: &'l [u8], most_bins: usize) -> Self {
        Entries { rest: bytes, most_bins }
    }
}

impl<'l> Iterator for Entries<'l> {
    type Item = Entry<'l>;

    fn next(&mut self) -> Option<Entry<'l>> {
        let (entry, size) = Entry::parse(self.rest, self.most_bins)?;
        // At least a sector: the fields were inside of it.
        self.rest = self.rest.get(size..)?;
        Some(entry)
    }
}
