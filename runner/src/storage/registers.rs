//! The command block as the host sees it: names of the bits, and the registers with their previous contents.

/// Bits of the status register (ATA/ATAPI-6, 7.15).
pub(super) mod status {
    pub(crate) const BSY: u8 = 0x80;
    pub(crate) const DRDY: u8 = 0x40;
    /// Device fault.
    pub(crate) const DF: u8 = 0x20;
    /// Seek complete; SERVICE for packet devices.
    pub(crate) const DSC: u8 = 0x10;
    pub(crate) const DRQ: u8 = 0x08;
    /// CHECK for packet devices.
    pub(crate) const ERR: u8 = 0x01;
}

/// Bits of the error register (ATA/ATAPI-6, 7.9).
pub(super) mod error {
    /// Uncorrectable data.
    pub(crate) const UNC: u8 = 0x40;
    /// Sector not found: the address is outside the disk.
    pub(crate) const IDNF: u8 = 0x10;
    /// Command aborted.
    pub(crate) const ABRT: u8 = 0x04;
    /// Diagnostic code 1: the device passed.
    pub(crate) const PASSED: u8 = 0x01;
}

/// Bits of the device control register (ATA/ATAPI-6, 7.8).
pub(super) mod control {
    /// Read the previous contents of the registers.
    pub(crate) const HOB: u8 = 0x80;
    /// Software reset while set.
    pub(crate) const SRST: u8 = 0x04;
    /// Interrupts off while set.
    pub(crate) const NIEN: u8 = 0x02;
}

/// Bit of the device register: the address is an LBA.
pub(super) const DEVICE_LBA: u8 = 0x40;
/// Bit of the device register: device 1 is selected.
pub(super) const DEVICE_SELECT: u8 = 0x10;

/// One register that is two deep: 48-bit commands use what was written before, too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Deep {
    /// What was written last.
    pub(super) now: u8,
    /// What was written before that.
    pub(super) before: u8,
}

impl Deep {
    /// A write by the host.
    pub(super) fn push(&mut self, value: u8) {
        self.before = self.now;
        self.now = value;
    }

    /// What the host reads; `hob` asks for the previous contents.
    pub(super) fn read(self, hob: bool) -> u8 {
        if hob { self.before } else { self.now }
    }

    /// Set by the device: the previous contents become 0.
    pub(super) fn set(&mut self, value: u8) {
        *self = Deep { now: value, before: 0 };
    }
}

/// The registers that hold a command's parameters.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct TaskFile {
    pub(super) features: Deep,
    /// Sector count; interrupt reason for packet devices.
    pub(super) count: Deep,
    /// LBA 7:0 or sector number.
    pub(super) low: Deep,
    /// LBA 15:8 or cylinder low; byte count low for packet devices.
    pub(super) mid: Deep,
    /// LBA 23:16 or cylinder high; byte count high for packet devices.
    pub(super) high: Deep,
    pub(super) device: u8,
}

impl TaskFile {
    /// The signature after a reset, EXECUTE DEVICE DIAGNOSTIC or a refused IDENTIFY (ATA/ATAPI-6, 9.12).
    pub(super) fn set_signature(&mut self, packet: bool) {
        self.count.set(1);
        self.low.set(1);
        let (mid, high) = if packet { (0x14, 0xEB) } else { (0, 0) };
        self.mid.set(mid);
        self.high.set(high);
    }
}
