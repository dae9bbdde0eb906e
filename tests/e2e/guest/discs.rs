//! Discs that are changed while the system runs: images, and folders that become discs.

use super::captured;
use anyhow::{Result, bail, ensure};
use p2v_tests::fixtures::debian::{self, ROOT_PASSWORD};
use p2v_tests::guest::Guest;
use p2v_tests::{p2v, tool};
use std::fs;
use std::path::Path;
use std::process::Command;

#[test]
fn discs_and_folders_are_changed_while_the_system_runs() -> Result<()> {
    let (machine, _keep) = captured(&debian::i386())?;
    let work = tempfile::tempdir()?;
    let folder = work.path().join("Scans & Bücher");
    fs::create_dir_all(folder.join("Österreich 1998"))?;
    fs::write(folder.join("Österreich 1998/Großglockner – Gipfel.txt"), "3798 m\n")?;
    fs::write(folder.join("empty"), "")?;
    let contents = work.path().join("contents");
    fs::create_dir(&contents)?;
    fs::write(contents.join("SETUP.EXE"), vec![0x4D; 3 << 20])?;
    let image = work.path().join("setup.iso");
    tool::run(
        Command::new("xorrisofs")
            .args(["-quiet", "-J", "-R", "-V", "SETUP", "-o"])
            .args([&image, &contents]),
    )?;

    let disc = folder.to_str().unwrap_or_default();
    let mut guest = Guest::launch(&machine, &["--memory", "256", "--ephemeral", "--disc", disc])?;
    guest.login("root", ROOT_PASSWORD)?;
    guest.shell("mount -o ro /dev/sr0 /mnt")?;
    same(&mut guest, &folder)?;

    // The tray is locked; udev hears of the button and opens it.
    guest.shell("umount /mnt")?;
    changed(&machine, &guest, &image, &[])?;
    guest.shell("mount -o ro /dev/sr0 /mnt")?;
    same(&mut guest, &contents)?;
    guest.shell("umount /mnt")?;
    // Nobody hears of it: the disc stays, and p2v says so.
    guest.shell("udevadm settle && udevadm control --stop-exec-queue")?;
    let refused = change(&machine, &guest, Path::new("none"), &[])?;
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    ensure!(!refused.status.success() && said.contains("locked"), "{said}");
    guest.shell("mount -o ro /dev/sr0 /mnt")?;
    same(&mut guest, &contents)?;
    guest.shell("umount /mnt")?;
    changed(&machine, &guest, Path::new("none"), &["--force"])?;
    let status = guest.shell("mount -o ro /dev/sr0 /mnt 2>&1; echo status $?")?;
    ensure!(!status.contains("status 0"), "there is a disc still: {status}");
    guest.type_line("poweroff")?;
    guest.expect_end()?;
    ensure!(
        !left_over(&machine)?,
        "the folder's disc was left in the machine's folder"
    );
    Ok(())
}

/// Runs `p2v disc` for this session.
fn change(machine: &Path, guest: &Guest, disc: &Path, more: &[&str]) -> Result<std::process::Output> {
    let mut command = p2v::command("disc")?;
    command
        .args([machine, disc])
        .args(["--session", &guest.id().to_string()]);
    tool::start(command.args(more))
}

/// … which must succeed.
fn changed(machine: &Path, guest: &Guest, disc: &Path, more: &[&str]) -> Result<()> {
    let output = change(machine, guest, disc, more)?;
    if !output.status.success() {
        bail!("p2v disc: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

/// What is mounted in the guest is what the folder holds, by names and SHA-256.
fn same(guest: &mut Guest, folder: &Path) -> Result<()> {
    let list = "cd DIR && find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | base64 -w0";
    let expected = tool::text(
        Command::new("sh")
            .args(["-c", &list.replace("DIR", "\"$1\""), "sh"])
            .arg(folder),
    )?;
    let seen = guest.shell(&format!("({}; echo)", list.replace("DIR", "/mnt")))?;
    ensure!(
        seen.trim() == expected.trim(),
        "the guest's disc differs: {:?}",
        guest.shell("find /mnt")?
    );
    Ok(())
}

/// Whether there are files that were not captured.
fn left_over(machine: &Path) -> Result<bool> {
    for entry in fs::read_dir(machine)? {
        if entry?.file_name().to_string_lossy().contains("iso") {
            return Ok(true);
        }
    }
    Ok(false)
}
