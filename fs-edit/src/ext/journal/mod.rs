//! Replays the journal of ext3 and ext4 (jbd2), as the next mount would: in safe code, for the bytes may be anything.
//!
//! Not replayed, but refused: a journal on another device, fast commits, unknown features. Orphans (files that were
//! deleted while open) are left for the kernel's next mount, which looks for them with or without a journal.

mod after;
mod header;
mod log;
mod place;
mod records;

use super::superblock::{self, JournalPlace, Superblock};
use super::{bytes, io_error, unfit};
use crate::{FsEditError, JournalState, Replayed};
use after::After;
use disk::io::Window;
use disk::{BlockDevice, ReadAt};
use header::Header;
use log::{Log, Scan};
use place::{Place, read_block};
use std::ops::Range;

/// Whether the filesystem in `range` (bytes) of `device` has a journal that must be replayed.
pub(crate) fn state(device: &dyn ReadAt, range: Range<u64>) -> Result<JournalState, FsEditError> {
    let volume = Window::new(device, range).map_err(|error| io_error(&error))?;
    let superblock = Superblock::read(&volume)?;
    Ok(match (superblock.journal(), superblock.needs_recovery()) {
        (None, false) => JournalState::None,
        (_, true) => JournalState::NeedsReplay,
        (Some(_), false) => JournalState::Clean,
    })
}

/// Replays the journal of the filesystem in `range` (bytes) of `device`, and marks it as empty.
pub(crate) fn replay(device: &dyn BlockDevice, range: Range<u64>) -> Result<Replayed, FsEditError> {
    let start = range.start;
    let volume = Window::new(device, range).map_err(|error| io_error(&error))?;
    let superblock = Superblock::read(&volume)?;
    let kind = superblock.kind();
    if !superblock.needs_recovery() {
        return Ok(Replayed::default());
    }
    let inode = match superblock.journal() {
        Some(JournalPlace::Inode(inode)) => inode,
        Some(JournalPlace::OtherDevice) => {
            return Err(unfit(kind, "its journal is on another device; start the system once"));
        }
        None => return Err(unfit(kind, "it wants its journal replayed and has none; run e2fsck")),
    };
    let place = Place::read(&volume, &superblock, inode)?;
    let home = place.block(0).unwrap_or(0);
    let header = Header::parse(
        kind,
        &read_block(&volume, &superblock, home)?,
        superblock.block_size,
        &place,
    )?;
    let write = |offset: Option<u64>, bytes: &[u8]| {
        let at = offset.and_then(|offset| start.checked_add(offset));
        let at = at.ok_or_else(|| unfit(kind, "a block lies past the end of everything"))?;
        device
            .write_at(at, bytes)
            .map_err(|error| unfit(kind, &format!("its journal cannot be replayed: {error}")))
    };
    let log = Log {
        volume: &volume,
        superblock: &superblock,
        place: &place,
        header: &header,
    };
    let scan = match header.start {
        Some(first) => log.scan(first)?,
        None => Scan::default(),
    };
    if header.start.is_some() && scan.stopped.is_none() && log.has_fast_commits(&scan)? {
        let reason = "its journal has fast commits, which this version cannot replay; start the system once";
        return Err(unfit(kind, reason));
    }
    let writes = log.writes(&scan)?;
    // The journal may bring a newer superblock and newer counters. They are checked before anything is written.
    let after = After {
        log: &log,
        writes: &writes,
    };
    let mut newer = Superblock::read(&after)?;
    if newer.block_size != superblock.block_size || newer.blocks != superblock.blocks {
        return Err(unfit(
            kind,
            "its journal wants to change its size; start the system once",
        ));
    }
    let (clusters, inodes) = free(&after, &newer)?;
    newer.set_free(clusters, inodes);
    newer.clear_recovery();
    if scan.stopped.is_some() || header.error != 0 {
        newer.mark_errors();
    }
    // No number is used again that a block in the log may have: the one after the last complete transaction, which may
    // be there in part, and if more come after a damaged one, all that fit into the log.
    let unused = match scan.stopped {
        None => 1,
        Some(_) => u32::try_from(header.end).unwrap_or(u32::MAX),
    };
    let next = header.sequence.wrapping_add(scan.transactions).wrapping_add(unused);

    for (target, (at, escaped)) in &writes {
        write(target.checked_mul(superblock.block_size), &log.contents(*at, *escaped)?)?;
    }
    write(home.checked_mul(superblock.block_size), &header.emptied(next))?;
    write(Some(superblock::OFFSET), &newer.bytes())?;
    device
        .flush()
        .map_err(|error| unfit(kind, &format!("its journal cannot be replayed: {error}")))?;
    Ok(Replayed {
        transactions: u64::from(scan.transactions),
        blocks: u64::try_from(writes.len()).unwrap_or(u64::MAX),
        damaged: scan.stopped,
    })
}

/// Free clusters and inodes of all groups: the superblock's own sums are only brought up to date at unmounting.
fn free(volume: &impl ReadAt, superblock: &Superblock) -> Result<(u64, u64), FsEditError> {
    let (mut clusters, mut inodes) = (0u64, 0u64);
    let mut held = (0, Vec::new());
    for group in 0..superblock.groups {
        let place = superblock.descriptor(group);
        let (block, offset) =
            place.ok_or_else(|| unfit(superblock.kind(), "its group descriptors lie past its end"))?;
        if held.0 != block {
            held = (block, read_block(volume, superblock, block)?);
        }
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        let descriptor = held.1.get(offset..).unwrap_or_default();
        let sum = |low: usize, high: usize| {
            let high = match superblock.wide_descriptors() {
                true => bytes::le16(descriptor, high),
                false => 0,
            };
            u64::from(bytes::le16(descriptor, low)) | u64::from(high) << 16
        };
        clusters = clusters.saturating_add(sum(12, 0x2C));
        inodes = inodes.saturating_add(sum(14, 0x2E));
    }
    Ok((clusters, inodes))
}
