//! `p2v inspect`: what is on a disk, partition by partition, and which systems. Read-only.

use crate::cli::InspectArgs;
use crate::error::{Failure, Result, print, print_json};
use crate::report;
use crate::source::Input;
use disk::layout::DiskLayout;
use disk::source::SourceInfo;
use drivers_inject::adapt::{self, Finding};
use drivers_inject::{System, Unreadable};
use serde::Serialize;
use std::fmt::Write;

#[derive(Serialize)]
struct Findings {
    source: SourceInfo,
    layout: DiskLayout,
    /// Bytes that a capture would copy.
    used_bytes: u64,
    systems: Vec<System>,
    /// Volumes that could not be looked into.
    unreadable: Vec<Unreadable>,
    /// What stands in the way of running the systems on other hardware, as `p2v adapt` sees it.
    adapt: Vec<Finding>,
}

/// Inspects a device, an image or a machine folder.
pub(crate) fn run(args: &InspectArgs) -> Result<()> {
    let input = Input::open_or_folder(&args.source)?;
    let info = input.info();
    let reader = input.reader();
    let layout = disk::layout::scan(&*reader, info.logical_sector)
        .map_err(|error| Failure::source_read(&info.path, 0, info.logical_sector, &error))?;
    let found = adapt::plan(&reader, &layout, adapt::Options::default());
    let findings = Findings {
        source: info,
        used_bytes: layout.used.bytes(),
        layout,
        systems: found.systems,
        unreadable: found.unreadable,
        adapt: found.findings,
    };
    if args.json {
        print_json(&findings)
    } else {
        print(&text(&findings))
    }
}

fn text(findings: &Findings) -> String {
    let mut text = String::new();
    let info = &findings.source;
    let _ = writeln!(
        text,
        "Disk     {}  {} ({} bytes)",
        info.path.display(),
        report::size(info.size),
        info.size
    );
    if let Some(model) = &info.model {
        let serial = info
            .serial
            .as_deref()
            .map_or(String::new(), |serial| format!("  serial {serial}"));
        let _ = writeln!(text, "Model    {model}{serial}");
    }
    text.push_str(&report::layout_text(&findings.layout));
    for warning in &findings.layout.table.warnings {
        let _ = writeln!(text, "Warning: {warning}");
    }
    for used in &info.in_use {
        let _ = writeln!(text, "In use   {} is {}", used.device.display(), used.how);
    }
    for system in &findings.systems {
        let _ = writeln!(text, "System   {}", report::system_text(system));
    }
    if findings.systems.is_empty() {
        let _ = writeln!(text, "System   none found");
    }
    for volume in &findings.unreadable {
        let _ = match volume.partition {
            0 => writeln!(text, "Warning: {}", volume.reason),
            number => writeln!(text, "Warning: partition {number}: {}", volume.reason),
        };
    }
    text.push_str(&report::findings_text(&findings.adapt));
    let _ = writeln!(
        text,
        "To copy  {} of {}",
        report::size(findings.used_bytes),
        report::size(info.size)
    );
    text
}
