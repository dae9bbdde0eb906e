//! The order in which a failing disk is read: what is good first, what costs most last.
//!
//! Source: GNU ddrescue manual, chapter "Algorithm". Copying forwards and then backwards with growing skips around errors
//! and slow areas, copying what is left without skips, trimming, scraping, retrying.

use super::map::{Status, StatusMap};
use crate::error::Result;
use std::ops::Range;

/// Bytes of one read while copying; as many as ddrescue's default of 128 sectors.
pub(super) const BLOCK: u64 = 64 << 10;
/// No skip is longer, in bytes.
const MOST_SKIP: u64 = 1 << 30;

/// What a read came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// The bytes are kept.
    Good,
    /// The bytes are kept, but it took far longer than it should.
    Slow,
    /// The disk could not read them.
    Bad,
}

/// The disk, and the place where its bytes are kept.
pub(super) trait Medium {
    /// Reads `range` and keeps it. An error is one that ends the capture: the disk is gone, the target full.
    fn read(&mut self, range: Range<u64>) -> Result<Reading>;

    /// This became of a range.
    fn note(&mut self, _range: Range<u64>, _status: Status) -> Result<()> {
        Ok(())
    }

    /// A new phase begins.
    fn phase(&mut self, _name: &'static str) {}
}

/// Reads everything in `map` that is not finished. `sector` is the unit of errors and `size` the disk's, in bytes.
pub(super) fn run(map: &mut StatusMap, medium: &mut impl Medium, sector: u64, size: u64, retries: u32) -> Result<()> {
    let mut passes = Passes {
        map,
        medium,
        sector: sector.max(1),
        most_skip: (size / 100).clamp(BLOCK, MOST_SKIP),
    };
    passes.medium.phase("copying around the errors");
    passes.copy(Direction::Forwards, true)?;
    passes.copy(Direction::Backwards, true)?;
    passes.medium.phase("copying what was skipped");
    passes.copy(Direction::Forwards, false)?;
    passes.medium.phase("looking for the edges of the errors");
    passes.trim()?;
    passes.medium.phase("reading between the errors");
    passes.sectors(Status::NonScraped, Direction::Forwards)?;
    for retry in 0..retries {
        passes.medium.phase("trying again");
        let direction = if retry.is_multiple_of(2) {
            Direction::Backwards
        } else {
            Direction::Forwards
        };
        passes.sectors(Status::Bad, direction)?;
    }
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Forwards,
    Backwards,
}

struct Passes<'a, M> {
    map: &'a mut StatusMap,
    medium: &'a mut M,
    sector: u64,
    most_skip: u64,
}

