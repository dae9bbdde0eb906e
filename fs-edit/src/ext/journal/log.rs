//! The log: which transactions are complete, what they revoke, and what is left to be written.
//!
//! As Linux does it (`fs/jbd2/recovery.c`) in three passes, but nothing is written before everything has been checked.

use super::header::{Header, MAGIC};
use super::place::{Place, read_block};
use super::records::{Tag, commit_fits, commit_time, data_fits, revoked, tags, tail_fits};
use crate::FsEditError;
use crate::ext::bytes::{be32, le16, le32, put};
use crate::ext::superblock::Superblock;
use crate::ext::unfit;
use disk::ReadAt;
use std::collections::BTreeMap;

const DESCRIPTOR: u32 = 1;
const COMMIT: u32 = 2;
const REVOKE: u32 = 5;
/// The tag that starts fast commits.
const FAST_COMMIT_HEAD: u16 = 9;
/// More revoked blocks than any journal names: each takes memory here.
const MOST_REVOKED: usize = 16 << 20;

/// CRC-32 with the most significant bit first and no inversion at the end: what `Checksums::Commit` means.
static TRANSACTION_CRC: crc::Crc<u32> = crc::Crc::<u32>::new(&crc::CRC_32_MPEG_2);

/// A block of the journal whose contents belong elsewhere.
#[derive(Clone, Copy, Debug)]
struct Logged {
    /// Block of the journal.
    at: u64,
    tag: Tag,
    /// How many transactions come before its own.
    age: u32,
}

/// What the log says.
#[derive(Debug, Default)]
pub(super) struct Scan {
    logged: Vec<Logged>,
    /// Blocks, and the newest transaction that revoked them.
    revoked: BTreeMap<u64, u32>,
    /// Complete transactions.
    pub(super) transactions: u32,
    /// The number of the one that is damaged, although it was complete once.
    pub(super) stopped: Option<u32>,
}

/// The journal of a volume.
pub(super) struct Log<'a, V> {
    pub(super) volume: &'a V,
    pub(super) superblock: &'a Superblock,
    pub(super) place: &'a Place,
    pub(super) header: &'a Header,
}

