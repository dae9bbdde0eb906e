//! The 256 bytes of a function's configuration space: which bits may be written, and the base address registers.

/// What a function says it is (offsets 00h–0Fh and 2Ch).
#[derive(Clone, Copy, Debug)]
pub struct Identity {
    /// Vendor id.
    pub vendor: u16,
    /// Device id.
    pub device: u16,
    /// Revision.
    pub revision: u8,
    /// Class (high byte), subclass, programming interface (low byte).
    pub class: u32,
    /// Bit 7 of the header type: other functions share the device number.
    pub multifunction: bool,
}

/// The kind of address space a base address register asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BarKind {
    /// I/O ports.
    Io,
    /// 32-bit memory.
    Memory,
    /// 32-bit memory without read side effects.
    Prefetchable,
    /// The option ROM at 30h.
    Rom,
}

#[derive(Clone, Copy, Debug)]
struct Bar {
    kind: BarKind,
    size: u32,
}

/// A configuration space. Bits start read-only; [`allow`](ConfigSpace::allow) opens them.
#[derive(Clone)]
pub struct ConfigSpace {
    bytes: [u8; 256],
    writable: [u8; 256],
    clear: [u8; 256],
    power_on: [u8; 256],
    bars: [Option<Bar>; 7],
}

const COMMAND: u8 = 0x04;
const STATUS: u8 = 0x06;
const INTERRUPT_LINE: u8 = 0x3c;
const INTERRUPT_PIN: u8 = 0x3d;

impl ConfigSpace {
    /// The number by which the option ROM is named among the BARs.
    pub const ROM: usize = 6;

    /// The space of a function with a type 0 header: command and interrupt line can be written, subsystem is
    /// QEMU's 1AF4:1100, by which SeaBIOS knows where it runs.
    pub fn new(identity: Identity) -> Self {
        let mut space = ConfigSpace {
            bytes: [0; 256],
            writable: [0; 256],
            clear: [0; 256],
            power_on: [0; 256],
            bars: [None; 7],
        };
        space.preset(0x00, 2, u32::from(identity.vendor));
        space.preset(0x02, 2, u32::from(identity.device));
        space.preset(0x08, 4, identity.class << 8 | u32::from(identity.revision));
        space.preset(0x0e, 1, if identity.multifunction { 0x80 } else { 0 });
        space.preset(0x2c, 4, 0x1100_1af4);
        space.allow(COMMAND, 2, 0x0547);
        space.allow(INTERRUPT_LINE, 1, 0xff);
        space.clear_on_one(STATUS, 2, 0xf900);
        space
    }

    /// Sets the value a register has at power-on, and now.
    pub fn preset(&mut self, offset: u8, size: u8, value: u32) {
        store(&mut self.power_on, offset, size, value);
        store(&mut self.bytes, offset, size, value);
    }

    /// Lets the guest write the bits of `mask`.
    pub fn allow(&mut self, offset: u8, size: u8, mask: u32) {
        store(&mut self.writable, offset, size, mask);
    }

    /// Makes the bits of `mask` clear when the guest writes one to them.
    pub fn clear_on_one(&mut self, offset: u8, size: u8, mask: u32) {
        store(&mut self.clear, offset, size, mask);
    }

    /// Uses interrupt pin INTA# (1) to INTD# (4).
    pub fn interrupt_pin(&mut self, pin: u8) {
        self.preset(INTERRUPT_PIN, 1, u32::from(pin));
    }

    /// Adds base address register `index` (0–5, or [`ROM`](Self::ROM)) of `size` bytes, a power of two.
    pub fn add_bar(&mut self, index: usize, kind: BarKind, size: u32) {
        if index < self.bars.len() {
            self.bars[index] = Some(Bar { kind, size });
        }
        let mask = !size.wrapping_sub(1);
        let (fixed, mask) = match kind {
            BarKind::Io => (1, mask & !3),
            BarKind::Memory => (0, mask & !15),
            BarKind::Prefetchable => (8, mask & !15),
            BarKind::Rom => (0, mask & !0x7ff | 1),
        };
        self.preset(bar_offset(index), 4, fixed);
        self.allow(bar_offset(index), 4, mask);
    }

