//! The archives that an initramfs file consists of.

use super::archive::{Archive, Left};
use super::compression::{Compression, Source};
use super::contents;
use super::entry::Entry;
use super::error::InitramfsError;
use std::cell::Cell;

/// One archive of an initramfs: its microcode, its main part, something appended.
#[derive(Debug)]
pub(crate) struct Member {
    /// Where it begins in the file, in bytes.
    pub(crate) offset: u64,
    /// Bytes that it takes in the file.
    pub(crate) len: u64,
    pub(crate) compression: Compression,
    /// Bytes of its unpacked data.
    pub(crate) unpacked: u64,
    /// Its entries, in their order.
    pub(crate) entries: Vec<Entry>,
}

/// How much an initramfs may hold, and whose contents are wanted.
#[derive(Clone, Copy)]
pub(crate) struct Limits<'k> {
    /// Bytes of all members' unpacked data.
    pub(crate) unpacked: u64,
    /// Number of entries.
    pub(crate) entries: u64,
    /// Bytes of all names and link targets.
    pub(crate) names: u64,
    /// Bytes of all kept contents. What would exceed them is not kept.
    pub(crate) kept: u64,
    /// Whether the contents of the file at this path (without `/` in front) are to be kept.
    pub(crate) keep: &'k dyn Fn(&str) -> bool,
}

impl Default for Limits<'_> {
    fn default() -> Self {
        Self {
            unpacked: 2 << 30,
            entries: 500_000,
            names: 32 << 20,
            kept: 64 << 20,
            keep: &contents::wanted,
        }
    }
}

/// Reads all members.
pub(super) fn all(bytes: &[u8], limits: &Limits<'_>) -> Result<Vec<Member>, InitramfsError> {
    let mut left = Left {
        unpacked: limits.unpacked,
        entries: limits.entries,
        names: limits.names,
        kept: limits.kept,
    };
    let mut members: Vec<Member> = Vec::new();
    let mut at = 0_usize;
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        let zeros = rest.iter().take_while(|byte| **byte == 0).count();
        at = at.saturating_add(zeros);
        let rest = rest.get(zeros..).unwrap_or_default();
        if rest.is_empty() {
            break;
        }
        let (member, used) = one(rest, at, limits, &mut left)?;
        members.push(member);
        at = at.saturating_add(used);
    }
    if members.is_empty() {
        return Err(InitramfsError::Empty(bytes.len()));
    }
    Ok(members)
}

/// Reads the member that `bytes` begin with, and tells how many of them it takes: at least one.
fn one(bytes: &[u8], offset: usize, limits: &Limits<'_>, left: &mut Left) -> Result<(Member, usize), InitramfsError> {
    let compression = Compression::of(bytes).ok_or_else(|| InitramfsError::Unknown {
        offset,
        what: look(bytes),
    })?;
    if compression == Compression::None && !offset.is_multiple_of(4) {
        return Err(InitramfsError::Unaligned(offset));
    }
    let used = Cell::new(0);
    let reader = compression
        .reader(Source::new(bytes, &used))
        .map_err(|error| InitramfsError::Damaged {
            offset,
            compression,
            reason: error.to_string(),
        })?;
    let Some(mut reader) = reader else {
        return Err(InitramfsError::Unsupported { offset, compression });
    };
    let mut archive = Archive::new(&mut *reader, limits, left, (offset, compression));
    archive.read()?;
    let (unpacked, entries) = (archive.at, std::mem::take(&mut archive.entries));
    drop(reader);
    let used = used.get().max(1);
    let member = Member {
        offset: u64::try_from(offset).unwrap_or(u64::MAX),
        len: u64::try_from(used).unwrap_or(u64::MAX),
        compression,
        unpacked,
        entries,
    };
    Ok((member, used))
}

/// What bytes look like that are no archive.
fn look(bytes: &[u8]) -> String {
    let known: [(&[u8], &str); 8] = [
        (
            &[0x04, 0x22, 0x4d, 0x18],
            "an lz4 frame of the new format, which no kernel takes",
        ),
        (b"\x7fELF", "an ELF program"),
        (b"MZ", "a program for EFI or DOS"),
        (b"hsqs", "a squashfs filesystem"),
        (b"\x27\x05\x19\x56", "a U-Boot image"),
        (b"\xd0\x0d\xfe\xed", "a device tree"),
        (b"ANDROID!", "an Android boot image"),
        (b"\x45\x3d\xcd\x28", "a cramfs filesystem"),
    ];
    if bytes.ends_with(b"#BOOTCONFIG\n") {
        return "a boot configuration (bootconfig)".to_owned();
    }
    if bytes.get(0x438..0x43a) == Some(&[0x53, 0xef]) {
        return "an ext filesystem (an old initrd)".to_owned();
    }
    if let Some((_, name)) = known.iter().find(|(magic, _)| bytes.starts_with(magic)) {
        return (*name).to_owned();
    }
    let first: Vec<String> = bytes.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("bytes {}", first.join(" "))
}
