//! The partition for captures: where it lies, and its entry in the image's MBR.
//!
//! Source: UEFI 2.10 §5.2.1: four entries of 16 bytes from byte 446.

use std::ops::Range;

/// The name of its filesystem, by which the live system finds it.
pub(super) const CAPTURES: &str = "P2V-CAPTURES";

const SECTOR: u64 = 512;
/// What flash memory is erased in is a part of this.
const ALIGNMENT: u64 = 4 << 20;
/// What is smaller is of no use.
const SMALLEST: u64 = 64 << 20;
/// Kept free: the last MiB of the stick holds nothing, since others leave their marks there.
const END: u64 = 1 << 20;
const ENTRIES: usize = 446;
const ENTRY: usize = 16;
/// The third: the first two are the ISO filesystem and the volume for UEFI.
const NUMBER: usize = 2;
const LINUX: u8 = 0x83;
/// A place that has no cylinder, head and sector number any more.
const FAR: [u8; 3] = [0xfe, 0xff, 0xff];

/// Where the partition lies, in bytes, on a stick of `size` bytes behind an image of `image` bytes.
pub(super) fn place(image: u64, size: u64) -> Option<Range<u64>> {
    let start = image.checked_next_multiple_of(ALIGNMENT)?;
    // Sector numbers have 32 bits.
    let reach = u64::from(u32::MAX).saturating_mul(SECTOR);
    let end = size.saturating_sub(END).min(reach) / ALIGNMENT * ALIGNMENT;
    (end.checked_sub(start)? >= SMALLEST).then_some(start..end)
}

/// Writes its entry into the first sector of the image; says why not.
pub(super) fn add(sector: &mut [u8; 512], place: &Range<u64>) -> Result<(), &'static str> {
    if sector.get(510..) != Some(&[0x55, 0xaa]) {
        return Err("it has no partition table");
    }
    let entry = ENTRIES + NUMBER * ENTRY;
    let entry = sector.get_mut(entry..entry + ENTRY).ok_or("it has no third entry")?;
    if entry.iter().any(|byte| *byte != 0) {
        return Err("its third entry is taken");
    }
    let number = |bytes: u64| u32::try_from(bytes / SECTOR).map_err(|_| "it lies too far away");
    let mut new = [0; ENTRY];
    new[1..4].copy_from_slice(&FAR);
    new[4] = LINUX;
    new[5..8].copy_from_slice(&FAR);
    new[8..12].copy_from_slice(&number(place.start)?.to_le_bytes());
    new[12..16].copy_from_slice(&number(place.end - place.start)?.to_le_bytes());
    entry.copy_from_slice(&new);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GIB: u64 = 1 << 30;

    proptest! {
        #[test]
        fn a_place_is_behind_the_image_and_on_the_stick(image in 1..8 * GIB, size in 0..8192 * GIB) {
            if let Some(place) = place(image, size) {
                prop_assert!(place.start >= image && place.end < size);
                prop_assert!(place.start % ALIGNMENT == 0 && place.end % ALIGNMENT == 0);
                prop_assert!(place.end / SECTOR <= u64::from(u32::MAX));
                let mut sector = [0; 512];
                sector[510..].copy_from_slice(&[0x55, 0xaa]);
                prop_assert_eq!(add(&mut sector, &place), Ok(()));
                prop_assert_eq!(add(&mut sector, &place), Err("its third entry is taken"));
            } else {
                prop_assert!(size < image + SMALLEST + END + 2 * ALIGNMENT);
            }
        }
    }

    #[test]
    fn what_is_no_table_stays_as_it_is() {
        assert!(add(&mut [0; 512], &(GIB..2 * GIB)).is_err());
    }
}
