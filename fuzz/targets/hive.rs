//! Any bytes in the bins of a registry hive are read or refused.
#![no_main]

use drivers_inject::registry::{Hive, HiveError, Key};

libfuzzer_sys::fuzz_target!(|bins: &[u8]| {
    let mut file = base_block(bins.len());
    file.extend_from_slice(bins);
    read_all(file);
    read_all(bins.to_vec());
});

/// A base block for this many bytes of bins: the fuzzer need not find out how one looks.
fn base_block(bins: usize) -> Vec<u8> {
    let mut block = vec![0; 4096];
    block[..4].copy_from_slice(b"regf");
    let bins = u32::try_from(bins).unwrap_or(u32::MAX);
    for (at, field) in [(0x14, 1), (0x18, 5), (0x24, 0x20), (0x28, bins)] {
        block[at..at + 4].copy_from_slice(&u32::to_le_bytes(field));
    }
    block
}

fn read_all(file: Vec<u8>) {
    let Ok(hive) = Hive::parse(file) else { return };
    let _ = hive.cells().count();
    for (_, key) in hive.walk().flatten() {
        let _ = read_key(key);
    }
    let _ = hive.key(r"Microsoft\Windows NT\CurrentVersion");
}

fn read_key(key: Key<'_>) -> Result<(), HiveError> {
    key.name()?;
    key.class_name()?;
    if let Some(security) = key.security()? {
        security.descriptor()?;
    }
    for value in key.values()? {
        let value = value?;
        value.name()?;
        value.as_string()?;
        value.as_strings()?;
        value.as_number()?;
    }
    Ok(())
}
