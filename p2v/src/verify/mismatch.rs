//! Which part of the disk a difference lies in.

use crate::report;
use disk::ExtentSet;
use disk::layout::DiskLayout;
use serde::Serialize;
use std::fmt;

/// A range that differs.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Mismatch {
    /// First byte on the disk.
    offset: u64,
    /// Length in bytes.
    length: u64,
    /// Partition number; `None` outside all partitions or where the table cannot be read.
    partition: Option<u32>,
    /// The same in words.
    place: String,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "bytes {} to {} ({}): {}",
            self.offset,
            self.offset.saturating_add(self.length).saturating_sub(1),
            report::size(self.length),
            self.place
        )
    }
}

/// Names the partition of every wrong range. A range over a border is cut there.
pub(crate) fn explain(wrong: &ExtentSet, layout: Option<&DiskLayout>) -> Vec<Mismatch> {
    let contents = layout.map_or(&[][..], |layout| &layout.contents);
    let mut inside = ExtentSet::new();
    let mut mismatches = Vec::new();
    for volume in contents {
        let window = volume.start..volume.start.saturating_add(volume.size);
        inside.insert(window.clone());
        let place = format!("{} ({})", report::partition_name(volume), volume.volume.label_of_kind);
        let number = volume.partition.as_ref().map(|partition| partition.number);
        mismatches.extend(wrong.within(window).map(|range| Mismatch {
            offset: range.start,
            length: range.end - range.start,
            partition: number,
            place: place.clone(),
        }));
    }
    let end = wrong.iter().last().map_or(0, |range| range.end);
    let outside = inside.complement(end);
    let place = if layout.is_some() {
        "outside the partitions"
    } else {
        "unknown: the partition table cannot be read"
    };
    for range in outside.iter() {
        mismatches.extend(wrong.within(range).map(|range| Mismatch {
            offset: range.start,
            length: range.end - range.start,
            partition: None,
            place: place.to_owned(),
        }));
    }
    mismatches.sort_by_key(|mismatch| mismatch.offset);
    mismatches
}