impl<V: ReadAt> Log<'_, V> {
    fn damaged(&self, what: &str) -> FsEditError {
        unfit(
            self.superblock.kind(),
            &format!("its journal is damaged ({what}); run e2fsck"),
        )
    }

    fn read(&self, at: u64) -> Result<Vec<u8>, FsEditError> {
        let block = self.place.block(at);
        let block = block.ok_or_else(|| self.damaged(&format!("there is no block {at} of it")))?;
        read_block(self.volume, self.superblock, block)
    }

    /// The block after `at` in the ring.
    fn after(&self, at: u64) -> u64 {
        let next = at.saturating_add(1);
        if next >= self.header.end {
            self.header.first
        } else {
            next
        }
    }

    /// Follows the log from `start` to its end.
    pub(super) fn scan(&self, start: u64) -> Result<Scan, FsEditError> {
        let mut scan = Scan::default();
        let mut at = start;
        // Once around the ring is all that a log can be.
        let mut left = self.header.end.saturating_sub(self.header.first);
        let mut pending = Pending::default();
        let mut last_commit = (0, 0);
        while let Some(rest) = left.checked_sub(1) {
            left = rest;
            let sequence = self.header.sequence.wrapping_add(scan.transactions);
            let block = self.read(at)?;
            if be32(&block, 0) != MAGIC || be32(&block, 8) != sequence {
                break;
            }
            at = self.after(at);
            match be32(&block, 4) {
                DESCRIPTOR => {
                    pending.suspicious |= !tail_fits(self.header, &block);
                    pending.add(&block);
                    for tag in tags(self.header, &block) {
                        let Some(rest) = left.checked_sub(1) else {
                            return Ok(scan);
                        };
                        left = rest;
                        pending.logged.push(Logged {
                            at,
                            tag,
                            age: scan.transactions,
                        });
                        if self.header.checksums == super::header::Checksums::Commit {
                            pending.add(&self.read(at)?);
                        }
                        at = self.after(at);
                    }
                }
                REVOKE => {
                    pending.suspicious |= !tail_fits(self.header, &block);
                    match revoked(self.header, &block) {
                        Some(blocks) => pending.revoked.extend(blocks),
                        None => pending.suspicious = true,
                    }
                    if pending.revoked.len().saturating_add(scan.revoked.len()) > MOST_REVOKED {
                        return Err(self.damaged("it revokes too many blocks"));
                    }
                }
                COMMIT => {
                    let time = commit_time(&block);
                    let fits = !pending.suspicious && commit_fits(self.header, &block, pending.checksum());
                    if !fits && time < last_commit {
                        // Left from an earlier time around: the log ends before it.
                        break;
                    }
                    if !fits {
                        if !self.header.async_commit || self.follows(at, left, sequence.wrapping_add(1))? {
                            scan.stopped = Some(sequence);
                        }
                        break;
                    }
                    last_commit = time;
                    let done = std::mem::take(&mut pending);
                    scan.logged.extend(done.logged);
                    for block in done.revoked {
                        scan.revoked.insert(block, scan.transactions);
                    }
                    scan.transactions = scan.transactions.saturating_add(1);
                }
                _ => break,
            }
        }
        Ok(scan)
    }

    /// Whether a commit of transaction `sequence` follows: if commit blocks may overtake, a damaged transaction is one
    /// that was not finished, but only at the end of the log.
    fn follows(&self, mut at: u64, mut left: u64, sequence: u32) -> Result<bool, FsEditError> {
        while let Some(rest) = left.checked_sub(1) {
            left = rest;
            let block = self.read(at)?;
            if be32(&block, 0) != MAGIC || be32(&block, 8) != sequence {
                return Ok(false);
            }
            at = self.after(at);
            match be32(&block, 4) {
                COMMIT => return Ok(true),
                DESCRIPTOR => {
                    for _ in tags(self.header, &block) {
                        left = left.saturating_sub(1);
                        at = self.after(at);
                    }
                }
                REVOKE => {}
                _ => return Ok(false),
            }
        }
        Ok(false)
    }

    /// Block of the filesystem → block of the journal, and whether it is escaped: all that must be written. Every
    /// block that is used was compared with its checksum.
    pub(super) fn writes(&self, scan: &Scan) -> Result<BTreeMap<u64, (u64, bool)>, FsEditError> {
        let mut writes = BTreeMap::new();
        for logged in &scan.logged {
            let target = logged.tag.target;
            if scan.revoked.get(&target).is_some_and(|age| *age >= logged.age) {
                continue;
            }
            if target >= self.superblock.blocks || self.place.holds(target) {
                return Err(self.damaged(&format!("it wants to write block {target}")));
            }
            let sequence = self.header.sequence.wrapping_add(logged.age);
            if !data_fits(self.header, &logged.tag, sequence, &self.read(logged.at)?) {
                let what = format!(
                    "block {} of it, in transaction {sequence}, has a wrong checksum",
                    logged.at
                );
                return Err(self.damaged(&what));
            }
            writes.insert(target, (logged.at, logged.tag.escaped));
        }
        Ok(writes)
    }

    /// The contents of a block of the journal as they must be written.
    pub(super) fn contents(&self, at: u64, escaped: bool) -> Result<Vec<u8>, FsEditError> {
        let mut block = self.read(at)?;
        if escaped {
            put(&mut block, 0, &MAGIC.to_be_bytes());
        }
        Ok(block)
    }

    /// Whether fast commits come after the transactions.
    pub(super) fn has_fast_commits(&self, scan: &Scan) -> Result<bool, FsEditError> {
        let Some(first) = self.header.fast_commits else {
            return Ok(false);
        };
        if self.place.block(first).is_none() {
            return Ok(false);
        }
        let block = self.read(first)?;
        let next = self.header.sequence.wrapping_add(scan.transactions);
        Ok(le16(&block, 0) == FAST_COMMIT_HEAD && le32(&block, 8) == next)
    }
}

/// A transaction whose commit block has not come yet.
#[derive(Default)]
struct Pending {
    logged: Vec<Logged>,
    revoked: Vec<u64>,
    /// A block of it has a wrong checksum.
    suspicious: bool,
    checksum: Option<crc::Digest<'static, u32>>,
}

impl Pending {
    fn add(&mut self, block: &[u8]) {
        self.checksum
            .get_or_insert_with(|| TRANSACTION_CRC.digest())
            .update(block);
    }

    fn checksum(&self) -> u32 {
        let digest = self.checksum.clone();
        digest.unwrap_or_else(|| TRANSACTION_CRC.digest()).finalize()
    }
}
