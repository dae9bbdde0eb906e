//! A disk that can be tried out: writes stay in memory, and at the end come out as a list of changes.
#![warn(clippy::arithmetic_side_effects, clippy::as_conversions, clippy::indexing_slicing)]

use crate::io::{BlockDevice, ReadAt, check_bounds};
use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::sync::{Arc, PoisonError, RwLock};

/// Written bytes are kept in blocks of this size, in bytes.
const BLOCK: u64 = 4096;
/// Changes are told in blocks of this size, the least that a disk writes.
const SECTOR: usize = 512;

/// A disk of which a part was written to, in memory only. The disk below is never written.
pub struct Scratch {
    below: Arc<dyn ReadAt>,
    /// The most bytes that may be kept.
    limit: u64,
    blocks: RwLock<BTreeMap<u64, Arc<[u8]>>>,
}

/// What a [`Scratch`] held at some moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot(BTreeMap<u64, Arc<[u8]>>);

/// Bytes that differ from the disk below: the same number before and after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// First byte on the disk.
    pub offset: u64,
    /// What the disk below has there.
    pub before: Vec<u8>,
    /// What was written.
    pub after: Vec<u8>,
}

impl Scratch {
    /// Nothing written yet. At most `limit` bytes are kept in memory; writing more is an error.
    pub fn new(below: Arc<dyn ReadAt>, limit: u64) -> Self {
        Scratch {
            below,
            limit,
            blocks: RwLock::default(),
        }
    }

    /// What is there now, to come back to.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot(self.blocks.read().unwrap_or_else(PoisonError::into_inner).clone())
    }

    /// Forgets everything that was written since `snapshot` was taken.
    pub fn restore(&self, snapshot: Snapshot) {
        *self.blocks.write().unwrap_or_else(PoisonError::into_inner) = snapshot.0;
    }

    /// The sectors that differ from the disk below, in ascending order; neighbouring ones are one change up to 1 MiB.
    pub fn changes(&self) -> io::Result<Vec<Change>> {
        const LONGEST: usize = 1 << 20;
        let blocks = self.snapshot().0;
        let mut changes: Vec<Change> = Vec::new();
        for (number, after) in blocks {
            let offset = number.saturating_mul(BLOCK);
            let mut before = vec![0; after.len()];
            self.below.read_at(offset, &mut before)?;
            let mut sector = offset;
            for (before, after) in before.chunks(SECTOR).zip(after.chunks(SECTOR)) {
                let offset = sector;
                sector = sector.saturating_add(u64::try_from(after.len()).unwrap_or(u64::MAX));
                if before == after {
                    continue;
                }
                match changes.last_mut() {
                    Some(last) if last.end() == offset && last.after.len() < LONGEST => {
                        last.before.extend_from_slice(before);
                        last.after.extend_from_slice(after);
                    }
                    _ => changes.push(Change {
                        offset,
                        before: before.to_vec(),
                        after: after.to_vec(),
                    }),
                }
            }
        }
        Ok(changes)
    }

    /// The blocks that `len` bytes at `offset` touch: number, the part of the block, the part of the bytes.
    fn pieces(&self, offset: u64, len: usize) -> impl Iterator<Item = (u64, Range<usize>, Range<usize>)> + use<> {
        let mut done = 0usize;
        std::iter::from_fn(move || {
            let left = len.checked_sub(done).filter(|left| *left > 0)?;
            let at = offset.checked_add(u64::try_from(done).ok()?)?;
            let inside = usize::try_from(at.checked_rem(BLOCK)?).ok()?;
            let room = usize::try_from(BLOCK).ok()?.checked_sub(inside)?;
            let count = left.min(room);
            let piece = (
                at.checked_div(BLOCK)?,
                inside..inside.checked_add(count)?,
                done..done.checked_add(count)?,
            );
            done = piece.2.end;
            Some(piece)
        })
    }

    /// A block as the disk below has it; the last one may be shorter.
    fn read_below(&self, number: u64) -> io::Result<Vec<u8>> {
        let start = number.saturating_mul(BLOCK);
        let len = self.below.size().saturating_sub(start).min(BLOCK);
        let mut block = vec![0; usize::try_from(len).unwrap_or(0)];
        self.below.read_at(start, &mut block)?;
        Ok(block)
    }
}

