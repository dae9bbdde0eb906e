//! NTFS and FAT: every file that can be reached from the root is asked where its bytes lie.

use super::{Found, LostFile};
use crate::extent::ExtentSet;
use crate::guestfs::{self, GuestFs, GuestFsError, Occupant, Surveyed};
use crate::io::ReadAt;
use crate::usedmap::VolumeKind;
use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

/// More files than this are not looked at.
const MOST_FILES: usize = 4_000_000;
/// Folders in folders: a damaged volume can have circles.
const MOST_DEPTH: usize = 64;
/// No entry of a folder is smaller, in bytes.
const LEAST_ENTRY: u64 = 32;

/// The files of the volume that lost bytes. The error is the end of a sentence.
pub(super) fn find(kind: VolumeKind, volume: Arc<dyn ReadAt>, lost: &ExtentSet) -> Result<Found, String> {
    // There cannot be more names than there is room for.
    let most = usize::try_from(volume.size().checked_div(LEAST_ENTRY).unwrap_or(0)).unwrap_or(MOST_FILES);
    let most = most.min(MOST_FILES);
    let mut fs = guestfs::open(kind, volume)
        .map_err(|error| error.to_string())?
        .ok_or("p2v has no reader for it")?;
    let mut walk = Walk {
        fs: &mut *fs,
        lost,
        found: Found::default(),
        seen: 0,
        unread: 0,
        first_unread: None,
    };
    walk.all(most);
    let Walk {
        mut found,
        unread,
        first_unread,
        seen,
        ..
    } = walk;
    if let Some(first) = first_unread {
        let what = format!("{unread} files or folders cannot be looked at any more, for example {first}");
        found.notes.push(what);
    }
    if seen >= MOST_FILES {
        found
            .notes
            .push(format!("only the first {MOST_FILES} files were looked at"));
    }
    Ok(found)
}

struct Walk<'a> {
    fs: &'a mut dyn GuestFs,
    lost: &'a ExtentSet,
    found: Found,
    seen: usize,
    unread: u64,
    first_unread: Option<String>,
}

impl Walk<'_> {
    fn all(&mut self, most: usize) {
        // Folders that are still to be looked at, without the slash at the end, and how deep they are.
        let mut waiting = vec![(String::new(), 0usize)];
        let mut known = HashSet::new();
        while let Some((folder, depth)) = waiting.pop() {
            let entries = match self.fs.survey(&folder) {
                Ok(entries) => entries,
                Err(error) => {
                    self.unreadable(&folder, &error);
                    continue;
                }
            };
            for Surveyed { name, what } in entries {
                if self.seen >= most {
                    return;
                }
                self.seen = self.seen.saturating_add(1);
                let path = format!("{folder}/{name}");
                match what {
                    Ok(Occupant::File(ranges)) => self.file(path, ranges),
                    Ok(Occupant::Folder(number)) => {
                        // One that is here for the second time is inside itself, or in two places: damaged.
                        if known.insert(number) && depth < MOST_DEPTH {
                            waiting.push((path, depth.saturating_add(1)));
                        }
                    }
                    Err(error) => self.unreadable(&path, &error),
                }
            }
        }
    }

    fn file(&mut self, path: String, ranges: Vec<Range<u64>>) {
        let hit: ExtentSet = ranges
            .into_iter()
            .flat_map(|range| self.lost.within(range).collect::<Vec<_>>())
            .collect();
        let bytes = hit.bytes();
        self.found.owned.extend(hit.iter());
        if bytes > 0 {
            self.found.files.push(LostFile { path, bytes });
        }
    }

    fn unreadable(&mut self, path: &str, error: &GuestFsError) {
        self.unread = self.unread.saturating_add(1);
        let path = if path.is_empty() { "/" } else { path };
        self.first_unread
            .get_or_insert_with(|| format!("{}: {error}", path.escape_debug()));
    }
}
