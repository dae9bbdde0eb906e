//! An old PC that is emulated by QEMU and starts from a stick or a disc of the live system.

use crate::guest::Guest;
use crate::{p2v, tool};
use anyhow::Result;
use std::fs::File;
use std::path::Path;
use std::process::Command;

/// UEFI firmware of Debian's package `ovmf`: code, and variables to begin with.
pub const OVMF: [&str; 2] = ["/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"];
/// MiB of memory: p2v promises less than 1024.
const MEMORY: &str = "640";
/// MiB of memory of the 32-bit PC.
const LITTLE_MEMORY: &str = "256";
/// A Pentium III without PAE has what all 32-bit PCs have that this Debian supports, and no more: no SSE2 above all.
const OLD_PROCESSOR: &str = "pentium3,pae=off";

/// A 64-bit PC: `pc` with IDE or `q35` with AHCI. No network card unless `network` says which, as QEMU's `-nic` does.
#[must_use]
pub fn qemu(folder: &Path, machine: &str, network: &str) -> Command {
    let mut command = Command::new("qemu-system-x86_64");
    command.args(["-M", machine, "-m", MEMORY, "-nic", network]);
    with_lines(&mut command, folder);
    command
}

/// A PC from before 2005, which has a network card.
#[must_use]
pub fn old_qemu(folder: &Path) -> Command {
    let mut command = Command::new("qemu-system-i386");
    command
        .args(["-M", "pc", "-cpu", OLD_PROCESSOR, "-m", LITTLE_MEMORY])
        .args(["-nic", "user,model=rtl8139,restrict=on"]);
    with_lines(&mut command, folder);
    command
}

/// Emulated, without a window; its serial port, and QEMU's own line, which is `control` in `folder`.
fn with_lines(command: &mut Command, folder: &Path) {
    command
        .args(["-accel", "tcg,thread=multi"])
        .args(["-display", "none", "-monitor", "none", "-no-user-config", "-no-reboot"])
        .args(["-serial", "stdio", "-qmp"])
        .arg(format!("unix:{},server=on,wait=off", folder.join("control").display()));
}

/// UEFI in the place of the BIOS; `variables` is a copy of [`OVMF`]'s second file.
pub fn with_uefi(command: &mut Command, variables: &Path) {
    for (file, read_only) in [(Path::new(OVMF[0]), "on"), (variables, "off")] {
        command.arg("-drive").arg(format!(
            "if=pflash,format=raw,readonly={read_only},file={}",
            file.display()
        ));
    }
}

/// A disk, on IDE or AHCI, which says of itself that it is a `model`.
pub fn with_disk(command: &mut Command, disk: &Path, model: &str) {
    command
        .arg("-drive")
        .arg(format!("if=none,id={model},format=raw,file={}", disk.display()))
        .arg("-device")
        .arg(format!("ide-hd,drive={model},model={model},serial=S-{model}"));
}

/// A USB stick that the firmware starts from.
pub fn with_stick(command: &mut Command, stick: &Path) {
    command
        .args(["-device", "usb-ehci", "-drive"])
        .arg(format!("if=none,id=stick,format=raw,file={}", stick.display()))
        .args(["-device", "usb-storage,drive=stick,removable=on,bootindex=0"]);
}

/// Makes a stick of 1 GiB with the live system.
///
/// # Errors
/// If p2v cannot write it.
pub fn write_stick(stick: &Path, image: &Path) -> Result<()> {
    File::create(stick)?.set_len(1 << 30)?;
    let mut write = p2v::command("live-usb")?;
    tool::run(write.args(["--yes", "--write"]).arg(stick).arg(image)).map(|_| ())
}

/// Waits until the live system has started, and gets a shell on the serial line.
///
/// # Errors
/// As [`Guest::wait_for`].
pub fn shell(guest: &mut Guest) -> Result<()> {
    guest.wait_for("press Enter to use p2v")?;
    guest.type_line("s")?;
    guest.prompt()
}

/// Switches the live system off, from that shell.
///
/// # Errors
/// As [`Guest::expect_end`].
pub fn power_off(guest: &mut Guest) -> Result<()> {
    guest.type_line("poweroff")?;
    guest.expect_end()
}
