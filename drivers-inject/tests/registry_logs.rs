//! Dirty hives and their transaction logs. A script makes the logs from hives that libhivex wrote, so that what comes
//! out is known.

mod common;

use common::hives::{self, LogFormat, NewHive};
use drivers_inject::registry::log::{LogError, Recovered, recover};
use drivers_inject::registry::{Hive, HiveError};
use proptest::prelude::*;
use std::sync::LazyLock;

/// The entry that the dirty hive waits for.
const NEXT: u32 = 40;

/// A hive and three later states of it, each with more bins.
static STATES: LazyLock<[Vec<u8>; 4]> = LazyLock::new(|| {
    let zero = NewHive::new()
        .number(r"Select", "Current", 1)
        .string("Old", "text", "before")
        .build();
    let one = NewHive::new()
        .number("Select", "Current", 2)
        .value("New", "data", 3, &[7; 9000])
        .build_on(&zero);
    let two = NewHive::new()
        .string(r"New\Deeper", "text", "two")
        .value("Old", "text", 3, &[1; 5000])
        .build_on(&one);
    let mut many = NewHive::new().number("Select", "Current", 4);
    for number in 0..300 {
        many = many.number(&format!(r"Many\Key{number}"), "n", number);
    }
    let three = many.build_on(&two);
    [zero, one, two, three]
});

static DIRTY: LazyLock<Vec<u8>> = LazyLock::new(|| hives::make_dirty(&STATES[0], NEXT));

/// A log whose entries turn the states `first..=last` into each other.
fn entries(first: usize, last: usize) -> Vec<u8> {
    let states: Vec<&[u8]> = STATES[first..=last].iter().map(Vec::as_slice).collect();
    hives::log(LogFormat::Entries, NEXT + first as u32, &states)
}

/// The log of the older format that turns the first state into another.
fn map(state: usize) -> Vec<u8> {
    hives::log(LogFormat::Map, NEXT, &[&STATES[0], &STATES[state]])
}

/// That this is what libhivex reads from one of the states, and that the hive is clean.
fn assert_is(recovered: &Recovered, state: usize, sequence: u32) {
    assert_eq!(
        hives::dump_bytes_with_hivex(&recovered.bytes),
        hives::dump_bytes_with_hivex(&STATES[state])
    );
    let hive = Hive::parse(recovered.bytes.clone()).unwrap();
    hive.verify().unwrap();
    let base = hive.base_block();
    assert!(!base.is_dirty());
    assert_eq!((base.sequence1, base.sequence2), (sequence, sequence));
    let bins = |file: &[u8]| Hive::parse(file.to_vec()).unwrap().base_block().bins_size as usize;
    let size = bins(&STATES[state]);
    assert_eq!(bins(&recovered.bytes), size);
    assert_eq!(recovered.bytes[4096..4096 + size], STATES[state][4096..4096 + size]);
}

#[test]
fn a_clean_hive_is_left_as_it_is() {
    let recovered = recover(STATES[0].clone(), &[entries(0, 3), vec![7; 100]]).unwrap();
    assert_eq!(recovered.bytes, STATES[0]);
    assert_eq!((recovered.entries, recovered.skipped), (0, 0));
}

#[test]
fn the_entries_of_both_logs_are_replayed_in_their_order() {
    for logs in [
        vec![entries(0, 3)],
        vec![entries(0, 1), entries(1, 3)],
        vec![entries(2, 3), entries(0, 2), vec![]],
    ] {
        let recovered = recover(DIRTY.clone(), &logs).unwrap();
        assert_is(&recovered, 3, NEXT + 3);
        assert_eq!((recovered.entries, recovered.skipped), (3, 0));
    }
}

#[test]
fn entries_that_the_hive_has_already_are_left_out() {
    let dirty = hives::make_dirty(&STATES[1], NEXT + 1);
    let recovered = recover(dirty, &[entries(0, 3)]).unwrap();
    assert_is(&recovered, 3, NEXT + 3);
    assert_eq!(recovered.entries, 2);
}