impl Change {
    fn end(&self) -> u64 {
        let len = u64::try_from(self.after.len()).unwrap_or(u64::MAX);
        self.offset.saturating_add(len)
    }
}

impl ReadAt for Scratch {
    fn size(&self) -> u64 {
        self.below.size()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        check_bounds(offset, buf.len(), self.size())?;
        let blocks = self.blocks.read().unwrap_or_else(PoisonError::into_inner);
        self.below.read_at(offset, buf)?;
        if blocks.is_empty() {
            return Ok(());
        }
        for (number, inside, part) in self.pieces(offset, buf.len()) {
            let bytes = blocks.get(&number).and_then(|block| block.get(inside));
            if let (Some(bytes), Some(target)) = (bytes, buf.get_mut(part)) {
                target.copy_from_slice(bytes);
            }
        }
        Ok(())
    }
}

impl BlockDevice for Scratch {
    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        check_bounds(offset, data.len(), self.size())?;
        let mut blocks = self.blocks.write().unwrap_or_else(PoisonError::into_inner);
        for (number, inside, part) in self.pieces(offset, data.len()) {
            let mut block = match blocks.get(&number) {
                Some(block) => block.to_vec(),
                None => {
                    let kept = u64::try_from(blocks.len()).unwrap_or(u64::MAX).saturating_add(1);
                    if kept.saturating_mul(BLOCK) > self.limit {
                        let what = format!("more than {} bytes would have to be changed", self.limit);
                        return Err(io::Error::new(io::ErrorKind::QuotaExceeded, what));
                    }
                    self.read_below(number)?
                }
            };
            if let (Some(target), Some(bytes)) = (block.get_mut(inside), data.get(part)) {
                target.copy_from_slice(bytes);
            }
            blocks.insert(number, block.into());
        }
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, clippy::as_conversions, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn disk(size: usize) -> Vec<u8> {
        (0..size).map(|at| u8::try_from(at % 251).unwrap()).collect()
    }

    proptest! {
        /// Reads see what was written, and the changes turn the disk below into the same.
        #[test]
        fn it_is_the_disk_with_the_writes(writes in prop::collection::vec((0usize..20_000, 0usize..9_000, any::<u8>()), 0..12)) {
            let mut model = disk(20_123);
            let scratch = Scratch::new(Arc::new(model.clone()), 1 << 20);
            for (offset, len, byte) in writes {
                let data = vec![byte; len.min(model.len() - offset)];
                scratch.write_at(offset as u64, &data).unwrap();
                model[offset..offset + data.len()].copy_from_slice(&data);
            }
            let mut seen = vec![0; model.len()];
            scratch.read_at(0, &mut seen).unwrap();
            prop_assert_eq!(&seen, &model);
            let mut changed = disk(20_123);
            for change in scratch.changes().unwrap() {
                let range = usize::try_from(change.offset).unwrap()..usize::try_from(change.end()).unwrap();
                prop_assert_eq!(&changed[range.clone()], &change.before[..]);
                changed[range].copy_from_slice(&change.after);
            }
            prop_assert_eq!(changed, model);
        }
    }

    #[test]
    fn it_can_be_taken_back_and_is_bounded() {
        let scratch = Scratch::new(Arc::new(disk(20_000)), 8192);
        scratch.write_at(0, &[1]).unwrap();
        let snapshot = scratch.snapshot();
        scratch.write_at(5000, &[2]).unwrap();
        assert_eq!(
            scratch.write_at(9000, &[3]).unwrap_err().kind(),
            io::ErrorKind::QuotaExceeded
        );
        scratch.restore(snapshot);
        assert_eq!(scratch.changes().unwrap().len(), 1);
        assert!(scratch.write_at(19_999, &[1, 2]).is_err());
    }
}
