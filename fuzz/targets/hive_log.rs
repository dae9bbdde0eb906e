//! Whatever is in a hive's transaction logs, they are replayed to a sound hive, or refused.
//!
//! The fuzzer says what the entries hold; their hashes are made right, or nothing behind them would be looked at.
#![no_main]

#[path = "../../drivers-inject/tests/common/bins.rs"]
mod bins;

use drivers_inject::registry::Hive;
use drivers_inject::registry::log::{marvin32, recover};

/// One entry: how far its number is from the one that is due, how far its bins are from those of the hive (in pages),
/// its pages: where, how long (in 8 bytes), the byte they are filled with or a copy of what is there.
type Entry = (u8, u8, Vec<(u16, u8, Option<u8>)>);

/// The entries of both logs; a log of the older format: its map, and the byte its pages are filled with.
type Logs = (Vec<Entry>, Vec<Entry>, Option<(Vec<u8>, u8)>);

/// What is wrong: words written over the logs, without making the hashes right, and a log that ends early.
type Damage = (Vec<(u8, u16, u32)>, Option<(u8, u16)>);

/// The hive's sequence numbers, whether its base block is destroyed, its logs, what is wrong with them.
type Input = ((u8, u8), bool, Logs, Damage);

fn base_block(hive: &[u8], kind: u8, sequence: u8) -> Vec<u8> {
    let mut block = hive[..512].to_vec();
    block[4..12].fill(0);
    block[4] = sequence;
    block[8] = sequence;
    block[0x1c] = kind;
    bins::seal(&mut block);
    block
}

/// Most numbers follow each other, or no more than one entry would ever be replayed.
fn off(far: u8) -> usize {
    usize::from(far.saturating_sub(200))
}

fn of_entries(hive: &[u8], first: usize, entries: &[Entry]) -> Vec<u8> {
    let mut log = base_block(hive, 6, u8::try_from(first % 256).expect("a byte"));
    for (number, (jump, bins, pages)) in entries.iter().take(16).enumerate() {
        let sequence = first + number + off(*jump);
        let bins = (hive.len() / 4096 - 1).saturating_sub(1) + usize::from(bins.is_multiple_of(2)) + off(*bins);
        let mut references = Vec::new();
        let mut content = Vec::new();
        for (at, len, fill) in pages.iter().take(64) {
            let (at, len) = (usize::from(*at) * 8, usize::from(*len) * 8);
            let mut page = hive.get(4096 + at..4096 + at + len).unwrap_or_default().to_vec();
            page.resize(len, 0);
            if let Some(byte) = fill {
                page.fill(*byte);
            }
            references.extend(u32::try_from(at).expect("small").to_le_bytes());
            references.extend(u32::try_from(len).expect("small").to_le_bytes());
            content.extend(page);
        }
        let count = references.len() / 8;
        let content = [references, content].concat();
        let size = (content.len() + 40).next_multiple_of(512);
        let mut entry = b"HvLE".to_vec();
        for field in [size, 0, sequence, bins * 4096, count] {
            entry.extend(u32::try_from(field).expect("small").to_le_bytes());
        }
        let mut content = content;
        content.resize(size - 40, 0);
        entry.extend(marvin32::hash(marvin32::LOG_SEED, &content).to_le_bytes());
        entry.extend(marvin32::hash(marvin32::LOG_SEED, &entry).to_le_bytes());
        entry.extend(content);
        log.extend(entry);
    }
    log
}

fn of_map(hive: &[u8], map: &[u8], fill: u8) -> Vec<u8> {
    let mut log = base_block(hive, 1, 7);
    log.extend(b"DIRT");
    log.extend(map);
    log.resize(log.len().next_multiple_of(512) + 8192, fill);
    log
}

libfuzzer_sys::fuzz_target!(|input: Input| {
    let (sequence, no_base, (first, second, map), (damage, cut)) = input;
    let mut hive = bins::every_kind(5);
    let mut logs = vec![
        of_entries(&hive, usize::from(sequence.1), &first),
        of_entries(&hive, usize::from(sequence.1) + first.len(), &second),
    ];
    logs.extend(map.map(|(map, fill)| of_map(&hive, &map, fill)));
    for (log, at, word) in damage {
        let log = &mut logs[usize::from(log) % 2];
        let at = usize::from(at) % (log.len() - 4);
        log[at..at + 4].copy_from_slice(&word.to_le_bytes());
    }
    if let Some((log, at)) = cut {
        let log = &mut logs[usize::from(log) % 2];
        log.truncate(usize::from(at));
    }
    (hive[4], hive[8]) = sequence;
    bins::seal(&mut hive);
    if no_base {
        hive[..512].fill(0);
    }
    let Ok(recovered) = recover(hive.clone(), &logs) else {
        return;
    };
    if recovered.entries == 0 {
        assert_eq!(recovered.bytes, hive);
        return;
    }
    let hive = Hive::parse(recovered.bytes).expect("a hive");
    assert!(!hive.base_block().is_dirty());
    hive.verify().expect("a sound hive");
});
