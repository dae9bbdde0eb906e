//! Running the tools that make a stick. One that is not there is told with the Debian package it belongs to.

use crate::error::{Failure, Result};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Programs and their packages.
const PACKAGES: &[(&str, &str)] = &[
    ("mmdebstrap", "mmdebstrap"),
    ("mformat", "mtools"),
    ("mke2fs", "e2fsprogs"),
    ("mksquashfs", "squashfs-tools"),
    ("xorriso", "xorriso"),
];

/// How many lines of what a tool printed are shown when it fails.
const LAST_LINES: usize = 15;

/// Where administrators' tools are, which not every user has on the path.
const SYSTEM_PATHS: [&str; 2] = ["/usr/sbin", "/sbin"];

/// Refused, with the command that installs them, unless all of these programs are there.
pub(super) fn ensure(programs: &[&str]) -> Result<()> {
    let missing: Vec<&str> = programs
        .iter()
        .copied()
        .filter(|program| find(program).is_none())
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let package = |program: &&str| {
        PACKAGES
            .iter()
            .find(|(name, _)| name == program)
            .map(|(_, package)| *package)
    };
    let packages: Vec<&str> = missing.iter().filter_map(package).collect();
    Err(Failure::refused(format!(
        "programs that make a stick are missing: {}",
        missing.join(", ")
    ))
    .advice(format!(
        "They belong to Debian's packages of these names: `apt-get install {}`.",
        packages.join(" ")
    )))
}

/// A command for one of these programs.
pub(super) fn command(program: &str) -> Command {
    Command::new(find(program).unwrap_or_else(|| program.into()))
}

fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(SYSTEM_PATHS.iter().map(PathBuf::from));
    folders.map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// Runs a command to its end; what it printed is shown only if it fails.
pub(super) fn run(command: &mut Command, what: &str) -> Result<Output> {
    let name = name(command);
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| Failure::failed(format!("cannot run {name}, which {what}: {error}")))?;
    finish(output, &name, what)
}

/// Judges how a command ended.
pub(super) fn finish(output: Output, name: &str, what: &str) -> Result<Output> {
    if output.status.success() {
        return Ok(output);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = said.lines().collect();
    let last = lines.get(lines.len().saturating_sub(LAST_LINES)..).unwrap_or_default();
    let what = format!(
        "{name}, which {what}, ended with {}:\n{}",
        output.status,
        last.join("\n")
    );
    Err(Failure::failed(what))
}

/// The program's name, for messages.
pub(super) fn name(command: &Command) -> String {
    let program = Path::new(command.get_program());
    program.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
