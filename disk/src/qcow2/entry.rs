//! L1 and L2 table entries: where a cluster is. Source: QEMU's `docs/interop/qcow2.txt`, section "Cluster mapping".
#![warn(clippy::arithmetic_side_effects, clippy::as_conversions, clippy::indexing_slicing)]

/// The cluster is referred to once: a writer need not look at its reference count.
const COPIED: u64 = 1 << 63;
const COMPRESSED: u64 = 1 << 62;
const ZERO: u64 = 1;
/// Bits 9 to 55 of an entry: an offset in the file.
const OFFSET: u64 = 0x00ff_ffff_ffff_fe00;
/// Unit in which the length of compressed data is stored.
const SECTOR: u64 = 512;

/// What an L2 entry says about a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum L2Entry {
    /// Not in this image: look behind it.
    Unallocated,
    /// All zeros, whatever lies behind (space may be reserved for it).
    Zero,
    /// Stored as it is at this offset of the file (bytes).
    Plain(u64),
    /// Stored compressed.
    Compressed {
        /// Where in the file (bytes).
        offset: u64,
        /// No more bytes than this, which may take in the start of what follows.
        max_len: u64,
    },
}

/// Bits of a compressed entry that hold the offset.
fn compressed_offset_bits(cluster_bits: u32) -> u32 {
    70u32.saturating_sub(cluster_bits)
}

impl L2Entry {
    /// Reads a standard entry. `has_zero_flag` is false for version 2, where bit 0 has no meaning, and for extended
    /// entries, which keep it in their bitmap.
    pub(super) fn decode(entry: u64, cluster_bits: u32, has_zero_flag: bool) -> Self {
        if entry & COMPRESSED != 0 {
            let bits = compressed_offset_bits(cluster_bits);
            let descriptor = entry & !(COMPRESSED | COPIED);
            let offset = descriptor & low_bits(bits);
            let sectors = (descriptor >> bits).saturating_add(1);
            return L2Entry::Compressed {
                offset,
                max_len: sectors.saturating_mul(SECTOR).saturating_sub(offset & low_bits(9)),
            };
        }
        if has_zero_flag && entry & ZERO != 0 {
            return L2Entry::Zero;
        }
        match entry & OFFSET {
            0 => L2Entry::Unallocated,
            offset => L2Entry::Plain(offset),
        }
    }

    /// The entry for a plain cluster at `offset` that nothing else refers to.
    pub(super) fn encode_plain(offset: u64) -> u64 {
        offset | COPIED
    }

    /// The entry for `len` compressed bytes at `offset`, or none if they do not fit in one.
    pub(super) fn encode_compressed(offset: u64, len: u64, cluster_bits: u32) -> Option<u64> {
        let bits = compressed_offset_bits(cluster_bits);
        let last = offset.checked_add(len)?.checked_sub(1)?;
        let more_sectors = (last / SECTOR).checked_sub(offset / SECTOR)?;
        let fits = len > 0 && offset <= low_bits(bits) && more_sectors < 1 << cluster_bits.checked_sub(8)?;
        fits.then_some(COMPRESSED | more_sectors << bits | offset)
    }
}

/// The L2 table that an L1 entry points to (offset in bytes); none if the clusters are not in this image.
pub(super) fn decode_l1(entry: u64) -> Option<u64> {
    match entry & OFFSET {
        0 => None,
        offset => Some(offset),
    }
}

/// The L1 entry for an L2 table at `offset` that nothing else refers to.
pub(super) fn encode_l1(offset: u64) -> u64 {
    offset | COPIED
}

/// A number whose lowest `bits` bits are set.
fn low_bits(bits: u32) -> u64 {
    1u64.checked_shl(bits).map_or(u64::MAX, |bit| bit.saturating_sub(1))
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn compressed_entries_survive(cluster_bits in 9u32..=21, offset in 0u64..1 << 49, len in 1u64..1 << 21) {
            let len = len.min(1 << cluster_bits);
            let entry = L2Entry::encode_compressed(offset, len, cluster_bits).unwrap();
            let L2Entry::Compressed { offset: at, max_len } = L2Entry::decode(entry, cluster_bits, true) else {
                panic!("not compressed");
            };
            prop_assert_eq!(at, offset);
            prop_assert!(max_len >= len && max_len < len + SECTOR);
            prop_assert_eq!((at + max_len) % SECTOR, 0);
        }

        #[test]
        fn no_entry_panics(entry: u64, cluster_bits in 9u32..=21, flag: bool) {
            L2Entry::decode(entry, cluster_bits, flag);
        }
    }

    #[test]
    fn the_specification_s_example() {
        // For 64 KiB clusters the offset has 54 bits, the number of additional sectors the 8 above them.
        let entry = COMPRESSED | 3 << 54 | 0x1_2345;
        let expected = L2Entry::Compressed {
            offset: 0x1_2345,
            max_len: 4 * 512 - 0x145,
        };
        assert_eq!(L2Entry::decode(entry, 16, true), expected);
        assert_eq!(L2Entry::decode(COPIED | 0x5_0000, 16, true), L2Entry::Plain(0x5_0000));
        assert_eq!(L2Entry::decode(COPIED | 0x5_0001, 16, true), L2Entry::Zero);
        assert_eq!(L2Entry::decode(COPIED | 0x5_0001, 16, false), L2Entry::Plain(0x5_0000));
    }
}
