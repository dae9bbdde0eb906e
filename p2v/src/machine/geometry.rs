//! The geometry that the old PC's BIOS reported, worked out from what its software wrote on the disk.
//!
//! Boot sectors of FAT and NTFS hold sectors a track and heads (BPB offsets 18h and 1Ah, hidden sectors at 1Ch);
//! the partition entries of an MBR hold cylinder/head/sector addresses next to linear ones. Where both are silent,
//! SeaBIOS's rule for LBA disks applies.

use super::Geometry;
use disk::ReadAt;
use disk::layout::DiskLayout;

/// Sectors are counted in units of 512 bytes here: INT 13h knows no other.
const SECTOR: u64 = 512;

/// Heads and sectors a track that BIOSes have used, most common first. 240 heads: IBM, Dell and HP notebooks.
const KNOWN: [(u32, u32); 8] = [
    (255, 63),
    (240, 63),
    (128, 63),
    (64, 63),
    (32, 63),
    (16, 63),
    (15, 63),
    (64, 32),
];

/// The geometry of `disk`. Nothing that cannot be read or makes no sense is an error: the rule of last resort is used.
pub(super) fn derive(disk: &dyn ReadAt, layout: &DiskLayout) -> Geometry {
    let (heads, sectors) = from_boot_sectors(disk, layout)
        .or_else(|| from_mbr(disk))
        .unwrap_or_else(|| seabios_rule(layout.size / SECTOR));
    let cylinders = layout.size / SECTOR / (u64::from(heads) * u64::from(sectors)).max(1);
    Geometry {
        cylinders: u32::try_from(cylinders.clamp(1, 1024)).unwrap_or(1024),
        heads,
        sectors,
    }
}

/// What SeaBIOS assumes for a disk of `total` sectors without anything else to go by ("LBA" translation).
fn seabios_rule(total: u64) -> (u32, u32) {
    let heads = match total / 63 / 1024 {
        _ if total > 63 * 255 * 1024 => 255,
        129.. => 255,
        65.. => 128,
        33.. => 64,
        17.. => 32,
        _ => 16,
    };
    (heads, 63)
}

/// Heads and sectors from the BPB of the first volume, active ones first, whose BPB knows where it lies.
fn from_boot_sectors(disk: &dyn ReadAt, layout: &DiskLayout) -> Option<(u32, u32)> {
    let mut volumes: Vec<_> = layout.contents.iter().collect();
    volumes.sort_by_key(|volume| !volume.partition.as_ref().is_some_and(|p| p.bootable));
    volumes.into_iter().find_map(|volume| {
        let mut boot = [0; 512];
        disk.read_at(volume.start, &mut boot).ok()?;
        let jump = matches!(boot, [0xEB, _, 0x90, ..] | [0xE9, ..]);
        let sectors = u32::from(u16::from_le_bytes([boot[0x18], boot[0x19]]));
        let heads = u32::from(u16::from_le_bytes([boot[0x1A], boot[0x1B]]));
        let hidden = u32::from_le_bytes([boot[0x1C], boot[0x1D], boot[0x1E], boot[0x1F]]);
        let plausible = (1..=63).contains(&sectors) && (2..=255).contains(&heads);
        // mkfs.fat on a plain file writes placeholders with 0 hidden sectors.
        let here = volume.start > 0 && u64::from(hidden) == volume.start / SECTOR;
        (jump && plausible && here && boot[510..] == [0x55, 0xAA]).then_some((heads, sectors))
    })
}

/// A cylinder/head/sector address beside the linear one it must agree with.
#[derive(Clone, Copy)]
struct Address {
    cylinder: u32,
    head: u32,
    sector: u32,
    linear: u64,
}

