//! The live system in QEMU, emulated: it starts by BIOS and UEFI, leaves the disks alone, and captures.
//!
//! `cargo xtask live` runs these; they take minutes.

use anyhow::{Result, ensure};
use p2v_tests::emulated::{self, OVMF, old_qemu, power_off, shell, with_disk, with_stick, with_uefi, write_stick};
use p2v_tests::fixtures::{fragile, live};
use p2v_tests::guest::Guest;
use p2v_tests::tool::{self, sha256};
use p2v_tests::{p2v, volume};
use std::fs;
use std::path::Path;
use std::process::Command;

/// What the system sees of the fragile disk: everything that it could have put together is there, and nothing is.
fn assert_left_alone(guest: &mut Guest) -> Result<()> {
    for (partition, kind) in [
        ("sda1", "ext4"),
        ("sda2", "linux_raid_member"),
        ("sda3", "linux_raid_member"),
        ("sda4", "LVM2_member"),
        ("sda5", "swsuspend"),
    ] {
        let found = guest.shell(&format!("blkid -p -o value -s TYPE /dev/{partition}"))?;
        ensure!(found.trim() == kind, "{partition} is {found:?}, not {kind}");
    }
    let features = guest.shell("dumpe2fs -h /dev/sda1 2>/dev/null | grep features:")?;
    ensure!(features.contains("needs_recovery"), "no journal waits: {features}");
    let members = guest.shell("mdadm --examine --scan --verbose")?;
    ensure!(members.contains("num-devices=2"), "mdadm knows no mirror: {members}");
    let groups = guest.shell("lvs --noheadings -o vg_name,lv_name,lv_active")?;
    ensure!(groups.contains("oldvg"), "lvm2 knows no group: {groups}");
    ensure!(!groups.contains("active"), "a volume is active: {groups}");
    let nothing = guest.shell(
        "grep -c /dev/sda /proc/mounts; tail -n +2 /proc/swaps; grep ^md /proc/mdstat 2>/dev/null; dmsetup ls; ls /dev/md* 2>/dev/null; cat /sys/block/sda/ro",
    )?;
    let nothing: Vec<&str> = nothing.lines().map(str::trim).collect();
    ensure!(
        nothing == ["0", "No devices found", "1"],
        "used, or writable: {nothing:?}"
    );
    Ok(())
}

/// Writes a stick, starts a PC from it by BIOS, captures its disk onto the stick, and looks at the capture and at the disk.
/// `more` is done before the PC is switched off.
fn capture_from_stick(
    pc: fn(&Path) -> Command,
    image: &Path,
    more: impl FnOnce(&mut Guest) -> Result<()>,
) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (disk, stick) = (folder.path().join("disk"), folder.path().join("stick"));
    fragile::disk(&disk, folder.path())?;
    let before = sha256(&disk)?;
    write_stick(&stick, image)?;

    let mut command = pc(folder.path());
    with_disk(&mut command, &disk, "old");
    with_stick(&mut command, &stick);
    let mut guest = Guest::start(command, folder.path().join("control"))?;
    shell(&mut guest)?;
    assert_left_alone(&mut guest)?;
    // A second fence: whoever tries to mount a disk does not get to write to it.
    guest.shell("! mount -o ro /dev/sda1 /mnt")?;
    guest.shell("! mount /dev/sda1 /mnt")?;
    guest.shell("! dd if=/dev/zero of=/dev/sda2 bs=4096 count=1")?;
    guest.shell("! swapon /dev/sda5")?;

    // The stick's own room is opened only when a person says so; the rest of the stick stays closed.
    guest.shell("! mountpoint -q /captures")?;
    guest.shell("p2v-mount")?;
    guest.shell("p2v capture /dev/sda -o /captures/oldpc --quiet")?;
    guest.shell("p2v verify /captures/oldpc --against /dev/sda --quiet")?;
    more(&mut guest)?;
    power_off(&mut guest)?;
    ensure!(sha256(&disk)? == before, "the old PC's disk was written to");

    // The capture is on the stick, whole: the judges are e2fsprogs and QEMU.
    let machine = volume::take_out(&stick, 3, "oldpc", folder.path())?;
    tool::run(p2v::command("verify")?.arg(machine).arg("--against").arg(&disk))?;
    Ok(())
}

