//! NTFS: files and folders, read-only.
//!
//! Not read: compressed (LZNT1), encrypted, and WOF-compressed ("CompactOS") files. They are refused with a reason
//! instead of returning their raw bytes. Reparse points are not followed.
//!
//! The crate `ntfs` 0.4.0 is not used here: a file that is fragmented so much that it has an attribute list reads as
//! empty, and a master file table or folder with such a list cannot be followed. Disks of twenty years have all three;
//! the test `ntfs_crate` shows the first.
#![warn(clippy::arithmetic_side_effects, clippy::as_conversions, clippy::indexing_slicing)]

mod boot;
mod index;
mod record;
mod runs;
mod stream;
mod table;

use super::guard::Guard;
use super::volume::Volume;
use super::{GuestFs, GuestFsError, Occupant, Placement, Surveyed, components, read_growing};
use crate::io::ReadAt;
use index::Entry;
use record::{Record, kind};
use std::sync::Arc;
use stream::Stream;
use table::Table;

const KIND: &str = "NTFS";
/// Number of the root folder's record.
const ROOT: u64 = 5;
/// The name of the index that makes a folder.
const FILE_NAMES: &str = "$I30";

/// An NTFS volume.
pub(super) struct NtfsVolume {
    table: Table,
    volume: Volume,
    guard: Guard,
}

impl NtfsVolume {
    pub(super) fn open(inner: Arc<dyn ReadAt>) -> Result<Self, GuestFsError> {
        let guard = Guard::default();
        let mut volume = Volume::new(inner, guard.clone());
        let table = guard.run(KIND, 0, || Table::open(&mut volume))?;
        Ok(NtfsVolume { table, volume, guard })
    }

    /// Runs `operation` on what `path` leads to; it may read some `data` bytes.
    fn with<T>(
        &mut self,
        path: &str,
        data: u64,
        operation: impl FnOnce(&Table, &mut Volume, &Record) -> Result<T, GuestFsError>,
    ) -> Result<T, GuestFsError> {
        let (table, volume) = (&self.table, &mut self.volume);
        self.guard.run(KIND, data, || {
            let file = walk(table, volume, path)?;
            operation(table, volume, &file)
        })
    }
}

impl GuestFs for NtfsVolume {
    fn size(&mut self, path: &str) -> Result<u64, GuestFsError> {
        self.with(path, 0, |table, volume, file| Ok(data(table, volume, file, path)?.size))
    }

    fn read_start(&mut self, path: &str, len: u64) -> Result<Vec<u8>, GuestFsError> {
        self.with(path, len, |table, volume, file| {
            let data = data(table, volume, file, path)?;
            refuse_encoded(table, volume, file, &data, path)?;
            let mut at = 0u64;
            read_growing(len.min(data.size), |buf| {
                data.read(volume, at, buf)?;
                at = at.saturating_add(u64::try_from(buf.len()).unwrap_or(u64::MAX));
                Ok(buf.len())
            })
        })
    }

    fn place(&mut self, path: &str) -> Result<Placement, GuestFsError> {
        self.with(path, 0, |table, volume, file| {
            let data = data(table, volume, file, path)?;
            place(table, volume, file, &data, path)
        })
    }

    fn survey(&mut self, path: &str) -> Result<Vec<Surveyed>, GuestFsError> {
        let entries = self.with(path, 0, entries)?;
        let (table, volume) = (&self.table, &mut self.volume);
        let named = entries.into_iter().filter(|entry| !entry.short && entry.name != ".");
        // Each entry has a limit of its own: one bad file says nothing about the next.
        let survey = named.map(|entry| Surveyed {
            what: self.guard.run(KIND, 0, || occupant(table, volume, entry.record)),
            name: entry.name,
        });
        Ok(survey.collect())
    }

    fn exists(&mut self, path: &str) -> bool {
        self.with(path, 0, |_, _, _| Ok(())).is_ok()
    }

    fn list(&mut self, path: &str) -> Result<Vec<String>, GuestFsError> {
        self.with(path, 0, |table, volume, folder| {
            if !folder.is_folder() {
                return Err(wrong_kind(path, "a folder"));
            }
            let entries = entries(table, volume, folder)?;
            // The root folder lists itself.
            let names = entries.into_iter().filter(|entry| !entry.short && entry.name != ".");
            let mut names: Vec<_> = names.map(|entry| entry.name).collect();
            names.sort_unstable();
            Ok(names)
        })
    }
}

fn walk(table: &Table, volume: &mut Volume, path: &str) -> Result<Record, GuestFsError> {
    let not_found = || GuestFsError::NotFound(path.to_owned());
    let mut here = table.record(volume, ROOT)?;
    for part in components(path) {
        if !here.is_folder() {
            return Err(not_found());
        }
        let entries = entries(table, volume, &here)?;
        let exact = entries.iter().find(|entry| entry.name == part);
        let entry = exact.or_else(|| entries.iter().find(|entry| same_name(&entry.name, part)));
        here = table.record(volume, entry.ok_or_else(not_found)?.record)?;
    }
    Ok(here)
}

