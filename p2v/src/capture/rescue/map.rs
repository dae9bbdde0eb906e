//! What is known of each byte of a failing disk, in the words of GNU ddrescue.

use disk::ExtentSet;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::Range;

/// The statuses of a ddrescue mapfile (GNU ddrescue manual, chapter "Mapfile structure").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Status {
    /// `?`: not read yet, or not to be read.
    NonTried,
    /// `*`: a read of more than a sector failed here; the edges are not known.
    NonTrimmed,
    /// `/`: lies between two sectors that cannot be read.
    NonScraped,
    /// `-`: a sector that cannot be read.
    Bad,
    /// `+`: read.
    Finished,
}

impl Status {
    /// The character that stands for it.
    pub(crate) fn symbol(self) -> char {
        match self {
            Status::NonTried => '?',
            Status::NonTrimmed => '*',
            Status::NonScraped => '/',
            Status::Bad => '-',
            Status::Finished => '+',
        }
    }

    /// What a character stands for.
    pub(crate) fn of_symbol(symbol: &str) -> Option<Self> {
        let all = [
            Status::NonTried,
            Status::NonTrimmed,
            Status::NonScraped,
            Status::Bad,
            Status::Finished,
        ];
        all.into_iter()
            .find(|status| symbol.len() == 1 && symbol.starts_with(status.symbol()))
    }
}

/// A status for every byte of some ranges. Neighbours of the same status are one range.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct StatusMap {
    /// By first byte: one past the last one, and the status.
    ranges: BTreeMap<u64, (u64, Status)>,
}

impl StatusMap {
    /// Every byte of `set` has `status`; the map knows no others.
    pub(crate) fn new(set: &ExtentSet, status: Status) -> Self {
        let ranges = set.iter().map(|range| (range.start, (range.end, status)));
        StatusMap {
            ranges: ranges.collect(),
        }
    }

    /// Gives those bytes of `range` that the map knows another status.
    pub(crate) fn set(&mut self, range: Range<u64>, status: Status) {
        if range.is_empty() {
            return;
        }
        self.split(range.start);
        self.split(range.end);
        for (_, known) in self.ranges.range_mut(range.clone()) {
            known.1 = status;
        }
        // Join what touches, from the neighbour before to the one behind.
        let first = self.ranges.range(..range.start).next_back().map(|(start, _)| *start);
        let starts: Vec<u64> = self
            .ranges
            .range(first.unwrap_or(range.start)..=range.end)
            .map(|(start, _)| *start)
            .collect();
        let mut last: Option<u64> = None;
        for start in starts {
            let Some(here) = self.ranges.get(&start).copied() else {
                continue;
            };
            match last.and_then(|last| self.ranges.get_mut(&last)) {
                Some(before) if before.0 == start && before.1 == here.1 => {
                    before.0 = here.0;
                    self.ranges.remove(&start);
                }
                _ => last = Some(start),
            }
        }
    }

    /// Makes a range begin at `at`, if `at` lies inside one.
    fn split(&mut self, at: u64) {
        let Some((_, range)) = self.ranges.range_mut(..at).next_back() else {
            return;
        };
        let (end, status) = *range;
        if end > at {
            range.0 = at;
            self.ranges.insert(at, (end, status));
        }
    }

    /// Gives every byte of `range` a status, whether the map knew it or not.
    pub(crate) fn add(&mut self, range: Range<u64>, status: Status) {
        if range.is_empty() {
            return;
        }
        self.split(range.start);
        self.split(range.end);
        let known: Vec<u64> = self.ranges.range(range.clone()).map(|(start, _)| *start).collect();
        for start in known {
            self.ranges.remove(&start);
        }
        self.ranges.insert(range.start, (range.end, status));
        self.set(range, status);
    }

    /// Adds what another map knows. They must not know the same bytes.
    pub(crate) fn extend(&mut self, other: StatusMap) {
        self.ranges.extend(other.ranges);
    }

    /// All ranges, ascending.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = (Range<u64>, Status)> + '_ {
        self.ranges.iter().map(|(start, (end, status))| (*start..*end, *status))
    }

    /// The bytes with this status.
    pub(crate) fn having(&self, status: Status) -> ExtentSet {
        let ranges = self.iter().filter(|(_, known)| *known == status);
        ranges.map(|(range, _)| range).collect()
    }

    /// The bytes that were not read.
    pub(crate) fn lost(&self) -> ExtentSet {
        let ranges = self.iter().filter(|(_, known)| *known != Status::Finished);
        ranges.map(|(range, _)| range).collect()
    }
}

impl FromIterator<(Range<u64>, Status)> for StatusMap {
    /// Of ranges that ascend and do not overlap.
    fn from_iter<I: IntoIterator<Item = (Range<u64>, Status)>>(ranges: I) -> Self {
        let mut map = StatusMap::default();
        let mut last: Option<u64> = None;
        for (range, status) in ranges.into_iter().filter(|(range, _)| !range.is_empty()) {
            match last.and_then(|last| map.ranges.get_mut(&last)) {
                Some(before) if before.0 == range.start && before.1 == status => before.0 = range.end,
                _ => {
                    map.ranges.insert(range.start, (range.end, status));
                    last = Some(range.start);
                }
            }
        }
        map
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn status() -> impl Strategy<Value = Status> {
        prop::sample::select(vec![Status::NonTried, Status::Bad, Status::Finished])
    }

    proptest! {
        /// Against the plainest model there is: one status a byte.
        #[test]
        fn behaves_like_one_status_a_byte(known in prop::collection::vec((0u64..100, 1u64..30), 0..5),
                                          changes in prop::collection::vec((0u64..130, 0u64..30, status()), 0..20)) {
            let set: ExtentSet = known.into_iter().map(|(start, len)| start..start + len).collect();
            let mut map = StatusMap::new(&set, Status::NonTried);
            let mut model: Vec<Option<Status>> =
                (0..200).map(|at| set.contains(at).then_some(Status::NonTried)).collect();
            for (start, len, status) in changes {
                map.set(start..start + len, status);
                for byte in &mut model[start as usize..(start + len) as usize] {
                    *byte = byte.map(|_| status);
                }
            }
            let mut seen = vec![None; 200];
            for (range, status) in map.iter() {
                prop_assert!(!range.is_empty());
                seen[range.start as usize..range.end as usize].fill(Some(status));
            }
            prop_assert_eq!(seen, model);
            let ranges: Vec<_> = map.iter().collect();
            prop_assert!(ranges.windows(2).all(|pair| pair[0].0.end < pair[1].0.start || pair[0].1 != pair[1].1));
        }
    }
}
