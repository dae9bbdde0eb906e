//! The tables of the virtual machine: who the old PC was, and what hardware there is now.

use super::{END, PcIdentity, sum};

/// Length of a 2.1 entry point (DSP0134, 5.2.1).
const ENTRY_POINT: usize = 0x1f;
/// Where the machine's own handles begin.
const HANDLES: u16 = 0x0400;
/// "No such structure" in a field for a handle.
const NONE: u16 = 0xffff;
const NO_ERROR_INFORMATION: u16 = 0xfffe;

/// What the virtual machine is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hardware {
    /// Processors: the cores of one package.
    pub cpus: u8,
    /// CPUID leaf 1, EAX and EDX.
    pub processor: (u32, u32),
    /// Bytes of memory below 4 GiB.
    pub low: u64,
    /// Bytes of memory from 4 GiB on.
    pub high: u64,
}

/// SMBIOS tables as SeaBIOS takes them: `etc/smbios/smbios-anchor`, `etc/smbios/smbios-tables`. It copies the structures to
/// the guest's memory as they are, and fills in their address and the checksums.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tables {
    /// A 2.1 entry point, which old systems know, too.
    pub anchor: Vec<u8>,
    /// The structures.
    pub structures: Vec<u8>,
}

impl Tables {
    /// Tables that say that this `hardware` is the PC of that `identity`. They have the PC's version, since it decides how
    /// a UUID is read.
    #[must_use]
    pub fn new(identity: &PcIdentity, hardware: &Hardware) -> Self {
        let mut builder = Builder {
            bytes: identity.kept.clone(),
            count: identity.count,
            longest: identity.longest,
        };
        let mut free = (HANDLES..0xff00).filter(|handle| !identity.handles.contains(handle));
        let mut handle = || free.next().unwrap_or(NONE);
        builder.add(4, handle(), &processor(hardware), &["CPU 0"]);
        let (array, device) = (handle(), handle());
        builder.add(16, array, &memory_array(hardware), &[]);
        builder.add(17, device, &memory_device(hardware, array), &["DIMM 0"]);
        let mut ranges = vec![(0, hardware.low)];
        if hardware.high > 0 {
            ranges.push((1 << 32, hardware.high));
        }
        for (start, size) in ranges {
            let (start, end) = (kib(start), kib(start + size).wrapping_sub(1));
            let mapped = [&start.to_le_bytes()[..], &end.to_le_bytes(), &array.to_le_bytes(), &[1]].concat();
            builder.add(19, handle(), &mapped, &[]);
        }
        // Reserved; the last start met no errors.
        builder.add(32, handle(), &[0; 7], &[]);
        builder.add(END, handle(), &[], &[]);
        builder.finish(identity.version)
    }
}

fn kib(bytes: u64) -> u32 {
    u32::try_from(bytes >> 10).unwrap_or(u32::MAX)
}

fn mib(hardware: &Hardware) -> u64 {
    hardware.low.saturating_add(hardware.high) >> 20
}

/// Type 4, as of version 2.5.
fn processor(hardware: &Hardware) -> Vec<u8> {
    // Socket: string 1. Central processor of another family; no maker.
    let mut fields = vec![1, 3, 1, 0];
    fields.extend(hardware.processor.0.to_le_bytes());
    fields.extend(hardware.processor.1.to_le_bytes());
    // No version; voltage and clocks are unknown; enabled, in a socket of another kind.
    fields.extend([0, 0, 0, 0, 0, 0, 0, 0, 0x41, 1]);
    for _cache in 0..3 {
        fields.extend(NONE.to_le_bytes());
    }
    // No serial number, asset tag or part number. Cores, how many are enabled, threads; characteristics: unknown.
    fields.extend([0, 0, 0, hardware.cpus, hardware.cpus, hardware.cpus, 2, 0]);
    fields
}

/// Type 16: the board's memory.
fn memory_array(hardware: &Hardware) -> Vec<u8> {
    // On the board, system memory, no error correction.
    let mut fields = vec![3, 3, 3];
    fields.extend(kib(hardware.low.saturating_add(hardware.high)).to_le_bytes());
    fields.extend(NO_ERROR_INFORMATION.to_le_bytes());
    fields.extend(1u16.to_le_bytes());
    fields
}

/// Type 17, as of version 2.3, or of 2.7 if the size needs it.
fn memory_device(hardware: &Hardware, array: u16) -> Vec<u8> {
    let size = mib(hardware);
    let short = u16::try_from(size).ok().filter(|size| *size < 0x7fff);
    let mut fields = array.to_le_bytes().to_vec();
    fields.extend(NO_ERROR_INFORMATION.to_le_bytes());
    // Widths in bits.
    fields.extend(64u16.to_le_bytes());
    fields.extend(64u16.to_le_bytes());
    fields.extend(short.unwrap_or(0x7fff).to_le_bytes());
    // DIMM; in no set; locator: string 1; no bank; RAM; kind: unknown.
    fields.extend([9, 0, 1, 0, 7]);
    fields.extend(4u16.to_le_bytes());
    // Speed, maker, serial number, asset tag, part number: unknown.
    fields.extend([0; 6]);
    if short.is_none() {
        fields.push(0);
        fields.extend(u32::try_from(size).unwrap_or(u32::MAX).to_le_bytes());
        fields.extend([0; 2]);
    }
    fields
}

struct Builder {
    bytes: Vec<u8>,
    count: u16,
    longest: u16,
}

impl Builder {
    fn add(&mut self, kind: u8, handle: u16, fields: &[u8], strings: &[&str]) {
        let before = self.bytes.len();
        let length = super::HEADER + fields.len();
        self.bytes.extend([kind, length as u8]);
        self.bytes.extend(handle.to_le_bytes());
        self.bytes.extend(fields);
        for string in strings {
            self.bytes.extend(string.bytes());
            self.bytes.push(0);
        }
        if strings.is_empty() {
            self.bytes.push(0);
        }
        self.bytes.push(0);
        self.longest = self.longest.max((self.bytes.len() - before) as u16);
        self.count += 1;
    }

    fn finish(self, (major, minor): (u8, u8)) -> Tables {
        let mut anchor = b"_SM_".to_vec();
        anchor.extend([0, ENTRY_POINT as u8, major, minor]);
        anchor.extend(self.longest.to_le_bytes());
        // Revision of the entry point, and what belongs to it.
        anchor.extend([0; 6]);
        anchor.extend(b"_DMI_\0");
        // The old PC's part is limited, and the machine's own is small.
        anchor.extend((self.bytes.len() as u16).to_le_bytes());
        anchor.extend(0u32.to_le_bytes());
        anchor.extend(self.count.to_le_bytes());
        anchor.push(major.min(15) << 4 | minor.min(15));
        let checksum = |bytes: &[u8]| 0u8.wrapping_sub(sum(bytes));
        anchor[0x15] = checksum(&anchor[0x10..]);
        anchor[4] = checksum(&anchor[..0x10]);
        Tables {
            anchor,
            structures: self.bytes,
        }
    }
}
