//! The host bridge 00:00.0: the registers that say what lies behind the addresses from C0000h to FFFFFh.
//!
//! Source: Intel 440FX PCIset datasheet, 3.2.18 (PAM registers).

use crate::pci::{ConfigSpace, Identity, PciFunction};

/// How one segment of the area below 1 MiB is mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shadow {
    /// Reads come from the ROM (or nowhere), writes are lost.
    Rom,
    /// RAM that cannot be written.
    ReadOnly,
    /// RAM.
    Ram,
}

/// PAM0; the upper half of it is F0000h–FFFFFh, PAM1–PAM6 hold two 16 KiB segments each from C0000h.
const PAM: u8 = 0x59;
/// The segment from F0000h on, in what [`shadow`] returns.
pub const BIOS_SEGMENT: usize = 12;
const SMRAM: u8 = 0x72;

/// The host bridge.
pub struct I440fx {
    config: ConfigSpace,
}

impl I440fx {
    /// The bridge after power-on: everything below 1 MiB is ROM.
    pub fn new() -> Self {
        let mut config = ConfigSpace::new(Identity {
            vendor: 0x8086,
            device: 0x1237,
            revision: 2,
            class: 0x06_0000,
            multifunction: false,
        });
        for register in 0..7 {
            config.allow(PAM + register, 1, 0x33);
        }
        // Accepted and without effect: there is no system management mode.
        config.preset(SMRAM, 1, 0x02);
        config.allow(SMRAM, 1, 0x78);
        for register in 0x50..0x58 {
            config.allow(register, 1, 0xff);
        }
        for register in 0x60..0x68 {
            config.allow(register, 1, 0xff);
        }
        I440fx { config }
    }
}

impl Default for I440fx {
    fn default() -> Self {
        Self::new()
    }
}

/// The 13 segments with their addresses, sizes and state, as the bridge's registers say.
pub fn shadow(config: &ConfigSpace) -> [(u64, u64, Shadow); 13] {
    std::array::from_fn(|segment| {
        let (address, size, register, nibble) = match segment {
            BIOS_SEGMENT => (0xf_0000, 0x1_0000, PAM, 4),
            _ => {
                let register = PAM + 1 + segment as u8 / 2;
                (
                    0xc_0000 + 0x4000 * segment as u64,
                    0x4000,
                    register,
                    4 * (segment as u32 % 2),
                )
            }
        };
        let state = match config.read(register, 1) >> nibble & 3 {
            1 => Shadow::ReadOnly,
            3 => Shadow::Ram,
            // "Write only" cannot be had from KVM; SeaBIOS never uses it alone.
            _ => Shadow::Rom,
        };
        (address, size, state)
    })
}

impl PciFunction for I440fx {
    fn config(&self) -> &ConfigSpace {
        &self.config
    }
    fn config_mut(&mut self) -> &mut ConfigSpace {
        &mut self.config
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pam_registers_cover_c0000_to_fffff_without_gaps() {
        let mut bridge = I440fx::new();
        bridge.write_config(PAM, 1, 0x30);
        bridge.write_config(PAM + 1, 1, 0x31);
        let segments = shadow(bridge.config());
        let mut next = 0xc_0000;
        for (address, size, _) in segments {
            assert_eq!(address, next);
            next += size;
        }
        assert_eq!(next, 0x10_0000);
        assert_eq!(segments[0].2, Shadow::ReadOnly);
        assert_eq!(segments[1].2, Shadow::Ram);
        assert_eq!(segments[2].2, Shadow::Rom);
        assert_eq!(segments[12].2, Shadow::Ram);
    }
}
