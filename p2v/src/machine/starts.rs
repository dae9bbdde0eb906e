//! Which firmware a disk's system is started by, as far as the disk says so.
//!
//! How the stick was started says little: many PCs of 2010 to 2020 start it by UEFI, and their old disk like a BIOS does.

use super::Firmware;
use disk::ReadAt;
use disk::layout::DiskLayout;
use disk::partition::Scheme;

/// An EFI system partition in a GPT and in an MBR (UEFI specification, sections 5.3.3 and 5.2.2).
const EFI_SYSTEM: [&str; 2] = ["c12a7328-f81f-11d2-ba4b-00a0c93ec93b", "0xef"];
/// GPT type of GRUB's BIOS boot partition.
const BIOS_BOOT: &str = "21686148-6449-6e6f-744e-656564454649";
/// Bytes of code in the first sector, which a BIOS starts.
const CODE: usize = 440;

/// `None` if both could start it, or neither.
pub(super) fn by(disk: &dyn ReadAt, layout: &DiskLayout) -> Option<Firmware> {
    let partitions = &layout.table.partitions;
    let has = |kind: &str| partitions.iter().any(|p| p.type_code.eq_ignore_ascii_case(kind));
    let mut code = [0; CODE];
    let has_code = disk.read_at(0, &mut code).is_ok() && code.iter().any(|byte| *byte != 0);
    let uefi = EFI_SYSTEM.iter().any(|kind| has(kind));
    let bios = has_code || has(BIOS_BOOT);
    match (bios, uefi) {
        (true, false) => Some(Firmware::Bios),
        (false, true) => Some(Firmware::Uefi),
        // Windows does not start by UEFI from a disk with an MBR, and other systems hardly ever do.
        (false, false) if layout.table.scheme == Scheme::Mbr => Some(Firmware::Bios),
        _ => None,
    }
}
