//! What the guest finds at which physical address.
//!
//! The layout is computed anew from the chipset's registers whenever one of them changes, and `kvm::Vm` carries out
//! the difference.

use crate::chipset::i440fx::Shadow;
use crate::config::RunError;
use crate::device::{DmaError, GuestMemory};
use crate::kvm::{Mapping, Region};

/// Above this, up to 4 GiB, are PCI windows, interrupt controllers and firmware.
const LOW_END: u64 = 0xc000_0000;
const HIGH_START: u64 = 1 << 32;
const VGA: u64 = 0xa_0000;
const OPTION_ROMS: u64 = 0xc_0000;
const BIOS_AREA: u64 = 0xe_0000;
const ABOVE: u64 = 0x10_0000;

/// Guest RAM and firmware.
#[derive(Clone)]
pub(super) struct Memory {
    low: Region,
    high: Option<Region>,
    bios: Region,
}

/// Part of the display adapter's memory, shown somewhere below 1 MiB.
#[derive(Clone)]
pub(super) struct LegacyWindow {
    /// Guest-physical address.
    pub(super) address: u64,
    /// Size in bytes.
    pub(super) size: u64,
    /// The memory.
    pub(super) region: Region,
    /// Where in it the window starts, bytes.
    pub(super) offset: usize,
}

impl Memory {
    /// `size` bytes of RAM, and the firmware (a multiple of 64 KiB, at most 4 MiB).
    pub(super) fn new(size: u64, bios: &[u8]) -> Result<Self, RunError> {
        let system = |source| RunError::System {
            what: format!("get {} MiB of memory for the guest", size >> 20),
            source,
        };
        let region = |size: u64| {
            let size =
                usize::try_from(size).map_err(|_| RunError::Config(format!("{size} bytes of memory are too much")))?;
            Region::new(size).map_err(system)
        };
        if size < 16 << 20 || !size.is_multiple_of(1 << 20) {
            return Err(RunError::Config(format!(
                "guest memory must be at least 16 MiB and whole MiB, not {size} bytes"
            )));
        }
        if bios.is_empty() || !bios.len().is_multiple_of(0x1_0000) || bios.len() > 4 << 20 {
            return Err(RunError::Config(format!(
                "a firmware image of {} bytes is not a PC's: SeaBIOS's bios-256k.bin has 262144",
                bios.len()
            )));
        }
        let high = size.saturating_sub(LOW_END);
        Ok(Memory {
            low: region(size.min(LOW_END))?,
            high: if high > 0 { Some(region(high)?) } else { None },
            bios: Region::with(bios).map_err(system)?,
        })
    }

    /// Bytes of RAM below 4 GiB.
    pub(super) fn low_size(&self) -> u64 {
        self.low.size() as u64
    }

    /// Bytes of RAM from 4 GiB on.
    pub(super) fn high_size(&self) -> u64 {
        self.high.as_ref().map_or(0, |high| high.size() as u64)
    }

    /// The memory slots for this state of the chipset. `windows` are memory BARs with memory behind them, already
    /// complete mappings; one that covers RAM or another is left out, as a guest's passing mistake.
    pub(super) fn layout(
        &self,
        shadow: &[(u64, u64, Shadow); 13],
        vga: Option<&LegacyWindow>,
        windows: &[Mapping],
    ) -> Vec<Mapping> {
        let ram = |address: u64, size: u64, read_only| Mapping {
            address,
            size,
            region: self.low.clone(),
            offset: address as usize,
            read_only,
        };
        let bios_size = self.bios.size() as u64;
        let rom = |address: u64, size: u64, from_end: u64| Mapping {
            address,
            size,
            region: self.bios.clone(),
            offset: (bios_size - from_end) as usize,
            read_only: true,
        };
        let mut slots = vec![ram(0, VGA, false), ram(ABOVE, self.low_size() - ABOVE, false)];
        if let Some(high) = &self.high {
            slots.push(Mapping {
                address: HIGH_START,
                size: high.size() as u64,
                region: high.clone(),
                offset: 0,
                read_only: false,
            });
        }
        slots.push(rom(HIGH_START - bios_size, bios_size, bios_size));
        for &(address, size, state) in shadow {
            match state {
                Shadow::Ram => slots.push(ram(address, size, false)),
                Shadow::ReadOnly => slots.push(ram(address, size, true)),
                // The end of the ROM shows below 1 MiB as well; above C0000h there is nothing.
                Shadow::Rom if address >= BIOS_AREA && ABOVE - address <= bios_size => {
                    slots.push(rom(address, size, ABOVE - address));
                }
                Shadow::Rom => {}
            }
        }
        if let Some(window) = vga.filter(|w| w.address >= VGA && w.address + w.size <= OPTION_ROMS) {
            slots.push(Mapping {
                address: window.address,
                size: window.size,
                region: window.region.clone(),
                offset: window.offset,
                read_only: false,
            });
        }
        for window in windows {
            let overlaps = |slot: &Mapping| {
                window.address < slot.address.saturating_add(slot.size)
                    && slot.address < window.address.saturating_add(window.size)
            };
            if window.address >= ABOVE && !slots.iter().any(overlaps) {
                slots.push(window.clone());
            }
        }
        slots
    }

