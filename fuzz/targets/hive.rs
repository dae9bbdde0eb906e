//! Whatever is damaged in a registry hive, it is read or refused.
//!
//! The fuzzer says what to overwrite in a small hive that has every structure: it need not find out how one looks.
#![no_main]

use drivers_inject::registry::Hive;
use std::sync::LazyLock;

static HIVE: LazyLock<Vec<u8>> = LazyLock::new(hive);

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

/// Bins under construction: cells one after the other, children before their parents.
struct Bins(Vec<u8>);

impl Bins {
    /// Adds a cell and returns its offset.
    fn cell(&mut self, parts: &[&[u8]]) -> u32 {
        let at = u32::try_from(self.0.len()).expect("a small hive");
        let data = parts.concat();
        let size = (data.len() + 4).next_multiple_of(8);
        self.0
            .extend((-i32::try_from(size).expect("a small cell")).to_le_bytes());
        self.0.extend(data);
        self.0.resize(at as usize + size, 0);
        at
    }

    /// A list of offsets, without a signature.
    fn offsets(&mut self, offsets: &[u32]) -> u32 {
        let bytes: Vec<u8> = offsets.iter().flat_map(|offset| offset.to_le_bytes()).collect();
        self.cell(&[&bytes])
    }

    /// A list of subkeys with `hint` bytes after each offset.
    fn list(&mut self, signature: &[u8; 2], offsets: &[u32], hint: usize) -> u32 {
        let count = u16::try_from(offsets.len()).expect("a short list").to_le_bytes();
        let entry = |offset: &u32| [&offset.to_le_bytes()[..], &vec![0; hint]].concat();
        let entries: Vec<u8> = offsets.iter().flat_map(entry).collect();
        self.cell(&[signature, &count, &entries])
    }

    fn value(&mut self, name: &[u8], kind: u32, len: u32, data: u32) -> u32 {
        let name_len = u16::try_from(name.len()).expect("a short name").to_le_bytes();
        let fields: Vec<u8> = [len, data, kind, 1]
            .iter()
            .flat_map(|field| field.to_le_bytes())
            .collect();
        self.cell(&[b"vk", &name_len, &fields, name])
    }

    fn key(&mut self, name: &[u8], subkeys: (u32, u32), values: (u32, u32), security: u32) -> u32 {
        let mut fields = vec![0; 0x4c];
        let mut put = |at: usize, field: u32| fields[at..at + 4].copy_from_slice(&field.to_le_bytes());
        for (at, field) in [(0x14, subkeys.0), (0x1c, subkeys.1), (0x24, values.0), (0x28, values.1)] {
            put(at, field);
        }
        put(0x2c, security);
        put(0x30, u32::MAX);
        put(0x48, u32::try_from(name.len()).expect("a short name"));
        fields[..4].copy_from_slice(b"nk\x20\0");
        self.cell(&[&fields, name])
    }
}

/// A hive with a bin that holds every kind of cell.
fn hive() -> Vec<u8> {
    let none = (0, u32::MAX);
    let mut bins = Bins(vec![0; 0x20]);
    let security = bins.cell(&[b"sk\0\0", &[0; 12], &20u32.to_le_bytes(), &[1, 0, 0, 0x80], &[0; 16]]);
    let first = bins.cell(&[&[7; 16_344]]);
    let second = bins.cell(&[&[8; 100]]);
    let segments = bins.offsets(&[first, second]);
    let big = bins.cell(&[b"db\x02\0", &segments.to_le_bytes()]);
    let text = bins.cell(&[b"a\0b\0\0\0c\0\0\0\0\0"]);
    let values = [
        bins.value(b"big", 3, 16_444, big),
        bins.value(b"text", 1, 12, text),
        bins.value(b"many", 7, 12, text),
        bins.value(b"number", 4, 0x8000_0004, 42),
    ];
    let values = (4, bins.offsets(&values));
    let two = bins.key(b"Two", none, values, security);
    let twos = bins.list(b"li", &[two], 0);
    let one = bins.key(b"One", (1, twos), none, security);
    let three = bins.key(b"Three", none, values, security);
    let leaves = [bins.list(b"lh", &[one], 4), bins.list(b"lf", &[three], 4)];
    let lists = bins.list(b"ri", &leaves, 0);
    let root = bins.key(b"Root", (2, lists), values, security);

    let Bins(mut bins) = bins;
    let used = bins.len();
    let size = (used + 8).next_multiple_of(4096);
    bins.extend(u32::try_from(size - used).expect("less than a page").to_le_bytes());
    bins.resize(size, 0);
    let size = u32::try_from(size).expect("a small hive");
    bins[..4].copy_from_slice(b"hbin");
    bins[8..12].copy_from_slice(&size.to_le_bytes());
    let mut file = vec![0; 4096];
    file[..4].copy_from_slice(b"regf");
    for (at, field) in [(0x14, 1), (0x18, 5), (0x24, root), (0x28, size)] {
        file[at..at + 4].copy_from_slice(&u32::to_le_bytes(field));
    }
    file.extend(bins);
    let sound = Hive::parse(file.clone()).expect("it has a base block");
    assert_eq!(
        sound.walk().filter(Result::is_ok).count(),
        4,
        "the undamaged hive is read whole"
    );
    file
}
