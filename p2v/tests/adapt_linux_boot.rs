//! `p2v adapt` on made Linux disks: boot menus of all kinds, and start files that lack the machine's driver.
#![allow(clippy::indexing_slicing)]

mod common;
mod linux;
#[path = "../../disk/tests/volumes/mod.rs"]
mod volumes;

use common::*;
use linux::*;
use std::path::Path;
use std::process::Command;
use volumes::Tree;

const VERSION: &str = "5.10.0-made";
const NVME: &[&str] = &["kernel/drivers/nvme/host/nvme.ko"];
const PIIX: &[&str] = &["kernel/drivers/ata/ata_piix.ko", "kernel/drivers/scsi/sd_mod.ko"];

/// What a kernel file of this version begins with (Linux' boot protocol).
fn kernel(version: &str) -> Vec<u8> {
    let mut bytes = vec![0; 8192];
    bytes[0x202..0x206].copy_from_slice(b"HdrS");
    bytes[0x20e..0x210].copy_from_slice(&0x400u16.to_le_bytes());
    bytes[0x600..0x600 + version.len()].copy_from_slice(version.as_bytes());
    bytes
}

/// An initramfs by cpio and gzip: these modules, and what shows who made it.
fn image(version: &str, modules: &[&str], marks: &[&str]) -> Vec<u8> {
    let mut tree = Tree::new().file("init", "#!/bin/sh\n");
    for module in modules {
        tree = tree.file(&format!("lib/modules/{version}/{module}"), module);
    }
    for mark in marks {
        tree = tree.file(mark, "");
    }
    let output = start(
        Command::new("sh")
            .args(["-ec", "cd \"$1\"; find . | cpio -o -H newc --quiet | gzip", "sh"])
            .arg(tree.path()),
    );
    assert!(
        output.status.success(),
        "cpio and gzip are Debian packages: {}",
        errors(&output)
    );
    output.stdout
}

/// The root's modules of a version.
fn with_modules(tree: Tree, version: &str, modules: &[&str]) -> Tree {
    let folder = format!("lib/modules/{version}");
    let lines: String = modules.iter().map(|module| format!("{module}:\n")).collect();
    let tree = tree
        .file(&format!("{folder}/modules.dep"), lines)
        .file(&format!("{folder}/modules.builtin"), "");
    modules
        .iter()
        .fold(tree, |tree, module| tree.file(&format!("{folder}/{module}"), module))
}

fn root() -> Tree {
    tree().file(
        "etc/fstab",
        format!("UUID={ROOT_UUID} / ext4 defaults 0 1\nUUID={BOOT_UUID} /boot ext4 defaults 0 2\n"),
    )
}

/// A machine with this root and boot partition, and what adapt says of it.
fn adapted(folder: &Path, root: &Tree, boot: &Tree) -> (std::path::PathBuf, String) {
    let options = Options {
        boot: Some(boot),
        ..Options::default()
    };
    let machine = machine(folder, root, &options);
    let said = run(p2v("adapt").arg(&machine));
    (machine, said)
}

fn boot_of(machine: &Path) -> std::path::PathBuf {
    let volume = volume_of(machine, "disk0.adapted.qcow2", BOOT);
    assert_sound(&volume);
    volume
}

#[test]
fn the_fallback_image_of_the_same_kernel_is_started() {
    let folder = tempfile::tempdir().unwrap();
    let menu = format!(
        "menuentry 'Arch Linux' {{\n\tlinux /vmlinuz-linux root=UUID={ROOT_UUID} rw\n\
         \tinitrd /intel-ucode.img /initramfs-linux.img\n}}\n"
    );
    let boot = Tree::new()
        .file("vmlinuz-linux", kernel(VERSION))
        .file("intel-ucode.img", image(VERSION, &[], &[]))
        .file(
            "initramfs-linux.img",
            image(VERSION, NVME, &["init_functions", "config"]),
        )
        .file(
            "initramfs-linux-fallback.img",
            image(VERSION, &[NVME, PIIX].concat(), &["init_functions", "config"]),
        )
        .file("grub/grub.cfg", &menu);
    let (machine, said) = adapted(folder.path(), &root(), &boot);
    assert!(
        said.contains("this image has a driver for the machine's IDE controller"),
        "{said}"
    );
    let changed = menu.replace("/initramfs-linux.img", "/initramfs-linux-fallback.img");
    assert_eq!(cat(&boot_of(&machine), "/grub/grub.cfg"), changed);
    assert!(run(p2v("adapt").arg(&machine)).contains("Adapted already"));
}

