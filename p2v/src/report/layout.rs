//! A disk's layout and its systems, as a person reads them.

use super::{Table, count, size};
use disk::layout::{DiskLayout, LogicalContents, PartitionContents};
use disk::partition::Scheme;
use drivers_inject::System;
use std::fmt::Write;

/// The table and what is in each partition, line by line.
pub(crate) fn layout_text(layout: &DiskLayout) -> String {
    let table = match layout.table.scheme {
        Scheme::Mbr => "MBR",
        Scheme::Gpt => "GPT",
        Scheme::None => "no partition table",
    };
    let id = layout
        .table
        .disk_id
        .as_deref()
        .map_or(String::new(), |id| format!(", id {id}"));
    let mut text = format!("Table    {table}{id}, {}\n", count(layout.contents.len(), "volume"));
    let mut rows = Table::new(&["no", "start", "size", "used", "contents", "label", ""], &[0, 1, 2, 3]);
    let mut notes = String::new();
    for contents in &layout.contents {
        let volume = &contents.volume;
        let used = layout
            .used
            .within(contents.start..contents.start.saturating_add(contents.size));
        let used: u64 = used.map(|range| range.end - range.start).sum();
        rows.row(vec![
            number(contents),
            size(contents.start),
            size(contents.size),
            size(used),
            volume.label_of_kind.clone(),
            volume.label.clone().unwrap_or_default(),
            if volume.mapped {
                String::new()
            } else {
                "copied whole".to_owned()
            },
        ]);
        for note in &volume.notes {
            let _ = writeln!(notes, "  {}: {note}", partition_name(contents));
        }
        logical_rows(layout, contents, &mut rows);
    }
    text.push_str(&rows.text());
    text.push_str(&notes);
    text
}

/// The logical volumes under their physical one; under the first of several.
fn logical_rows(layout: &DiskLayout, contents: &PartitionContents, rows: &mut Table) {
    let partition = contents.partition.as_ref().map_or(0, |partition| partition.number);
    for LogicalContents { logical, volume } in &layout.logical {
        if logical.partitions.first() != Some(&partition) {
            continue;
        }
        let kind = volume.as_ref().map_or("not read", |volume| &volume.label_of_kind);
        rows.row(vec![
            String::new(),
            String::new(),
            size(logical.size),
            String::new(),
            kind.to_owned(),
            volume
                .as_ref()
                .and_then(|volume| volume.label.clone())
                .unwrap_or_default(),
            format!("logical volume {}", logical.name),
        ]);
    }
}

/// The partition's number, with a star if it is active.
fn number(contents: &PartitionContents) -> String {
    match &contents.partition {
        Some(partition) if partition.bootable => format!("*{}", partition.number),
        Some(partition) => partition.number.to_string(),
        None => "-".to_owned(),
    }
}

/// `partition 2`, `the whole disk`.
pub(crate) fn partition_name(contents: &PartitionContents) -> String {
    match &contents.partition {
        Some(partition) => format!("partition {}", partition.number),
        None => "the whole disk".to_owned(),
    }
}

/// One line on a system.
pub(crate) fn system_text(system: &System) -> String {
    let mut text = system.name.clone();
    if let Some(edition) = system.edition.as_deref().filter(|edition| !text.contains(*edition)) {
        let _ = write!(text, " {edition}");
    }
    if let Some(version) = system.version.as_deref().filter(|version| !text.contains(*version)) {
        let _ = write!(text, ", version {version}");
    }
    if let Some(architecture) = &system.architecture {
        let _ = write!(text, ", {architecture}");
    }
    if let Some(hostname) = &system.hostname {
        let _ = write!(text, ", called {hostname}");
    }
    if let Some(volume) = &system.volume {
        let _ = write!(text, ", on logical volume {volume}");
    } else if system.partition > 0 {
        let _ = write!(text, ", on partition {}", system.partition);
    }
    for note in &system.notes {
        let _ = write!(text, "\n         {note}");
    }
    text
}
