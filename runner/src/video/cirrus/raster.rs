//! Raster operations: what becomes of a target and a source byte.

/// Target and source give the new target.
pub(super) type Operation = fn(u8, u8) -> u8;

/// The operation with this code (GR32); codes that mean nothing change nothing.
pub(super) fn operation(code: u8) -> Operation {
    match code {
        0x00 => |_, _| 0,
        0x05 => |to, from| from & to,
        0x09 => |to, from| from & !to,
        0x0B => |to, _| !to,
        0x0D => |_, from| from,
        0x0E => |_, _| 0xFF,
        0x50 => |to, from| !from & to,
        0x59 => |to, from| from ^ to,
        0x6D => |to, from| from | to,
        0x90 => |to, from| !(from & to),
        0x95 => |to, from| !(from ^ to),
        0xAD => |to, from| from | !to,
        0xD0 => |_, from| !from,
        0xD6 => |to, from| !from | to,
        0xDA => |to, from| !(from | to),
        _ => |to, _| to,
    }
}
