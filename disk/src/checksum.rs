//! The checksums of on-disk structures. Tables are made at compile time.
//!
//! Sources: UEFI 2.10 §5.3.2 (CRC-32), Linux `lib/crc16.c` for the polynomials.

use crc32c::crc32c_append;

/// Eight tables for eight bytes a step; the first is the plain table of the polynomial (reflected).
const fn tables(polynomial: u32) -> [[u32; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        #[allow(clippy::cast_possible_truncation)]
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 {
                (crc >> 1) ^ polynomial
            } else {
                crc >> 1
            };
            bit += 1;
        }
        tables[0][byte] = crc;
        byte += 1;
    }
    let mut table = 1;
    while table < 8 {
        let mut byte = 0;
        while byte < 256 {
            let before = tables[table - 1][byte];
            tables[table][byte] = (before >> 8) ^ tables[0][(before & 0xFF) as usize];
            byte += 1;
        }
        table += 1;
    }
    tables
}

static IEEE: [[u32; 256]; 8] = tables(0xEDB8_8320);

fn update(tables: &[[u32; 256]; 8], mut crc: u32, bytes: &[u8]) -> u32 {
    let (steps, rest) = bytes.as_chunks::<8>();
    for step in steps {
        let low = crc.to_le_bytes();
        let mut next = 0;
        for (at, byte) in step.iter().enumerate() {
            let byte = byte ^ low.get(at).copied().unwrap_or(0);
            next ^= tables[7 - at][usize::from(byte)];
        }
        crc = next;
    }
    for byte in rest {
        let [low, ..] = crc.to_le_bytes();
        crc = (crc >> 8) ^ tables[0][usize::from(low ^ byte)];
    }
    crc
}

/// CRC-32 of GPT headers (IEEE 802.3, inverted at start and end).
pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    !update(&IEEE, !0, bytes)
}

/// CRC-32 of LVM2's structures (IEEE 802.3, its own start value, not inverted), over pieces one after the other.
pub(crate) fn crc32_lvm(pieces: &[&[u8]]) -> u32 {
    pieces.iter().fold(0xF597_A6CF, |crc, piece| update(&IEEE, crc, piece))
}

/// CRC-32C as ext4 chains it: no inversion, the seed is the running value.
pub(crate) fn crc32c(seed: u32, bytes: &[u8]) -> u32 {
    !crc32c_append(!seed, bytes)
}

/// CRC-16 (polynomial 0x8005 reflected), as ext4 chains it.
pub(crate) fn crc16(seed: u16, bytes: &[u8]) -> u16 {
    bytes.iter().fold(seed, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte), |crc, _| {
            if crc & 1 == 1 { (crc >> 1) ^ 0xA001 } else { crc >> 1 }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The check values of the catalogue of parametrised CRC algorithms.
    #[test]
    fn the_published_check_values_come_out() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
        assert_eq!(!crc32c(!0, b"123456789"), 0xE306_9283);
        assert_eq!(crc16(0, b"123456789"), 0xBB3D);
    }

    #[test]
    fn eight_bytes_a_step_gives_what_one_byte_a_step_gives() {
        let bytes: Vec<u8> = (0..1000u32).map(|i| (i * 7 % 251) as u8).collect();
        let slow = bytes.iter().fold(!0, |crc, byte| update(&IEEE, crc, &[*byte]));
        assert_eq!(update(&IEEE, !0, &bytes), slow);
    }
}
