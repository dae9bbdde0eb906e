//! Volumes of LVM lie on the disk, none over another, and never on metadata, whatever the metadata say.
#![no_main]
use disk::lvm::{Candidate, find};

const SIZE: usize = 256 << 10;
/// Where the metadata area is; its ring begins a sector later.
const AREA: std::ops::Range<usize> = 4096..64 << 10;

/// A physical volume: its number, changes of its structures, where in the ring its text starts, the text.
type Volume = (u8, Vec<(u16, u8)>, u16, Vec<u8>);

/// LVM's checksum: CRC-32 with its own start value, not inverted.
fn checksum(bytes: &[u8]) -> [u8; 4] {
    let crc = bytes.iter().fold(0xF597_A6CF_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            if crc & 1 == 1 {
                (crc >> 1) ^ 0xEDB8_8320
            } else {
                crc >> 1
            }
        })
    });
    crc.to_le_bytes()
}

fn put(bytes: &mut [u8], at: usize, data: &[u8]) {
    bytes[at..at + data.len()].copy_from_slice(data);
}

/// A text that names volumes, with pieces of the input in the place of `@` (`3` if there are no more) and `^` (nothing).
fn text(input: &[u8]) -> Vec<u8> {
    const FORM: &[u8] = b"v{id=\"g^\" seqno=@ status=[\"READ\",\"WRITE\"^] extent_size=8 physical_volumes{pv0{id=\"aaaaaa-aaaa-\
        aaaa-aaaa-aaaa-aaaa-aaaaaa\" pe_start=128 pe_count=20@}^} logical_volumes{a{id=\"\" status=[\"READ\",\"VISIBLE\"^] \
        segment_count=1 segment1{start_extent=0 extent_count=@ type=\"striped\" stripe_count=1 stripes=[\"pv0\",@]^}} \
        b{id=\"\" status=[\"READ\",\"VISIBLE\"] segment_count=1^ segment1{start_extent=0 extent_count=@ type=\"striped\" \
        stripe_count=1 stripes=[\"pv0\",1@]^}}^}}contents=\"Text Format Volume Group\" version=1^";
    let (kind, rest) = input.split_first().unwrap_or((&0, &[]));
    if kind & 1 == 1 {
        return rest.to_vec();
    }
    let mut pieces = rest.split(|byte| *byte == b'|');
    let mut text = Vec::new();
    for byte in FORM {
        match byte {
            b'@' => text.extend(pieces.next().filter(|piece| !piece.is_empty()).unwrap_or(b"3")),
            b'^' => text.extend(pieces.next().unwrap_or_default()),
            byte => text.push(*byte),
        }
    }
    text
}

fn volume((number, changes, start, input): &Volume) -> Vec<u8> {
    let mut bytes = vec![0; SIZE];
    let mut text = text(input);
    text.truncate(AREA.len() - 512);
    let ring = AREA.len() - 512;
    let start = usize::from(*start) % ring;
    for (at, byte) in text.iter().enumerate() {
        bytes[AREA.start + 512 + (start + at) % ring] = *byte;
    }
    let number64 = |value: usize| (value as u64).to_le_bytes();
    put(&mut bytes, 512, b"LABELONE\x01");
    put(&mut bytes, 532, b"\x20\0\0\0LVM2 001");
    put(&mut bytes, 544, &[b'a' + number % 3; 32]);
    put(&mut bytes, 576, &number64(SIZE));
    put(&mut bytes, 584, &number64(AREA.end));
    put(&mut bytes, 616, &number64(AREA.start));
    put(&mut bytes, 624, &number64(AREA.len()));
    put(&mut bytes, AREA.start + 4, b" LVM2 x[5A%r0N*>\x01");
    put(&mut bytes, AREA.start + 24, &number64(AREA.start));
    put(&mut bytes, AREA.start + 32, &number64(AREA.len()));
    put(&mut bytes, AREA.start + 40, &number64(512 + start));
    put(&mut bytes, AREA.start + 48, &number64(text.len()));
    put(&mut bytes, AREA.start + 56, &checksum(&text));
    // The label's sector, or the area's header.
    for (at, byte) in changes {
        let base = if at & 0x8000 == 0 { 512 } else { AREA.start };
        bytes[base + usize::from(at % 512)] = *byte;
    }
    let label = checksum(&bytes[532..1024]);
    put(&mut bytes, 528, &label);
    let header = checksum(&bytes[AREA.start + 4..AREA.start + 512]);
    put(&mut bytes, AREA.start, &header);
    bytes
}

libfuzzer_sys::fuzz_target!(|input: (Vec<Volume>, u32)| {
    let (volumes, cut) = input;
    let mut disk: Vec<u8> = volumes.iter().take(3).flat_map(volume).collect();
    let count = disk.len() / SIZE;
    disk.truncate(disk.len() - (cut as usize % SIZE).min(disk.len()));
    let size = disk.len() as u64;
    let candidates: Vec<Candidate> = (0..count)
        .map(|number| Candidate {
            partition: number as u32 + 1,
            range: (number * SIZE) as u64..((number + 1) * SIZE) as u64,
            doubt: None,
        })
        .filter(|candidate| candidate.range.end <= size)
        .collect();
    let found = find(&disk, &candidates);
    // Without any change there are two volumes that can be read.
    if volumes
        .first()
        .is_some_and(|(number, changes, _, input)| number % 3 == 0 && changes.is_empty() && input.is_empty())
        && candidates.len() == 1
    {
        let readable = found.logical.iter().filter(|logical| logical.segments.is_some());
        assert_eq!(readable.count(), 2, "{found:?}");
    }
    assert_eq!(found.physical.len(), candidates.len());
    let mut pieces = Vec::new();
    for logical in &found.logical {
        assert_eq!(logical.segments.is_some(), logical.unreadable.is_none());
        let Some(mapping) = &logical.segments else { continue };
        assert_eq!(mapping.size(), logical.size);
        assert!(mapping.end() <= size);
        pieces.extend(
            mapping
                .segments()
                .iter()
                .map(|piece| piece.disk..piece.disk + piece.length),
        );
    }
    pieces.sort_by_key(|piece| piece.start);
    assert!(pieces.windows(2).all(|pair| pair[0].end <= pair[1].start), "{pieces:?}");
    for piece in pieces {
        // Label sectors, however the areas are.
        assert!(candidates.iter().all(|candidate| {
            let label = candidate.range.start..candidate.range.start + 2048;
            piece.end <= label.start || piece.start >= label.end
        }));
    }
});
