//! The 512 bytes of IDENTIFY DEVICE (ATA/ATAPI-6, 8.15).

use super::Disk;

/// The most sectors of a DRQ block of READ/WRITE MULTIPLE.
pub(super) const MAX_MULTIPLE: u8 = 16;
/// The most sectors that 28-bit commands reach.
const MAX_LBA28: u64 = 0x0FFF_FFFF;

/// Where a drive sits on its cable, for word 93.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Position {
    /// Device 0 with nothing as device 1: it answers for it, and SeaBIOS need not look there.
    MasterAlone,
    /// Device 0 with a device 1.
    Master,
    /// Device 1.
    Slave,
}

impl Position {
    /// Word 93, the result of the hardware reset: 80-conductor cable, passed its test, who else is there.
    pub(in super::super) fn word(self) -> u16 {
        match self {
            Position::MasterAlone => 0x604B,
            Position::Master => 0x603B,
            Position::Slave => 0x6B00,
        }
    }
}

/// Puts `text` into `words` as ATA does: padded with spaces, the first character of each pair in the high byte.
pub(in super::super) fn put_text(words: &mut [u16], text: &str) {
    let mut characters = text
        .bytes()
        .map(|byte| if (0x20..0x7F).contains(&byte) { byte } else { b' ' });
    for word in words {
        let mut next = || characters.next().unwrap_or(b' ');
        *word = u16::from_be_bytes([next(), next()]);
    }
}

/// Words 62, 63 and 88: modes that are supported (low byte) and the one that is selected (high byte). `mode` is
/// as SET FEATURES 03h takes it.
pub(in super::super) fn dma_modes(mode: u8) -> [u16; 3] {
    let word = |supported: u16, group: u8| {
        let selected = if mode & 0xF8 == group { 1 << (mode & 7) } else { 0 };
        supported | (selected << 8)
    };
    [word(0x07, 0x10), word(0x07, 0x20), word(0x3F, 0x40)]
}

/// The sector that IDENTIFY DEVICE sends.
pub(super) fn identify(disk: &Disk) -> Vec<u8> {
    let mut words = [0u16; 256];
    let default = disk.default_translation();
    let current = disk.translation;
    words[0] = 0x0040; // fixed drive
    words[1] = default.cylinders;
    words[3] = u16::from(default.heads);
    words[6] = u16::from(default.sectors);
    put_text(&mut words[10..20], &disk.serial);
    words[20] = 3; // dual-ported buffer with caching, obsolete but looked at
    words[21] = 512; // its size in sectors
    words[22] = 4;
    put_text(&mut words[23..27], env!("CARGO_PKG_VERSION"));
    put_text(&mut words[27..47], &disk.model);
    words[47] = 0x8000 | u16::from(MAX_MULTIPLE);
    words[48] = 1; // 32-bit access to the data port
    words[49] = 0x0F00; // IORDY, LBA, DMA
    words[50] = 0x4000;
    words[51] = 0x0200; // PIO timing mode 2
    words[52] = 0x0200;
    words[53] = 7; // words 54–58, 64–70 and 88 are valid
    words[54] = current.cylinders;
    words[55] = u16::from(current.heads);
    words[56] = u16::from(current.sectors);
    put_u32(&mut words[57..59], current.capacity());
    if disk.multiple != 0 {
        words[59] = 0x0100 | u16::from(disk.multiple);
    }
    put_u32(&mut words[60..62], disk.sectors.min(MAX_LBA28) as u32);
    [words[62], words[63], words[88]] = dma_modes(disk.transfer_mode);
    words[64] = 3; // PIO modes 3 and 4
    words[65..69].fill(120); // cycle times in nanoseconds
    words[80] = 0x0070; // ATA/ATAPI-4 to -6
    words[82] = 0x0068; // look-ahead, write cache, power management
    words[83] = 0x7400; // FLUSH CACHE EXT, FLUSH CACHE, 48-bit addresses
    words[84] = 0x4040; // WRITE DMA FUA EXT
    words[85] = 0x0008 | if disk.write_cache { 0x20 } else { 0 } | if disk.look_ahead { 0x40 } else { 0 };
    words[86] = 0x3400;
    words[87] = 0x4040;
    words[93] = disk.position.word();
    let sectors = disk.sectors.to_le_bytes();
    for (word, pair) in words[100..104].iter_mut().zip(sectors.chunks(2)) {
        *word = u16::from_le_bytes([pair[0], pair[1]]);
    }
    words[106] = 0x4000; // one logical sector a physical sector
    seal(words)
}

fn put_u32(words: &mut [u16], value: u32) {
    words[0] = value as u16;
    words[1] = (value >> 16) as u16;
}

/// The words as bytes, with the checksum of word 255: all 512 bytes add up to 0.
pub(in super::super) fn seal(mut words: [u16; 256]) -> Vec<u8> {
    words[255] = 0x00A5;
    let sum = words
        .iter()
        .flat_map(|word| word.to_le_bytes())
        .fold(0u8, u8::wrapping_add);
    words[255] |= u16::from(sum.wrapping_neg()) << 8;
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}
