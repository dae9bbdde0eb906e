//! Running the field's tools: makers of disks and judges of ours. A tool that is not there is an error that names
//! the command which installs it, never a skipped check.

use anyhow::{Context, Result, bail};
use std::process::{Command, Output, Stdio};

/// Runs a command and returns its output.
///
/// # Errors
/// If it cannot be started (the message names `cargo xtask packages`), or fails (with all that it printed).
pub fn run(command: &mut Command) -> Result<Output> {
    let output = start(command)?;
    if !output.status.success() {
        bail!(
            "{command:?} failed: {}\n{}{}",
            output.status,
            end_of(&output.stdout),
            end_of(&output.stderr)
        );
    }
    Ok(output)
}

/// Runs a command whose exit status the caller judges.
///
/// # Errors
/// If it cannot be started.
pub fn start(command: &mut Command) -> Result<Output> {
    // Administrators' tools (mkfs, sfdisk, losetup) are not on every user's path.
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    command.env("PATH", path).env("LC_ALL", "C.UTF-8").stdin(Stdio::null());
    command
        .output()
        .with_context(|| format!("cannot start {command:?}: `cargo xtask packages` installs what tests need"))
}

/// The last of what a command printed, as much as one reads.
fn end_of(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    let printable: String = text.chars().filter(|c| !c.is_control() || *c == '\n').collect();
    let skipped = printable.chars().count().saturating_sub(4000);
    printable.chars().skip(skipped).collect()
}

/// What a command printed on its standard output, as text.
///
/// # Errors
/// As [`run`].
pub fn text(command: &mut Command) -> Result<String> {
    Ok(String::from_utf8_lossy(&run(command)?.stdout).into_owned())
}

/// What `sha256sum` prints of a file, to be compared with what it printed before.
///
/// # Errors
/// As [`run`].
pub fn sha256(file: &std::path::Path) -> Result<String> {
    text(Command::new("sha256sum").arg("-b").arg(file))
}

/// Runs a script with `sh -eu`; `arguments` are its `$1`, `$2`, …
///
/// # Errors
/// As [`run`].
pub fn shell(script: &str, arguments: &[&std::ffi::OsStr]) -> Result<String> {
    text(Command::new("sh").args(["-euc", script, "sh"]).args(arguments))
}
