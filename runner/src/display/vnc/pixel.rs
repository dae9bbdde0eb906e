//! How a client wants its pixels (RFC 6143, section 7.4).
#![warn(clippy::arithmetic_side_effects, clippy::as_conversions, clippy::indexing_slicing)]

use super::ProtocolError;

/// A true-colour format: 8, 16 or 32 bits a pixel, with a maximum and a shift for red, green and blue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PixelFormat {
    bits: u8,
    depth: u8,
    big_endian: bool,
    max: [u16; 3],
    shift: [u8; 3],
}

/// Which bytes of a pixel compressed encodings send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compact {
    /// All of them.
    Whole,
    /// Those of the three low bytes of a 32-bit pixel.
    Low,
    /// Those of the three high bytes.
    High,
}

impl PixelFormat {
    /// `0x00RRGGBB` in little-endian order: what frames hold.
    pub(super) const NATIVE: PixelFormat = PixelFormat {
        bits: 32,
        depth: 24,
        big_endian: false,
        max: [255; 3],
        shift: [16, 8, 0],
    };

    /// Reads the 16 bytes of the protocol.
    pub(super) fn parse(bytes: &[u8; 16]) -> Result<Self, ProtocolError> {
        let [bits, depth, big, true_color, r1, r2, g1, g2, b1, b2, rs, gs, bs, ..] = *bytes;
        let format = PixelFormat {
            bits,
            depth,
            big_endian: big != 0,
            max: [[r1, r2], [g1, g2], [b1, b2]].map(u16::from_be_bytes),
            shift: [rs, gs, bs],
        };
        let fits = |(max, shift): (&u16, &u8)| {
            *max > 0
                && *shift < bits
                && u64::from(*max)
                    .checked_shl((*shift).into())
                    .is_some_and(|v| v >> bits == 0)
        };
        if true_color == 0 {
            return Err(ProtocolError::ColorMap);
        }
        if !matches!(bits, 8 | 16 | 32) || depth > bits || !format.max.iter().zip(&format.shift).all(fits) {
            return Err(ProtocolError::PixelFormat);
        }
        Ok(format)
    }

    /// The 16 bytes of the protocol.
    pub(super) fn bytes(&self) -> [u8; 16] {
        let [[r1, r2], [g1, g2], [b1, b2]] = self.max.map(u16::to_be_bytes);
        let [rs, gs, bs] = self.shift;
        let big = u8::from(self.big_endian);
        [
            self.bits, self.depth, big, 1, r1, r2, g1, g2, b1, b2, rs, gs, bs, 0, 0, 0,
        ]
    }

    /// Bits a pixel.
    pub(super) fn bits(&self) -> u8 {
        self.bits
    }

    /// The value of `0x00RRGGBB` in this format.
    fn value(&self, pixel: u32) -> u32 {
        let [_, red, green, blue] = pixel.to_be_bytes();
        let mut value = 0;
        for ((part, max), shift) in [red, green, blue].into_iter().zip(self.max).zip(self.shift) {
            // At most 255 * 65535 + 127.
            let scaled = u32::from(part).saturating_mul(max.into()).saturating_add(127) / 255;
            value |= scaled.checked_shl(shift.into()).unwrap_or(0);
        }
        value
    }

    /// Appends pixels, whole.
    pub(super) fn write(&self, pixels: &[u32], out: &mut Vec<u8>) {
        if *self == Self::NATIVE {
            out.extend(pixels.iter().flat_map(|pixel| pixel.to_le_bytes()));
            return;
        }
        for pixel in pixels {
            self.write_value(self.value(*pixel), out);
        }
    }

    fn write_value(&self, value: u32, out: &mut Vec<u8>) {
        let little = value.to_le_bytes();
        let [b0, b1, ..] = little;
        match (self.bits, self.big_endian) {
            (8, _) => out.push(b0),
            (16, false) => out.extend([b0, b1]),
            (16, true) => out.extend([b1, b0]),
            (_, false) => out.extend(little),
            (_, true) => out.extend(value.to_be_bytes()),
        }
    }

