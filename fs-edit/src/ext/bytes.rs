//! Numbers in on-disk structures. What lies past a structure's end reads as zero, as in one of an older revision.

/// `N` bytes at `offset`.
pub(super) fn array<const N: usize>(bytes: &[u8], offset: usize) -> [u8; N] {
    let mut out = [0; N];
    for (to, from) in out.iter_mut().zip(bytes.get(offset..).unwrap_or_default()) {
        *to = *from;
    }
    out
}

pub(super) fn le16(bytes: &[u8], offset: usize) -> u16 {
    u16::from_le_bytes(array(bytes, offset))
}

pub(super) fn le32(bytes: &[u8], offset: usize) -> u32 {
    u32::from_le_bytes(array(bytes, offset))
}

pub(super) fn be16(bytes: &[u8], offset: usize) -> u16 {
    u16::from_be_bytes(array(bytes, offset))
}

pub(super) fn be32(bytes: &[u8], offset: usize) -> u32 {
    u32::from_be_bytes(array(bytes, offset))
}

pub(super) fn be64(bytes: &[u8], offset: usize) -> u64 {
    u64::from_be_bytes(array(bytes, offset))
}

/// Puts `value` at `offset`; what lies past the end is left out.
pub(super) fn put(bytes: &mut [u8], offset: usize, value: &[u8]) {
    for (to, from) in bytes.get_mut(offset..).unwrap_or_default().iter_mut().zip(value) {
        *to = *from;
    }
}

/// CRC-32C as ext4 and jbd2 chain it: no inversion, the seed is the running value.
pub(super) fn crc32c(seed: u32, bytes: &[u8]) -> u32 {
    const CASTAGNOLI: crc::Algorithm<u32> = crc::Algorithm {
        init: 0,
        xorout: 0,
        ..crc::CRC_32_ISCSI
    };
    static CRC: crc::Crc<u32> = crc::Crc::<u32>::new(&CASTAGNOLI);
    // The crate takes the register's start in the order of the polynomial, before it reflects it.
    let mut digest = CRC.digest_with_initial(seed.reverse_bits());
    digest.update(bytes);
    digest.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_check_value_comes_out_and_chains() {
        assert_eq!(!crc32c(!0, b"123456789"), 0xE306_9283);
        assert_eq!(crc32c(crc32c(!0, b"1234"), b"56789"), crc32c(!0, b"123456789"));
    }
}
