//! Reads the entries of a member, as init/initramfs.c does.

use super::compression::Compression;
use super::entry::{Entry, clean, parts};
use super::error::{CpioProblem, InitramfsError};
use super::header::{self, Header};
use super::member::Limits;
use std::collections::HashMap;
use std::io::BufRead;

/// Folders above an entry. Real ones have about ten; without a bound, following links could take very long.
pub(super) const DEPTH: usize = 48;

/// Reads one member.
pub(super) struct Archive<'r, 'l> {
    pub(super) reader: &'r mut dyn BufRead,
    pub(super) limits: &'r Limits<'l>,
    /// Where the member begins, for errors.
    pub(super) offset: usize,
    pub(super) compression: Compression,
    /// Bytes unpacked so far.
    pub(super) at: u64,
    pub(super) entries: Vec<Entry>,
    /// What is left of the limits, over all members.
    pub(super) left: &'r mut Left,
    /// Entries that are one file, by inode and device.
    links: HashMap<(u32, (u32, u32)), Links>,
}

/// What is left of the limits.
#[derive(Debug)]
pub(super) struct Left {
    pub(super) unpacked: u64,
    pub(super) entries: u64,
    pub(super) names: u64,
    pub(super) kept: u64,
}

/// Entries that are one file. Only one of them has the contents, as a rule the last.
#[derive(Default)]
struct Links {
    entries: Vec<usize>,
    with_data: Option<usize>,
    keep: bool,
}

type Result<T> = std::result::Result<T, InitramfsError>;

impl<'r, 'l> Archive<'r, 'l> {
    pub(super) fn new(
        reader: &'r mut dyn BufRead,
        limits: &'r Limits<'l>,
        left: &'r mut Left,
        (offset, compression): (usize, Compression),
    ) -> Self {
        Self {
            reader,
            limits,
            offset,
            compression,
            at: 0,
            entries: Vec::new(),
            left,
            links: HashMap::new(),
        }
    }

    /// Reads up to the member's end: of a plain one the trailer, of a compressed one the end of its data, which may
    /// be several archives.
    pub(super) fn read(&mut self) -> Result<()> {
        while let Some(first) = self.skip_zeros()? {
            let plain = self.compression == Compression::None;
            if first != b'0' || !self.at.is_multiple_of(4) {
                // After a plain archive without a trailer, another member may begin.
                if plain && self.at > 0 {
                    break;
                }
                let what = self.peek()?.iter().take(8).copied().collect::<Vec<u8>>();
                return Err(self.problem(CpioProblem::Junk(what.escape_ascii().to_string())));
            }
            let was_trailer = self.entry()?;
            if was_trailer && plain {
                break;
            }
        }
        self.share_contents();
        Ok(())
    }

    /// Reads one entry and tells whether it was the trailer.
    fn entry(&mut self) -> Result<bool> {
        let start = self.at;
        let mut bytes = [0; header::LEN];
        let mut filled = 0_usize;
        self.take(u64::try_from(header::LEN).unwrap_or(0), |chunk| {
            let end = filled.saturating_add(chunk.len());
            if let Some(place) = bytes.get_mut(filled..end) {
                place.copy_from_slice(chunk);
            }
            filled = end;
        })?;
        let header = Header::decode(&bytes).map_err(|problem| self.problem_at(start, problem))?;
        let name = self.collect(u64::from(header.name_len))?;
        let Some((0, name)) = name.split_last() else {
            return Err(self.problem_at(start, CpioProblem::NameEnd));
        };
        self.align()?;
        // The kernel takes the name up to its first zero.
        let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
        let name = String::from_utf8_lossy(name);
        if name == header::TRAILER {
            self.take(u64::from(header.size), |_| ())?;
            self.align()?;
            self.share_contents();
            return Ok(true);
        }
        let path = clean(&name);
        if parts(&path).count() > DEPTH {
            return Err(self.problem_at(start, CpioProblem::Depth(DEPTH)));
        }
        self.count(&path)?;
        let mut entry = Entry {
            path,
            mode: header.mode,
            size: 0,
            crc: 0,
            target: None,
            contents: None,
        };
        self.body(&header, &mut entry, start)?;
        self.entries.push(entry);
        Ok(false)
    }

    /// Takes an entry from the limits.
    fn count(&mut self, path: &str) -> Result<()> {
        let len = u64::try_from(path.len()).unwrap_or(u64::MAX);
        let entries = self.left.entries.checked_sub(1);
        self.left.entries = entries.ok_or(self.too_much(self.limits.entries, "entries"))?;
        let names = self.left.names.checked_sub(len);
        self.left.names = names.ok_or(self.too_much(self.limits.names, "bytes of names"))?;
        Ok(())
    }

    fn body(&mut self, header: &Header, entry: &mut Entry, start: u64) -> Result<()> {
        use super::entry::Kind;
        let size = u64::from(header.size);
        match entry.kind() {
            Kind::Symlink => {
                if header.size > header::PATH_MAX {
                    let path = entry.path.clone();
                    let size = header.size;
                    return Err(self.problem_at(start, CpioProblem::Target { path, size }));
                }
                let target = self.collect(size)?;
                let target = String::from_utf8_lossy(&target).trim_end_matches('\0').to_owned();
                if parts(&target).count() > DEPTH {
                    return Err(self.problem_at(start, CpioProblem::Depth(DEPTH)));
                }
                self.count(&target)?;
                entry.target = Some(target);
            }
            Kind::File => self.file(header, entry, start)?,
            Kind::Folder | Kind::Other => self.take(size, |_| ())?,
        }
        self.align()
    }

