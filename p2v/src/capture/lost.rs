//! What a failing disk could not read, and what that means: which files, or free space, or structures.

use crate::report;
use disk::layout::{DiskLayout, PartitionContents};
use disk::lost::{Owners, owners};
use disk::qcow2::Image;
use disk::{ExtentSet, ReadAt};
use serde::{Deserialize, Serialize};
use std::fmt::Write;
use std::ops::Range;
use std::sync::Arc;

/// More files of one partition are not listed; they are counted.
const MOST_LISTED: usize = 1000;

/// What was lost of a disk.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Lost {
    bytes: u64,
    /// First byte and one past the last one of each range.
    ranges: Vec<Range<u64>>,
    places: Vec<Place>,
}

/// What was lost in one place: a partition, or everything that is in none.
#[derive(Debug, Serialize, Deserialize)]
struct Place {
    /// Number of the partition; `None` for what is in no partition.
    partition: Option<u32>,
    /// What is in it, e.g. `NTFS`.
    kind: Option<String>,
    bytes: u64,
    #[serde(flatten)]
    owners: Owners,
}

impl Lost {
    /// Looks up whose the bytes in `lost` are. The finished image stands for the disk, which is not asked again: a failing
    /// disk gets worse with every read.
    pub(super) fn find(lost: &ExtentSet, layout: &DiskLayout, image: Arc<Image>) -> Self {
        if lost.is_empty() {
            return Lost::default();
        }
        let disk: Arc<dyn ReadAt> = image;
        let mut places = Vec::new();
        let mut outside = lost.clone();
        for contents in &layout.contents {
            let range = contents.start..contents.start.saturating_add(contents.size);
            let inside: ExtentSet = lost
                .within(range.clone())
                .map(|lost| lost.start - range.start..lost.end - range.start)
                .collect();
            if inside.is_empty() {
                continue;
            }
            let elsewhere = [0..range.start, range.end..u64::MAX];
            outside = elsewhere
                .into_iter()
                .flat_map(|part| outside.within(part).collect::<Vec<_>>())
                .collect();
            let owners = owners(&disk, range, &contents.volume, &inside);
            places.push(place(contents, inside.bytes(), owners));
        }
        if !outside.is_empty() {
            places.push(Place {
                partition: None,
                kind: None,
                bytes: outside.bytes(),
                owners: Owners::unknown(
                    &outside,
                    "outside of all partitions: tables, boot loaders, or nothing".to_owned(),
                ),
            });
        }
        Lost {
            bytes: lost.bytes(),
            ranges: lost.iter().collect(),
            places,
        }
    }

    /// Whether all was read.
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// How many bytes were lost.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// For people.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        let places = self.ranges.len();
        let _ = writeln!(
            text,
            "Lost     {} ({} bytes) in {places} place{} could not be read and {} zero in the image:",
            report::size(self.bytes),
            self.bytes,
            if places == 1 { "" } else { "s" },
            if places == 1 { "is" } else { "are" },
        );
        for place in &self.places {
            place.write(&mut text);
        }
        text
    }
}

fn place(contents: &PartitionContents, bytes: u64, owners: Owners) -> Place {
    Place {
        partition: contents.partition.as_ref().map(|partition| partition.number),
        kind: Some(contents.volume.label_of_kind.clone()),
        bytes,
        owners,
    }
}

impl Place {
    fn write(&self, text: &mut String) {
        let kind = self.kind.as_deref().unwrap_or("no partition");
        let name = match self.partition {
            Some(number) => format!("partition {number} ({kind})"),
            None if self.kind.is_some() => format!("the whole disk ({kind})"),
            None => kind.to_owned(),
        };
        let _ = writeln!(text, "  {name}: {} bytes", self.bytes);
        for file in self.owners.files.iter().take(MOST_LISTED) {
            // A name is a stranger's text: no control character of it reaches the terminal.
            let _ = writeln!(
                text,
                "    {:>10} bytes of {}",
                file.bytes,
                file.path.replace(char::is_control, "\u{fffd}")
            );
        }
        if let Some(more) = self
            .owners
            .files
            .len()
            .checked_sub(MOST_LISTED)
            .filter(|more| *more > 0)
        {
            let _ = writeln!(text, "    and {more} more files");
        }
        let rest = [
            (self.owners.free, "in free space: nothing is missing"),
            (self.owners.metadata, "in structures of the file system, or in folders"),
            (
                self.owners.unknown,
                "whose owner is not known: free space, structures, or files",
            ),
        ];
        for (bytes, what) in rest.into_iter().filter(|(bytes, _)| *bytes > 0) {
            let _ = writeln!(text, "    {bytes:>10} bytes {what}");
        }
        for note in &self.owners.notes {
            let _ = writeln!(text, "    Note: {note}");
        }
    }
}
