//! Some of many chunks, chosen while they pass: the first one, the last one, and a few evenly between.

use blake3::Hash;

/// At most this many.
const SAMPLES: usize = 4;

/// Chunks that were chosen.
#[derive(Clone, Debug)]
pub(super) struct Samples {
    kept: Vec<(u64, Hash)>,
    last: Option<(u64, Hash)>,
    seen: u64,
    /// One in so many is kept.
    stride: u64,
}

impl Samples {
    pub(super) fn new() -> Self {
        Samples {
            kept: Vec::new(),
            last: None,
            seen: 0,
            stride: 1,
        }
    }

    /// A chunk passes.
    pub(super) fn pass(&mut self, index: u64, hash: Hash) {
        self.last = Some((index, hash));
        if self.seen.is_multiple_of(self.stride) {
            self.kept.push((index, hash));
        }
        self.seen += 1;
        if self.kept.len() >= SAMPLES {
            let mut odd = true;
            self.kept.retain(|_| {
                odd = !odd;
                !odd
            });
            self.stride *= 2;
        }
    }

    /// Number and checksum of each.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, Hash)> {
        let last = self.last.filter(|last| self.kept.last() != Some(last));
        self.kept.iter().copied().chain(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_the_last_and_some_between() {
        for count in [1u64, 2, 8, 9, 100, 12345] {
            let mut samples = Samples::new();
            (0..count).for_each(|index| samples.pass(index, blake3::hash(b"")));
            let chosen: Vec<u64> = samples.iter().map(|(index, _)| index).collect();
            assert!(
                chosen.len() as u64 >= count.min(3) && chosen.len() <= SAMPLES,
                "{chosen:?}"
            );
            assert_eq!((chosen[0], chosen[chosen.len() - 1]), (0, count - 1), "{chosen:?}");
            let widest = chosen.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(0);
            assert!(widest <= (count * 2).div_ceil(3), "{chosen:?}");
        }
    }
}
