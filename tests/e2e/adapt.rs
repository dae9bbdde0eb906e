//! Real Debian systems, captured and adapted: real kernels say whether they find their disk. These run in QEMU without
//! any KVM; `e2e/guest.rs` starts an adapted system in the runner.

use anyhow::{Context, Result, ensure};
use p2v_tests::fixtures::debian::{self, COMPRESSORS, DebianDisk, IMAGES, ROOT_PASSWORD, ROOT_START};
use p2v_tests::guest::{Guest, Qemu};
use p2v_tests::{p2v, tool};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A file of the root filesystem of a disk, as debugfs reads it.
fn file_of(disk: &Path, path: &str, to: &Path) -> Result<()> {
    let command = format!("dump {path} {}", to.display());
    let volume = format!("{}?offset={ROOT_START}", disk.display());
    tool::run(Command::new("debugfs").args(["-R", &command, &volume]))?;
    ensure!(to.is_file(), "debugfs found no {path} on {}", disk.display());
    Ok(())
}

/// The names of kernel and initramfs in `/boot`.
fn start_files(disk: &Path) -> Result<(String, String)> {
    let volume = format!("{}?offset={ROOT_START}", disk.display());
    let listing = tool::text(Command::new("debugfs").args(["-R", "ls -p /boot", &volume]))?;
    let name = |prefix: &str| -> Result<String> {
        let mut names = listing.split('/').filter(|name| name.starts_with(prefix));
        Ok(names
            .next()
            .with_context(|| format!("no {prefix} in {listing}"))?
            .to_owned())
    };
    Ok((name("vmlinuz-")?, name("initrd.img-")?))
}

/// A copy of the disk whose initramfs is this one.
fn with_image(disk: &DebianDisk, image: &Path, folder: &Path) -> Result<PathBuf> {
    let copy = folder.join("disk.raw");
    tool::run(Command::new("cp").arg("--sparse=always").args([&disk.image, &copy]))?;
    let (_, initrd) = start_files(&copy)?;
    let volume = format!("{}?offset={ROOT_START}", copy.display());
    let script = format!("rm /boot/{initrd}\nwrite {} /boot/{initrd}\n", image.display());
    std::fs::write(folder.join("script"), script)?;
    tool::run(
        Command::new("debugfs")
            .arg("-w")
            .arg("-f")
            .arg(folder.join("script"))
            .arg(&volume),
    )?;
    Ok(copy)
}

/// The adapted disk as a raw file; `e2fsck` finds its root in order.
fn adapted_disk(disk: &Path, folder: &Path) -> Result<PathBuf> {
    let (machine, raw) = (folder.join("oldpc"), folder.join("adapted.raw"));
    p2v::capture(disk, &machine)?;
    p2v::adapt(&machine)?;
    tool::run(
        Command::new("qemu-img")
            .args(["convert", "-O", "raw"])
            .args([&machine.join("disk0.adapted.qcow2"), &raw]),
    )?;
    tool::run(
        Command::new("e2fsck")
            .args(["-f", "-n"])
            .arg(format!("{}?offset={ROOT_START}", raw.display())),
    )?;
    Ok(raw)
}

/// The kernel unpacks what was appended to an image, however that is compressed, loads it, and mounts the root.
#[test]
fn drivers_are_found_in_every_kind_of_initramfs() -> Result<()> {
    let laptop = debian::laptop().disk()?;
    for compressor in COMPRESSORS {
        let folder = tempfile::tempdir()?;
        let image = laptop.folder.join(IMAGES).join(format!("initrd.{compressor}"));
        let disk = with_image(&laptop, &image, folder.path())?;
        let raw = adapted_disk(&disk, folder.path())?;
        let (kernel, initrd) = start_files(&raw)?;
        let (kernel_file, initrd_file) = (folder.path().join("kernel"), folder.path().join("initrd"));
        file_of(&raw, &format!("/boot/{kernel}"), &kernel_file)?;
        file_of(&raw, &format!("/boot/{initrd}"), &initrd_file)?;
        ensure!(
            initrd_file.metadata()?.len() > image.metadata()?.len(),
            "nothing was appended"
        );

        let menu = folder.path().join("grub.cfg");
        file_of(&raw, "/boot/grub/grub.cfg", &menu)?;
        let menu = std::fs::read_to_string(menu)?;
        let root = menu.split_whitespace().find(|word| word.starts_with("root=UUID="));
        // The first program ends at once; then the kernel stops, and QEMU with it.
        let arguments = format!(
            "{} ro console=ttyS0 panic=-1 init=/bin/true",
            root.with_context(|| format!("no root by UUID in {menu}"))?
        );
        let said = tool::text(
            Command::new("timeout")
                .args([
                    "600",
                    "qemu-system-i386",
                    "-accel",
                    "tcg",
                    "-M",
                    "pc",
                    "-m",
                    "256",
                    "-no-reboot",
                ])
                .args([
                    "-display", "none", "-monitor", "none", "-serial", "stdio", "-net", "none",
                ])
                .arg("-drive")
                .arg(format!("file={},format=raw,if=ide,snapshot=on", raw.display()))
                .arg("-kernel")
                .arg(&kernel_file)
                .arg("-initrd")
                .arg(&initrd_file)
                .args(["-append", &arguments]),
        )?;
        for line in [
            "ata_piix",
            "EXT4-fs (sda1): mounted filesystem",
            "Attempted to kill init!",
        ] {
            ensure!(
                said.contains(line),
                "{compressor}: the kernel did not say `{line}`:\n{said}"
            );
        }
    }
    Ok(())
}

/// A PC that names its disk `/dev/sda1` finds it as `/dev/vda1`, too.
#[test]
fn a_disk_that_had_a_name_starts_under_another() -> Result<()> {
    let named = debian::named().disk()?;
    let folder = tempfile::tempdir()?;
    let raw = adapted_disk(&named.image, folder.path())?;
    let start = |disk: &Path| {
        let machine = Qemu {
            memory: 256,
            disk: disk.to_owned(),
            format: "raw",
            accelerator: "tcg",
            interface: "virtio",
        };
        Guest::qemu(&machine, &folder.path().join("qmp"))
    };
    let mut guest = start(&named.image)?;
    guest.wait_for("/dev/sda1 does not exist")?;
    guest.kill()?;

    let mut guest = start(&raw)?;
    guest.login("root", ROOT_PASSWORD)?;
    let mounts = guest.shell("cat /proc/mounts /proc/swaps")?;
    ensure!(
        mounts.contains("/dev/vda1 / ext4") && mounts.contains("/dev/vda5"),
        "root and swap are not where they should be:\n{mounts}"
    );
    guest.shell("cd /home/user/photos && sha256sum --quiet -c ../photos.sha256")?;
    guest.kill()
}
