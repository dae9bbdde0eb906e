//! Guests that any KVM runs, also one made of software: SeaBIOS and GRUB on the emulated devices.

use anyhow::Result;
use p2v_tests::guest::Guest;
use p2v_tests::p2v;
use std::path::Path;

/// GRUB's rescue disc, of Debian's package grub-rescue-pc.
const RESCUE: &str = "/usr/lib/grub-rescue/grub-rescue-cdrom.iso";

/// A machine folder with an empty disk.
fn empty_machine(folder: &Path) -> Result<std::path::PathBuf> {
    let disk = folder.join("empty.raw");
    std::fs::File::create(&disk)?.set_len(64 << 20)?;
    let machine = folder.join("empty");
    p2v::capture(&disk, &machine)?;
    Ok(machine)
}

#[test]
fn grubs_rescue_disc_starts_from_the_cd_drive_and_obeys() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let machine = empty_machine(folder.path())?;
    let mut guest = Guest::launch(&machine, &["--disc", RESCUE, "--boot", "disc", "--memory", "64"])?;
    guest.wait_for_screen("GNU GRUB")?;
    // Its menu counts down, then starts an entry that is not there, asks for a key and comes back. While it counts, a
    // KVM made of software leaves it no time for keyboard interrupts: QEMU's guest gets none there either.
    guest.press_until_screen(&["c"], "grub> ")?;
    guest.control()?.send_key(&["ctrl", "u"])?;
    // On the screen first, then over the serial line.
    guest.type_at_screen("serial; terminal_output serial; terminal_input serial")?;
    guest.wait_for("grub> ")?;
    guest.type_line("ls")?;
    guest.wait_for("(hd0)")?;
    guest.type_line("ls (cd)/boot/grub/i386-pc/ext2.mod")?;
    // Not the echo, which moves the cursor after each letter.
    guest.wait_for("ext2.mod")?;
    guest.wait_for("grub> ")?;
    guest.type_line("halt")?;
    guest.expect_end()
}

#[test]
fn the_firmware_says_when_there_is_nothing_to_start() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let machine = empty_machine(folder.path())?;
    let mut guest = Guest::launch(&machine, &["--memory", "64"])?;
    guest.wait_for_screen("No bootable device")?;
    let mut control = guest.control()?;
    control.execute("quit", None)?;
    guest.expect_end()
}
