//! Findings and edits of `p2v adapt`, as a person reads them.

use drivers_inject::System;
use drivers_inject::adapt::{Edit, Effect, Finding};
use std::fmt::Write;

/// What is longer than this before and after its change, together, stands on lines of its own.
const LONG: usize = 60;

/// A paragraph a finding.
pub(crate) fn findings_text(findings: &[Finding]) -> String {
    let mut text = String::new();
    for finding in findings {
        let word = match finding.effect {
            Effect::Refusal => "Stop    ",
            Effect::Skip => "Skipped ",
            Effect::Warning => "Warning ",
            Effect::Note => "Note    ",
        };
        let place = match (&finding.system, finding.partition) {
            (None, 0) => String::new(),
            (None, partition) => format!("Partition {partition}: "),
            (Some(system), 0) => format!("{system}: "),
            (Some(system), partition) => format!("{system} (partition {partition}): "),
        };
        let what = finding.what.trim_end_matches('.');
        let _ = writeln!(text, "{word} {place}{what}.\n         {}", finding.default);
        if let Some(option) = finding.option.filter(|_| finding.effect == Effect::Refusal) {
            let _ = writeln!(text, "         {option}.");
        }
    }
    text
}

/// What changes and why, under the names of systems and files.
pub(crate) fn edits_text(edits: &[Edit], systems: &[System]) -> String {
    let mut text = String::new();
    let mut heading = None;
    for edit in edits {
        let here = (&edit.system, edit.partition, &edit.file);
        if heading != Some(here) {
            heading = Some(here);
            let of_edit = |system: &&System| system.name == edit.system && system.partition == edit.partition;
            let volume = systems.iter().find(of_edit).and_then(|system| system.volume.as_ref());
            let place = match (edit.partition, volume) {
                (_, Some(volume)) => format!(" on logical volume {volume}"),
                (0, None) => String::new(),
                (number, None) => format!(" on partition {number}"),
            };
            let _ = writeln!(text, "{}{place}, file {}:", edit.system, edit.file);
        }
        let change = match (&edit.before, &edit.after) {
            (Some(before), Some(after)) if before.len().saturating_add(after.len()) > LONG => {
                format!("\n    - {before}\n    + {after}")
            }
            (Some(before), Some(after)) => format!(" {before} → {after}"),
            (None, Some(after)) => format!(" + {after}"),
            (Some(before), None) => format!(" {before} → removed"),
            (None, None) => String::new(),
        };
        let _ = writeln!(text, "  {}:{change}\n      {}", edit.place, edit.why);
    }
    text
}
