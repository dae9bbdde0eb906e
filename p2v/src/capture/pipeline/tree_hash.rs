//! BLAKE3 of a chunk that may be mostly zeros, without hashing the same zeros again and again.
//!
//! BLAKE3 is a binary tree. A node's value (its chaining value) depends on its bytes and on where in the input they are,
//! so those of zeros are made once, for every node of a chunk. Source: the BLAKE3 paper, section 2.1 "Tree structure".

use crate::capture::CHUNK;
use blake3::hazmat::{ChainingValue, HasherExt, Mode, merge_subtrees_non_root, merge_subtrees_root};
use blake3::{Hash, Hasher};
use std::ops::Range;
use std::sync::OnceLock;

/// Bytes of a leaf here: enough of BLAKE3's own 1 KiB leaves to keep wide registers busy.
const LEAF: usize = 16 << 10;
/// Leaves of a chunk, a power of two.
const LEAVES: usize = CHUNK as usize / LEAF;
/// The root's number. The children of node `n` are `2n` and `2n + 1`; the leaves come last, from [`LEAVES`] on.
const ROOT: usize = 1;

/// The checksum of `bytes`, a chunk that holds zeros outside `ranges` (ascending, relative to it).
pub(super) fn hash(bytes: &[u8], ranges: &[Range<usize>]) -> Hash {
    if bytes.len() != LEAF * LEAVES {
        // The end of the disk: another tree.
        return blake3::hash(bytes);
    }
    let chunk = Tree { bytes, ranges };
    let zeros = zeros();
    let child = |node| chunk.value(node, zeros);
    merge_subtrees_root(&child(2 * ROOT), &child(2 * ROOT + 1), Mode::Hash)
}

/// The values of all nodes of a chunk of zeros, by number. There is no number 0; the root has no such value.
fn zeros() -> &'static [ChainingValue] {
    static ZEROS: OnceLock<Vec<ChainingValue>> = OnceLock::new();
    ZEROS.get_or_init(|| {
        let leaf = vec![0; LEAF];
        let mut values = vec![[0; 32]; 2 * LEAVES];
        for node in (ROOT + 1..2 * LEAVES).rev() {
            values[node] = match node.checked_sub(LEAVES) {
                Some(number) => leaf_value(&leaf, number),
                None => merge_subtrees_non_root(&values[2 * node], &values[2 * node + 1], Mode::Hash),
            };
        }
        values
    })
}

/// The value of leaf number `number` of a chunk.
fn leaf_value(bytes: &[u8], number: usize) -> ChainingValue {
    let offset = (number * LEAF) as u64;
    Hasher::new().set_input_offset(offset).update(bytes).finalize_non_root()
}

struct Tree<'a> {
    bytes: &'a [u8],
    ranges: &'a [Range<usize>],
}

impl Tree<'_> {
    fn value(&self, node: usize, zeros: &[ChainingValue]) -> ChainingValue {
        let span = span(node);
        let next = self.ranges.partition_point(|range| range.end <= span.start);
        if self.ranges.get(next).is_none_or(|range| range.start >= span.end) {
            return zeros[node];
        }
        match node.checked_sub(LEAVES) {
            Some(number) => leaf_value(&self.bytes[span], number),
            None => {
                let child = |node| self.value(node, zeros);
                merge_subtrees_non_root(&child(2 * node), &child(2 * node + 1), Mode::Hash)
            }
        }
    }
}

/// The bytes of a chunk that belong to `node`.
fn span(node: usize) -> Range<usize> {
    let level = node.ilog2();
    let length = (LEAF * LEAVES) >> level;
    let start = (node - (1 << level)) * length;
    start..start + length
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_full_chunk_an_empty_one_and_the_end_of_a_disk() {
        let bytes: Vec<u8> = (0..LEAF * LEAVES).map(|at| (at / 7 + at % 251) as u8).collect();
        let end = &bytes[..300_000];
        for all in [&bytes[..], end] {
            assert_eq!(hash(all, std::slice::from_ref(&(0..all.len()))), blake3::hash(all));
        }
        let zeros = vec![0; bytes.len()];
        assert_eq!(hash(&zeros, &[]), blake3::hash(&zeros));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn it_is_what_blake3_says(ranges in prop::collection::vec((0usize..512, 1usize..40, 1u8..), 0..6)) {
            let mut bytes = vec![0; LEAF * LEAVES];
            let mut set = disk::ExtentSet::new();
            for (page, pages, byte) in ranges {
                let range = page * 4096..((page + pages) * 4096).min(bytes.len());
                bytes[range.clone()].fill(byte);
                set.insert(range.start as u64..range.end as u64);
            }
            let ranges: Vec<_> = set.iter().map(|range| range.start as usize..range.end as usize).collect();
            prop_assert_eq!(hash(&bytes, &ranges), blake3::hash(&bytes));
        }
    }
}
