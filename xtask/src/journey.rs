//! `cargo xtask journey`: an old PC is moved as its owner would, from the stick to the window.

use crate::test::{cargo, guest_test};
use crate::{packages, process, rig};
use anyhow::Result;
use p2v_tests::fixtures::{debian, live};
use p2v_tests::p2v;
use std::fs;
use std::process::Command;
use std::time::Duration;

/// The test that a moved machine must pass.
const GUEST: &str = "a_captured_i386_pc_runs_keeps_its_files_and_survives_a_power_cut";

/// Make the stick, start an old PC from it by BIOS and by UEFI, copy its disk with keys typed into the guided interface
/// (to a second disk and to another PC), adapt and run what arrived
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only the journeys whose test has this in its name
    #[arg(long)]
    only: Option<String>,
}

/// Carries out `cargo xtask journey`.
pub(crate) fn run(args: &Args) -> Result<()> {
    packages::ensure()?;
    let folder = process::target_dir().join("journey");
    let _ = fs::remove_dir_all(&folder);
    let machines = folder.join("machines");
    fs::create_dir_all(&machines)?;
    // Not from the cache: it is the p2v under test that people meet.
    let image = folder.join("p2v-live.iso");
    process::run(live::command()?.arg("-o").arg(&image))?;
    debian::i386().disk()?;
    let mut journeys = cargo(&["test", "--package", "p2v-tests", "--test", "journey", "--"]);
    journeys.args(["--test-threads=1", "--nocapture"]).args(&args.only);
    process::run(journeys.env("P2V_JOURNEY", &machines).env("P2V_LIVE_IMAGE", &image))?;

    let test = guest_test()?;
    let binary = p2v::binary()?;
    for journey in fs::read_dir(&machines)? {
        let mut command = Command::new("env");
        command
            .arg(format!("P2V_CAPTURES={}", journey?.path().display()))
            .arg(format!("P2V_BIN={}", binary.display()))
            .arg(&test)
            .args(["--nocapture", "--exact", GUEST]);
        rig::execute(&command, Duration::from_secs(1800))?;
    }
    Ok(())
}
