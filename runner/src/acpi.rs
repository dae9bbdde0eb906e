//! ACPI tables of another PC that the firmware shows to the guest beside its own, and the names in the firmware's tables
//! that a SLIC is compared with.
//!
//! Sources: ACPI specification 6.5, sections 5.2.5 (RSDP), 5.2.6 (header), 5.2.7 (RSDT); Microsoft Software Licensing Tables
//! (SLIC and MSDM), 2011.

use crate::device::GuestMemory;

/// Length of a table's header in bytes.
const HEADER: usize = 36;
const CHECKSUM: usize = 9;
/// OEM ID and OEM table ID.
const OEM: std::ops::Range<usize> = 10..24;
/// SLIC has 374 bytes, MSDM 85; the firmware has 256 KiB for everything.
const LARGEST: usize = 8 << 10;
/// Entries of an RSDT, more than the firmware has room for.
const MOST_TABLES: usize = 64;

/// What is wrong with a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AcpiError {
    /// It is shorter than its header.
    #[error("the table is cut off in its header")]
    Short,
    /// Its header has another name.
    #[error("the table is called {:?}, not {:?}", String::from_utf8_lossy(.0), String::from_utf8_lossy(.1))]
    Name([u8; 4], [u8; 4]),
    /// Its header says another length than it has.
    #[error("the table says that it has {said} bytes, and has {has}")]
    Length {
        /// In the header.
        said: u32,
        /// In fact.
        has: usize,
    },
    /// More than such a table can have.
    #[error("the table has {0} bytes: no real one has so many")]
    TooLarge(usize),
    /// The sum of its bytes is not 0.
    #[error("the checksum of the table is wrong")]
    Checksum,
}

/// A whole ACPI table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcpiTable {
    name: [u8; 4],
    bytes: Vec<u8>,
}

impl AcpiTable {
    /// Takes the table `name` (`SLIC`), as Linux shows it in `/sys/firmware/acpi/tables`.
    ///
    /// # Errors
    /// Another name, a wrong length or checksum.
    pub fn read(name: [u8; 4], bytes: &[u8]) -> Result<Self, AcpiError> {
        let (signature, rest) = bytes.split_first_chunk::<4>().ok_or(AcpiError::Short)?;
        let said = rest.first_chunk::<4>().ok_or(AcpiError::Short)?;
        if bytes.len() < HEADER {
            return Err(AcpiError::Short);
        }
        if *signature != name {
            return Err(AcpiError::Name(*signature, name));
        }
        let said = u32::from_le_bytes(*said);
        if usize::try_from(said).ok() != Some(bytes.len()) {
            let has = bytes.len();
            return Err(AcpiError::Length { said, has });
        }
        if bytes.len() > LARGEST {
            return Err(AcpiError::TooLarge(bytes.len()));
        }
        if sum(bytes) != 0 {
            return Err(AcpiError::Checksum);
        }
        Ok(AcpiTable {
            name,
            bytes: bytes.to_vec(),
        })
    }

    /// Its four letters.
    #[must_use]
    pub fn name(&self) -> [u8; 4] {
        self.name
    }

    /// The table.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// OEM ID and OEM table ID.
    #[must_use]
    pub fn oem(&self) -> OemNames {
        let mut names = [0; 14];
        names.copy_from_slice(&self.bytes[OEM]);
        OemNames(names)
    }
}

/// OEM ID (6 bytes) and OEM table ID (8 bytes).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OemNames([u8; 14]);

fn sum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum: u8, byte| sum.wrapping_add(*byte))
}

/// Gives the firmware's RSDT and FADT the names that SLIC has: Windows takes a SLIC for that of this PC only if they are
/// the same. What is not there, or is no sound table, is left alone. The answer is how many tables got the names.
///
/// To be called when the firmware has made its tables and no system has read them yet.
pub fn give_names(memory: &dyn GuestMemory, names: OemNames) -> usize {
    let Some(rsdt) = find_rsdt(memory) else { return 0 };
    let Some(table) = read(memory, rsdt, b"RSDT", HEADER + 4 * MOST_TABLES) else {
        return 0;
    };
    let entries = table[HEADER..].chunks_exact(4);
    let mut named = usize::from(rename(memory, rsdt, table.clone(), names));
    for entry in entries {
        let address = u64::from(le32(entry));
        if let Some(table) = read(memory, address, b"FACP", 4096) {
            named += usize::from(rename(memory, address, table, names));
        }
    }
    named
}

/// The RSDP lies on a 16-byte boundary in the firmware's area.
fn find_rsdt(memory: &dyn GuestMemory) -> Option<u64> {
    let mut area = vec![0; 0x2_0000];
    memory.read(0xe_0000, &mut area).ok()?;
    let places = area.chunks_exact(16).enumerate();
    let mut places = places.filter(|(_, start)| start.starts_with(b"RSD PTR "));
    places.find_map(|(index, _)| {
        let rsdp = area.get(16 * index..16 * index + 20)?;
        (sum(rsdp) == 0).then(|| u64::from(le32(&rsdp[16..])))
    })
}