#[test]
fn a_stick_captures_an_old_pc_by_bios_and_leaves_its_disk_alone() -> Result<()> {
    let pc = |folder: &Path| emulated::qemu(folder, "pc", "none");
    capture_from_stick(pc, &live::image()?, |_| Ok(()))
}

#[test]
fn a_32_bit_pc_is_captured_and_gets_into_networks() -> Result<()> {
    capture_from_stick(old_qemu, &live::image_i386()?, |guest| {
        let kernel = guest.shell("uname -m; grep -cw sse2 /proc/cpuinfo; free -m")?;
        ensure!(
            kernel.contains("i686") && kernel.lines().any(|line| line.trim() == "0"),
            "{kernel}"
        );
        eprintln!("{kernel}");
        // A cable: the address is QEMU's.
        guest.shell("timeout 120 sh -c 'until ip -4 -o address | grep -F 10.0.2.15; do sleep 1; done'")?;
        guest.shell("ssh -V")?;
        join_wifi(guest)
    })
}

/// Two cards that the kernel feigns: one is made an access point by wpa_supplicant, with BusyBox' server for addresses.
fn join_wifi(guest: &mut Guest) -> Result<()> {
    let none = guest.shell("! p2v-wifi </dev/null")?;
    ensure!(none.contains("there is no wireless network card"), "{none}");
    guest.shell("modprobe mac80211_hwsim radios=2")?;
    guest.shell("ip address add 10.9.9.1/24 dev wlan1")?;
    let point = "network={\\nssid=\"Old \\303\\226 House\"\\nmode=2\\nfrequency=2412\\nkey_mgmt=WPA-PSK\\n\
                 psk=\"correct horse\"\\n}\\n";
    guest.shell(&format!("printf '{point}' >/tmp/point"))?;
    guest.shell("wpa_supplicant -B -i wlan1 -c /tmp/point")?;
    let addresses = "interface wlan1\\nstart 10.9.9.7\\nend 10.9.9.7\\nmax_leases 1\\nlease_file /tmp/leases\\n";
    guest.shell(&format!("printf '{addresses}' >/tmp/addresses"))?;
    guest.shell("touch /tmp/leases; busybox udhcpd /tmp/addresses")?;
    let found = guest.shell("p2v-wifi")?;
    // As it is listed, so it is typed.
    let name = "Old \\xc3\\x96 House";
    ensure!(found.contains(name) && found.contains("passphrase"), "{found}");
    let short = guest.shell(&format!("! echo short | p2v-wifi '{name}'"))?;
    ensure!(short.contains("8 to 63"), "{short}");
    let wrong = guest.shell(&format!("! echo 'wrong horse' | p2v-wifi '{name}'"))?;
    ensure!(wrong.contains("is wrong"), "{wrong}");
    let right = guest.shell(&format!("echo 'correct horse' | p2v-wifi '{name}'"))?;
    ensure!(right.contains("this PC is 10.9.9.7"), "{right}");
    Ok(())
}

#[test]
fn a_disc_starts_by_uefi_with_p2v_and_the_fragile_disk_is_fragile() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let disk = folder.path().join("disk");
    fragile::disk(&disk, folder.path())?;
    let before = sha256(&disk)?;
    let variables = folder.path().join("variables");
    fs::copy(OVMF[1], &variables)?;

    let mut command = emulated::qemu(folder.path(), "q35", "none");
    with_uefi(&mut command, &variables);
    with_disk(&mut command, &disk, "old");
    command.arg("-cdrom").arg(live::image()?);
    let mut guest = Guest::start(command, folder.path().join("control"))?;
    shell(&mut guest)?;
    guest.shell("test -d /sys/firmware/efi")?;
    assert_left_alone(&mut guest)?;
    ensure!(sha256(&disk)? == before, "the old PC's disk was written to");

    // p2v itself, as a person meets it.
    guest.type_line("exit")?;
    guest.wait_for("press Enter to use p2v")?;
    guest.type_line("")?;
    guest.wait_for("Step")?;
    guest.serial().send("\u{3}")?;
    guest.prompt()?;

    // The proof that this test could fail: a mount for reading changes this disk, if the fence is taken away.
    guest.shell("blockdev --setrw /dev/sda && mount -o ro /dev/sda1 /mnt && umount /mnt && sync")?;
    power_off(&mut guest)?;
    ensure!(
        sha256(&disk)? != before,
        "the disk is not fragile: this test proves nothing"
    );
    Ok(())
}