    fn file(&mut self, header: &Header, entry: &mut Entry, start: u64) -> Result<()> {
        entry.size = u64::from(header.size);
        let mut keep = (self.limits.keep)(&entry.path);
        if header.links > 1 {
            let links = self.links.entry((header.inode, header.device)).or_default();
            links.entries.push(self.entries.len());
            if header.size > 0 {
                links.with_data = Some(self.entries.len());
            }
            links.keep |= keep;
            keep = links.keep;
        }
        let fits = self.left.kept.checked_sub(entry.size);
        let mut contents = fits.filter(|_| keep).map(|left| {
            self.left.kept = left;
            Vec::new()
        });
        let mut crc = flate2::Crc::new();
        let mut sum = 0_u32;
        self.take(entry.size, |chunk| {
            crc.update(chunk);
            if header.checksum.is_some() {
                sum = chunk.iter().fold(sum, |sum, byte| sum.wrapping_add(u32::from(*byte)));
            }
            if let Some(contents) = &mut contents {
                contents.extend_from_slice(chunk);
            }
        })?;
        if let Some(expected) = header.checksum.filter(|expected| *expected != sum) {
            let (path, actual) = (entry.path.clone(), sum);
            return Err(self.problem_at(start, CpioProblem::Checksum { path, expected, actual }));
        }
        entry.crc = crc.sum();
        entry.contents = contents;
        Ok(())
    }

    /// Gives every name of a file what its other name has. The kernel forgets the links of an archive at its end.
    fn share_contents(&mut self) {
        for links in std::mem::take(&mut self.links).into_values() {
            let Some(data) = links.with_data.and_then(|place| self.entries.get(place)).cloned() else {
                continue;
            };
            for place in links.entries {
                if let Some(entry) = self.entries.get_mut(place).filter(|entry| entry.size == 0) {
                    (entry.size, entry.crc) = (data.size, data.crc);
                    let keep = (self.limits.keep)(&entry.path);
                    entry.contents = data.contents.clone().filter(|_| keep);
                }
            }
        }
    }

    /// Skips zeros; the byte after them, `None` at the end.
    fn skip_zeros(&mut self) -> Result<Option<u8>> {
        loop {
            let chunk = self.peek()?;
            let zeros = chunk.iter().take_while(|byte| **byte == 0).count();
            let next = chunk.get(zeros).copied();
            let ended = chunk.is_empty();
            self.consume(zeros)?;
            if ended || next.is_some() {
                return Ok(next);
            }
        }
    }

    /// Skips to the next multiple of 4.
    fn align(&mut self) -> Result<()> {
        let target = self.at.checked_next_multiple_of(4).unwrap_or(self.at);
        // What is missing at the very end of the data is harmless: nothing follows.
        for _ in self.at..target {
            if !self.peek()?.is_empty() {
                self.consume(1)?;
            }
        }
        Ok(())
    }

    fn collect(&mut self, size: u64) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.take(size, |chunk| bytes.extend_from_slice(chunk))?;
        Ok(bytes)
    }

    /// Reads `size` bytes, piece by piece.
    fn take(&mut self, size: u64, mut each: impl FnMut(&[u8])) -> Result<()> {
        let mut wanted = size;
        while wanted > 0 {
            let chunk = self.peek()?;
            let count = chunk.len().min(usize::try_from(wanted).unwrap_or(usize::MAX));
            if count == 0 {
                return Err(self.problem(CpioProblem::Truncated));
            }
            each(chunk.get(..count).unwrap_or_default());
            self.consume(count)?;
            wanted = wanted.saturating_sub(u64::try_from(count).unwrap_or(u64::MAX));
        }
        Ok(())
    }

    fn peek(&mut self) -> Result<&[u8]> {
        let (offset, compression) = (self.offset, self.compression);
        self.reader.fill_buf().map_err(|error| InitramfsError::Damaged {
            offset,
            compression,
            reason: error.to_string(),
        })
    }

    fn consume(&mut self, count: usize) -> Result<()> {
        self.reader.consume(count);
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        self.at = self.at.saturating_add(count);
        let left = self.left.unpacked.checked_sub(count);
        self.left.unpacked = left.ok_or(self.too_much(self.limits.unpacked, "bytes"))?;
        Ok(())
    }

    fn too_much(&self, limit: u64, unit: &'static str) -> InitramfsError {
        let offset = self.offset;
        InitramfsError::TooMuch { offset, limit, unit }
    }

    fn problem(&self, problem: CpioProblem) -> InitramfsError {
        self.problem_at(self.at, problem)
    }

    fn problem_at(&self, at: u64, problem: CpioProblem) -> InitramfsError {
        InitramfsError::Cpio {
            offset: self.offset,
            compression: self.compression,
            at,
            problem,
        }
    }
}