#[test]
fn replay_stops_at_a_missing_entry() {
    let recovered = recover(DIRTY.clone(), &[entries(0, 1), entries(2, 3)]).unwrap();
    assert_is(&recovered, 1, NEXT + 1);
    assert_eq!((recovered.entries, recovered.skipped), (1, 1));
}

#[test]
fn replay_stops_at_an_entry_that_was_not_written_whole() {
    let mut log = entries(0, 3);
    // A byte of the last page of the second entry.
    let size = |at: usize| u32::from_le_bytes(log[at + 4..at + 8].try_into().unwrap()) as usize;
    let second = 512 + size(512);
    let end = second + size(second);
    for at in [end - 1, second + 12, second + 30, second + 38, second + 45] {
        log[at] ^= 0x10;
        let recovered = recover(DIRTY.clone(), std::slice::from_ref(&log)).unwrap();
        assert_is(&recovered, 1, NEXT + 1);
        log[at] ^= 0x10;
    }
    let recovered = recover(DIRTY.clone(), &[log[..end - 512].to_vec()]).unwrap();
    assert_is(&recovered, 1, NEXT + 1);
}

#[test]
fn older_entries_behind_the_newest_are_left_out() {
    // The log was started again with entry 41; behind it lies what was there before.
    let old = hives::log(LogFormat::Entries, NEXT - 5, &[&STATES[2], &STATES[0], &STATES[3]]);
    let log = [entries(1, 2), old[512..].to_vec()].concat();
    let recovered = recover(DIRTY.clone(), &[entries(0, 1), log]).unwrap();
    assert_is(&recovered, 2, NEXT + 2);
    assert_eq!((recovered.entries, recovered.skipped), (2, 0));
}

#[test]
fn logs_that_are_ahead_of_the_hive_are_replayed() {
    // Hives of Windows 10 are found like this: their base block has not been written for long.
    let dirty = hives::make_dirty(&STATES[0], NEXT - 20);
    let recovered = recover(dirty, &[entries(0, 2), entries(2, 3)]).unwrap();
    assert_is(&recovered, 3, NEXT + 3);
}

#[test]
fn a_damaged_base_block_comes_from_the_log() {
    let mut wrong = DIRTY.clone();
    wrong[0x28] ^= 0xff;
    let mut zeros = DIRTY.clone();
    zeros[..512].fill(0);
    for damaged in [wrong, zeros] {
        let recovered = recover(damaged.clone(), &[entries(0, 1), entries(1, 3)]).unwrap();
        assert_is(&recovered, 3, NEXT + 3);
        let recovered = recover(damaged, &[map(2)]).unwrap();
        assert_is(&recovered, 2, NEXT + 1);
    }
}

#[test]
fn the_older_format_is_replayed() {
    let recovered = recover(DIRTY.clone(), &[vec![0; 1024], map(3)]).unwrap();
    assert_is(&recovered, 3, NEXT + 2);
    assert_eq!(recovered.entries, 1);
}

#[test]
fn logs_that_do_not_belong_to_the_hive_are_refused() {
    let good = map(1);
    let refused = |log: Vec<u8>, why: &str| {
        let error = recover(DIRTY.clone(), &[log]).unwrap_err();
        assert!(matches!(error, LogError::Unusable(_)), "{error}");
        assert!(error.to_string().contains(why), "{error}");
        assert!(error.to_string().contains("capture the disk again"), "{error}");
    };
    let change = |at: usize, byte: u8| {
        let mut log = good.clone();
        log[at] = byte;
        hives::fix_checksum(&mut log);
        log
    };
    refused(change(0xc, 1), "another write");
    refused(change(4, 0), "not completely written");
    refused(change(0x1c, 9), "unknown type, 9");
    refused(change(0x2b, 0x7f), "bytes of bins");
    refused(change(512, b'd'), "no map");
    refused(good[..good.len() - 1].to_vec(), "cut off");
    let mut wrong = good.clone();
    wrong[0x1fc] ^= 1;
    refused(wrong, "checksum");
    let mut stale = entries(0, 1);
    stale[600] ^= 1;
    refused(stale, "no valid entry");
}

