//! Who the drive is: IDENTIFY PACKET DEVICE and INQUIRY.

use super::super::ata::identify::{Position, dma_modes, put_text, seal};

const VENDOR: &str = "P2V";
const PRODUCT: &str = "CD-ROM";

/// The sector that IDENTIFY PACKET DEVICE sends (ATA/ATAPI-6, 8.16).
pub(super) fn identify_packet(transfer_mode: u8, position: Position) -> Vec<u8> {
    let mut words = [0u16; 256];
    words[0] = 0x85C0; // ATAPI, CD-ROM, removable, DRQ within 50 µs, 12-byte packets
    put_text(&mut words[10..20], "1");
    words[20] = 3;
    words[21] = 512;
    put_text(&mut words[23..27], env!("CARGO_PKG_VERSION"));
    put_text(&mut words[27..47], &format!("{VENDOR} {PRODUCT}"));
    words[48] = 1;
    words[49] = 0x0F00; // IORDY, LBA, DMA
    words[51] = 0x0200;
    words[52] = 0x0200;
    words[53] = 7; // words 64–70 and 88 are valid
    [words[62], words[63], words[88]] = dma_modes(transfer_mode);
    words[64] = 3;
    words[65..69].fill(120);
    words[71] = 30; // from PACKET to bus release, and from SERVICE to ready, in nanoseconds
    words[72] = 30;
    words[80] = 0x0070;
    words[82] = 0x0218; // DEVICE RESET, PACKET, power management
    words[83] = 0x4000;
    words[84] = 0x4000;
    words[85] = 0x0218;
    words[87] = 0x4000;
    words[93] = position.word();
    seal(words)
}

/// The 36 bytes of INQUIRY (SFF-8020i, 10.8.1).
pub(super) fn inquiry() -> Vec<u8> {
    // CD-ROM, removable, no ANSI version, ATAPI version 2, 31 bytes follow.
    let mut data = vec![0x05, 0x80, 0x00, 0x21, 31, 0, 0, 0];
    let mut text = |text: &str, len: usize| data.extend(text.bytes().chain(std::iter::repeat(b' ')).take(len));
    text(VENDOR, 8);
    text(PRODUCT, 16);
    text(env!("CARGO_PKG_VERSION"), 4);
    data
}
