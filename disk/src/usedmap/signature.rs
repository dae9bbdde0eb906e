//! What a volume is, by the signatures that filesystems and containers leave at known places.
//!
//! Source: the magic numbers are those of each format's own documentation; util-linux's `libblkid` knows the same ones.

use crate::bytes::{Fields, uuid};
use crate::io::ReadAt;
use std::io;

/// Something that was recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signature {
    Ext,
    Ntfs,
    Fat,
    Swap,
    /// Known by name only.
    Other(&'static str),
}

impl Signature {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Signature::Ext => "ext",
            Signature::Ntfs => "NTFS",
            Signature::Fat => "FAT",
            Signature::Swap => "swap",
            Signature::Other(name) => name,
        }
    }
}

/// How much of a volume's start holds signatures, in bytes: Btrfs has its at 64 KiB, the last page of 64 KiB ends there.
const START: u64 = (64 << 10) + 4096;
/// How much of its end does.
const END: u64 = 128 << 10;

/// Name, offset from the start and magic bytes of what is copied whole.
const KNOWN: &[(&str, usize, &[u8])] = &[
    ("LUKS", 0, b"LUKS\xBA\xBE"),
    ("BitLocker", 3, b"-FVE-FS-"),
    // BitLocker To Go hides behind a FAT32 boot sector.
    (
        "BitLocker",
        424,
        b"\x3B\xD6\x67\x49\x29\x2E\xD8\x4A\x83\x99\xF6\xA3\x39\xE3\xD0\x01",
    ),
    ("XFS", 0, b"XFSB"),
    ("Btrfs", 0x1_0040, b"_BHRfS_M"),
    ("exFAT", 3, b"EXFAT   "),
    ("ReFS", 3, b"ReFS\0\0\0\0"),
    ("F2FS", 1024, b"\x10\x20\xF5\xF2"),
    ("ReiserFS", 0x1_0034, b"ReIsErFs"),
    ("ReiserFS", 0x1_0034, b"ReIsEr2Fs"),
    ("ReiserFS", 0x1_0034, b"ReIsEr3Fs"),
    ("ReiserFS", 0x2034, b"ReIsErFs"),
    ("Reiser4", 0x1_0000, b"ReIsEr4"),
    ("JFS", 0x8000, b"JFS1"),
    ("HFS+", 1024, b"H+\0\x04"),
    ("HFS+", 1024, b"HX\0\x05"),
    ("APFS", 32, b"NXSB"),
    ("ISO 9660", 0x8001, b"CD001"),
    ("UDF", 0x8001, b"BEA01"),
    ("SquashFS", 0, b"hsqs"),
    ("mdraid", 0, b"\xFC\x4E\x2B\xA9"),
    ("mdraid", 4096, b"\xFC\x4E\x2B\xA9"),
    ("bcache", 0x1018, b"\xC6\x85\x73\xF6\x4E\x1A\x45\xCA"),
    ("VMFS", 0x1_0000, b"\x0D\xD0\x01\xC0"),
    ("UFS", 0x255C, b"\x19\x01\x54\x19"),
    ("UFS", 0x255C, b"\x54\x19\x01\x00"),
];

/// Two bytes each: they count only where nothing else was found.
const WEAK: &[(&str, usize, &[u8])] = &[("HFS", 1024, b"BD"), ("NILFS2", 1030, b"\x34\x34")];

/// Every signature on the volume, containers first. More than one means that something is left over from a former life.
pub(super) fn all<D: ReadAt + ?Sized>(volume: &D) -> io::Result<Vec<Signature>> {
    let start = read_part(volume, 0, START)?;
    let fields = Fields(&start);
    let mut found = Vec::new();
    let mut add = |signature, present: bool| {
        if present && !found.contains(&signature) {
            found.push(signature);
        }
    };
    for (name, offset, magic) in KNOWN {
        add(Signature::Other(name), fields.has(*offset, magic));
    }
    // LVM2 puts its label into one of the first four sectors.
    let lvm = [0, 512, 1024, 1536]
        .iter()
        .any(|offset| fields.has(*offset, b"LABELONE"));
    add(Signature::Other("LVM"), lvm);
    let tail_at = volume.size().saturating_sub(END);
    let tail = read_part(volume, tail_at, END)?;
    add(Signature::Other("mdraid"), raid_at_end(&tail, volume.size(), tail_at));
    add(Signature::Other("ZFS"), zfs(volume)?);
    add(Signature::Ext, fields.has(1024 + 56, &[0x53, 0xEF]));
    add(Signature::Ntfs, fields.has(3, b"NTFS    "));
    add(Signature::Fat, looks_like_fat(fields));
    add(Signature::Swap, swap_page(fields).is_some());
    if found.is_empty() {
        let weak = WEAK.iter().filter(|(_, offset, magic)| fields.has(*offset, magic));
        found.extend(weak.map(|(name, ..)| Signature::Other(name)));
    }
    Ok(found)
}

/// The UUID of what is copied whole, where it is known where that stands.
///
/// Source: `xfs_dsb` and `btrfs_super_block` in Linux, the LUKS1 and LUKS2 on-disk format specifications.
pub(super) fn uuid_of<D: ReadAt + ?Sized>(name: &str, volume: &D) -> io::Result<Option<String>> {
    let start = read_part(volume, 0, START)?;
    let fields = Fields(&start);
    Ok(match name {
        "XFS" => uuid(fields.array(32)),
        "Btrfs" => uuid(fields.array(0x1_0020)),
        "LUKS" => fields.text(168, 40),
        _ => None,
    })
}

