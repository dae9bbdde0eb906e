//! The pages that are nothing but text, line by line.

use super::pages::Guide;
use super::words;
use ratatui::style::{Color, Modifier, Style};

/// What the eye shall find first.
pub(super) const BOLD: Style = Style::new().add_modifier(Modifier::BOLD);
/// What must not be overlooked.
pub(super) const ALARM: Style = Style::new().fg(Color::Yellow).add_modifier(Modifier::BOLD);

/// A line without emphasis.
pub(super) fn plain(line: impl Into<String>) -> (String, Style) {
    (line.into(), Style::new())
}

/// May this drive be mounted?
pub(super) fn mount_question(guide: &Guide) -> Vec<(String, Style)> {
    let Some(volume) = guide.volume() else {
        return Vec::new();
    };
    let title = volume.title.clone();
    vec![
        ("Use this drive?".to_owned(), BOLD),
        plain(""),
        plain(format!("  {title}")),
        plain(format!("  {}", volume.detail())),
        plain(""),
        plain(
            "p2v opens it for writing (it mounts it) and makes one new folder on it. What is on it already stays as it is. When \
             p2v ends, the drive is closed again and can be unplugged.",
        ),
    ]
}

/// What will be done.
pub(super) fn ready(guide: &Guide) -> Vec<(String, Style)> {
    let (Some(disk), Some(base)) = (guide.chosen(), &guide.base) else {
        return Vec::new();
    };
    let summary = &guide.summary;
    let mut lines = vec![
        plain(format!(
            "From:   {}, {} ({})",
            disk.model,
            words::size(disk.size),
            disk.path.display()
        )),
        plain(format!("To:     the folder {} {}", guide.name.text().trim(), base.at)),
        plain(format!(
            "Data:   {}; what is known to be free space is left out",
            words::size(summary.data)
        )),
        plain(format!("Room:   {} are free there", words::size(summary.free))),
    ];
    if summary.copied_before > 0 {
        lines.push(plain(format!(
            "Before: {} of it were copied before; it goes on from there",
            words::size(summary.copied_before)
        )));
    }
    let systems = if summary.systems.is_empty() {
        "none that p2v knows; the disk is copied all the same".to_owned()
    } else {
        summary.systems.join("; ")
    };
    lines.insert(1, plain(format!("System: {systems}")));
    lines.push(plain(""));
    for warning in &summary.warnings {
        lines.push((format!("Mind: {}", words::sentence(warning)), ALARM));
    }
    let both = if base.far().is_some() { "both PCs" } else { "the PC" };
    lines.push(plain(format!(
        "The old disk is only read. It may take an hour or more; {both} must stay switched on."
    )));
    lines.push(plain(""));
    lines.push(("Press Enter to start.".to_owned(), BOLD));
    lines.push(plain(""));
    lines.push(plain("The same as a command line:"));
    lines.push(plain(format!("  {}", summary.command)));
    lines
}

/// What was done.
pub(super) fn report(guide: &Guide) -> Vec<(String, Style)> {
    let style = if guide.lost > 0 { ALARM } else { BOLD };
    let lines = guide.report.iter().enumerate();
    lines
        .map(|(number, line)| (line.clone(), if number == 0 { style } else { Style::new() }))
        .collect()
}

/// What went wrong.
pub(super) fn failed(guide: &Guide) -> Vec<(String, Style)> {
    let Some(failure) = &guide.failure else {
        return Vec::new();
    };
    let mut lines = vec![(words::sentence(failure.what()), ALARM), plain("")];
    if guide.was_stopped() {
        lines.insert(0, ("The copy was stopped.".to_owned(), BOLD));
    }
    if let Some(advice) = words::advice(failure) {
        lines.extend(advice.lines().map(plain));
        lines.push(plain(""));
    }
    lines.push(plain("Nothing on the old disk was changed."));
    if !guide.summary.command.is_empty() {
        lines.extend([
            plain(""),
            plain("What was tried, as a command line:"),
            plain(format!("  {}", guide.summary.command)),
        ]);
    }
    lines
}