    /// The part of RAM that holds `len` bytes at `address`, and the offset in it.
    fn find(&self, address: u64, len: usize) -> Result<(&Region, usize), DmaError> {
        let error = DmaError { address, len };
        let (region, offset) = match address.checked_sub(HIGH_START) {
            Some(offset) => (self.high.as_ref().ok_or(error)?, offset),
            None => (&self.low, address),
        };
        let offset = usize::try_from(offset).map_err(|_| error)?;
        let end = offset.checked_add(len).ok_or(error)?;
        if end <= region.size() {
            Ok((region, offset))
        } else {
            Err(error)
        }
    }
}

impl GuestMemory for Memory {
    fn read(&self, address: u64, buf: &mut [u8]) -> Result<(), DmaError> {
        let (region, offset) = self.find(address, buf.len())?;
        region.read(offset, buf);
        Ok(())
    }
    fn write(&self, address: u64, data: &[u8]) -> Result<(), DmaError> {
        let (region, offset) = self.find(address, data.len())?;
        region.write(offset, data);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chipset::i440fx::{I440fx, shadow};
    use crate::pci::PciFunction;

    #[test]
    fn slots_never_overlap_and_the_rom_shows_at_its_three_places() {
        let memory = Memory::new(64 << 20, &vec![0x5a; 0x4_0000]).unwrap();
        let mut bridge = I440fx::new();
        for pam in [0, 0x11, 0x33, 0x13] {
            for register in 0x59..0x60 {
                bridge.write_config(register, 1, pam);
            }
            let bar = |address| Mapping {
                address,
                size: 0x1000,
                region: Region::new(0x1000).unwrap(),
                offset: 0,
                read_only: false,
            };
            let bars = [bar(0xe000_0000), bar(0x20_0000), bar(0xe000_0000)];
            let mut slots = memory.layout(&shadow(bridge.config()), None, &bars);
            slots.sort_by_key(|slot| slot.address);
            for pair in slots.windows(2) {
                assert!(pair[0].address + pair[0].size <= pair[1].address, "{pair:x?}");
            }
            assert_eq!(slots.iter().filter(|slot| slot.address == 0xe000_0000).count(), 1);
            let last = slots.iter().find(|slot| slot.address == 0xf_0000).unwrap();
            assert_eq!(last.offset, if pam == 0 { 0x3_0000 } else { 0xf_0000 });
            assert!(slots.iter().any(|slot| slot.address == 0xfffc_0000 && slot.read_only));
        }
    }

    #[test]
    fn dma_stays_in_ram() {
        let memory = Memory::new(16 << 20, &[0; 0x1_0000]).unwrap();
        assert!(memory.write((16 << 20) - 1, &[1]).is_ok());
        assert!(memory.write((16 << 20) - 1, &[1, 2]).is_err());
        assert!(memory.read(u64::MAX, &mut [0]).is_err());
        assert!(memory.read(HIGH_START, &mut [0]).is_err());
    }
}
