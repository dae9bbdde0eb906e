//! Time, processor time and memory of other programs, by GNU time.

use crate::process;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// What one run took.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cost {
    /// Seconds on the wall clock.
    pub(super) wall: f64,
    /// Seconds of processor time, user and system, of all its processes.
    pub(super) cpu: f64,
    /// Most memory that one of its processes held, in MiB.
    pub(super) memory: f64,
}

/// Runs a shell command and measures it with all its children.
pub(super) fn shell(script: &str, folder: &Path) -> Result<Cost> {
    let figures = folder.join("time");
    let mut command = Command::new("time");
    command
        .args(["-f", "%e %U %S %M", "-o"])
        .arg(&figures)
        .args(["bash", "-o", "pipefail", "-ec", script]);
    let output = command
        .stdin(Stdio::null())
        .output()
        .context("cannot start GNU time: `cargo xtask packages` installs it")?;
    if !output.status.success() {
        bail!(
            "{} failed:\n{}",
            process::display(&command),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    let text = fs::read_to_string(&figures)?;
    let numbers: Vec<f64> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [wall, user, system, kilobytes] = numbers[..] else {
        bail!("GNU time wrote {text:?}");
    };
    Ok(Cost {
        wall,
        cpu: user + system,
        memory: kilobytes / 1024.0,
    })
}

/// The middle one of some numbers.
pub(super) fn median(numbers: impl IntoIterator<Item = f64>) -> f64 {
    let mut numbers: Vec<f64> = numbers.into_iter().collect();
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or(f64::NAN)
}
