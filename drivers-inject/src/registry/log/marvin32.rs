//! Marvin32, the keyed hash that log entries are checked with: a 64-bit state of two halves, mixed once for each
//! double word of the data and twice more at the end.
//!
//! Source: the hash's own definition, "Marvin: a fast and secure keyed checksum" (US patent 8 555 066), and which data
//! Windows hashes: "Windows registry file format specification", log entries.

use crate::registry::bytes::u32_at;

/// Marks the end of the data; the rest of the last double word is zero.
const END: u8 = 0x80;

/// The seed that Windows hashes log entries with.
pub const LOG_SEED: u64 = 0x82ef_4d88_7a4e_55c5;

/// The hash of `data` under `seed`.
pub fn hash(seed: u64, data: &[u8]) -> u64 {
    let bytes = seed.to_le_bytes();
    let mut state = State {
        low: u32_at(&bytes, 0).unwrap_or_default(),
        high: u32_at(&bytes, 4).unwrap_or_default(),
    };
    let (words, rest) = data.as_chunks();
    for word in words {
        state.mix(u32::from_le_bytes(*word));
    }
    let mut last = [0; 4];
    for (place, byte) in last.iter_mut().zip(rest.iter().chain(&[END])) {
        *place = *byte;
    }
    state.mix(u32::from_le_bytes(last));
    state.mix(0);
    u64::from(state.high) << 32 | u64::from(state.low)
}

struct State {
    low: u32,
    high: u32,
}

impl State {
    fn mix(&mut self, word: u32) {
        self.low = self.low.wrapping_add(word);
        self.high ^= self.low;
        self.low = self.low.rotate_left(20).wrapping_add(self.high);
        self.high = self.high.rotate_left(9) ^ self.low;
        self.low = self.low.rotate_left(27).wrapping_add(self.high);
        self.high = self.high.rotate_left(19);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each length of the last double word, and more than one. The answers were calculated with a separate program
    /// (Python, big integers) and agree with those that .NET's own tests of its Marvin32 expect.
    #[test]
    fn known_answers() {
        let seed = 0x004f_b61a_001b_dbcc;
        for (data, expected) in [
            (&[][..], 0x30ed_35c1_00cd_3c7d),
            (&[0xaf], 0x48e7_3fc7_7d75_ddc1),
            (&[0xe7, 0x0f], 0xb5f6_e1fc_485d_bff8),
            (&[0x37, 0xf4, 0x95], 0xf0b0_7c78_9b8c_f7e8),
            (&[0x86, 0x42, 0xdc, 0x59], 0x7008_f2e8_7e9c_f556),
            (&[0x15, 0x3f, 0xb7, 0x98, 0x26], 0xe6c0_8c6d_a2af_a997),
            (&[0x09, 0x32, 0xe6, 0x24, 0x6c, 0x47], 0x6f04_bf1a_5ea2_4060),
            (&[0xab, 0x42, 0x7e, 0xa8, 0xd1, 0x0f, 0xc7], 0xe118_47e4_f067_8c41),
        ] {
            assert_eq!(hash(seed, data), expected, "{data:02x?}");
        }
    }

    #[test]
    fn every_bit_of_seed_and_data_counts() {
        let of = |seed, data: &[u8]| hash(seed, data);
        assert_ne!(of(1, b"registry"), of(2, b"registry"));
        assert_ne!(of(1 << 32, b"registry"), of(1 << 33, b"registry"));
        assert_ne!(of(1, b"registry"), of(1, b"registrz"));
        assert_ne!(of(1, b"a"), of(1, b"a\0"));
    }
}