    /// How a CPIXEL of ZRLE is made (section 7.7.5).
    pub(super) fn compact(&self) -> Compact {
        let used = self.max.iter().zip(self.shift).fold(0u64, |all, (max, shift)| {
            all | u64::from(*max).checked_shl(shift.into()).unwrap_or(u64::MAX)
        });
        match () {
            () if self.bits != 32 || self.depth > 24 => Compact::Whole,
            () if used >> 24 == 0 => Compact::Low,
            () if used & 0xFF == 0 => Compact::High,
            () => Compact::Whole,
        }
    }

    /// Appends CPIXELs.
    pub(super) fn write_compact(&self, pixels: &[u32], out: &mut Vec<u8>) {
        let compact = self.compact();
        if compact == Compact::Whole {
            self.write(pixels, out);
            return;
        }
        for pixel in pixels {
            let value = self.value(*pixel);
            let value = if compact == Compact::High { value >> 8 } else { value };
            let [low, middle, high, _] = value.to_le_bytes();
            out.extend(if self.big_endian {
                [high, middle, low]
            } else {
                [low, middle, high]
            });
        }
    }

    /// Bytes of a CPIXEL.
    pub(super) fn compact_bytes(&self) -> usize {
        match self.compact() {
            Compact::Whole => usize::from(self.bits / 8),
            Compact::Low | Compact::High => 3,
        }
    }

    /// Whether Tight sends red, green, blue instead of whole pixels.
    pub(super) fn is_tight_rgb(&self) -> bool {
        self.bits == 32 && self.depth == 24 && self.max == [255; 3]
    }

    /// Appends TPIXELs.
    pub(super) fn write_tight(&self, pixels: &[u32], out: &mut Vec<u8>) {
        if !self.is_tight_rgb() {
            self.write(pixels, out);
            return;
        }
        for pixel in pixels {
            let [_, red, green, blue] = pixel.to_be_bytes();
            out.extend([red, green, blue]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn write(format: &PixelFormat, pixel: u32) -> Vec<u8> {
        let mut out = Vec::new();
        format.write(&[pixel], &mut out);
        out
    }

    #[test]
    fn formats_of_usual_clients() {
        let rgb565 = PixelFormat::parse(&[16, 16, 1, 1, 0, 31, 0, 63, 0, 31, 11, 5, 0, 0, 0, 0]).unwrap();
        assert_eq!(write(&rgb565, 0x00FF_FFFF), [0xFF, 0xFF]);
        assert_eq!(write(&rgb565, 0x00FF_0000), [0xF8, 0x00]);
        let bgr233 = PixelFormat::parse(&[8, 8, 0, 1, 0, 7, 0, 7, 0, 3, 0, 3, 6, 0, 0, 0]).unwrap();
        assert_eq!(write(&bgr233, 0x0000_00FF), [0xC0]);
        let high = PixelFormat::parse(&[32, 24, 1, 1, 0, 255, 0, 255, 0, 255, 24, 16, 8, 0, 0, 0]).unwrap();
        assert_eq!(high.compact(), Compact::High);
        let mut out = Vec::new();
        high.write_compact(&[0x0012_3456], &mut out);
        assert_eq!(out, [0x12, 0x34, 0x56]);
        assert_eq!(
            PixelFormat::parse(&PixelFormat::NATIVE.bytes()).unwrap(),
            PixelFormat::NATIVE
        );
        assert_eq!(PixelFormat::NATIVE.compact(), Compact::Low);
    }

    proptest! {
        #[test]
        fn any_format_is_refused_or_works(bytes: [u8; 16], pixel: u32) {
            if let Ok(format) = PixelFormat::parse(&bytes) {
                prop_assert_eq!(write(&format, pixel).len(), usize::from(bytes[0] / 8));
                let mut out = Vec::new();
                format.write_compact(&[pixel], &mut out);
                prop_assert_eq!(out.len(), format.compact_bytes());
            }
        }
    }
}
