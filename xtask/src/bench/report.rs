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

    /// Puts the table in its place in a document.
    pub(super) fn write(&self, file: &Path) -> Result<()> {
        let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        let (before, rest) = text
            .split_once(BEGIN)
            .context("docs/specification.md has no place for figures")?;
        let (_, after) = rest
            .split_once(END)
            .context("docs/specification.md has no end of figures")?;
        Ok(fs::write(
            file,
            format!("{before}{BEGIN}\n\n{}\n{END}{after}", self.markdown()),
        )?)
    }
}