fn read(memory: &dyn GuestMemory, address: u64, name: &[u8; 4], most: usize) -> Option<Vec<u8>> {
    let mut header = [0; HEADER];
    memory.read(address, &mut header).ok()?;
    let length = usize::try_from(le32(&header[4..])).ok()?;
    if !header.starts_with(name) || !(HEADER..=most).contains(&length) {
        return None;
    }
    let mut table = vec![0; length];
    memory.read(address, &mut table).ok()?;
    (sum(&table) == 0).then_some(table)
}

fn rename(memory: &dyn GuestMemory, address: u64, mut table: Vec<u8>, names: OemNames) -> bool {
    table[OEM].copy_from_slice(&names.0);
    table[CHECKSUM] = table[CHECKSUM].wrapping_sub(sum(&table));
    memory.write(address, &table).is_ok()
}

/// The first four bytes, which the callers have counted.
fn le32(bytes: &[u8]) -> u32 {
    bytes.first_chunk::<4>().map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::TestMemory;
    use proptest::prelude::*;

    const RSDP: u64 = 0xf_5a40;
    const RSDT: u64 = 0x10_0000;
    const FADT: u64 = 0x10_1000;

    fn table(name: &[u8; 4], body: &[u8]) -> Vec<u8> {
        let length = (HEADER + body.len()) as u32;
        let head = [
            &name[..],
            &length.to_le_bytes(),
            &[1, 0],
            b"MAKER TABLE   \x01\0\0\0TOOL\x01\0\0\0",
        ];
        let mut bytes = [&head.concat()[..], body].concat();
        bytes[CHECKSUM] = sum(&bytes).wrapping_neg();
        bytes
    }

    /// The firmware's tables: RSDP, RSDT, FADT, and an entry that leads nowhere.
    fn guest() -> std::sync::Arc<TestMemory> {
        let memory = TestMemory::new(0x10_2000);
        let mut rsdp = b"RSD PTR \0BOCHS \0".to_vec();
        rsdp.extend((RSDT as u32).to_le_bytes());
        rsdp[8] = sum(&rsdp).wrapping_neg();
        memory.write(RSDP, &rsdp).unwrap();
        let entries = [(FADT as u32).to_le_bytes(), u32::MAX.to_le_bytes()].concat();
        memory.write(RSDT, &table(b"RSDT", &entries)).unwrap();
        memory.write(FADT, &table(b"FACP", &[7; 80])).unwrap();
        memory
    }

    fn names() -> OemNames {
        let mut bytes = table(b"SLIC", &[0; 20]);
        bytes[OEM].copy_from_slice(b"OLDMKROLDTABLE");
        bytes[CHECKSUM] = bytes[CHECKSUM].wrapping_sub(sum(&bytes));
        AcpiTable::read(*b"SLIC", &bytes).unwrap().oem()
    }

    #[test]
    fn both_tables_get_the_names_and_stay_sound() {
        let guest = guest();
        assert_eq!(give_names(&*guest, names()), 2);
        for (address, name) in [(RSDT, b"RSDT"), (FADT, b"FACP")] {
            let table = read(&*guest, address, name, 4096).unwrap();
            assert_eq!(table[OEM], *b"OLDMKROLDTABLE");
        }
        assert_eq!(give_names(&*guest, names()), 2);
    }

    #[test]
    fn what_is_not_sound_is_left_alone() {
        for (address, named) in [(RSDP + 9, 0), (RSDT + 30, 0), (FADT + 50, 1)] {
            let guest = guest();
            guest.write(address, &[0x5a]).unwrap();
            assert_eq!(give_names(&*guest, names()), named, "{address:#x}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_table_is_told() {
        let good = table(b"MSDM", &[1; 49]);
        assert!(AcpiTable::read(*b"MSDM", &good).is_ok());
        let read = |bytes: &[u8]| AcpiTable::read(*b"MSDM", bytes).unwrap_err();
        assert_eq!(read(&good[..35]), AcpiError::Short);
        assert_eq!(read(&good[..84]), AcpiError::Length { said: 85, has: 84 });
        let mut wrong = good.clone();
        wrong[60] ^= 1;
        assert_eq!(read(&wrong), AcpiError::Checksum);
        assert_eq!(read(&table(b"SLIC", &[])), AcpiError::Name(*b"SLIC", *b"MSDM"));
        assert_eq!(
            read(&table(b"MSDM", &[0; LARGEST])),
            AcpiError::TooLarge(LARGEST + HEADER)
        );
    }

    proptest! {
        #[test]
        fn any_memory_is_survived(
            bytes in prop::collection::vec(any::<u8>(), 0..2000),
            at in prop::sample::select(vec![RSDP, RSDT, RSDT + 36, FADT])
        ) {
            let guest = guest();
            guest.write(at, &bytes).unwrap();
            prop_assert!(give_names(&*guest, names()) <= 1 + MOST_TABLES);
        }
    }
}