#[test]
fn modules_are_appended_and_nothing_else_changes() {
    let folder = tempfile::tempdir().unwrap();
    let root = with_modules(root(), VERSION, &[NVME, PIIX].concat());
    let initramfs = image(VERSION, NVME, &["scripts/functions", "conf/initramfs.conf"]);
    let boot = Tree::new()
        .file(&format!("vmlinuz-{VERSION}"), kernel(VERSION))
        .file(&format!("initrd.img-{VERSION}"), &initramfs)
        .file(
            "extlinux/extlinux.conf",
            format!(
                "label linux\n  kernel /vmlinuz-{VERSION}\n  append initrd=/initrd.img-{VERSION} root=/dev/nvme0n1p2 quiet\n"
            ),
        );
    let (machine, said) = adapted(folder.path(), &root, &boot);
    assert!(said.contains("appended: + ata_piix, sd_mod"), "{said}");
    let volume = boot_of(&machine);
    let changed = folder.path().join("initrd");
    run(Command::new("debugfs")
        .args(["-R", &format!("dump /initrd.img-{VERSION} {}", changed.display())])
        .arg(&volume));
    let bytes = std::fs::read(&changed).unwrap();
    assert!(bytes.starts_with(&initramfs) && bytes.len() > initramfs.len());
    let appended = folder.path().join("appended");
    let aligned = initramfs.len().next_multiple_of(4);
    std::fs::write(&appended, &bytes[aligned..]).unwrap();
    let names = run(Command::new("cpio").args(["-it", "--quiet", "-F"]).arg(&appended));
    for name in [&format!("lib/modules/{VERSION}/{}", PIIX[0]), "conf/modules"] {
        assert!(names.lines().any(|line| line == name), "{name} is not in {names}");
    }
    let menu = cat(&volume, "/extlinux/extlinux.conf");
    assert!(menu.contains(&format!("root=UUID={ROOT_UUID} quiet")), "{menu}");
}

#[test]
fn where_no_module_can_be_had_one_entry_starts_the_rescue_kernel() {
    let folder = tempfile::tempdir().unwrap();
    let entry = |name: &str, image: &str| {
        format!("title Fedora\nversion {name}\nlinux /vmlinuz-{name}\ninitrd /{image}\noptions $kernelopts\n")
    };
    let environment = |root: &str| {
        let text = format!("# GRUB Environment Block\nsaved_entry=x-{VERSION}\nkernelopts=root={root} ro quiet\n");
        format!("{text:#<1024}")
    };
    let boot = Tree::new()
        .file(&format!("vmlinuz-{VERSION}"), kernel(VERSION))
        .file(
            &format!("initramfs-{VERSION}.img"),
            image(VERSION, NVME, &["lib/dracut/x"]),
        )
        .file("vmlinuz-0-rescue-x", kernel("5.6.6-300"))
        .file("initramfs-0-rescue-x.img", image("5.6.6-300", PIIX, &["lib/dracut/x"]))
        .file(
            &format!("loader/entries/x-{VERSION}.conf"),
            entry(VERSION, &format!("initramfs-{VERSION}.img")),
        )
        .file(
            "loader/entries/x-0-rescue.conf",
            entry("0-rescue-x", "initramfs-0-rescue-x.img"),
        )
        .file("grub2/grubenv", environment("/dev/nvme0n1p2"));
    let (machine, said) = adapted(folder.path(), &root(), &boot);
    assert!(said.contains("starts the rescue kernel now"), "{said}");
    let volume = boot_of(&machine);
    assert_eq!(
        cat(&volume, &format!("/loader/entries/x-{VERSION}.conf")),
        format!(
            "title Fedora\nversion {VERSION}\nlinux /vmlinuz-0-rescue-x\ninitrd /initramfs-0-rescue-x.img\n\
             options $kernelopts\n"
        )
    );
    assert_eq!(
        cat(&volume, "/grub2/grubenv"),
        environment(&format!("UUID={ROOT_UUID}"))
    );
    assert!(run(p2v("adapt").arg(&machine)).contains("Adapted already"));
}

