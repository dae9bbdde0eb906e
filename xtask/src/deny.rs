//! `cargo xtask deny`: licences and sources of all dependencies against deny.toml.

use crate::{process, test};
use anyhow::Result;
use std::path::PathBuf;
use std::process::Command;

/// Carries out `cargo xtask deny`. Installs cargo-deny in `target/tools` if it is not there (some minutes).
pub(crate) fn run() -> Result<()> {
    let program = installed()?;
    let mut check = Command::new(program);
    check
        .args(["check", "licenses", "bans", "sources"])
        .current_dir(process::project_root());
    process::run(&mut check)
}

fn installed() -> Result<PathBuf> {
    if process::output(Command::new("cargo-deny").arg("--version")).is_ok() {
        return Ok("cargo-deny".into());
    }
    let tools = process::target_dir().join("tools");
    let program = tools.join("bin/cargo-deny");
    if !program.is_file() {
        process::run(test::cargo(&["install", "--locked", "cargo-deny", "--root"]).arg(&tools))?;
    }
    Ok(program)
}
