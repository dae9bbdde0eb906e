//! The file in which what was read late is kept until it goes into the image.
//!
//! It is packed: one range after the other, without the gaps between them. A file with holes would be simpler, but on
//! exFAT and FAT, which sticks and USB disks come with, holes are written out: the file would be as large as the disk.

use disk::io::check_bounds;
use disk::{ExtentSet, ReadAt};
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Some ranges of a disk, in a file. What was never written to it reads as zeros.
#[derive(Debug)]
pub(crate) struct Kept {
    file: Arc<File>,
    path: PathBuf,
    /// Size of the disk in bytes.
    size: u64,
    /// Ranges of the disk, ascending, and where each begins in the file.
    ranges: Vec<(Range<u64>, u64)>,
}

impl Kept {
    /// Makes the file for `set` of a disk of `size` bytes. One that is there is of a run that did not come to use it.
    pub(crate) fn create(path: &Path, set: &ExtentSet, size: u64) -> io::Result<Self> {
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(path)?;
        Ok(Kept::new(file, path, size).with(set))
    }

    /// Opens the file that another run made for `sets`, in this order.
    pub(crate) fn open(path: &Path, sets: &[ExtentSet], size: u64) -> io::Result<Self> {
        let file = File::options().read(true).write(true).open(path)?;
        Ok(sets.iter().fold(Kept::new(file, path, size), Kept::with))
    }

    fn new(file: File, path: &Path, size: u64) -> Self {
        Kept {
            file: Arc::new(file),
            path: path.to_owned(),
            size,
            ranges: Vec::new(),
        }
    }

    /// The same file for another `set` too, which must share nothing with those before.
    pub(crate) fn with(mut self, set: &ExtentSet) -> Self {
        let lengths = self.ranges.iter().map(|(range, _)| range.end - range.start);
        let mut at = lengths.sum();
        for range in set.iter() {
            self.ranges.push((range.clone(), at));
            at += range.end - range.start;
        }
        self.ranges.sort_unstable_by_key(|(range, _)| range.start);
        self
    }

    /// A second owner of the same file.
    pub(crate) fn share(&self) -> Self {
        Kept {
            file: Arc::clone(&self.file),
            path: self.path.clone(),
            size: self.size,
            ranges: self.ranges.clone(),
        }
    }

    /// Waits until what was written is on the disk.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// The file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Keeps `bytes`, which lie at `offset` of the disk; an error if they are not all in the set.
    pub(crate) fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let end = offset.saturating_add(bytes.len() as u64);
        let mut written = 0;
        for (range, place) in self.within(offset..end) {
            let part = (range.start - offset) as usize..(range.end - offset) as usize;
            written += part.len();
            self.file.write_all_at(&bytes[part], place)?;
        }
        if written == bytes.len() {
            Ok(())
        } else {
            Err(io::ErrorKind::InvalidInput.into())
        }
    }

    /// The parts of the set inside `window` and their places in the file.
    fn within(&self, window: Range<u64>) -> impl Iterator<Item = (Range<u64>, u64)> + '_ {
        let first = self.ranges.partition_point(|(range, _)| range.end <= window.start);
        let ranges = self.ranges[first..].iter();
        let end = window.end;
        ranges
            .take_while(move |(range, _)| range.start < end)
            .map(move |(range, place)| {
                let start = range.start.max(window.start);
                (start..range.end.min(window.end), place + (start - range.start))
            })
    }
}

impl ReadAt for Kept {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        check_bounds(offset, buf.len(), self.size)?;
        buf.fill(0);
        let end = offset.saturating_add(buf.len() as u64);
        for (range, place) in self.within(offset..end) {
            let mut part = &mut buf[(range.start - offset) as usize..(range.end - offset) as usize];
            let mut at = place;
            // Behind the last byte that was written the file has ended.
            while !part.is_empty() {
                match self.file.read_at(part, at) {
                    Ok(0) => break,
                    Ok(read) => {
                        part = &mut part[read..];
                        at += read as u64;
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Against a plain array: what is in the set is kept, everything else is zero.
        #[test]
        fn what_is_written_is_read_and_all_else_is_zero(
            ranges in prop::collection::vec((0u64..900, 1u64..100), 1..6),
            writes in prop::collection::vec((0usize..1000, 1usize..200, 1u8..), 0..12),
            window in (0usize..1000, 0usize..1000)
        ) {
            let set: ExtentSet = ranges.into_iter().map(|(start, len)| start..start + len).collect();
            let folder = tempfile::tempdir().unwrap();
            // In two parts, the second one opened again.
            let middle = 500;
            let (one, two): (ExtentSet, ExtentSet) = (set.within(middle..1000).collect(), set.within(0..middle).collect());
            let path = folder.path().join("kept");
            drop(Kept::create(&path, &one, 1000).unwrap().with(&two));
            let kept = Kept::open(&path, &[one, two], 1000).unwrap();
            let mut model = vec![0; 1000];
            for (start, len, byte) in writes {
                let end = (start + len).min(1000);
                let inside = (start..end).all(|at| set.contains(at as u64));
                prop_assert_eq!(kept.write(start as u64, &vec![byte; end - start]).is_ok(), inside);
                (start..end).filter(|at| set.contains(*at as u64)).for_each(|at| model[at] = byte);
            }
            let window = window.0.min(window.1)..window.0.max(window.1);
            let mut seen = vec![9; window.len()];
            kept.read_at(window.start as u64, &mut seen).unwrap();
            prop_assert_eq!(&seen, &model[window]);
            prop_assert!(std::fs::metadata(kept.path()).unwrap().len() <= set.bytes());
        }
    }
}
