//! The table of figures, with what is promised beside what was measured.

use crate::process;
use anyhow::{Context, Result};
use std::fs;
use std::path::Path;
use std::process::Command;

/// Where the table begins and ends in docs/specification.md.
const BEGIN: &str = "<!-- figures: written by `cargo xtask bench --write` -->";
const END: &str = "<!-- end of figures -->";

/// Lines of a table.
pub(super) struct Report {
    machine: String,
    lines: Vec<String>,
}

/// What a measured value must not pass.
#[derive(Clone, Copy)]
pub(super) enum Bar {
    /// At most this.
    AtMost(f64),
    /// At least this.
    AtLeast(f64),
}

impl Report {
    pub(super) fn new() -> Result<Self> {
        let date = process::output(Command::new("date").arg("+%F"))?;
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = cpuinfo
            .lines()
            .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
            .map_or("", |(_, model)| model);
        let cores = std::thread::available_parallelism()?;
        Ok(Self {
            machine: format!("Measured on {}, {cores} cores of {model}.", date.trim()),
            lines: Vec::new(),
        })
    }

    /// Adds a line: what was measured, the figures in words, the value that is judged and its bar.
    pub(super) fn add(&mut self, what: &str, figures: &str, value: f64, bar: Bar) {
        let (promise, kept) = match bar {
            Bar::AtMost(limit) => (format!("≤ {limit}"), value <= limit),
            Bar::AtLeast(limit) => (format!("≥ {limit}"), value >= limit),
        };
        let verdict = if kept { "kept" } else { "**missed**" };
        let line = format!("| {what} | {figures} | {value:.2} | {promise} | {verdict} |");
        eprintln!("{line}");
        self.lines.push(line);
    }

    /// The table.
    pub(super) fn markdown(&self) -> String {
        let head = "| what | figures (medians) | judged | promise | |\n|---|---|---|---|---|";
        format!("{}\n\n{head}\n{}\n", self.machine, self.lines.join("\n"))
    }

    /// Puts the table in its place in a document. Lines of parts that were not measured this time stay.
    pub(super) fn write(&self, file: &Path) -> Result<()> {
        let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        let (before, rest) = text
            .split_once(BEGIN)
            .context("docs/specification.md has no place for figures")?;
        let (old, after) = rest
            .split_once(END)
            .context("docs/specification.md has no end of figures")?;
        let all = Self {
            machine: self.machine.clone(),
            lines: merge(old, &self.lines),
        };
        let table = all.markdown();
        Ok(fs::write(file, format!("{before}{BEGIN}\n\n{table}\n{END}{after}"))?)
    }
}

/// The lines of the `old` table with `new` ones in the place of those that tell the same; others follow.
fn merge(old: &str, new: &[String]) -> Vec<String> {
    let what = |line: &str| line.split('|').nth(1).unwrap_or_default().to_owned();
    let figures = |line: &&str| line.starts_with("| ") && !line.starts_with("| what ");
    let mut lines: Vec<String> = old.lines().filter(figures).map(str::to_owned).collect();
    for line in new {
        match lines.iter_mut().find(|old| what(old) == what(line)) {
            Some(place) => place.clone_from(line),
            None => lines.push(line.clone()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::merge;

    #[test]
    fn what_was_not_measured_again_stays() {
        let old = "Measured on a day.\n\n| what | figures |\n|---|---|\n| speed | 1 |\n| memory | 2 |\n";
        let new = ["| memory | 3 |".to_owned(), "| launch | 4 |".to_owned()];
        assert_eq!(merge(old, &new), ["| speed | 1 |", "| memory | 3 |", "| launch | 4 |"]);
    }
}
