//! `cargo xtask fuzz`: builds the fuzz targets with coverage instrumentation on the stable compiler, and runs them.

use crate::{process, test};
use anyhow::{Context, Result, bail, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Run the fuzz targets, one after the other.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// How long each target runs
    #[arg(long, default_value_t = 60)]
    seconds: u32,
    /// Only build them
    #[arg(long)]
    build: bool,
    /// Only this target, e.g. `extent`
    target: Option<String>,
}

/// What cargo-fuzz gives the compiler too: libFuzzer's counters at every edge, and the operands of comparisons.
const FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
                     -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
                     -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 -Cdebug-assertions -Coverflow-checks";

/// Carries out `cargo xtask fuzz`.
pub(crate) fn run(args: &Args) -> Result<()> {
    crate::packages::ensure()?;
    let targets = build()?;
    if args.build {
        return Ok(());
    }
    let wanted = |target: &&PathBuf| args.target.as_ref().is_none_or(|name| name_of(target) == *name);
    let chosen: Vec<_> = targets.iter().filter(wanted).collect();
    let names: Vec<_> = targets.iter().map(|target| name_of(target)).collect();
    ensure!(!chosen.is_empty(), "no such target; there are: {}", names.join(", "));
    let mut failed = Vec::new();
    for target in chosen {
        if let Err(error) = run_target(target, args.seconds) {
            eprintln!("{error:#}");
            failed.push(name_of(target));
        }
    }
    if !failed.is_empty() {
        bail!("failed: {}", failed.join(", "));
    }
    Ok(())
}

/// Builds every target and returns their programs.
pub(crate) fn build() -> Result<Vec<PathBuf>> {
    let folder = process::target_dir().join("fuzz");
    let host = host()?;
    let mut command = test::cargo(&[
        "build",
        "--release",
        "--package",
        "p2v-fuzz",
        "--bins",
        "--target",
        &host,
    ]);
    // With a named target, build scripts and macros are compiled without instrumentation.
    command
        .env("CARGO_TARGET_DIR", &folder)
        .env("RUSTFLAGS", FLAGS)
        .env("CARGO_PROFILE_RELEASE_LTO", "off");
    process::run(&mut command)?;
    let programs = folder.join(&host).join("release");
    let mut targets: Vec<PathBuf> = fs::read_dir(&programs)?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_none() && path.is_file())
        .filter(|path| {
            path.file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with("fuzz_"))
        })
        .collect();
    targets.sort();
    ensure!(!targets.is_empty(), "no fuzz_… program in {}", programs.display());
    Ok(targets)
}

/// The compiler's own target, e.g. `x86_64-unknown-linux-gnu`.
fn host() -> Result<String> {
    let text = process::output(Command::new("rustc").arg("-vV"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("host: "));
    line.map(str::to_owned).context("rustc -vV names no host")
}

fn name_of(program: &Path) -> String {
    let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
    name.strip_prefix("fuzz_").map_or(name.clone(), str::to_owned)
}

/// Runs one target on its corpus in `target/fuzz-corpus/NAME`; inputs that it fails on go to `target/fuzz-artifacts`.
fn run_target(program: &Path, seconds: u32) -> Result<()> {
    let name = name_of(program);
    let corpus = process::target_dir().join("fuzz-corpus").join(&name);
    let artifacts = process::target_dir().join("fuzz-artifacts").join(&name);
    fs::create_dir_all(&corpus)?;
    fs::create_dir_all(&artifacts)?;
    let mut command = Command::new(program);
    command
        .arg(&corpus)
        .arg(format!("-max_total_time={seconds}"))
        .args([
            "-timeout=10",
            "-rss_limit_mb=2048",
            "-max_len=65536",
            "-print_final_stats=1",
            "-verbosity=1",
        ])
        .arg(format!("-artifact_prefix={}/", artifacts.display()));
    let seeds = process::project_root().join("fuzz/seeds").join(&name);
    if seeds.is_dir() {
        command.arg(seeds);
    }
    process::run(&mut command).with_context(|| {
        format!(
            "the target `{name}` failed; the input is in {}: run `{} FILE` to see it again",
            artifacts.display(),
            program.display()
        )
    })
}
