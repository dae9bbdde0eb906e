//! Collecting used ranges in bounded memory.

use crate::extent::ExtentSet;
use std::ops::Range;

/// Most ranges that are kept apart: 16 MiB of them.
const MAX_RANGES: usize = 1 << 20;
/// Gaps of free space up to this size (bytes) are the first to be given up. An image's clusters are no smaller, so
/// nothing is lost by that but a few copied bytes.
const FIRST_GAP: u64 = 64 << 10;

/// A used map in the making. When it gets too fragmented, small free gaps count as used.
pub(super) struct UsedBuilder {
    set: ExtentSet,
    size: u64,
    gap: u64,
    max_ranges: usize,
}

impl UsedBuilder {
    /// A map of a volume of `size` bytes, nothing used yet.
    pub(super) fn new(size: u64) -> Self {
        UsedBuilder {
            set: ExtentSet::new(),
            size,
            gap: FIRST_GAP,
            max_ranges: MAX_RANGES,
        }
    }

    /// Marks bytes as used; what lies past the volume's end is left away.
    pub(super) fn add(&mut self, range: Range<u64>) {
        self.set.insert(range.start..range.end.min(self.size));
        while self.set.len() > self.max_ranges {
            self.set.close_gaps(self.gap);
            self.gap = self.gap.saturating_mul(2);
        }
    }

    /// What was marked so far.
    pub(super) fn so_far(&self) -> &ExtentSet {
        &self.set
    }

    pub(super) fn finish(self) -> ExtentSet {
        self.set
    }
}

/// Calls `found` with every run of ones among the first `bits` bits, lowest bit of each byte first. Bits past the end
/// of `bitmap` count as ones.
pub(super) fn runs_of_ones(bitmap: &[u8], bits: u64, mut found: impl FnMut(Range<u64>)) {
    let mut run: Option<u64> = None;
    let mut at = 0u64;
    for word in bitmap.chunks(8) {
        if at >= bits {
            break;
        }
        let mut bytes = [0xFF; 8];
        for (to, from) in bytes.iter_mut().zip(word) {
            *to = *from;
        }
        let word = u64::from_le_bytes(bytes);
        match (word, run) {
            (0, None) | (u64::MAX, Some(_)) => {}
            _ => {
                for bit in 0..64u64 {
                    let here = at.saturating_add(bit);
                    let one = (word >> bit) & 1 == 1;
                    match run {
                        None if one => run = Some(here),
                        Some(start) if !one => {
                            if start < bits {
                                found(start..here.min(bits));
                            }
                            run = None;
                        }
                        _ => {}
                    }
                }
            }
        }
        at = at.saturating_add(64);
    }
    let start = run.unwrap_or(at);
    if start < bits {
        found(start..bits);
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, clippy::as_conversions, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn runs_are_the_bits(bytes in prop::collection::vec(prop_oneof![Just(0u8), Just(0xFF), any::<u8>()], 0..60),
                             bits in 0u64..500) {
            let mut ours = vec![false; bits as usize];
            runs_of_ones(&bytes, bits, |run| ours[run.start as usize..run.end as usize].fill(true));
            let plain: Vec<bool> = (0..bits as usize)
                .map(|bit| bytes.get(bit / 8).is_none_or(|byte| byte >> (bit % 8) & 1 == 1))
                .collect();
            prop_assert_eq!(ours, plain);
        }
    }

    #[test]
    fn a_map_in_a_thousand_pieces_gives_up_small_gaps_but_no_used_byte() {
        let mut builder = UsedBuilder::new(1 << 40);
        builder.max_ranges = 100;
        let ranges: Vec<_> = (0..1000u64).map(|i| (i << 16)..(i << 16) + 4096).collect();
        for range in &ranges {
            builder.add(range.clone());
        }
        let set = builder.finish();
        assert!(set.len() <= 100);
        assert!(ranges.iter().all(|range| set.within(range.clone()).eq([range.clone()])));
    }
}
