//! Whatever an initramfs holds, it is read or refused; a file that is added to it is there, and nothing is lost.
//!
//! The fuzzer says which entries a cpio archive has and what is damaged in it, and what stands before and after it: it
//! need not find out how a header looks.
#![no_main]

use drivers_inject::fuzzing::initramfs;
use std::fmt::Write;

/// Name, type (an index), links, inode, contents.
type Entry<'b> = (&'b str, u8, u8, u8, &'b [u8]);

/// What stands before the archive, its entries, whether it has checksums (which are wrong) and a trailer, bytes written
/// over it, what stands after it, the path of the added file.
type Input<'b> = (
    &'b [u8],
    Vec<Entry<'b>>,
    (bool, bool),
    Vec<(u16, u8)>,
    &'b [u8],
    &'b str,
);

const TYPES: [u32; 4] = [0o040_755, 0o100_644, 0o120_777, 0o020_600];

fn archive(entries: &[Entry<'_>], checksums: bool, trailer: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    let end: Option<&Entry<'_>> = trailer.then_some(&("TRAILER!!!", 0, 1, 0, b""));
    for (name, kind, links, inode, contents) in entries.iter().chain(end) {
        let mode = TYPES[usize::from(*kind) % TYPES.len()];
        let size = u32::try_from(contents.len()).expect("small");
        let name_len = u32::try_from(name.len() + 1).expect("small");
        let mut header = if checksums { "070702" } else { "070701" }.to_owned();
        for field in [
            (*inode).into(),
            mode,
            0,
            0,
            (*links).into(),
            0,
            size,
            0,
            0,
            0,
            0,
            name_len,
            0,
        ] {
            write!(header, "{field:08X}").expect("memory");
        }
        bytes.extend(header.bytes().chain(name.bytes()));
        bytes.push(0);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes.extend(*contents);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
    }
    bytes
}

libfuzzer_sys::fuzz_target!(|input: Input<'_>| {
    let (before, entries, (checksums, trailer), damage, after, path) = input;
    initramfs(before, path);
    let mut bytes = archive(&entries, checksums, trailer);
    for (at, byte) in damage {
        if let Some(place) = bytes.get_mut(usize::from(at)) {
            *place = byte;
        }
    }
    initramfs(&[before, &bytes, after].concat(), path);
});
