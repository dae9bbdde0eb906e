//! Any sequence of insertions leaves a sorted, disjoint set.
#![no_main]
use disk::ExtentSet;
libfuzzer_sys::fuzz_target!(|ranges: Vec<(u32, u32)>| {
    let set: ExtentSet = ranges.iter().map(|(a, b)| u64::from(*a)..u64::from(*b)).collect();
    let list: Vec<_> = set.iter().collect();
    assert!(list.windows(2).all(|pair| pair[0].end < pair[1].start));
});