#[test]
fn an_entry_without_drivers_is_told_and_others_are_adapted() {
    let folder = tempfile::tempdir().unwrap();
    let boot = Tree::new()
        .file(&format!("vmlinuz-{VERSION}"), kernel(VERSION))
        .file(&format!("initrd-{VERSION}"), image(VERSION, NVME, &["lib/dracut/x"]))
        .file(
            "grub/grub.cfg",
            format!("linux /vmlinuz-{VERSION} root=/dev/sda2\ninitrd /initrd-{VERSION}\n"),
        );
    let (machine, said) = adapted(folder.path(), &root(), &boot);
    assert!(
        said.contains(&format!(
            "Linux {VERSION} will not find its disk at the machine's IDE controller"
        )) && said.contains("modules.dep is missing"),
        "{said}"
    );
    assert!(cat(&boot_of(&machine), "/grub/grub.cfg").contains(&format!("root=UUID={ROOT_UUID}")));
}

#[test]
fn grub_legacy_counts_this_disk_as_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let menu = format!(
        "default 0\n# kopt=root=/dev/hdb2 ro\n# groot=(hd1,0)\ntitle Debian\nroot (hd1,0)\n\
         kernel /vmlinuz-{VERSION} root=/dev/hdb2 ro\ninitrd /initrd.img-{VERSION}\n"
    );
    let root = tree().file(
        "etc/fstab",
        "/dev/hdb2 / ext4 defaults 0 1\n/dev/hdb1 /boot ext4 defaults 0 2\n/dev/hda1 /windows vfat defaults 0 0\n",
    );
    let boot = Tree::new()
        .file(&format!("vmlinuz-{VERSION}"), kernel(VERSION))
        .file(
            &format!("initrd.img-{VERSION}"),
            image(VERSION, PIIX, &["scripts/functions"]),
        )
        .file("grub/menu.lst", &menu);
    let (machine, _) = adapted(folder.path(), &root, &boot);
    let changed = menu
        .replace("/dev/hdb2", &format!("UUID={ROOT_UUID}"))
        .replace("\nroot (hd1,0)", "\nroot (hd0,0)");
    assert_eq!(cat(&boot_of(&machine), "/grub/menu.lst"), changed);
    let volume = volume_of(&machine, "disk0.adapted.qcow2", ROOT);
    assert_sound(&volume);
    assert_eq!(
        cat(&volume, "/etc/fstab"),
        format!(
            "UUID={ROOT_UUID} / ext4 defaults 0 1\nUUID={BOOT_UUID} /boot ext4 defaults 0 2\n# /dev/hda1 /windows vfat defaults 0 0\n"
        )
    );
}

#[test]
fn files_that_lilo_starts_stay_where_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let root = with_modules(root(), VERSION, &[NVME, PIIX].concat());
    let boot = Tree::new()
        .file(&format!("vmlinuz-{VERSION}"), kernel(VERSION))
        .file(
            &format!("initrd.img-{VERSION}"),
            image(VERSION, NVME, &["scripts/functions", "conf/initramfs.conf"]),
        )
        .file(
            "grub/grub.cfg",
            format!("linux /vmlinuz-{VERSION} root=UUID={ROOT_UUID}\ninitrd /initrd.img-{VERSION}\n"),
        );
    let options = Options {
        boot: Some(&boot),
        ..Options::default()
    };
    let disk = disk(&folder.path().join("disk.img"), &root, &options);
    put(&disk, 6, b"LILO");
    let machine = folder.path().join("oldpc");
    capture(&disk, &machine, &[]);
    let said = run(p2v("adapt").arg(&machine));
    assert!(said.contains("LILO starts this system"), "{said}");
    assert!(said.contains("There is nothing to change"), "{said}");
}