#[test]
fn a_dirty_hive_without_logs_is_refused() {
    for logs in [vec![], vec![vec![]], vec![vec![0; 4096], vec![]]] {
        let error = recover(DIRTY.clone(), &logs).unwrap_err();
        assert_eq!(error, LogError::Missing);
        assert!(error.to_string().contains("shut it down completely"), "{error}");
    }
    let error = recover(vec![0; 8192], &[]).unwrap_err();
    assert!(matches!(error, LogError::Hive(HiveError::NotAHive(_))), "{error}");
    assert!(recover(vec![], &[entries(0, 1)]).is_err());
}

#[test]
fn what_is_damaged_after_the_replay_is_refused() {
    let mut broken = STATES[1].clone();
    broken[4096..4100].copy_from_slice(b"nibh");
    let log = hives::log(LogFormat::Entries, NEXT, &[&STATES[0], &broken]);
    let error = recover(DIRTY.clone(), &[log]).unwrap_err();
    assert!(matches!(error, LogError::Unsound(HiveError::BadBin { .. })), "{error}");
}

static LOGS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| vec![entries(0, 2), entries(2, 3), map(1)]);

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn damage_in_hive_and_logs_is_replayed_or_refused(
        damage in prop::collection::vec((0..4usize, any::<prop::sample::Index>(), any::<u8>()), 0..12),
        cut in prop::option::of((0..4usize, any::<prop::sample::Index>())),
    ) {
        let mut hive = DIRTY.clone();
        let mut logs = LOGS.clone();
        for (file, at, byte) in damage {
            let file = if file == 3 { &mut hive } else { &mut logs[file] };
            // Most of what matters is at the start.
            let at = at.index(file.len());
            let at = if byte & 1 == 0 { at } else { at % 1024 };
            file[at] = byte;
        }
        if let Some((file, at)) = cut {
            let file = if file == 3 { &mut hive } else { &mut logs[file] };
            file.truncate(at.index(file.len()));
        }
        if let Ok(recovered) = recover(hive.clone(), &logs) {
            let result = Hive::parse(recovered.bytes.clone()).unwrap();
            prop_assert!(!result.base_block().is_dirty());
            prop_assert_eq!(result.verify().is_ok() || recovered.bytes == hive, true);
        }
    }
}

#[test]
fn a_real_hive_of_windows_10_is_finished() {
    let name = "win10_1709_x64_LatitudeE6430.SYSTEM";
    let read = |name: &str| hives::real(name);
    let (Some(primary), Some(log1), Some(log2)) =
        (read(name), read(&format!("{name}.LOG1")), read(&format!("{name}.LOG2")))
    else {
        return;
    };
    let keys = |file: &[u8]| {
        let hive = Hive::parse(file.to_vec()).unwrap();
        hive.walk().filter(|key| key.as_ref().unwrap().0 < 512).count()
    };
    assert_eq!(keys(&primary), 33_123);
    let recovered = recover(primary, &[log1, log2]).unwrap();
    assert_eq!((recovered.entries, recovered.skipped), (24, 0));
    assert_eq!(keys(&recovered.bytes), 35_595);
    let dump = hives::dump_bytes_with_hivex(&recovered.bytes);
    assert_eq!(dump.lines().filter(|line| line.starts_with("key\t")).count(), 35_595);
    let hive = Hive::parse(recovered.bytes).unwrap();
    assert_eq!(hive.base_block().sequence1, 2131);
    assert_eq!(hives::dump(&hive).unwrap(), dump);
}
