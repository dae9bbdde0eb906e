//! What another PC's firmware says of it: SMBIOS entry points and tables, ACPI tables, and a guest's memory in which the
//! firmware's tables are looked for.
#![no_main]
use runner::acpi::{AcpiTable, give_names};
use runner::device::{GuestMemory, TestMemory};
use runner::smbios::{Hardware, PcIdentity, Tables, structures, version};

libfuzzer_sys::fuzz_target!(|input: (Vec<u8>, Vec<u8>, Vec<u8>, Vec<u8>)| {
    let (entry, table, acpi, memory) = input;
    let _ = version(&entry);
    assert!(structures(&table).count() <= table.len());
    let _ = PcIdentity::read(&entry, &table);
    // Whatever is wrong with the entry point: a good one goes with these structures.
    let good = b"_DMI_\x6f\x40\0\0\x0f\0\x05\0\x20\x25";
    let good: Vec<u8> = (0..=255)
        .map(|sum| [&good[..5], &[sum], &good[6..]].concat())
        .find(|bytes| version(bytes).is_ok())
        .unwrap_or_default();
    if let Ok(identity) = PcIdentity::read(&good, &table) {
        let hardware = Hardware {
            cpus: 1,
            processor: (0, 0),
            low: 64 << 20,
            high: 0,
        };
        let tables = Tables::new(&identity, &hardware);
        assert!(structures(&tables.structures).all(|structure| structure.is_ok()));
        assert_eq!(version(&tables.anchor).ok(), version(&good).ok());
    }
    let name = acpi.first_chunk::<4>().copied().unwrap_or_default();
    let mut whole = acpi.clone();
    if let Some(checksum) = whole.get_mut(9) {
        *checksum = 0;
        let sum = whole.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte));
        whole[9] = sum.wrapping_neg();
    }
    for bytes in [&acpi, &whole] {
        if let Ok(table) = AcpiTable::read(name, bytes) {
            let guest = TestMemory::new(0x10_0000);
            let _ = guest.write(0xe_0000, &memory);
            give_names(&*guest, table.oem());
        }
    }
});
