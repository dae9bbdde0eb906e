//! Old PCs captured and run: Linux guests, which need a hardware-like KVM. `cargo xtask test` runs these in the rig.

#[path = "guest/desktop.rs"]
mod desktop;
#[path = "guest/discs.rs"]
mod discs;
#[path = "guest/installer.rs"]
mod installer;
#[path = "guest/old_pc.rs"]
mod old_pc;
#[path = "guest/pictures.rs"]
mod pictures;

use anyhow::{Context, Result, ensure};
use p2v_tests::fixtures::debian::{self, Debian, ROOT_PASSWORD};
use p2v_tests::guest::Guest;
use p2v_tests::p2v;
use p2v_tests::tool::{self, sha256};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The machine folder that `cargo xtask test` captured and adapted, or fresh ones; the second value keeps it.
fn adapted(recipe: &Debian) -> Result<(PathBuf, Option<tempfile::TempDir>)> {
    if let Some(folder) = std::env::var_os("P2V_CAPTURES") {
        return Ok((Path::new(&folder).join(format!("{}-adapted", recipe.name())), None));
    }
    let (machine, keep) = captured(recipe)?;
    p2v::adapt(&machine)?;
    Ok((machine, keep))
}

/// The machine folder that `cargo xtask test` captured, or a fresh capture; the second value keeps it.
fn captured(recipe: &Debian) -> Result<(PathBuf, Option<tempfile::TempDir>)> {
    let kvm = runner::kvm::probe();
    ensure!(
        kvm == runner::kvm::KvmStatus::Hardware,
        "this test needs a KVM on a processor with virtualization, and there is {kvm:?}: `cargo xtask test` runs it in the rig"
    );
    if let Some(folder) = std::env::var_os("P2V_CAPTURES") {
        return Ok((Path::new(&folder).join(recipe.name()), None));
    }
    let folder = tempfile::tempdir()?;
    let machine = folder.path().join(recipe.name());
    p2v::capture(&recipe.disk()?.image, &machine)?;
    Ok((machine, Some(folder)))
}

#[test]
fn a_captured_i386_pc_runs_keeps_its_files_and_survives_a_power_cut() -> Result<()> {
    let (machine, _keep) = captured(&debian::i386())?;
    let before = sha256(&machine.join("disk0.qcow2"))?;
    let overlay = machine.join("disk0.now.qcow2");
    let arguments = ["--memory", "256"];

    // First day: log in over the serial line, and on the screen with the keyboard.
    let mut guest = Guest::launch(&machine, &arguments)?;
    guest.login("root", ROOT_PASSWORD)?;
    guest.shell("cd /home/user/photos && sha256sum --quiet -c ../photos.sha256")?;
    guest.shell("echo first day > /root/diary")?;
    guest.login_at_screen("root", ROOT_PASSWORD)?;
    guest.type_keys("echo answer $((6*7)) > /dev/ttyS0\n")?;
    guest.wait_for("answer 42")?;
    guest.type_line("poweroff")?;
    guest.expect_end()?;
    tool::run(Command::new("qemu-img").args(["check", "-q"]).arg(&overlay))?;

    // Second day: what was written is there; then the power goes.
    let mut guest = Guest::launch(&machine, &arguments)?;
    guest.login("root", ROOT_PASSWORD)?;
    ensure!(guest.shell("cat /root/diary")?.trim() == "first day");
    guest.shell("echo flushed > /root/flushed; sync")?;
    guest.type_line("while :; do date >> /root/never-flushed; done")?;
    guest.kill()?;
    tool::run(Command::new("qemu-img").args(["check", "-q"]).arg(&overlay)).context("after the power cut")?;

    // Third day: the guest's journal brings back what was flushed; the power button ends the day.
    let mut guest = Guest::launch(&machine, &arguments)?;
    let boot = guest.wait_for("INIT: Entering runlevel")?;
    ensure!(
        boot.contains("recovery complete") || boot.contains("recovering journal"),
        "no journal recovery:\n{boot}"
    );
    guest.login("root", ROOT_PASSWORD)?;
    ensure!(guest.shell("cat /root/flushed")?.trim() == "flushed");
    guest.power_button()?;
    guest.expect_end()?;

    ensure!(
        sha256(&machine.join("disk0.qcow2"))? == before,
        "the capture was changed"
    );
    Ok(())
}

#[test]
fn a_captured_amd64_pc_reaches_its_login() -> Result<()> {
    let (machine, _keep) = captured(&debian::amd64())?;
    let mut guest = Guest::launch(&machine, &["--memory", "384", "--ephemeral"])?;
    guest.login("root", ROOT_PASSWORD)?;
    guest.shell("cd /home/user/photos && sha256sum --quiet -c ../photos.sha256")?;
    ensure!(guest.shell("uname -m")?.trim() == "x86_64");
    guest.type_line("systemctl poweroff")?;
    guest.expect_end()?;
    ensure!(
        !machine.join("disk0.now.qcow2").exists(),
        "an ephemeral session left an overlay"
    );
    Ok(())
}

#[test]
fn a_laptop_that_knows_nvme_alone_starts_when_it_is_adapted() -> Result<()> {
    let (machine, _keep) = captured(&debian::laptop())?;
    let mut guest = Guest::launch(&machine, &["--memory", "256", "--ephemeral"])?;
    guest.wait_for("/dev/nvme0n1p1 does not exist")?;
    guest.kill()?;

    let (machine, _keep) = adapted(&debian::laptop())?;
    let mut guest = Guest::launch(&machine, &["--memory", "256", "--ephemeral"])?;
    guest.login("root", ROOT_PASSWORD)?;
    guest.shell("cd /home/user/photos && sha256sum --quiet -c ../photos.sha256")?;
    let disks = guest.shell("ls /sys/block; cat /proc/swaps")?;
    ensure!(
        disks.contains("sda") && disks.contains("/dev/sda5") && !disks.contains("nvme"),
        "the disk is not where it should be, or its swap is not used: {disks}"
    );
    guest.type_line("poweroff")?;
    guest.expect_end()?;
    Ok(())
}
