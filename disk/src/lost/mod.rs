//! Whose bytes a disk has lost: files, structures of the filesystem, or free space.
//!
//! The volume is read as it came out, with zeros in the place of what is lost. What cannot be found out because of that
//! is said in a note, never guessed.
#![warn(clippy::arithmetic_side_effects, clippy::as_conversions, clippy::indexing_slicing)]

mod ext;
mod walk;

use crate::extent::ExtentSet;
use crate::io::{ReadAt, Window};
use crate::usedmap::{Volume, VolumeKind};
use serde::{Deserialize, Serialize};
use std::ops::Range;
use std::sync::Arc;

/// A file or folder that lost bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LostFile {
    /// Path from the volume's root, beginning with `/`; a folder's ends with one.
    pub path: String,
    /// How many bytes of its clusters or blocks were lost.
    pub bytes: u64,
}

/// Whose the lost bytes of one volume are. All counts are bytes, and each lost byte is counted once, but for those that a
/// damaged filesystem gives to two files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owners {
    /// Files and folders, in order of their paths.
    pub files: Vec<LostFile>,
    /// In free space.
    pub free: u64,
    /// In use, but by no file: the filesystem's own structures, and folders whose place is not known.
    pub metadata: u64,
    /// Everything else.
    pub unknown: u64,
    /// What could not be looked up, and why.
    pub notes: Vec<String>,
}

impl Owners {
    /// Nobody is known for the bytes in `lost`, for the reason in `note`.
    pub fn unknown(lost: &ExtentSet, note: String) -> Self {
        Owners {
            unknown: lost.bytes(),
            notes: vec![note],
            ..Owners::default()
        }
    }
}

/// What a filesystem's reader found.
#[derive(Default)]
struct Found {
    files: Vec<LostFile>,
    /// All lost bytes that belong to `files`.
    owned: ExtentSet,
    notes: Vec<String>,
}

/// Whose the bytes in `lost` (relative to the volume) are. The volume lies in `range` of `disk`, and `volume` is what was
/// known of it before they were lost.
pub fn owners(disk: &Arc<dyn ReadAt>, range: Range<u64>, volume: &Volume, lost: &ExtentSet) -> Owners {
    let size = range.end.saturating_sub(range.start);
    // What was rounded to whole pages or sectors is not the filesystem's.
    let used: ExtentSet = lost
        .iter()
        .flat_map(|range| volume.used.within(range).collect::<Vec<_>>())
        .collect();
    let free = if volume.mapped {
        lost.bytes().saturating_sub(used.bytes())
    } else {
        0
    };
    let found = match Window::new(Arc::clone(disk), range) {
        Ok(window) => find(volume.kind, Arc::new(window), lost),
        Err(error) => Err(error.to_string()),
    };
    let mut found = found.unwrap_or_else(|reason| Found {
        notes: vec![format!("no files could be looked up: {reason}")],
        ..Found::default()
    });
    found.files.sort_by(|a, b| a.path.cmp(&b.path));
    let nobody = found.owned.complement(size);
    let rest = used.iter().flat_map(|range| nobody.within(range).collect::<Vec<_>>());
    let rest: u64 = rest.map(|range| range.end.saturating_sub(range.start)).sum();
    // Only a map of free space that was believed tells structures from free space, and only if every file was seen.
    let certain = volume.mapped && found.notes.is_empty();
    Owners {
        files: found.files,
        free,
        metadata: if certain { rest } else { 0 },
        unknown: if certain { 0 } else { rest },
        notes: found.notes,
    }
}

fn find(kind: VolumeKind, volume: Arc<dyn ReadAt>, lost: &ExtentSet) -> Result<Found, String> {
    match kind {
        VolumeKind::Ext => ext::find(&*volume, lost),
        VolumeKind::Ntfs | VolumeKind::Fat => walk::find(kind, volume, lost),
        _ => Err("p2v does not know how in this kind of contents".to_owned()),
    }
}
