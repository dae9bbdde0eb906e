//! Metadata that lvm2 itself does not write.

use super::*;
use crate::checksum::crc32_lvm;
use std::ops::Range;

const SIZE: usize = 1 << 20;
/// Where the metadata area is.
const AREA: Range<usize> = 4096..64 << 10;

/// A physical volume with this UUID (32 times the same letter) and text.
fn volume(letter: char, text: &str) -> Vec<u8> {
    let mut bytes = vec![0; SIZE];
    let put = |bytes: &mut [u8], at: usize, data: &[u8]| bytes[at..at + data.len()].copy_from_slice(data);
    let number = |value: usize| u64::try_from(value).unwrap().to_le_bytes();
    let label = &mut bytes[512..1024];
    put(label, 0, b"LABELONE\x01");
    put(label, 20, b"\x20\0\0\0LVM2 001");
    put(label, 32, letter.to_string().repeat(32).as_bytes());
    put(label, 64, &number(SIZE));
    put(label, 72, &number(AREA.end));
    put(label, 104, &number(AREA.start));
    put(label, 112, &number(AREA.len()));
    let checksum = crc32_lvm(&[&label[20..]]);
    put(label, 16, &checksum.to_le_bytes());
    let area = &mut bytes[AREA];
    put(area, 512, text.as_bytes());
    put(area, 4, b" LVM2 x[5A%r0N*>\x01");
    put(area, 24, &number(AREA.start));
    put(area, 32, &number(AREA.len()));
    put(area, 40, &number(512));
    put(area, 48, &number(text.len()));
    put(area, 56, &crc32_lvm(&[text.as_bytes()]).to_le_bytes());
    let checksum = crc32_lvm(&[&area[4..512]]);
    put(area, 0, &checksum.to_le_bytes());
    bytes
}

fn id(letter: char) -> String {
    let part = |count| letter.to_string().repeat(count);
    [6, 4, 4, 4, 4, 4, 6].map(part).join("-")
}

/// A group with extents of 4 KiB on the physical volume `letter`; volumes by name, first extent and count.
fn text(group: &str, seqno: u32, letter: char, volumes: &[(&str, u64, u64)]) -> String {
    let volumes: String = volumes
        .iter()
        .map(|(name, first, count)| {
            format!(
                "{name} {{ id=\"{name}\" status=[\"READ\",\"WRITE\",\"VISIBLE\"] segment_count=1 segment1 {{ \
                 start_extent=0 extent_count={count} type=\"striped\" stripe_count=1 stripes=[\"pv0\",{first}] }} }}\n"
            )
        })
        .collect();
    format!(
        "{group} {{ id=\"{group}\" seqno={seqno} status=[\"READ\",\"WRITE\"] extent_size=8\n\
         physical_volumes {{ pv0 {{ id=\"{}\" status=[] pe_start=128 pe_count=200 }} }}\n\
         logical_volumes {{ {volumes} }} }}\ncontents = \"Text Format Volume Group\"\nversion = 1\n",
        id(letter)
    )
}

/// What is found on these physical volumes, one behind the other: names, and places or reasons.
fn seen(volumes: &[Vec<u8>]) -> Vec<(String, Result<Range<u64>, String>)> {
    let disk: Vec<u8> = volumes.concat();
    let candidates: Vec<Candidate> = (1u32..)
        .zip(volumes)
        .map(|(partition, _)| {
            let end = u64::from(partition) * SIZE as u64;
            Candidate {
                partition,
                range: end - SIZE as u64..end,
                doubt: None,
            }
        })
        .collect();
    let found = find(&disk, &candidates);
    let place = |volume: LogicalVolume| {
        let segment = volume.segments.map(|mapping| mapping.segments()[0]);
        let place = segment.map(|segment| segment.disk..segment.disk + segment.length);
        (
            volume.name.to_string(),
            place.ok_or(volume.unreadable.unwrap_or_default()),
        )
    };
    found.logical.into_iter().map(place).collect()
}

#[test]
fn a_volume_is_where_its_text_says() {
    let found = seen(&[volume('a', &text("vg", 1, 'a', &[("root", 3, 2)]))]);
    let start = (64 << 10) + 3 * 4096;
    assert_eq!(found, [("vg/root".to_owned(), Ok(start..start + 8192))]);
}

