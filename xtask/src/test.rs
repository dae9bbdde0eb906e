//! `cargo xtask test`: everything that proves the project, as a person or CI runs it.

use crate::{fuzz, packages, process, rig};
use anyhow::{Context, Result, bail};
use p2v_tests::fixtures::{debian, installer};
use p2v_tests::p2v;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Check format and lints, run all tests, build the fuzz targets, run the guest tests in the rig.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Leave out the guest tests, which take most of the time
    #[arg(long)]
    no_guests: bool,
}

/// Carries out `cargo xtask test`. Stops at the first step that fails.
pub(crate) fn run(args: &Args) -> Result<()> {
    let all = Instant::now();
    step("Debian packages", packages::ensure)?;
    step("format", || process::run(&mut cargo(&["fmt", "--all", "--check"])))?;
    step("lints", lints)?;
    step("tests", || process::run(&mut cargo(&["test", "--workspace"])))?;
    step("fuzz targets build", || fuzz::build().map(|_| ()))?;
    if !args.no_guests {
        step("guest tests", guests)?;
    }
    eprintln!("all steps passed in {}", minutes(all.elapsed()));
    Ok(())
}

fn lints() -> Result<()> {
    let strict = ["--quiet", "--", "-D", "warnings"];
    process::run(cargo(&["clippy", "--workspace", "--all-targets"]).args(strict))?;
    // `--all-targets` leaves out the tests that do not run with the others.
    let apart = ["guest", "live", "journey"].map(|test| ["--test", test]);
    let mut clippy = cargo(&["clippy", "--package", "p2v-tests"]);
    process::run(clippy.args(apart.as_flattened()).args(strict))
}

fn step(name: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
    eprintln!("\n== {name}");
    let started = Instant::now();
    work().with_context(|| format!("the step `{name}` failed"))?;
    eprintln!("== {name}: passed in {}", minutes(started.elapsed()));
    Ok(())
}

/// A time as a person says it.
pub(crate) fn minutes(time: Duration) -> String {
    let seconds = time.as_secs();
    if seconds < 60 {
        format!("{:.1} s", time.as_secs_f32())
    } else {
        format!("{} min {:02} s", seconds / 60, seconds % 60)
    }
}

/// Cargo in the project's folder.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(process::project_root());
    command
}

/// Captures the disks here, where the processor is fast, and runs the guest tests where the KVM is.
fn guests() -> Result<()> {
    let test = guest_test()?;
    let binary = p2v::binary()?;
    let captures = process::target_dir().join("captures");
    let _ = fs::remove_dir_all(&captures);
    fs::create_dir_all(&captures)?;
    installer::disc()?;
    for recipe in [debian::i386(), debian::amd64(), debian::laptop(), debian::desktop()] {
        p2v::capture(&recipe.disk()?.image, &captures.join(recipe.name()))?;
    }
    let laptop = debian::laptop();
    let adapted = captures.join(format!("{}-adapted", laptop.name()));
    p2v::capture(&laptop.disk()?.image, &adapted)?;
    p2v::adapt(&adapted)?;
    let live = rig::out_dir().join("serial.txt");
    let _ = fs::remove_file(&live);
    eprintln!("the guests' serial ports, live: {}", live.display());
    let mut command = Command::new("env");
    command
        .arg(format!("P2V_SERIAL_LOG={}", live.display()))
        .arg(format!("P2V_CAPTURES={}", captures.display()))
        .arg(format!("P2V_BIN={}", binary.display()))
        .arg(test)
        .args(["--test-threads=1", "--nocapture"]);
    rig::execute(&command, Duration::from_secs(3000))
}

/// Builds the guest tests and returns their program.
pub(crate) fn guest_test() -> Result<PathBuf> {
    let mut build = cargo(&[
        "test",
        "--package",
        "p2v-tests",
        "--test",
        "guest",
        "--no-run",
        "--message-format=json",
    ]);
    eprintln!("+ {}", process::display(&build));
    let output = build.stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        bail!("the guest tests do not build");
    }
    let messages = String::from_utf8_lossy(&output.stdout).into_owned();
    let programs = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    programs
        .filter_map(|message| message.get("executable")?.as_str().map(PathBuf::from))
        .next_back()
        .context("cargo named no program")
}
