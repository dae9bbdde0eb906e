//! Changes of a file's bytes, turned into writes to the disk.

use super::edited::Write;
use crate::volumes::MountedVolume;
use disk::Mapping;
use disk::guestfs::{GuestFsError, Placement};
use std::ops::Range;

/// Changes go to the disk in whole blocks of this many bytes, the least that a disk writes.
const BLOCK: usize = 512;

/// The writes that turn `before`, the whole contents of the file at `path`, into `after`, which has the same length.
/// Only blocks that differ are written.
pub(super) fn rewrite(
    volume: &mut MountedVolume,
    path: &str,
    before: &[u8],
    after: &[u8],
) -> Result<Vec<Write>, GuestFsError> {
    if before == after {
        return Ok(Vec::new());
    }
    let place = volume.fs.place(path)?;
    if place.size != as_u64(before.len()) {
        return Err(not_in_place(path, "it has another length than was read"));
    }
    writes(&place, volume, path, before, after)
}

/// The writes that turn `before`, the first bytes of the file at `path`, into `after`, which has the same length.
pub(super) fn rewrite_start(
    volume: &mut MountedVolume,
    path: &str,
    before: &[u8],
    after: &[u8],
) -> Result<Vec<Write>, GuestFsError> {
    let place = volume.fs.place(path)?;
    writes(&place, volume, path, before, after)
}

fn writes(
    place: &Placement,
    volume: &MountedVolume,
    path: &str,
    before: &[u8],
    after: &[u8],
) -> Result<Vec<Write>, GuestFsError> {
    if let Some(why) = &volume.read_only {
        return Err(not_in_place(path, why));
    }
    if before.len() != after.len() {
        return Err(not_in_place(path, "it would have another length"));
    }
    let mut writes = Vec::new();
    let mut offset = 0u64;
    for (before, after) in before.chunks(BLOCK).zip(after.chunks(BLOCK)) {
        if before != after {
            let pieces = split(place, &volume.mapping, offset, before, after);
            writes.extend(pieces.ok_or_else(|| not_in_place(path, "it is shorter than it should be"))?);
        }
        offset = offset.saturating_add(as_u64(before.len()));
    }
    Ok(writes)
}

/// The writes for one block at `offset` of the file; a block may lie in several pieces.
fn split(place: &Placement, mapping: &Mapping, offset: u64, before: &[u8], after: &[u8]) -> Option<Vec<Write>> {
    let mut on_disk = Vec::new();
    for piece in place.pieces(offset, as_u64(before.len()))? {
        on_disk.extend(mapping.pieces(piece.start, piece.end.checked_sub(piece.start)?)?);
    }
    replace(&on_disk, before, after)
}

/// The writes that turn `before`, which lies in these pieces of the disk, into `after`.
pub(super) fn replace(pieces: &[Range<u64>], before: &[u8], after: &[u8]) -> Option<Vec<Write>> {
    let (mut before, mut after) = (before, after);
    let mut writes = Vec::new();
    for piece in pieces {
        let len = usize::try_from(piece.end.checked_sub(piece.start)?).ok()?;
        let (old, old_rest) = before.split_at_checked(len)?;
        let (new, new_rest) = after.split_at_checked(len)?;
        writes.push(Write {
            offset: piece.start,
            before: old.to_vec(),
            after: new.to_vec(),
        });
        (before, after) = (old_rest, new_rest);
    }
    (before.is_empty() && after.is_empty()).then_some(writes)
}

fn not_in_place(path: &str, reason: &str) -> GuestFsError {
    GuestFsError::NotInPlace {
        path: path.to_owned(),
        reason: reason.to_owned(),
    }
}

fn as_u64(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}
