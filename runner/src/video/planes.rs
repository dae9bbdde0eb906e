//! How the processor sees video memory through the window at A0000h: planes, latches, write modes.
//!
//! The four planes are interleaved: byte `4 * offset + plane`. Chain 4 then is plain memory, and so are the linear
//! modes; odd/even (text) addresses use the low bit as the low bit of the plane.
//! Source: IBM VGA Technical Reference, "Video memory" and "Graphics controller".

use super::registers::{Registers, graphics, sequencer};
use crate::video::memory::VideoMemory;

/// Where the window lies, by bits 2–3 of the graphics controller's miscellaneous register: offset and size in
/// bytes, from A0000h.
pub(super) fn window(registers: &Registers) -> (u64, u64) {
    match registers.graphics[graphics::MISC] >> 2 & 3 {
        0 => (0, 0x2_0000),
        1 => (0, 0x1_0000),
        2 => (0x1_0000, 0x8000),
        _ => (0x1_8000, 0x8000),
    }
}

/// How addresses in the window become addresses in the planes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Addressing {
    /// The low two bits are the plane.
    Chain4,
    /// The low bit is the low bit of the plane.
    OddEven,
    /// All planes at once, through the latches.
    Planar,
}

pub(super) fn addressing(registers: &Registers) -> Addressing {
    if registers.sequencer[sequencer::MEMORY_MODE] & 8 != 0 {
        Addressing::Chain4
    } else if registers.graphics[graphics::MODE] & 0x10 != 0 {
        Addressing::OddEven
    } else {
        Addressing::Planar
    }
}

/// Each of four bits becomes a byte: all ones or all zeros.
fn spread(bits: u8) -> u32 {
    (0..4).fold(0, |word, plane| {
        word | if bits >> plane & 1 != 0 { 0xFF << (8 * plane) } else { 0 }
    })
}

fn replicate(byte: u8) -> u32 {
    u32::from_le_bytes([byte; 4])
}

fn word(memory: &VideoMemory, address: usize) -> Option<u32> {
    let mut bytes = [0; 4];
    (address.checked_add(4)? <= memory.size()).then_some(())?;
    memory.read(address, &mut bytes);
    Some(u32::from_le_bytes(bytes))
}

/// Reads the byte at `offset` in the window; `base` is where in video memory the window starts.
pub(super) fn read(registers: &Registers, latch: &mut u32, memory: &VideoMemory, base: usize, offset: usize) -> u8 {
    let byte = |address: usize| {
        let mut byte = [0xFF];
        memory.read(address, &mut byte);
        byte[0]
    };
    match addressing(registers) {
        Addressing::Chain4 => byte(base.saturating_add(offset)),
        Addressing::OddEven => {
            let plane = usize::from(registers.graphics[graphics::READ_MAP] & 2) | (offset & 1);
            byte(base.saturating_add((offset & !1) << 1 | plane))
        }
        Addressing::Planar => {
            let Some(value) = word(memory, base.saturating_add(offset.saturating_mul(4))) else {
                return 0xFF;
            };
            *latch = value;
            if registers.graphics[graphics::MODE] & 8 == 0 {
                value.to_le_bytes()[usize::from(registers.graphics[graphics::READ_MAP] & 3)]
            } else {
                let wanted = spread(registers.graphics[graphics::COLOR_COMPARE]);
                let matters = spread(registers.graphics[graphics::COLOR_DONT_CARE]);
                let differs = ((value ^ wanted) & matters).to_le_bytes();
                !differs.iter().fold(0, |all, plane| all | plane)
            }
        }
    }
}

/// Writes a byte at `offset` in the window.
pub(super) fn write(registers: &Registers, latch: u32, memory: &VideoMemory, base: usize, offset: usize, value: u8) {
    let map_mask = registers.sequencer[sequencer::MAP_MASK];
    match addressing(registers) {
        Addressing::Chain4 => {
            if map_mask >> (offset & 3) & 1 != 0 {
                memory.write(base.saturating_add(offset), &[value]);
            }
        }
        Addressing::OddEven => {
            let plane = usize::from(registers.graphics[graphics::READ_MAP] & 2) | (offset & 1);
            if map_mask >> plane & 1 != 0 {
                memory.write(base.saturating_add((offset & !1) << 1 | plane), &[value]);
            }
        }
        Addressing::Planar => {
            let address = base.saturating_add(offset.saturating_mul(4));
            let Some(old) = word(memory, address) else { return };
            let written = spread(map_mask);
            let new = combine(registers, latch, value);
            memory.write(address, &((old & !written) | (new & written)).to_le_bytes());
        }
    }
}

/// What the graphics controller makes of a byte: write mode, set/reset, logical function, bit mask.
fn combine(registers: &Registers, latch: u32, value: u8) -> u32 {
    let graphics = &registers.graphics;
    let rotated = value.rotate_right(u32::from(graphics[graphics::ROTATE] & 7));
    let mask = graphics[graphics::BIT_MASK];
    let (data, mask) = match graphics[graphics::MODE] & 3 {
        0 => {
            let forced = spread(graphics[graphics::ENABLE_SET_RESET]);
            let set = spread(graphics[graphics::SET_RESET]);
            ((replicate(rotated) & !forced) | (set & forced), mask)
        }
        1 => return latch,
        2 => (spread(value), mask),
        _ => (spread(graphics[graphics::SET_RESET]), mask & rotated),
    };
    let data = match graphics[graphics::ROTATE] >> 3 & 3 {
        0 => data,
        1 => data & latch,
        2 => data | latch,
        _ => data ^ latch,
    };
    let mask = replicate(mask);
    (data & mask) | (latch & !mask)
}

/// Whether the window is plain memory of 32 KiB whose even bytes are plane 0 and odd bytes plane 1, as in text and
/// CGA graphics modes.
pub(super) fn is_plain_text(registers: &Registers) -> bool {
    let graphics = &registers.graphics;
    addressing(registers) == Addressing::OddEven
        && registers.sequencer[sequencer::MAP_MASK] & 3 == 3
        && graphics[graphics::READ_MAP] & 2 == 0
        && graphics[graphics::MISC] & 0x0C >= 0x08
}
