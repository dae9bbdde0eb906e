//! `p2v adapt` on made Linux disks: what is changed, as debugfs and e2fsck see it.
#![allow(clippy::indexing_slicing)]

mod common;
mod linux;
#[path = "../../disk/tests/volumes/mod.rs"]
mod volumes;

use common::*;
use linux::*;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Adapts a machine, which must succeed; returns what is printed.
fn adapt(machine: &Path, more: &[&str]) -> String {
    run(p2v("adapt").arg(machine).args(more))
}

const FSTAB: &str = "# <file system> <mount point> <type> <options> <dump> <pass>\n\
    proc            /proc           proc    defaults        0       0\n\
    /dev/sda2       /               ext4    errors=remount-ro 0       1\n\
    /dev/sda1\t/boot\text4\tdefaults\t0\t2\n\
    /dev/sda5       none            swap    sw              0       0\n\
    /dev/sdb1       /data           ext4    defaults        0       2\n\
    /dev/sdb2       /backup         ext4    noauto          0       0\n\
    UUID=00000000-0000-0000-0000-00000000dead /archive ext4 defaults 0 2\n\
    /dev/sr0        /media/cdrom0   udf,iso9660 user,noauto     0       0\n";

const GRUB_CFG: &str = "set default=0\nset root='hd0,msdos1'\nmenuentry 'Debian' {\n\
    \tlinux\t/vmlinuz-5.10 root=/dev/sda2 ro  resume=/dev/sda5 quiet\n\tinitrd\t/initrd.img-5.10\n}\n\
    menuentry 'Without' {\n\tlinux /vmlinuz-5.10 root=/dev/sda2 ro\n}\n";

#[test]
fn names_of_the_disk_become_uuids() {
    let folder = tempfile::tempdir().unwrap();
    let root = tree()
        .file("etc/fstab", FSTAB)
        .file(
            "etc/crypttab",
            "swap2 /dev/sda5 /dev/urandom swap\nother /dev/sdb3 none luks\n",
        )
        .file(
            "etc/default/grub",
            "GRUB_TIMEOUT=5\nGRUB_CMDLINE_LINUX=\"resume=/dev/sda5\"\nGRUB_DISABLE_LINUX_UUID=true\n",
        );
    let boot = volumes::Tree::new().file("grub/grub.cfg", GRUB_CFG);
    let options = Options {
        boot: Some(&boot),
        ..Options::default()
    };
    let machine = machine(folder.path(), &root, &options);
    let before = sha256(&machine.join("disk0.qcow2"));

    let said = adapt(&machine, &["--dry-run"]);
    assert!(said.contains("would be made"), "{said}");
    assert!(!machine.join("disk0.adapted.qcow2").exists());
    let said = adapt(&machine, &[]);
    assert!(said.contains("/dev/sda5"), "{said}");

    let root = volume_of(&machine, "disk0.adapted.qcow2", ROOT);
    assert_sound(&root);
    let fstab = cat(&root, "/etc/fstab");
    let expected = FSTAB
        .replace("/dev/sda2 ", &format!("UUID={ROOT_UUID} "))
        .replace("/dev/sda1\t", &format!("UUID={BOOT_UUID}\t"))
        .replace("/dev/sda5 ", &format!("UUID={SWAP_UUID} "))
        .replace("/dev/sdb1 ", "# /dev/sdb1 ")
        .replace(
            "/archive ext4 defaults",
            "/archive ext4 defaults,nofail,x-systemd.device-timeout=10",
        );
    assert_eq!(fstab, expected);
    assert_eq!(
        cat(&root, "/etc/crypttab"),
        format!("swap2 /dev/disk/by-partuuid/{DISK_ID}-05 /dev/urandom swap\n# other /dev/sdb3 none luks\n")
    );
    assert_eq!(
        cat(&root, "/etc/default/grub"),
        format!("GRUB_TIMEOUT=5\nGRUB_CMDLINE_LINUX=\"resume=UUID={SWAP_UUID}\"\n# GRUB_DISABLE_LINUX_UUID=true\n")
    );
    let photo = folder.path().join("photo.jpg");
    run(Command::new("debugfs")
        .args(["-R", &format!("dump /home/me/photo.jpg {}", photo.display())])
        .arg(&root));
    assert!(fs::read(photo).unwrap() == noise(1, 300_000));

    let boot = volume_of(&machine, "disk0.adapted.qcow2", BOOT);
    assert_sound(&boot);
    let menu = GRUB_CFG
        .replace(
            "root=/dev/sda2 ro  resume=/dev/sda5",
            &format!("root=UUID={ROOT_UUID} ro  resume=UUID={SWAP_UUID}"),
        )
        .replace("root=/dev/sda2 ro\n", &format!("root=PARTUUID={DISK_ID}-02 ro\n"));
    assert_eq!(cat(&boot, "/grub/grub.cfg"), menu);

    // Nothing is left to do, the capture is untouched, and all of it can be taken back.
    assert!(adapt(&machine, &[]).contains("Adapted already"));
    assert_eq!(sha256(&machine.join("disk0.qcow2")), before);
    adapt(&machine, &["--undo"]);
    assert!(!machine.join("disk0.adapted.qcow2").exists());
    assert!(!machine.join("disk0.adapted.json").exists());
}

