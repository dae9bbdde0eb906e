//! What the monitor says of itself: an EDID 1.4 block (VESA E-EDID standard, release A2).

/// Bytes of the block.
pub(super) const SIZE: usize = 128;

/// A detailed timing: pixel clock in 10 kHz; active, blanking, sync offset and sync width, across and down.
struct Timing {
    clock: u16,
    across: [u16; 4],
    down: [u16; 4],
    /// Digital separate sync (0x18), with a positive vertical (4) and horizontal (2) one.
    sync: u8,
}

/// VESA DMT 1024x768 at 60 Hz: what old systems choose if they take the preferred mode.
const PREFERRED: Timing = Timing {
    clock: 6500,
    across: [1024, 320, 24, 136],
    down: [768, 38, 3, 6],
    sync: 0x18,
};
/// VESA DMT 2560x1600 at 60 Hz with reduced blanking: as much as video memory holds.
const LARGEST: Timing = Timing {
    clock: 26850,
    across: [2560, 160, 48, 32],
    down: [1600, 46, 3, 6],
    sync: 0x1A,
};

impl Timing {
    fn bytes(&self) -> [u8; 18] {
        let [clock_low, clock_high] = self.clock.to_le_bytes();
        let low = |value: u16| value.to_le_bytes()[0];
        let high = |value: u16| value.to_le_bytes()[1] & 15;
        let [h, h_blank, h_offset, h_sync] = self.across;
        let [v, v_blank, v_offset, v_sync] = self.down;
        // A 4:3 picture of 408 by 306 mm; a guest that computes dots per inch gets a usual value.
        let (width_mm, height_mm) = (408, 306);
        [
            clock_low,
            clock_high,
            low(h),
            low(h_blank),
            high(h) << 4 | high(h_blank),
            low(v),
            low(v_blank),
            high(v) << 4 | high(v_blank),
            low(h_offset),
            low(h_sync),
            low(v_offset & 15) << 4 | low(v_sync & 15),
            low(h_offset >> 8 & 3) << 6
                | low(h_sync >> 8 & 3) << 4
                | low(v_offset >> 4 & 3) << 2
                | low(v_sync >> 4 & 3),
            low(width_mm),
            low(height_mm),
            high(width_mm) << 4 | high(height_mm),
            0,
            0,
            self.sync,
        ]
    }
}

/// A standard timing at 60 Hz: width in pixels, aspect ratio code (1 = 4:3, 2 = 5:4, 3 = 16:9).
fn standard(width: u16, aspect: u8) -> [u8; 2] {
    [(width / 8).saturating_sub(31).to_le_bytes()[0], aspect << 6]
}

/// A text descriptor: tag and up to 13 characters.
fn text(tag: u8, text: &str) -> [u8; 18] {
    let mut bytes = [b' '; 18];
    bytes[..5].copy_from_slice(&[0, 0, 0, tag, 0]);
    bytes[5..5 + text.len()].copy_from_slice(text.as_bytes());
    if text.len() < 13 {
        bytes[5 + text.len()] = b'\n';
    }
    bytes
}

/// The block.
pub(super) fn block() -> [u8; SIZE] {
    let mut edid = [0; SIZE];
    edid[..8].copy_from_slice(&[0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0]);
    // Manufacturer "PTV" (five bits a letter), product 1, year 2024.
    let manufacturer = u16::from(b'P' - 64) << 10 | u16::from(b'T' - 64) << 5 | u16::from(b'V' - 64);
    edid[8..10].copy_from_slice(&manufacturer.to_be_bytes());
    edid[10] = 1;
    edid[17] = 34;
    edid[18..20].copy_from_slice(&[1, 4]);
    // Digital, 8 bits a colour; 41 by 31 cm; gamma 2.2; RGB, the first timing is the preferred one.
    edid[20..25].copy_from_slice(&[0xA5, 41, 31, 120, 0x06]);
    // Chromaticity of sRGB.
    edid[25..35].copy_from_slice(&[0xEE, 0x91, 0xA3, 0x54, 0x4C, 0x99, 0x26, 0x0F, 0x50, 0x54]);
    // Established timings: 640x480, 800x600, 1024x768, all at 60 Hz.
    edid[35..38].copy_from_slice(&[0x21, 0x08, 0x00]);
    let modes = [
        (1280, 2),
        (1280, 1),
        (1152, 1),
        (1400, 1),
        (1600, 1),
        (1600, 3),
        (1280, 3),
        (1920, 3),
    ];
    for (place, (width, aspect)) in edid[38..54].chunks_exact_mut(2).zip(modes) {
        place.copy_from_slice(&standard(width, aspect));
    }
    edid[54..72].copy_from_slice(&PREFERRED.bytes());
    edid[72..90].copy_from_slice(&LARGEST.bytes());
    // Limits, and nothing about how to make timings: 50–125 Hz, 30–160 kHz, 300 MHz.
    edid[90..108].copy_from_slice(&[0, 0, 0, 0xFD, 0, 50, 125, 30, 160, 30, 1, 10, 32, 32, 32, 32, 32, 32]);
    edid[108..126].copy_from_slice(&text(0xFC, "p2v display"));
    let sum = edid.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte));
    edid[127] = sum.wrapping_neg();
    edid
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_block_has_its_header_and_sums_to_zero() {
        let block = super::block();
        assert_eq!(block[..8], [0, 255, 255, 255, 255, 255, 255, 0]);
        assert_eq!(block.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte)), 0);
    }
}