#[test]
fn volumes_that_share_a_place_are_refused() {
    let volumes = [("a", 0, 10), ("b", 9, 1), ("c", 10, 1), ("d", 20, 5), ("e", 19, 7)];
    let found = seen(&[volume('a', &text("vg", 1, 'a', &volumes))]);
    for (name, place) in found {
        assert_eq!(place.is_ok(), name == "vg/c", "{name}: {place:?}");
    }
}

#[test]
fn volumes_outside_of_the_data_are_refused() {
    let refused = [(199, 2), (u64::MAX, 1), (1, u64::MAX), (u64::MAX / 4096, 1)];
    for (first, count) in refused {
        let found = seen(&[volume('a', &text("vg", 1, 'a', &[("root", first, count)]))]);
        assert!(found.iter().all(|(_, place)| place.is_err()), "{found:?}");
    }
    // The data begin inside of the metadata area.
    let inside = text("vg", 1, 'a', &[("root", 0, 1)]).replace("pe_start=128", "pe_start=120");
    assert!(seen(&[volume('a', &inside)])[0].1.is_err());
    // They end behind the partition.
    let behind = text("vg", 1, 'a', &[("root", 300, 1)]).replace("pe_count=200", "pe_count=400");
    assert!(seen(&[volume('a', &behind)])[0].1.is_err());
}

#[test]
fn contradictions_are_refused() {
    let (one, other) = (text("vg", 7, 'a', &[("x", 0, 1)]), text("vg", 7, 'a', &[("x", 1, 1)]));
    let found = seen(&[volume('a', &one), volume('b', &other)]);
    assert!(found[0].1.as_ref().unwrap_err().contains("contradict"), "{found:?}");
    // A newer one settles it.
    let newest = text("vg", 8, 'a', &[("x", 2, 1)]);
    let found = seen(&[volume('a', &one), volume('b', &other), volume('c', &newest)]);
    assert!(found[0].1.is_ok(), "{found:?}");
    // Two groups with the same physical volume.
    let second = text("other", 1, 'a', &[("y", 50, 1)]);
    let found = seen(&[volume('a', &one), volume('b', &second)]);
    assert_eq!(found.len(), 2);
    assert!(found.iter().all(|(_, place)| place.is_err()), "{found:?}");
}

#[test]
fn states_of_groups_and_physical_volumes_count() {
    let good = text("vg", 1, 'a', &[("root", 0, 1)]);
    for (from, to) in [
        (
            "status=[\"READ\",\"WRITE\"] extent",
            "status=[\"READ\",\"WRITE\",\"EXPORTED\"] extent",
        ),
        ("status=[\"READ\",\"WRITE\"] extent", "status=[\"WRITE\"] extent"),
        ("status=[] pe", "status=[\"MISSING\"] pe"),
        ("stripe_count=1", "stripe_count=2"),
        ("\"pv0\",0", "\"pv1\",0"),
        ("\"pv0\",0", "\"root\",0"),
        ("\"VISIBLE\"]", "\"VISIBLE\",\"PVMOVE\"]"),
    ] {
        let changed = good.replace(from, to);
        assert_ne!(changed, good);
        let found = seen(&[volume('a', &changed)]);
        assert!(found[0].1.is_err(), "{to}: {found:?}");
    }
}

proptest::proptest! {
    /// Metadata with right checksums that are wrong in any way.
    #[test]
    fn changed_texts_are_survived(changes in proptest::collection::vec((0usize..600, proptest::sample::select(b"0123456789{}[]=\"#, a".to_vec())), 1..8)) {
        let mut bytes = text("vg", 1, 'a', &[("x", 0, 1), ("y", 1, 9)]).into_bytes();
        for (at, byte) in changes {
            let at = at.min(bytes.len() - 1);
            bytes[at] = byte;
        }
        for (_, place) in seen(&[volume('a', &String::from_utf8(bytes).unwrap())]) {
            if let Ok(place) = place {
                proptest::prop_assert!(place.start >= AREA.end as u64 && place.end <= SIZE as u64);
            }
        }
    }
}