    /// Reads `size` (1, 2, 4) bytes; past the end of the space bytes are FFh.
    pub fn read(&self, offset: u8, size: u8) -> u32 {
        (0..usize::from(size.min(4))).fold(0, |value, byte| {
            let at = usize::from(offset) + byte;
            value | u32::from(self.bytes.get(at).copied().unwrap_or(0xff)) << (8 * byte)
        })
    }

    /// A write by the guest: only bits that were allowed change.
    pub fn write(&mut self, offset: u8, size: u8, value: u32) {
        for (at, byte) in (usize::from(offset)..256)
            .zip(value.to_le_bytes())
            .take(usize::from(size))
        {
            let kept = self.bytes[at] & !self.writable[at] & !(self.clear[at] & byte);
            self.bytes[at] = kept | byte & self.writable[at];
        }
    }

    /// A write by the device: any bit may change, until the next reset.
    pub fn set(&mut self, offset: u8, size: u8, value: u32) {
        store(&mut self.bytes, offset, size, value);
    }

    /// Where BAR `index` lies now: its kind, address and size; `None` while decoding is off or it is not placed.
    pub fn mapped(&self, index: usize) -> Option<(BarKind, u64, u64)> {
        let bar = (*self.bars.get(index)?)?;
        let register = self.read(bar_offset(index), 4);
        let command = self.read(COMMAND, 2);
        let on = match bar.kind {
            BarKind::Io => command & 1 != 0,
            BarKind::Memory | BarKind::Prefetchable => command & 2 != 0,
            BarKind::Rom => command & 2 != 0 && register & 1 != 0,
        };
        let mask = !(bar.size.wrapping_sub(1));
        let address = match bar.kind {
            BarKind::Io => register & mask & 0xfffc,
            _ => register & mask & !15,
        };
        let end = u64::from(address) + u64::from(bar.size);
        let fits = match bar.kind {
            BarKind::Io => end <= 0x1_0000,
            // An address being sized (all ones) must not cover the local APIC and the firmware.
            _ => end <= 0xfec0_0000,
        };
        (on && address != 0 && fits).then_some((bar.kind, u64::from(address), u64::from(bar.size)))
    }

    /// Whether the function may do DMA (bit 2 of the command register).
    pub fn bus_master(&self) -> bool {
        self.read(COMMAND, 2) & 4 != 0
    }

    /// Back to the power-on values.
    pub fn reset(&mut self) {
        self.bytes = self.power_on;
    }
}

fn bar_offset(index: usize) -> u8 {
    match u8::try_from(index) {
        Ok(index @ 0..=5) => 0x10 + 4 * index,
        _ => 0x30,
    }
}

fn store(bytes: &mut [u8; 256], offset: u8, size: u8, value: u32) {
    for (at, byte) in (usize::from(offset)..256)
        .zip(value.to_le_bytes())
        .take(usize::from(size))
    {
        bytes[at] = byte;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn space() -> ConfigSpace {
        ConfigSpace::new(Identity {
            vendor: 0x8086,
            device: 0x7010,
            revision: 0,
            class: 0x01_0180,
            multifunction: false,
        })
    }

    #[test]
    fn an_io_bar_is_sized_as_pci_says_and_keeps_its_upper_half() {
        let mut space = space();
        space.add_bar(4, BarKind::Io, 16);
        space.write(0x20, 4, 0xffff_ffff);
        assert_eq!(space.read(0x20, 4), 0xffff_fff1);
        space.write(0x20, 4, 0xc040);
        assert_eq!(space.mapped(4), None, "decoding is off");
        space.write(COMMAND, 2, 1);
        assert_eq!(space.mapped(4), Some((BarKind::Io, 0xc040, 16)));
    }

    #[test]
    fn identity_cannot_be_written_and_status_clears_on_one() {
        let mut space = space();
        space.write(0, 4, 0);
        assert_eq!(space.read(0, 4), 0x7010_8086);
        space.set(STATUS, 2, 0x2280);
        space.write(STATUS, 2, 0x2000);
        assert_eq!(space.read(STATUS, 2), 0x0280);
        assert_eq!(space.read(0xfe, 4), 0xffff_0000);
    }
}
