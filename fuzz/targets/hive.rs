//! Whatever is damaged in a registry hive, it is read or refused.
//!
//! The fuzzer says what to overwrite in a small hive that has every structure: it need not find out how one looks.
#![no_main]

#[path = "../../drivers-inject/tests/common/bins.rs"]
mod bins;

use drivers_inject::registry::Hive;
use std::sync::LazyLock;

static HIVE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let file = bins::every_kind(5);
    let sound = Hive::parse(file.clone()).expect("it has a base block");
    sound.verify().expect("the undamaged hive is read whole");
    file
});

libfuzzer_sys::fuzz_target!(|damage: Vec<(u16, u32)>| {
    let mut file = HIVE.clone();
    for (at, word) in damage {
        let at = usize::from(at) % (file.len() - 4);
        file[at..at + 4].copy_from_slice(&word.to_le_bytes());
    }
    // Without a base block nothing is looked at.
    file[..4].copy_from_slice(b"regf");
    read_all(file);
});

fn read_all(file: Vec<u8>) {
    let Ok(hive) = Hive::parse(file) else { return };
    let _ = hive.check();
    let _ = hive.key(r"One\Two");
}
