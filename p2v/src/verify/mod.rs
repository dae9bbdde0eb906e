//! Checking a capture: the image against its checksums, and what was copied against the disk it came from.

mod against;
mod image;
mod mismatch;

pub(crate) use against::compare_with_source;
pub(crate) use image::check_image;
pub(crate) use mismatch::{Mismatch, explain};

use crate::error::{Failure, Result};
use crate::signals::Stop;
use disk::ExtentSet;
use rayon::prelude::*;

/// The chunk numbers that `set` touches, ascending, each once.
fn chunks_of(set: &ExtentSet, chunk: u64) -> impl Iterator<Item = u64> + '_ {
    let mut next = 0;
    set.iter().flat_map(move |range| {
        let first = next.max(range.start / chunk);
        next = range.end.div_ceil(chunk).max(first);
        first..next
    })
}

/// Does `check` to every item on all cores, each thread with memory of its own from `memory`, and gathers the ranges
/// that it finds wrong. Stops at the first error and at a signal.
fn on_all_cores<T: Send, M>(
    items: impl Iterator<Item = T> + Send,
    stop: &Stop,
    memory: impl Fn() -> M + Sync + Send,
    check: impl Fn(&T, &mut M) -> Result<ExtentSet> + Sync + Send,
) -> Result<ExtentSet> {
    items
        .par_bridge()
        .map_init(memory, |memory, item| {
            stop.check()
                .map_err(|failure| Failure::new(failure.exit, "interrupted; nothing was changed"))?;
            check(&item, memory)
        })
        .try_reduce(ExtentSet::new, |mut all, some| {
            all.extend(some.iter());
            Ok(all)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_chunk_is_named_once() {
        let set: ExtentSet = [0..10, 12..13, 35..45, 47..48].into_iter().collect();
        assert_eq!(chunks_of(&set, 10).collect::<Vec<_>>(), [0, 1, 3, 4]);
        assert_eq!(
            chunks_of(&ExtentSet::from_range(9..31), 10).collect::<Vec<_>>(),
            [0, 1, 2, 3]
        );
        assert_eq!(chunks_of(&ExtentSet::new(), 10).count(), 0);
    }
}
