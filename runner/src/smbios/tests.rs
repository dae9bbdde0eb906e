use super::*;
use proptest::prelude::*;

const HARDWARE: Hardware = Hardware {
    cpus: 2,
    processor: (0x6f2, 0x0183_fbff),
    low: 3 << 30,
    high: 61 << 30,
};

/// An entry point of version 2.5 with right checksums.
fn entry_point() -> Vec<u8> {
    let mut entry = b"_SM_\0\x1f\x02\x05\0\0\0\0\0\0\0\0_DMI_\0\0\0\0\0\0\0\0\0\x25".to_vec();
    entry[21] = sum(&entry[16..]).wrapping_neg();
    entry[4] = sum(&entry[..16]).wrapping_neg();
    entry
}

fn structure(kind: u8, handle: u16, fields: &[u8], strings: &[u8]) -> Vec<u8> {
    let handle = handle.to_le_bytes();
    [&[kind, 4 + fields.len() as u8], &handle[..], fields, strings, &[0]].concat()
}

#[test]
fn entry_points_of_all_times_say_their_version() {
    assert_eq!(version(&entry_point()), Ok((2, 5)));
    let mut short = entry_point()[..30].to_vec();
    (short[5], short[21], short[4]) = (0x1e, 0, 0);
    short[4] = sum(&short).wrapping_neg();
    assert_eq!(version(&short), Ok((2, 5)));
    let mut three = b"_SM3_\0\x18\x03\x02\0\x01\0\0\x10\0\0\0\0\0\0\0\0\0\0".to_vec();
    three[5] = sum(&three).wrapping_neg();
    assert_eq!(version(&three), Ok((3, 2)));
    let mut first = b"_DMI_\0\x40\0\0\0\x0f\0\x05\0\x20".to_vec();
    first[5] = sum(&first).wrapping_neg();
    assert_eq!(version(&first), Ok((2, 0)));
    for entry in [entry_point(), short, three, first] {
        for length in 0..entry.len() {
            assert!(version(&entry[..length]).is_err(), "{length} of {entry:x?}");
        }
        let mut wrong = entry.clone();
        wrong[7] ^= 0x10;
        assert!(version(&wrong).is_err(), "{entry:x?}");
    }
}

#[test]
fn damage_is_told_with_its_place() {
    let good = structure(1, 1, &[1, 0, 0, 0], b"Maker\0");
    let at = good.len();
    for (bad, problem) in [
        (&[2u8, 8, 0][..], "it is cut off in its header"),
        (&[2, 3, 0, 0, 0, 0], "its length is smaller than its header"),
        (&[2, 80, 0, 0, 0, 0], "it is cut off in its fields"),
        (&[2, 4, 0, 0, b'x', 0], "its strings do not end"),
    ] {
        let table = [&good[..], bad].concat();
        let wanted = SmbiosError::Structure { offset: at, problem };
        assert_eq!(PcIdentity::read(&entry_point(), &table), Err(wanted));
    }
    assert_eq!(
        PcIdentity::read(&entry_point(), &structure(17, 1, &[], &[0])),
        Err(SmbiosError::Nothing)
    );
    let large = structure(11, 1, &[1], &[vec![b'x'; LARGEST], vec![0]].concat());
    assert!(matches!(
        PcIdentity::read(&entry_point(), &large),
        Err(SmbiosError::TooLarge(_))
    ));
}

#[test]
fn what_lies_behind_the_end_does_not_count() {
    let end = structure(127, 9, &[], &[0]);
    let table = [structure(1, 1, &[0; 4], &[0]), end, vec![0xff; 7]].concat();
    let identity = PcIdentity::read(&entry_point(), &table).unwrap();
    assert_eq!(identity.structures().count(), 1);
}

#[test]
fn memory_above_4_gib_and_above_32_gib_is_told() {
    let identity = PcIdentity::read(&entry_point(), &structure(1, 0x401, &[0; 4], &[0])).unwrap();
    let tables = Tables::new(&identity, &HARDWARE);
    let all: Vec<_> = structures(&tables.structures).map(Result::unwrap).collect();
    let kinds: Vec<u8> = all.iter().map(|structure| structure.kind).collect();
    assert_eq!(kinds, [1, 4, 16, 17, 19, 19, 32, 127]);
    assert_eq!(all[2].bytes[7..11], (64u32 << 20).to_le_bytes());
    assert_eq!(all[3].bytes[12..14], [0xff, 0x7f]);
    assert_eq!(all[3].bytes[0x1c..0x20], (64u32 << 10).to_le_bytes());
    assert_eq!(
        all[5].bytes[4..12],
        [[0, 0, 0x40, 0], [0xff, 0xff, 0x0f, 0x04]].concat()
    );
}

proptest! {
    #[test]
    fn any_bytes_are_survived(entry in any::<Vec<u8>>(), table in any::<Vec<u8>>()) {
        let _ = version(&entry);
        let _ = PcIdentity::read(&entry_point(), &table);
        prop_assert!(structures(&table).count() <= table.len());
    }

    #[test]
    fn what_is_made_is_sound_and_holds_what_was_chosen(
        parts in prop::collection::vec(
            (prop::sample::select(vec![0u8, 1, 2, 3, 4, 11, 17, 200]), any::<u16>(),
             prop::collection::vec(any::<u8>(), 0..100), "[a-zA-Z ]{1,40}"),
            0..20
        ),
    ) {
        let table: Vec<u8> = parts.iter().flat_map(|(kind, handle, fields, text)| {
            structure(*kind, *handle, fields, &[text.as_bytes(), &[0]].concat())
        }).collect();
        let Ok(identity) = PcIdentity::read(&entry_point(), &table) else {
            prop_assert!(parts.iter().all(|(kind, ..)| !IDENTITY.contains(kind)));
            return Ok(());
        };
        let chosen: Vec<_> = structures(&table).map(Result::unwrap).filter(|s| IDENTITY.contains(&s.kind)).collect();
        prop_assert_eq!(identity.structures().collect::<Vec<_>>(), &chosen[..]);
        let tables = Tables::new(&identity, &HARDWARE);
        prop_assert_eq!(sum(&tables.anchor), 0);
        prop_assert_eq!(sum(&tables.anchor[16..]), 0);
        prop_assert_eq!(version(&tables.anchor), Ok((2, 5)));
        prop_assert_eq!(usize::from(u16::from_le_bytes([tables.anchor[22], tables.anchor[23]])), tables.structures.len());
        let all: Vec<_> = structures(&tables.structures).map(Result::unwrap).collect();
        prop_assert_eq!(usize::from(u16::from_le_bytes([tables.anchor[28], tables.anchor[29]])), all.len());
        let longest = all.iter().map(|s| s.bytes.len()).max().unwrap();
        prop_assert_eq!(usize::from(u16::from_le_bytes([tables.anchor[8], tables.anchor[9]])), longest);
        prop_assert_eq!(&all[..chosen.len()], &chosen[..]);
        // No handle of the machine's own is one that the old PC gave.
        for own in &all[chosen.len()..] {
            prop_assert!(parts.iter().all(|(_, handle, ..)| *handle != own.handle));
        }
    }
}
