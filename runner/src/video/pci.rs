//! The adapter as a PCI function: BAR 0 is video memory, another its registers, and an option ROM.
//! Source: QEMU's docs/specs/standard-vga.rst.

use super::adapter::{Extension, MEMORY_SIZE, Vga};
use super::edid;
use crate::kvm::Region;
use crate::pci::{BarKind, ConfigSpace, Identity, PciFunction};
use std::io;

const FRAMEBUFFER: usize = 0;
const REGISTERS: usize = 2;

/// Layout of BAR 2: the monitor's EDID, ports 3C0h–3DFh, the DISPI registers, QEMU's extension.
const EDID_AT: u64 = 0x000;
const PORTS_AT: u64 = 0x400;
const VBE_AT: u64 = 0x500;
const EXTENSION_AT: u64 = 0x600;
const REGISTERS_SIZE: u32 = 4096;
/// QEMU's extension: its size, and a byte order register of which only little-endian is taken.
const EXTENSION_SIZE: u32 = 8;
const LITTLE_ENDIAN: u32 = 0x1E1E_1E1E;

/// The Cirrus' BARs: 32 MiB, of which the upper half only takes pixels for the blitter, and its registers: ports
/// 3C0h–3DFh, then the blitter's.
const CIRRUS_WINDOW: u32 = 32 << 20;
const CIRRUS_PIXELS: u64 = 16 << 20;
const CIRRUS_REGISTERS: usize = 1;
const BLITTER_AT: u64 = 0x100;

/// The configuration space of a Cirrus Logic GD5446 with an option ROM of `rom_size` bytes.
pub(super) fn cirrus(rom_size: usize) -> ConfigSpace {
    let mut config = ConfigSpace::new(Identity {
        vendor: 0x1013,
        device: 0x00B8,
        revision: 0,
        class: 0x03_0000,
        multifunction: false,
    });
    config.add_bar(FRAMEBUFFER, BarKind::Prefetchable, CIRRUS_WINDOW);
    config.add_bar(CIRRUS_REGISTERS, BarKind::Memory, REGISTERS_SIZE);
    if rom_size > 0 {
        config.add_bar(ConfigSpace::ROM, BarKind::Rom, rom_bar_size(rom_size));
    }
    config
}

/// The configuration space of the standard VGA with an option ROM of `rom_size` bytes.
pub(super) fn standard(rom_size: usize) -> ConfigSpace {
    let mut config = ConfigSpace::new(Identity {
        vendor: 0x1234,
        device: 0x1111,
        revision: 2,
        class: 0x03_0000,
        multifunction: false,
    });
    config.add_bar(
        FRAMEBUFFER,
        BarKind::Prefetchable,
        u32::try_from(MEMORY_SIZE).unwrap_or(0),
    );
    config.add_bar(REGISTERS, BarKind::Memory, REGISTERS_SIZE);
    if rom_size > 0 {
        config.add_bar(ConfigSpace::ROM, BarKind::Rom, rom_bar_size(rom_size));
    }
    config
}

fn rom_bar_size(rom_size: usize) -> u32 {
    u32::try_from(rom_size.max(4096).next_power_of_two()).unwrap_or(1 << 31)
}

/// The option ROM, filled up to its BAR's size.
pub(super) fn rom(bytes: &[u8]) -> io::Result<Region> {
    let rom = Region::new(usize::try_from(rom_bar_size(bytes.len())).map_err(io::Error::other)?)?;
    rom.write(0, bytes);
    Ok(rom)
}

impl Vga {
    fn read_register_byte(&mut self, offset: u64) -> u8 {
        let part = |value: u16| value.to_le_bytes()[usize::from(offset & 1 != 0)];
        match offset {
            EDID_AT..PORTS_AT => {
                let at = usize::try_from(offset - EDID_AT).unwrap_or(usize::MAX);
                edid::block().get(at).copied().unwrap_or(0)
            }
            PORTS_AT..0x420 => self.read_register(port(offset)),
            VBE_AT..0x516 => part(self.read_vbe(vbe_index(offset))),
            EXTENSION_AT..0x604 => EXTENSION_SIZE.to_le_bytes()[usize::try_from(offset & 3).unwrap_or(0)],
            0x604..0x608 => LITTLE_ENDIAN.to_le_bytes()[usize::try_from(offset & 3).unwrap_or(0)],
            _ => 0xFF,
        }
    }
}