impl<M: Medium> Passes<'_, M> {
    /// One pass over all that was not tried. With `skips`, errors and slow reads make it leave out what follows, more
    /// each time until a read is good again; skips go across gaps, since damage does.
    fn copy(&mut self, direction: Direction, skips: bool) -> Result<()> {
        let mut ranges: Vec<_> = self.map.having(Status::NonTried).iter().collect();
        if direction == Direction::Backwards {
            ranges.reverse();
        }
        let mut skip = 0u64;
        // Where the next read may begin (forwards) or must end (backwards).
        let mut border = match direction {
            Direction::Forwards => 0,
            Direction::Backwards => u64::MAX,
        };
        for range in ranges {
            loop {
                let left = match direction {
                    Direction::Forwards => range.start.max(border)..range.end,
                    Direction::Backwards => range.start..range.end.min(border),
                };
                if left.is_empty() {
                    break;
                }
                let block = block(&left, direction);
                let reading = self.read(block.clone(), Status::NonTrimmed)?;
                skip = match reading {
                    Reading::Good => 0,
                    _ if !skips => 0,
                    Reading::Slow | Reading::Bad => skip.saturating_mul(2).clamp(BLOCK, self.most_skip),
                };
                border = match direction {
                    Direction::Forwards => block.end.saturating_add(skip),
                    Direction::Backwards => block.start.saturating_sub(skip),
                };
            }
        }
        Ok(())
    }

    /// Reads each failed block sector by sector from both of its ends, up to the first error from either side.
    fn trim(&mut self) -> Result<()> {
        let ranges: Vec<_> = self.map.having(Status::NonTrimmed).iter().collect();
        for range in ranges {
            let mut left = range.clone();
            while !left.is_empty() {
                let sector = left.start..left.start.saturating_add(self.sector).min(left.end);
                left.start = sector.end;
                if self.read(sector, Status::Bad)? == Reading::Bad {
                    break;
                }
            }
            while !left.is_empty() {
                let start = (left.end - 1) / self.sector * self.sector;
                let sector = start.max(left.start)..left.end;
                left.end = sector.start;
                if self.read(sector, Status::Bad)? == Reading::Bad {
                    break;
                }
            }
            self.map.set(left.clone(), Status::NonScraped);
            if !left.is_empty() {
                self.medium.note(left, Status::NonScraped)?;
            }
        }
        Ok(())
    }

    /// Reads all that has `status` sector by sector.
    fn sectors(&mut self, status: Status, direction: Direction) -> Result<()> {
        let mut ranges: Vec<_> = self.map.having(status).iter().collect();
        if direction == Direction::Backwards {
            ranges.reverse();
        }
        for mut left in ranges {
            while !left.is_empty() {
                let sector = match direction {
                    Direction::Forwards => left.start..left.start.saturating_add(self.sector).min(left.end),
                    Direction::Backwards => ((left.end - 1) / self.sector * self.sector).max(left.start)..left.end,
                };
                match direction {
                    Direction::Forwards => left.start = sector.end,
                    Direction::Backwards => left.end = sector.start,
                }
                self.read(sector, Status::Bad)?;
            }
        }
        Ok(())
    }

    /// Reads one range and notes what came of it; `failed` is for a failure. A single sector that failed is bad.
    fn read(&mut self, range: Range<u64>, failed: Status) -> Result<Reading> {
        let reading = self.medium.read(range.clone())?;
        let status = match reading {
            Reading::Good | Reading::Slow => Status::Finished,
            Reading::Bad if range.end - range.start <= self.sector => Status::Bad,
            Reading::Bad => failed,
        };
        self.map.set(range.clone(), status);
        self.medium.note(range, status)?;
        Ok(reading)
    }
}