/// Page size and whether it is a hibernation image, if there is a swap signature at the end of a first page of that size.
pub(super) fn swap_page(fields: Fields<'_>) -> Option<(u32, bool)> {
    // Pages of 4 to 64 KiB: x86, ARM, PowerPC, Itanium.
    [4096, 8192, 16384, 32768, 65536u32].into_iter().find_map(|page| {
        let at = usize::try_from(page.saturating_sub(10)).ok()?;
        let hibernated: [&[u8]; 5] = [
            b"S1SUSPEND",
            b"S2SUSPEND",
            b"ULSUSPEND",
            b"LINHIB0001",
            b"\xED\xC3\x02\xE9\x98\x56\xE5\x0C",
        ];
        if fields.has(at, b"SWAPSPACE2") || fields.has(at, b"SWAP-SPACE") {
            Some((page, false))
        } else if hibernated.iter().any(|magic| fields.has(at, magic)) {
            Some((page, true))
        } else {
            None
        }
    })
}

/// A FAT boot sector by its BIOS parameter block, since many formatters leave the type string out.
pub(super) fn looks_like_fat(fields: Fields<'_>) -> bool {
    let jump = fields.u8(0) == 0xE9 || (fields.u8(0) == 0xEB && fields.u8(1) >= 0x1C);
    let sector = fields.le16(11);
    let cluster = fields.u8(13);
    jump && (512..=4096).contains(&sector)
        && sector.is_power_of_two()
        && cluster.is_power_of_two()
        && fields.le16(14) > 0
        && matches!(fields.u8(16), 1 | 2)
        && (fields.u8(21) == 0xF0 || fields.u8(21) >= 0xF8)
}

/// Linux RAID metadata 0.90 (64 KiB before the end, rounded down to 64 KiB) and 1.0 (8 KiB before it, rounded to 4 KiB).
fn raid_at_end(tail: &[u8], size: u64, tail_at: u64) -> bool {
    let magic_at = |offset: Option<u64>, magics: &[&[u8]]| {
        offset
            .and_then(|offset| usize::try_from(offset.checked_sub(tail_at)?).ok())
            .is_some_and(|at| magics.iter().any(|magic| Fields(tail).has(at, magic)))
    };
    let old = (size & !0xFFFF).checked_sub(0x1_0000);
    let new = size.checked_sub(0x2000).map(|offset| offset & !0xFFF);
    // 0.90 is stored in the byte order of its machine.
    magic_at(old, &[b"\xFC\x4E\x2B\xA9", b"\xA9\x2B\x4E\xFC"]) || magic_at(new, &[b"\xFC\x4E\x2B\xA9"])
}

/// The firmware or software RAID that a whole disk is a member of, by the metadata at its end: what its partitions hold
/// may then be only every other piece of a volume.
///
/// Sources: mdadm's `super-intel.c` (two sectors before the end), SNIA DDF 2.0 §5 (last sector), dmraid's `nv.c`.
pub(super) fn raid_member<D: ReadAt + ?Sized>(disk: &D) -> io::Result<Option<&'static str>> {
    let tail_at = disk.size().saturating_sub(END);
    let tail = read_part(disk, tail_at, END)?;
    let before_end = |bytes: usize, magic: &[u8]| {
        tail.len()
            .checked_sub(bytes)
            .is_some_and(|at| Fields(&tail).has(at, magic))
    };
    Ok(
        if before_end(1024, b"Intel Raid ISM Cfg Sig.") || before_end(8192, b"Intel Raid ISM Cfg Sig.") {
            Some("Intel")
        } else if before_end(512, b"\xDE\x11\xDE\x11") || before_end(4096, b"\xDE\x11\xDE\x11") {
            Some("DDF")
        } else if before_end(1024, b"NVIDIA  ") {
            Some("NVIDIA")
        } else if raid_at_end(&tail, disk.size(), tail_at) {
            Some("Linux")
        } else {
            None
        },
    )
}

/// Whether one of the uberblocks in the first ZFS label (128 KiB of them from 128 KiB on) is there.
fn zfs<D: ReadAt + ?Sized>(volume: &D) -> io::Result<bool> {
    let ring = read_part(volume, 128 << 10, 128 << 10)?;
    Ok(ring.chunks(1024).any(|slot| {
        let slot = Fields(slot);
        slot.has(0, b"\x0C\xB1\xBA\0\0\0\0\0") || slot.has(0, b"\0\0\0\0\0\xBA\xB1\x0C")
    }))
}

/// `len` bytes from `offset`, or as many as the volume has.
fn read_part<D: ReadAt + ?Sized>(volume: &D, offset: u64, len: u64) -> io::Result<Vec<u8>> {
    let len = volume.size().saturating_sub(offset).min(len);
    let mut bytes = vec![0; usize::try_from(len).unwrap_or(0)];
    if !bytes.is_empty() {
        volume.read_at(offset, &mut bytes)?;
    }
    Ok(bytes)
}