fn entries(table: &Table, volume: &mut Volume, folder: &Record) -> Result<Vec<Entry>, GuestFsError> {
    let root = table.stream(volume, folder, kind::INDEX_ROOT, FILE_NAMES)?;
    let root = root.ok_or_else(|| damaged("a folder has no index"))?;
    // Windows keeps it resident: it is smaller than a record.
    let len = usize::try_from(root.size).ok().filter(|len| *len <= 64 << 10);
    let mut bytes = vec![0; len.ok_or_else(|| damaged("the index of a folder is too large"))?];
    root.read(volume, 0, &mut bytes)?;
    let blocks = table.stream(volume, folder, kind::INDEX_ALLOCATION, FILE_NAMES)?;
    index::entries(&bytes, blocks.as_ref(), table.boot.cluster, volume)
}

/// Where the bytes of a file are, compressed or not, or that it is a folder.
fn occupant(table: &Table, volume: &mut Volume, number: u64) -> Result<Occupant, GuestFsError> {
    let file = table.record(volume, number)?;
    if file.is_folder() {
        return Ok(Occupant::Folder(number));
    }
    // Some of the filesystem's own files are nothing but indexes, without contents.
    let contents = table.stream(volume, &file, kind::DATA, "")?;
    let compressed = table.stream(volume, &file, kind::DATA, "WofCompressedData")?;
    let mut ranges = Vec::new();
    for stream in [contents, compressed].into_iter().flatten() {
        let extents = stream.clusters().map_or(&[][..], |(extents, _)| extents);
        for (range, place) in extents {
            let start = place.unwrap_or(u64::MAX);
            let end = start.checked_add(range.end.saturating_sub(range.start));
            ranges.extend(end.map(|end| start..end));
        }
    }
    Ok(Occupant::File(ranges))
}

/// The contents of a file.
fn data(table: &Table, volume: &mut Volume, file: &Record, path: &str) -> Result<Stream, GuestFsError> {
    if file.is_folder() {
        return Err(wrong_kind(path, "a regular file"));
    }
    let data = table.stream(volume, file, kind::DATA, "")?;
    data.ok_or_else(|| damaged(format!("{path} has no contents")))
}

/// Refuses files whose stored bytes are not their contents.
fn refuse_encoded(
    table: &Table,
    volume: &mut Volume,
    file: &Record,
    data: &Stream,
    path: &str,
) -> Result<(), GuestFsError> {
    match encoding(table, volume, file, data)? {
        None => Ok(()),
        Some(how) => Err(damaged(format!("the file {path} is {how}, which is not read yet"))),
    }
}

/// How the stored bytes of a file differ from its contents, if they do.
fn encoding(
    table: &Table,
    volume: &mut Volume,
    file: &Record,
    data: &Stream,
) -> Result<Option<&'static str>, GuestFsError> {
    const COMPRESSED: u16 = 0x00ff;
    const ENCRYPTED: u16 = 0x4000;
    Ok(if data.flags & ENCRYPTED != 0 {
        Some("encrypted (EFS)")
    } else if data.flags & COMPRESSED != 0 && !data.is_resident() {
        Some("compressed (LZNT1)")
    } else if table.stream(volume, file, kind::DATA, "WofCompressedData")?.is_some() {
        Some("compressed (CompactOS)")
    } else {
        None
    })
}

/// Where the bytes of a plain file are.
fn place(
    table: &Table,
    volume: &mut Volume,
    file: &Record,
    data: &Stream,
    path: &str,
) -> Result<Placement, GuestFsError> {
    const SPARSE: u16 = 0x8000;
    let refuse = |reason: &str| {
        Err(GuestFsError::NotInPlace {
            path: path.to_owned(),
            reason: reason.to_owned(),
        })
    };
    if let Some(how) = encoding(table, volume, file, data)? {
        return refuse(&format!("it is {how}"));
    }
    let Some((extents, initialized)) = data.clusters() else {
        return refuse("it is so small that it lies inside the master file table");
    };
    if data.flags & SPARSE != 0 || extents.iter().any(|(_, place)| place.is_none()) {
        return refuse("it is sparse");
    }
    if initialized < data.size {
        return refuse("a part of it was never written");
    }
    let mut allocation = Vec::new();
    for (range, place) in extents {
        let start = place.unwrap_or(u64::MAX);
        let end = start.checked_add(range.end.saturating_sub(range.start));
        match end.filter(|end| *end <= volume.size()) {
            Some(end) => allocation.push(start..end),
            None => return Err(damaged(format!("{path} has clusters outside the volume"))),
        }
    }
    Placement::new(data.size, allocation)
        .ok_or_else(|| damaged(format!("the clusters of {path} contradict its size or each other")))
}

/// Whether two names are the same but for case, as far as single characters go: what `$UpCase` holds.
fn same_name(a: &str, b: &str) -> bool {
    let upper = |c: char| {
        let mut upper = c.to_uppercase();
        upper.next().filter(|_| upper.next().is_none()).unwrap_or(c)
    };
    a.eq_ignore_ascii_case(b) || a.chars().map(upper).eq(b.chars().map(upper))
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
fn damaged(reason: impl ToString) -> GuestFsError {
    GuestFsError::Damaged {
        kind: KIND,
        reason: reason.to_string(),
    }
}

fn wrong_kind(path: &str, expected: &'static str) -> GuestFsError {
    GuestFsError::WrongKind {
        path: path.to_owned(),
        expected,
    }
}