/// The next block of `left`, which is not empty: blocks lie on multiples of their size.
fn block(left: &Range<u64>, direction: Direction) -> Range<u64> {
    match direction {
        Direction::Forwards => left.start..(left.start / BLOCK + 1).saturating_mul(BLOCK).min(left.end),
        Direction::Backwards => ((left.end - 1) / BLOCK * BLOCK).max(left.start)..left.end,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use disk::ExtentSet;
    use proptest::prelude::*;
    use std::collections::HashMap;

    const SECTOR: u64 = 512;

    /// A disk with bad and slow sectors, that writes down what is asked of it.
    #[derive(Default)]
    struct Faulty {
        /// Sector number: how many reads fail before one is good.
        bad: HashMap<u64, u32>,
        slow: ExtentSet,
        reads: Vec<(Range<u64>, Reading)>,
    }

    impl Medium for Faulty {
        fn read(&mut self, range: Range<u64>) -> Result<Reading> {
            let sectors = range.start / SECTOR..range.end.div_ceil(SECTOR);
            let mut reading = Reading::Good;
            if self.slow.within(range.clone()).next().is_some() {
                reading = Reading::Slow;
            }
            for sector in sectors {
                if let Some(left) = self.bad.get_mut(&sector).filter(|left| **left > 0) {
                    *left -= 1;
                    reading = Reading::Bad;
                    break;
                }
            }
            self.reads.push((range, reading));
            Ok(reading)
        }
    }

    fn never(sectors: impl IntoIterator<Item = u64>) -> HashMap<u64, u32> {
        sectors.into_iter().map(|sector| (sector, u32::MAX)).collect()
    }

    proptest! {
        /// Exactly the bad sectors of what is asked for are lost, nothing else is read, and nothing good twice.
        #[test]
        fn the_bad_sectors_are_lost_and_nothing_else(
            bad in prop::collection::hash_set(0u64..4096, 0..60),
            spots in prop::collection::vec((0u64..4000, 1u64..96), 0..4),
            asked in prop::collection::vec((0u64..512, 1u64..200), 1..6),
            slow in prop::collection::vec((0u64..2 << 20, 1u64..100_000), 0..3)
        ) {
            let size = 4096 * SECTOR;
            let asked: ExtentSet =
                asked.into_iter().map(|(start, len)| start * 4096..((start + len) * 4096).min(size)).collect();
            let bad = bad.into_iter().chain(spots.into_iter().flat_map(|(start, len)| start..start + len));
            let mut disk = Faulty { bad: never(bad), ..Faulty::default() };
            disk.slow = slow.into_iter().map(|(start, len)| start..start + len).collect();
            let lost: ExtentSet = (0..4096)
                .filter(|sector| disk.bad.contains_key(sector) && asked.contains(sector * SECTOR))
                .map(|sector| sector * SECTOR..(sector + 1) * SECTOR)
                .collect();
            let mut map = StatusMap::new(&asked, Status::NonTried);
            run(&mut map, &mut disk, SECTOR, size, 0).unwrap();
            prop_assert_eq!(map.having(Status::Bad), lost.clone());
            prop_assert_eq!(map.lost(), lost);
            let mut good = ExtentSet::new();
            for (range, reading) in &disk.reads {
                prop_assert!(asked.within(range.clone()).eq([range.clone()]), "{range:?} was not asked for");
                prop_assert!(good.within(range.clone()).next().is_none(), "{range:?} was read before");
                if *reading != Reading::Bad {
                    good.insert(range.clone());
                }
            }
        }
    }

    #[test]
    fn skips_grow_and_what_is_behind_the_damage_comes_first() {
        // 64 MiB with 8 MiB of damage: before anything in its middle is tried, both sides of it are safe.
        let size = 64 << 20;
        let damage = 16 << 20..24 << 20;
        let mut disk = Faulty {
            bad: never(damage.start / SECTOR..damage.end / SECTOR),
            ..Faulty::default()
        };
        let mut map = StatusMap::new(&ExtentSet::from_range(0..size), Status::NonTried);
        run(&mut map, &mut disk, SECTOR, size, 0).unwrap();
        let failed_before_the_end = disk
            .reads
            .iter()
            .take_while(|(range, _)| range.end < size)
            .filter(|(_, reading)| *reading == Reading::Bad)
            .count();
        // 64 KiB, 128 KiB, … and then 1 % of the disk: far fewer than the 128 blocks of the damage.
        assert!(failed_before_the_end < 20, "{failed_before_the_end}");
        assert_eq!(map.having(Status::Bad), ExtentSet::from_range(damage));
    }

    #[test]
    fn slow_areas_come_after_all_that_is_quick() {
        let size = 16 << 20;
        let slow = 4 << 20..5 << 20;
        let mut disk = Faulty {
            slow: ExtentSet::from_range(slow.clone()),
            ..Faulty::default()
        };
        let mut map = StatusMap::new(&ExtentSet::from_range(0..size), Status::NonTried);
        run(&mut map, &mut disk, SECTOR, size, 0).unwrap();
        assert!(map.lost().is_empty());
        let last_quick = disk.reads.iter().rposition(|(_, reading)| *reading == Reading::Good);
        let slow_after = disk.reads[last_quick.unwrap()..].len() - 1;
        assert!(slow_after > 5, "{slow_after} slow reads came last");
    }

    #[test]
    fn errors_that_heal_are_read_with_enough_retries() {
        let all = ExtentSet::from_range(0..1 << 20);
        // The block, the sector, two retries: the fourth read of this sector is good.
        for (retries, lost) in [(0, 512), (1, 512), (2, 0)] {
            let mut disk = Faulty {
                bad: HashMap::from([(100, 3)]),
                ..Faulty::default()
            };
            let mut map = StatusMap::new(&all, Status::NonTried);
            run(&mut map, &mut disk, SECTOR, 1 << 20, retries).unwrap();
            assert_eq!(map.lost().bytes(), lost, "{retries} retries");
        }
    }
}
