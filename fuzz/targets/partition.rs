//! Any disk has a layout whose parts lie inside it, and one without a trustworthy table is copied whole.
#![no_main]
use disk::layout::scan;

/// The input: size of the disk and sectors on it, some of them at its end.
type Input = (u16, bool, Vec<(u8, bool, Vec<u8>)>);

libfuzzer_sys::fuzz_target!(|input: Input| {
    let (sectors, large, pieces) = input;
    let sector = if large { 4096 } else { 512 };
    let size = usize::from(sectors) * 512;
    let mut disk = vec![0u8; size];
    for (place, from_end, bytes) in pieces {
        let place = usize::from(place) * 512;
        let at = if from_end { size.saturating_sub(place) } else { place };
        let room = disk.get_mut(at..).unwrap_or_default();
        let len = room.len().min(bytes.len());
        room[..len].copy_from_slice(&bytes[..len]);
        if let Some(mark) = room.get_mut(510..512).filter(|_| !from_end && len > 446) {
            mark.copy_from_slice(&[0x55, 0xAA]);
        }
    }
    let layout = scan(&disk, sector).expect("reading memory does not fail");
    let size = disk.len() as u64;
    assert!(layout.used.iter().all(|range| range.end <= size));
    for content in &layout.contents {
        assert!(content.start + content.size <= size);
        assert!(content.volume.used.iter().all(|range| range.end <= content.size));
    }
    if !layout.table.trusted || layout.contents.iter().all(|content| !content.volume.mapped) {
        assert_eq!(layout.used.bytes(), size);
    }
});
