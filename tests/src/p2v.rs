//! The `p2v` program under test.

use crate::tool;
use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The program: `$P2V_BIN`, else the one beside the running test, built now so that it is never an old one.
///
/// # Errors
/// If it cannot be built.
pub fn binary() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("P2V_BIN") {
        return Ok(path.into());
    }
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    BUILT
        .get_or_init(|| build().map_err(|error| format!("{error:#}")))
        .clone()
        .map_err(anyhow::Error::msg)
}

fn build() -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml");
    tool::run(
        Command::new(cargo)
            .args(["build", "--quiet", "--package", "p2v", "--manifest-path"])
            .arg(manifest),
    )?;
    let program = std::env::current_exe()?;
    // target/debug/deps/NAME-HASH for tests, target/debug/xtask for developer commands.
    let folder = program.parent().context("the test has no folder")?;
    let folder = if folder.ends_with("deps") {
        folder.parent().unwrap_or(folder)
    } else {
        folder
    };
    let path = folder.join("p2v");
    ensure!(path.is_file(), "cargo built no {}", path.display());
    Ok(path)
}

/// `p2v` with a subcommand's name.
///
/// # Errors
/// As [`binary`].
pub fn command(subcommand: &str) -> Result<Command> {
    let mut command = Command::new(binary()?);
    command.arg(subcommand);
    Ok(command)
}

/// Captures a disk into `folder`.
///
/// # Errors
/// If the capture fails.
pub fn capture(disk: &Path, folder: &Path) -> Result<()> {
    tool::run(command("capture")?.arg(disk).arg("-o").arg(folder)).map(|_| ())
}

/// Adapts the machine in a folder.
///
/// # Errors
/// If it cannot be adapted; the error has the command's output.
pub fn adapt(folder: &Path) -> Result<()> {
    tool::run(command("adapt")?.arg(folder)).map(|_| ())
}
