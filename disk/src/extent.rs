//! Sets of byte ranges: which parts of a disk are in use.

use std::ops::Range;

/// Sorted, disjoint, non-empty byte ranges; neighbours that touch are merged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExtentSet {
    ranges: Vec<Range<u64>>,
}

impl ExtentSet {
    /// The empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// The set that holds one range (empty if the range is).
    pub fn from_range(range: Range<u64>) -> Self {
        let mut set = Self::new();
        set.insert(range);
        set
    }

    /// Adds `range` (bytes). Appending in ascending order costs constant time, any other order linear time.
    pub fn insert(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        // The first range that touches or follows the new one.
        let first = self.ranges.partition_point(|r| r.end < range.start);
        let after = first + self.ranges[first..].partition_point(|r| r.start <= range.end);
        let mut merged = range;
        if let Some(touched) = self.ranges.get(first..after).filter(|touched| !touched.is_empty()) {
            merged.start = merged.start.min(touched[0].start);
            merged.end = merged.end.max(touched[touched.len() - 1].end);
        }
        self.ranges.splice(first..after, [merged]);
    }

    /// Adds the gaps between ranges that are shorter than `gap` bytes.
    pub fn close_gaps(&mut self, gap: u64) {
        self.ranges.dedup_by(|next, kept| {
            let close = next.start - kept.end < gap;
            if close {
                kept.end = next.end;
            }
            close
        });
    }

    /// The ranges in ascending order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Range<u64>> + '_ {
        self.ranges.iter().cloned()
    }

    /// How many separate ranges there are.
    pub fn len(&self) -> usize {
        self.ranges.len()
    }

    /// Whether the set holds no byte.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// How many bytes the set holds.
    pub fn bytes(&self) -> u64 {
        self.ranges.iter().map(|r| r.end - r.start).sum()
    }

    /// The parts of the set inside `window`, cut at its borders.
    pub fn within(&self, window: Range<u64>) -> impl Iterator<Item = Range<u64>> + '_ {
        let first = self.ranges.partition_point(|r| r.end <= window.start);
        self.ranges[first..]
            .iter()
            .take_while({
                let end = window.end;
                move |r| r.start < end
            })
            .map(move |r| r.start.max(window.start)..r.end.min(window.end))
    }

    /// Whether the byte at `offset` is in the set.
    pub fn contains(&self, offset: u64) -> bool {
        let at = self.ranges.partition_point(|r| r.end <= offset);
        self.ranges.get(at).is_some_and(|r| r.start <= offset)
    }

    /// The bytes of `0..size` that are not in the set.
    pub fn complement(&self, size: u64) -> ExtentSet {
        let mut free = Vec::with_capacity(self.ranges.len() + 1);
        let mut at = 0;
        for range in self.within(0..size) {
            if range.start > at {
                free.push(at..range.start);
            }
            at = range.end;
        }
        if at < size {
            free.push(at..size);
        }
        ExtentSet { ranges: free }
    }

    /// The set with every range grown outwards to multiples of `alignment` bytes, cut at `size`.
    ///
    /// `alignment` must not be 0.
    pub fn align_outwards(&self, alignment: u64, size: u64) -> ExtentSet {
        let mut grown = ExtentSet::new();
        for range in self.iter() {
            let start = range.start / alignment * alignment;
            let end = range
                .end
                .checked_next_multiple_of(alignment)
                .unwrap_or(u64::MAX)
                .min(size);
            grown.insert(start..end);
        }
        grown
    }
}

impl Extend<Range<u64>> for ExtentSet {
    fn extend<I: IntoIterator<Item = Range<u64>>>(&mut self, ranges: I) {
        for range in ranges {
            self.insert(range);
        }
    }
}

impl FromIterator<Range<u64>> for ExtentSet {
    fn from_iter<I: IntoIterator<Item = Range<u64>>>(ranges: I) -> Self {
        let mut set = ExtentSet::new();
        set.extend(ranges);
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Against the plainest model there is: one bool a byte.
        #[test]
        fn behaves_like_a_set_of_bytes(ranges in prop::collection::vec((0u64..200, 0u64..40), 0..30),
                                       window in (0u64..200, 0u64..200), alignment in 1u64..20) {
            let mut model = [false; 256];
            let mut set = ExtentSet::new();
            for (start, len) in ranges {
                set.insert(start..start + len);
                model[start as usize..(start + len) as usize].fill(true);
            }
            let bytes = |set: &ExtentSet| (0..256).map(|i| set.contains(i)).collect::<Vec<_>>();
            prop_assert_eq!(bytes(&set), model.to_vec());
            prop_assert_eq!(set.bytes(), model.iter().filter(|b| **b).count() as u64);
            prop_assert!(set.iter().zip(set.iter().skip(1)).all(|(a, b)| a.end < b.start));

            let inside: ExtentSet = set.within(window.0..window.0.max(window.1)).collect();
            for (i, used) in model.iter().enumerate() {
                let i = i as u64;
                prop_assert_eq!(inside.contains(i), *used && i >= window.0 && i < window.1);
            }
            let free = set.complement(256);
            prop_assert!((0..256).all(|i| free.contains(i) != set.contains(i)));

            let mut closed = set.clone();
            closed.close_gaps(alignment);
            prop_assert!(closed.iter().zip(closed.iter().skip(1)).all(|(a, b)| b.start - a.end >= alignment));
            for gap in free.iter() {
                let inner = gap.start > 0 && gap.end < 256 && gap.end - gap.start < alignment;
                prop_assert_eq!(closed.contains(gap.start), inner);
            }
            prop_assert!(model.iter().zip(0..).all(|(used, i)| !used || closed.contains(i)));

            let aligned = set.align_outwards(alignment, 256);
            for i in 0..256u64 {
                let block = i / alignment * alignment;
                let touched = (block..(block + alignment).min(256)).any(|j| model[j as usize]);
                prop_assert_eq!(aligned.contains(i), touched);
            }
        }
    }
}
