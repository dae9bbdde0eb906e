//! A made-up PC: its SMBIOS tables, its licence tables, and what Linux would show of them in `/sys/firmware`.

use std::fs;
use std::io;
use std::path::Path;

/// In its SMBIOS tables: the serial number of the system.
pub const SERIAL: &str = "SERIAL-0815";
/// OEM ID and OEM table ID of its ACPI tables.
pub const MAKER: &[u8; 14] = b"OLDMKROLDTABLE";

/// The sum of all bytes.
#[must_use]
pub fn sum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, byte| sum.wrapping_add(*byte))
}

/// A structure with strings, as it lies in memory (DSP0134, 6.1).
fn structure(kind: u8, handle: u16, fields: &[u8], strings: &[&str]) -> Vec<u8> {
    let length = u8::try_from(4 + fields.len()).unwrap_or(u8::MAX);
    let mut bytes = [&[kind, length], &handle.to_le_bytes()[..], fields].concat();
    for text in strings {
        bytes.extend([text.as_bytes(), &[0]].concat());
    }
    bytes.extend(if strings.is_empty() { vec![0; 2] } else { vec![0] });
    bytes
}

/// The entry point (2.6) and the structures; `strings` are its maker's (type 11).
#[must_use]
pub fn smbios(strings: &[&str]) -> (Vec<u8>, Vec<u8>) {
    let bios = [&[1, 2, 0, 0xf0, 3, 0x0f][..], &[0; 8], &[0, 0, 4, 2, 255, 255]].concat();
    let uuid: [u8; 16] = std::array::from_fn(|at| 0x10 + at as u8);
    let system = [&[1, 2, 3, 4][..], &uuid, &[6, 5, 6]].concat();
    let system_strings = ["Old Maker", "Model 2000", "A", SERIAL, "SKU", "Family"];
    let count = u8::try_from(strings.len()).unwrap_or(u8::MAX);
    let processor = [1, 3, 0xb3, 2, 0, 0, 0, 0, 0, 0, 0, 0];
    let table = [
        structure(0, 0, &bios, &["Old BIOS", "1.07", "08/15/2009"]),
        structure(1, 1, &system, &system_strings),
        structure(
            2,
            2,
            &[1, 2, 0, 3, 0, 9, 0, 3, 0, 10, 0],
            &["Old Maker", "Board", "BOARD-1"],
        ),
        structure(3, 3, &[1, 3, 0, 2, 0, 3, 3, 3, 2], &["Old Maker", "CASE-1"]),
        // The handle that the virtual machine would take first.
        structure(4, 0x400, &processor, &["Socket", "Old Processor"]),
        structure(11, 0x401, &[count], strings),
        structure(0xda, 0x402, &[0xb2, 0, 1, 2, 3], &[]),
        structure(127, 0x7f, &[], &[]),
    ]
    .concat();
    let mut entry = b"_SM_\0\x1f\x02\x06\xff\0\0\0\0\0\0\0_DMI_\0".to_vec();
    entry.extend(u16::try_from(table.len()).unwrap_or(u16::MAX).to_le_bytes());
    entry.extend([0, 0, 0x0e, 0, 8, 0, 0x26]);
    entry[21] = sum(&entry[16..]).wrapping_neg();
    entry[4] = sum(&entry[..16]).wrapping_neg();
    (entry, table)
}

/// An ACPI table.
fn acpi(name: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(36 + body.len()).unwrap_or(u32::MAX).to_le_bytes();
    let mut bytes = [&name[..], &length, &[1, 0], MAKER, b"\x01\0\0\0TOOL\x02\0\0\0", body].concat();
    bytes[9] = sum(&bytes).wrapping_neg();
    bytes
}

/// SLIC and MSDM, of the sizes that they have.
#[must_use]
pub fn licences() -> [Vec<u8>; 2] {
    let slic: Vec<u8> = (0..338u32).map(|at| (at * 7 % 251) as u8).collect();
    let head = [1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 29, 0, 0, 0];
    let msdm = [&head[..], b"ABCDE-FGHIJ-KLMNO-PQRST-UVWXY"].concat();
    [acpi(b"SLIC", &slic), acpi(b"MSDM", &msdm)]
}

/// Writes all of it to the folder `root`, which stands for `/sys/firmware`.
///
/// # Errors
/// If a file cannot be written.
pub fn write(root: &Path) -> io::Result<()> {
    let (entry, table) = smbios(&["SLP: Old Maker System"]);
    let [slic, msdm] = licences();
    for (name, bytes) in [
        ("dmi/tables/smbios_entry_point", entry),
        ("dmi/tables/DMI", table),
        ("acpi/tables/SLIC", slic),
        ("acpi/tables/MSDM", msdm),
    ] {
        let path = root.join(name);
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        fs::write(path, bytes)?;
    }
    Ok(())
}