#[test]
fn a_system_with_uuids_alone_is_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let root = tree().file(
        "etc/fstab",
        format!("UUID={ROOT_UUID} / ext4 defaults 0 1\nUUID={SWAP_UUID} none swap sw 0 0\n"),
    );
    let machine = machine(folder.path(), &root, &Options::default());
    let said = adapt(&machine, &[]);
    assert!(said.contains("There is nothing to change"), "{said}");
    assert!(!machine.join("disk0.adapted.qcow2").exists());
    assert!(fs::read_dir(&machine).unwrap().all(|entry| {
        let name = entry.unwrap().file_name();
        !name.to_string_lossy().contains("partial")
    }));
}

/// Another disk, which is not in the machine, has an ext4 partition of the same number.
#[test]
fn a_name_that_nothing_shows_to_be_this_disk_stays() {
    let folder = tempfile::tempdir().unwrap();
    let fstab = format!("UUID={ROOT_UUID} / ext4 defaults 0 1\n/dev/sdb1 /data ext4 defaults 0 2\n");
    let machine = machine(folder.path(), &tree().file("etc/fstab", &fstab), &Options::default());
    let said = adapt(&machine, &[]);
    assert!(said.contains("it cannot be told which disk that was"), "{said}");
    assert!(said.contains("There is nothing to change"), "{said}");

    // The same, if the partition's filesystem says that it was mounted there.
    let disk = folder.path().join("disk.img");
    let boot = format!("{}?offset={}", disk.display(), BOOT.start);
    run(Command::new("debugfs").args(["-w", "-R", "ssv last_mounted /data", &boot]));
    let machine = folder.path().join("other");
    capture(&disk, &machine, &[]);
    adapt(&machine, &[]);
    let root = volume_of(&machine, "disk0.adapted.qcow2", ROOT);
    assert_eq!(
        cat(&root, "/etc/fstab"),
        fstab.replace("/dev/sdb1", &format!("UUID={BOOT_UUID}"))
    );
}

/// A boot menu also starts a system on another disk, whose root has the same number.
#[test]
fn a_root_of_another_disk_is_not_taken_for_this_one() {
    let folder = tempfile::tempdir().unwrap();
    let fstab = format!("UUID={ROOT_UUID} / ext4 defaults 0 1\n/dev/sdb1 /data ext4 defaults 0 2\n");
    let menu = format!(
        "menuentry 'This' {{\n\tlinux /vmlinuz root=UUID={ROOT_UUID} ro\n\tinitrd /initrd\n}}\n\
         menuentry 'Other' {{\n\tlinux /vmlinuz root=/dev/sdb2 ro\n\tinitrd /initrd\n}}\n"
    );
    let root = tree().file("etc/fstab", &fstab).file("boot/grub/grub.cfg", menu);
    let machine = machine(folder.path(), &root, &Options::default());
    let said = adapt(&machine, &[]);
    assert!(said.contains("it cannot be told which disk that was"), "{said}");
    assert!(said.contains("There is nothing to change"), "{said}");
}

#[test]
fn what_belongs_to_the_old_hardware_is_put_aside() {
    let folder = tempfile::tempdir().unwrap();
    let rule = "SUBSYSTEM==\"net\", ACTION==\"add\", DRIVERS==\"?*\", ATTR{address}==\"00:1b:63:0a:0b:0c\", \
                KERNEL==\"eth*\", NAME=\"eth0\"\n";
    let root = tree()
        .file("etc/fstab", format!("UUID={ROOT_UUID} / ext4 defaults 0 1\n"))
        .file("etc/udev/rules.d/70-persistent-net.rules", rule)
        .file(
            "etc/X11/xorg.conf",
            "Section \"Device\"\n  Identifier \"x\"\n  Driver \"nvidia\"\nEndSection\n",
        )
        .file(
            "etc/lvm/devices/system.devices",
            "VERSION=1.1.1\nIDTYPE=sys_wwid IDNAME=naa.5 DEVNAME=/dev/sda3\n",
        );
    let machine = machine(folder.path(), &root, &Options::default());
    let toml = fs::read_to_string(machine.join("machine.toml")).unwrap();
    let said = adapt(&machine, &[]);
    assert!(said.contains("xorg.conf.p2v-aside"), "{said}");
    assert!(said.contains("00:1b:63:0a:0b:0c"), "{said}");
    let volume = volume_of(&machine, "disk0.adapted.qcow2", ROOT);
    assert_sound(&volume);
    assert_eq!(cat(&volume, "/etc/lvm/devices/system.devices"), "");
    assert_eq!(cat(&volume, "/etc/X11/xorg.conf"), "");
    assert!(cat(&volume, "/etc/X11/xorg.conf.p2v-aside").contains("nvidia"));
    assert_eq!(cat(&volume, "/etc/udev/rules.d/70-persistent-net.rules"), rule);
    let changed = fs::read_to_string(machine.join("machine.toml")).unwrap();
    assert!(changed.contains("mac = \"00:1b:63:0a:0b:0c\""), "{changed}");
    adapt(&machine, &["--undo"]);
    assert_eq!(fs::read_to_string(machine.join("machine.toml")).unwrap(), toml);
}
