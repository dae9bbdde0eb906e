//! Any volume has a map inside its borders, and one that is not mapped is copied whole. What opens a BitLocker volume
//! is read or not.
#![no_main]
use disk::usedmap::{bitlocker, map_volume};

/// Pads the input and gives it the signature of one of the mapped filesystems.
fn volume(data: &[u8]) -> Vec<u8> {
    let (kind, bytes) = data.split_first().unwrap_or((&0, &[]));
    let mut volume = bytes.to_vec();
    volume.resize(volume.len().max(8192) + usize::from(kind >> 2) * 4096, 0);
    let (at, magic): (usize, &[u8]) = match kind & 3 {
        0 => (1024 + 56, &[0x53, 0xEF, 1, 0]),
        1 => (3, b"NTFS    "),
        2 => (0, &[0xEB, 0x3C, 0x90]),
        _ => (4086, b"SWAPSPACE2"),
    };
    volume[at..at + magic.len()].copy_from_slice(magic);
    if kind & 3 != 0 {
        volume[510..512].copy_from_slice(&[0x55, 0xAA]);
    }
    volume
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let volume = volume(data);
    let size = volume.len() as u64;
    let map = map_volume(&volume).expect("reading memory does not fail");
    assert!(map.used.iter().all(|range| range.end <= size));
    if !map.mapped {
        assert_eq!(map.used.bytes(), size);
    }
    // The identifier, and the place of the metadata in the input itself.
    let mut volume = volume;
    volume[3..11].copy_from_slice(b"-FVE-FS-");
    volume[160..176].copy_from_slice(b"\x3B\xD6\x67\x49\x29\x2E\xD8\x4A\x83\x99\xF6\xA3\x39\xE3\xD0\x01");
    volume[176..184].copy_from_slice(&512u64.to_le_bytes());
    volume[512..520].copy_from_slice(b"-FVE-FS-");
    assert!(bitlocker(&volume).expect("reading memory does not fail").is_some());
});