impl Vga {
    fn read_cirrus(&mut self, bar: usize, offset: u64) -> u8 {
        if bar == CIRRUS_REGISTERS && offset < BLITTER_AT {
            return cirrus_port(offset).map_or(0xFF, |port| self.read_register(port));
        }
        let Extension::Cirrus(cirrus) = &self.extension else {
            return 0xFF;
        };
        match bar {
            FRAMEBUFFER if offset < CIRRUS_PIXELS => cirrus.read_linear(offset, &self.memory),
            CIRRUS_REGISTERS => cirrus.read_blitter(usize::try_from(offset - BLITTER_AT).unwrap_or(usize::MAX)),
            _ => 0xFF,
        }
    }

    fn write_cirrus(&mut self, bar: usize, offset: u64, value: u8) {
        if bar == CIRRUS_REGISTERS && offset < BLITTER_AT {
            if let Some(port) = cirrus_port(offset) {
                self.write_register(port, value);
            }
            return;
        }
        let memory = &self.memory;
        let Extension::Cirrus(cirrus) = &mut self.extension else {
            return;
        };
        match bar {
            FRAMEBUFFER if offset < CIRRUS_PIXELS => cirrus.write_linear(offset, value, memory),
            FRAMEBUFFER => cirrus.write_pixel(value, memory),
            _ => {
                let register = usize::try_from(offset - BLITTER_AT).unwrap_or(usize::MAX);
                cirrus.write_blitter(register, value, memory);
            }
        }
    }
}

/// The port behind an offset in the Cirrus' registers.
fn cirrus_port(offset: u64) -> Option<u16> {
    let offset = u16::try_from(offset).ok().filter(|offset| *offset < 0x20)?;
    Some(0x3C0 + offset)
}

fn port(offset: u64) -> u16 {
    0x3C0 + u16::try_from(offset - PORTS_AT).unwrap_or(0)
}

fn vbe_index(offset: u64) -> u16 {
    u16::try_from((offset - VBE_AT) / 2).unwrap_or(0)
}

impl PciFunction for Vga {
    fn config(&self) -> &ConfigSpace {
        &self.config
    }

    fn config_mut(&mut self) -> &mut ConfigSpace {
        &mut self.config
    }

    fn read_memory(&mut self, bar: usize, offset: u64, data: &mut [u8]) {
        match bar {
            FRAMEBUFFER | CIRRUS_REGISTERS if matches!(self.extension, Extension::Cirrus(_)) => {
                for (byte, offset) in data.iter_mut().zip(offset..) {
                    *byte = self.read_cirrus(bar, offset);
                }
            }
            REGISTERS => {
                for (byte, offset) in data.iter_mut().zip(offset..) {
                    *byte = self.read_register_byte(offset);
                }
            }
            FRAMEBUFFER => self.memory().read(usize::try_from(offset).unwrap_or(usize::MAX), data),
            ConfigSpace::ROM => self.rom.read(usize::try_from(offset).unwrap_or(usize::MAX), data),
            _ => data.fill(0xFF),
        }
    }

    fn write_memory(&mut self, bar: usize, offset: u64, data: &[u8]) {
        match bar {
            FRAMEBUFFER | CIRRUS_REGISTERS if matches!(self.extension, Extension::Cirrus(_)) => {
                let waited = self.waits() && bar == FRAMEBUFFER;
                for (byte, offset) in data.iter().zip(offset..) {
                    self.write_cirrus(bar, offset, *byte);
                    if waited && !self.waits() {
                        break;
                    }
                }
            }
            REGISTERS => match (offset, data) {
                // DISPI registers are 16 bits wide; halves of them are not written.
                (VBE_AT..0x516, [low, high, ..]) => {
                    self.write_vbe(vbe_index(offset), u16::from_le_bytes([*low, *high]));
                    if let [_, _, rest @ ..] = data
                        && !rest.is_empty()
                    {
                        self.write_memory(bar, offset.saturating_add(2), rest);
                    }
                }
                _ => {
                    for (byte, offset) in data.iter().zip(offset..) {
                        if (PORTS_AT..0x420).contains(&offset) {
                            self.write_register(port(offset), *byte);
                        }
                    }
                }
            },
            FRAMEBUFFER => {
                let offset = usize::try_from(offset).unwrap_or(usize::MAX);
                let room = MEMORY_SIZE.saturating_sub(offset);
                self.memory.write(offset, &data[..data.len().min(room)]);
            }
            _ => {}
        }
    }

    fn backing(&self, bar: usize) -> Option<Region> {
        match bar {
            FRAMEBUFFER => self.is_linear_plain().then(|| self.memory().clone()),
            ConfigSpace::ROM => Some(self.rom.clone()),
            _ => None,
        }
    }

    fn backing_size(&self, bar: usize) -> usize {
        match bar {
            FRAMEBUFFER => self.size(),
            _ => self.rom.size(),
        }
    }

    fn has_moved(&mut self) -> bool {
        Vga::has_moved(self)
    }

    fn reset(&mut self) {
        self.config.reset();
        self.reset_registers();
    }
}