impl Address {
    /// Bytes: head; sector in bits 0–5 and cylinder bits 8–9 in bits 6–7; cylinder bits 0–7.
    fn new(bytes: [u8; 3], linear: u64) -> Self {
        Address {
            cylinder: u32::from(bytes[2]) | u32::from(bytes[1] & 0xC0) << 2,
            head: u32::from(bytes[0]),
            sector: u32::from(bytes[1] & 0x3F),
            linear,
        }
    }

    /// Whether it tells anything: addresses that do not fit are all ones, unused ones zero.
    fn meaningful(self) -> bool {
        self.sector > 0 && self.cylinder < 1023
    }

    fn agrees_with(self, heads: u32, sectors: u32) -> bool {
        let track = u64::from(self.cylinder) * u64::from(heads) + u64::from(self.head);
        self.head < heads
            && self.sector <= sectors
            && (track * u64::from(sectors) + u64::from(self.sector)).checked_sub(1) == Some(self.linear)
    }
}

/// Heads and sectors that every address in the MBR agrees with. `None` if there is no such pair or too little to tell.
fn from_mbr(disk: &dyn ReadAt) -> Option<(u32, u32)> {
    let mut mbr = [0; 512];
    disk.read_at(0, &mut mbr).ok()?;
    if mbr[510..] != [0x55, 0xAA] {
        return None;
    }
    let mut addresses = Vec::new();
    for entry in mbr[446..510].chunks_exact(16) {
        let word = |at: usize| {
            u64::from(u32::from_le_bytes([
                entry[at],
                entry[at + 1],
                entry[at + 2],
                entry[at + 3],
            ]))
        };
        let (first, count) = (word(8), word(12));
        if entry[4] == 0 || entry[4] == 0xEE || count == 0 {
            continue;
        }
        addresses.push(Address::new([entry[1], entry[2], entry[3]], first));
        addresses.push(Address::new([entry[5], entry[6], entry[7]], first + count - 1));
    }
    addresses.retain(|address| address.meaningful());
    // An address in cylinder 0 says nothing about the heads.
    if !addresses.iter().any(|address| address.cylinder > 0) {
        return None;
    }
    let ends = addresses.iter().map(|address| (address.head + 1, address.sector));
    let mut pairs = KNOWN.into_iter().chain(ends);
    pairs.find(|(heads, sectors)| *heads <= 255 && addresses.iter().all(|a| a.agrees_with(*heads, *sectors)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seabios_rule_at_its_steps() {
        assert_eq!(seabios_rule(1), (16, 63));
        assert_eq!(seabios_rule(63 * 1024 * 17 - 1), (16, 63));
        assert_eq!(seabios_rule(63 * 1024 * 17), (32, 63));
        assert_eq!(seabios_rule(63 * 1024 * 65), (128, 63));
        assert_eq!(seabios_rule(63 * 1024 * 129), (255, 63));
        assert_eq!(seabios_rule(u64::MAX), (255, 63));
    }

    #[test]
    fn an_mbr_with_240_heads_is_recognised() {
        let (heads, sectors) = (240u64, 63u64);
        let mut mbr = vec![0u8; 512];
        mbr[510..].copy_from_slice(&[0x55, 0xAA]);
        let chs = |lba: u64| {
            let (cylinder, rest) = (lba / (heads * sectors), lba % (heads * sectors));
            [
                (rest / sectors) as u8,
                (rest % sectors + 1) as u8 | ((cylinder >> 2) & 0xC0) as u8,
                cylinder as u8,
            ]
        };
        let (first, count) = (63u64, 500 * heads * sectors - 63);
        mbr[447..450].copy_from_slice(&chs(first));
        mbr[450] = 7;
        mbr[451..454].copy_from_slice(&chs(first + count - 1));
        mbr[454..458].copy_from_slice(&(first as u32).to_le_bytes());
        mbr[458..462].copy_from_slice(&(count as u32).to_le_bytes());
        assert_eq!(from_mbr(&mbr), Some((240, 63)));
        // One address that contradicts: nothing can be told.
        mbr[451] = 17;
        assert_eq!(from_mbr(&mbr), None);
    }
}
