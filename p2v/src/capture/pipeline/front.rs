//! What the reading threads share: which chunk is next, and which ones are left for later because the disk fails there.

use super::chunks::{Chunk, Chunks};
use crate::capture::CHUNK;
use std::time::{Duration, Instant};

/// No skip is longer, in bytes.
const MOST_SKIP: u64 = 1 << 30;
/// No chunk that is read in less time is slow, whatever the others take.
const NEVER_SLOW: Duration = Duration::from_secs(2);
/// Slow is what takes so many times as long as chunks took so far.
const SLOW: u32 = 10;
/// Before so many chunks were read nobody knows what is slow.
const KNOWN: u32 = 4;

/// The front of the copy.
pub(super) struct Front {
    chunks: Chunks,
    /// Length of the last skip; 0 if a read behind it was good.
    skip: u64,
    /// Chunks before this one are left for later.
    skip_end: u64,
    most_skip: u64,
    good: u32,
    good_time: Duration,
    /// Whether it is a disk, of which slow places are left for later.
    may_defer: bool,
    /// When each reader began the read that it is in.
    reading: Vec<Option<Instant>>,
}

impl Front {
    /// Of a disk of `size` bytes that so many threads read. Nothing slow is left for later unless it `may_defer`.
    pub(super) fn new(chunks: Chunks, size: u64, readers: usize, may_defer: bool) -> Self {
        Front {
            chunks,
            skip: 0,
            skip_end: 0,
            most_skip: (size / 100).clamp(CHUNK, MOST_SKIP),
            good: 0,
            good_time: Duration::ZERO,
            may_defer,
            reading: vec![None; readers],
        }
    }

    /// The next chunk for `reader`, and whether it is to be read now.
    pub(super) fn next(&mut self, reader: usize) -> Option<(Chunk, bool)> {
        let chunk = self.chunks.next()?;
        let now = chunk.offset >= self.skip_end;
        if now {
            self.reading[reader] = Some(Instant::now());
        }
        Some((chunk, now))
    }

    /// `reader` has read `chunk`, which may have been slow.
    pub(super) fn good(&mut self, reader: usize, chunk: &Chunk) {
        let time = self.reading[reader]
            .take()
            .map_or(Duration::ZERO, |begun| begun.elapsed());
        let usual = self.good_time.checked_div(self.good).unwrap_or_default();
        if self.may_defer && self.good >= KNOWN && time >= NEVER_SLOW && time > usual * SLOW {
            self.grow_skip(chunk);
            return;
        }
        self.good += 1;
        self.good_time += time;
        if chunk.offset >= self.skip_end {
            self.skip = 0;
        }
    }

    /// `chunk` could not be read by `reader`: it is left for later, and some of what follows it with it.
    pub(super) fn bad(&mut self, reader: usize, chunk: &Chunk) {
        self.reading[reader] = None;
        self.grow_skip(chunk);
    }

    /// How long the disk has not answered the read that it is asked for longest.
    pub(super) fn waiting(&self) -> Duration {
        let begun = self.reading.iter().flatten().min();
        begun.map_or(Duration::ZERO, Instant::elapsed)
    }

    /// Several readers meet the same damage at once: only what lies behind the last skip makes it longer.
    fn grow_skip(&mut self, chunk: &Chunk) {
        if chunk.offset < self.skip_end {
            return;
        }
        self.skip = self.skip.saturating_mul(2).clamp(CHUNK, self.most_skip);
        // What other readers are at is no skip.
        self.skip_end = self.chunks.position().saturating_add(self.skip);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use disk::ExtentSet;

    #[test]
    fn skips_grow_with_every_error_and_end_with_a_good_chunk() {
        let size = 400 * CHUNK;
        let mut front = Front::new(Chunks::new(ExtentSet::from_range(0..size), size), size, 1, true);
        let mut read = Vec::new();
        while let Some((chunk, now)) = front.next(0) {
            if now {
                read.push(chunk.index);
                if (10..20).contains(&chunk.index) || chunk.index == 30 {
                    front.bad(0, &chunk);
                } else {
                    front.good(0, &chunk);
                }
            }
        }
        let expected: Vec<u64> = (0..=10).chain([12, 15]).chain(20..=30).chain(32..400).collect();
        assert_eq!(read, expected);
    }
}
