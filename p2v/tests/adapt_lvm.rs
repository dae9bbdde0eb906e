//! `p2v inspect` and `p2v adapt` on systems whose root is a logical volume: lvm2 makes the volumes and says where they
//! lie; debugfs and e2fsck look into them.
#![allow(clippy::indexing_slicing)]

mod common;
mod linux;
#[path = "../../disk/tests/lvm_tools/mod.rs"]
mod lvm_tools;
#[path = "../../disk/tests/volumes/mod.rs"]
mod volumes;

use common::{loop_device, *};
use linux::{BOOT_UUID, ROOT_UUID, SWAP_UUID, assert_sound, cat, tree};
use lvm_tools::{Lvm, read_places};
use std::fs::{self, File};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;
use volumes::Tree;

const BOOT: Range<u64> = MIB..17 * MIB;
const FIRST: Range<u64> = 17 * MIB..77 * MIB;
const SECOND: Range<u64> = 77 * MIB..117 * MIB;
const KERNEL: &str = "2.6.32-754.el6.x86_64";

/// A disk as an installer of its time made it: `/boot`, and a group with root, swap and home on two physical volumes.
struct Disk {
    path: PathBuf,
    machine: PathBuf,
    root: Vec<Range<u64>>,
    swap: Vec<Range<u64>>,
    home: Vec<Range<u64>>,
}

impl Disk {
    fn make(folder: &Path, root: &Tree, boot: &Tree, change: impl FnOnce(&Lvm)) -> Self {
        let path = folder.join("disk.img");
        File::create(&path).unwrap().set_len(118 * MIB).unwrap();
        let table = "label: dos\nlabel-id: 0x0a1dbc01\nstart=2048, size=16M, type=83, bootable\nsize=60M, type=8e\n\
                     size=40M, type=8e\n";
        feed(Command::new("sfdisk").arg("-q").arg(&path), table);
        put(&path, BOOT.start, &ext4(folder, boot, BOOT_UUID, 16));
        let lvm = Lvm::on(&path, &[FIRST, SECOND]);
        lvm.group("vg-old", &[]);
        lvm.volume("vg-old", "lv_root", 32);
        lvm.volume("vg-old", "lv_swap", 8);
        // The root is in two pieces.
        lvm.run(&["lvextend", "-q", "-L", "+16m", "vg-old/lv_root"]);
        lvm.volume("vg-old", "lv_home", 16);
        lvm.write("vg-old/lv_root", &ext4(folder, root, ROOT_UUID, 48));
        let swap = folder.join("swap");
        File::create(&swap).unwrap().set_len(8 * MIB).unwrap();
        run(Command::new("mkswap").args(["-q", "-U", SWAP_UUID]).arg(&swap));
        lvm.write("vg-old/lv_swap", &fs::read(&swap).unwrap());
        let photos = Tree::new().file("me/photo.jpg", noise(7, 300_000));
        let uuid = "77777777-2222-3333-4444-555555555555";
        lvm.write("vg-old/lv_home", &ext4(folder, &photos, uuid, 16));
        let places = ["lv_root", "lv_swap", "lv_home"].map(|name| lvm.places(&format!("vg-old/{name}")));
        assert_eq!(places[0].len(), 2, "the root is in one piece");
        change(&lvm);
        drop(lvm);
        let machine = folder.join("oldpc");
        capture(&path, &machine, &[]);
        let [root, swap, home] = places;
        Disk {
            path,
            machine,
            root,
            swap,
            home,
        }
    }

    fn inspect(&self) -> String {
        run(p2v("inspect").arg(&self.path))
    }

    fn adapt(&self, more: &[&str]) -> String {
        run(p2v("adapt").arg(&self.machine).args(more))
    }

    /// The whole disk as the adapted machine sees it, by qemu-img.
    fn adapted(&self) -> PathBuf {
        let raw = self.machine.with_extension("raw");
        run(Command::new("qemu-img")
            .args(["convert", "-O", "raw"])
            .args([&self.machine.join("disk0.adapted.qcow2"), &raw]));
        raw
    }

    /// A volume of it as a file of its own.
    fn volume(&self, raw: &Path, places: &[Range<u64>]) -> PathBuf {
        let path = self.machine.with_extension(format!("at{}", places[0].start));
        fs::write(&path, read_places(raw, places)).unwrap();
        path
    }
}

fn ext4(folder: &Path, tree: &Tree, uuid: &str, mib: u64) -> Vec<u8> {
    let path = folder.join("ext4");
    let _ = fs::remove_file(&path);
    run(Command::new("mke2fs")
        .args(["-q", "-F", "-t", "ext4", "-U", uuid, "-d"])
        .arg(tree.path())
        .arg(&path)
        .arg(format!("{mib}m")));
    fs::read(&path).unwrap()
}

const FSTAB: &str = "/dev/mapper/vg--old-lv_root /  ext4 defaults 1 1\n/dev/sda1 /boot ext4 defaults 1 2\n\
    /dev/vg-old/lv_home /home ext4 defaults 1 2\n/dev/mapper/vg--old-lv_swap swap swap defaults 0 0\n\
    /dev/sdb1 /data ext4 defaults 1 2\n";
const MENU: &str = "default=0\ntitle CentOS (2.6.32-754.el6.x86_64)\n\troot (hd1,0)\n\
    \tkernel /vmlinuz-2.6.32-754.el6.x86_64 ro root=/dev/mapper/vg--old-lv_root rd_LVM_LV=vg-old/lv_root\n\
    \tinitrd /initramfs-2.6.32-754.el6.x86_64.img\n";

fn centos() -> Tree {
    tree()
        .file(
            "etc/os-release",
            "ID=centos\nPRETTY_NAME=\"CentOS release 6.10 (Final)\"\nVERSION_ID=6.10\n",
        )
        .file("etc/fstab", FSTAB)
        .file(
            "etc/lvm/devices/system.devices",
            "VERSION=1.1.1\nIDTYPE=sys_wwid IDNAME=naa.5 DEVNAME=/dev/sda2\n",
        )
        .folder("home")
        .modules()
}

/// Modules, as far as they matter.
trait Modules {
    fn modules(self) -> Self;
}

impl Modules for Tree {
    fn modules(self) -> Self {
        let names = ["ata/ata_piix", "ata/libata", "scsi/sd_mod", "scsi/scsi_mod"]
            .map(|name| format!("kernel/drivers/{name}.ko"));
        let [piix, libata, disk, scsi] = &names;
        let dep = format!("{piix}: {libata} {scsi}\n{libata}: {scsi}\n{disk}: {scsi}\n{scsi}:\n");
        let folder = format!("lib/modules/{KERNEL}");
        let tree = self.file(&format!("{folder}/modules.dep"), dep);
        names.iter().fold(tree, |tree, name| {
            tree.file(&format!("{folder}/{name}"), format!("\x7fELF {name}"))
        })
    }
}

/// An initramfs without any driver, as initramfs-tools makes it, packed by cpio.
fn initramfs() -> Vec<u8> {
    let tree = Tree::new()
        .file("scripts/functions", "")
        .file("conf/initramfs.conf", "")
        .file("conf/modules", "dm-mod\n");
    let output = start(
        Command::new("sh")
            .args(["-ec", "find . -print0 | cpio --null --quiet -o -H newc"])
            .current_dir(tree.path()),
    );
    assert!(output.status.success(), "cpio: {}", errors(&output));
    output.stdout
}

fn boot() -> Tree {
    Tree::new()
        .file(&format!("vmlinuz-{KERNEL}"), "no kernel")
        .file(&format!("initramfs-{KERNEL}.img"), initramfs())
        .file("grub/grub.conf", MENU)
        .link("grub/menu.lst", "grub.conf")
}

#[test]
fn a_root_on_a_logical_volume_is_named_and_adapted() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Disk::make(folder.path(), &centos(), &boot(), |_| {});
    let said = disk.inspect();
    assert!(
        said.contains("CentOS release 6.10 (Final), called oldpc, on logical volume vg-old/lv_root"),
        "{said}"
    );
    for line in ["ext4", "swap"] {
        let volume = |text: &&str| text.contains(line) && text.contains("logical volume vg-old/lv_");
        assert!(said.lines().any(|text| volume(&text)), "{said}");
    }
    assert!(!said.contains("cannot look into"), "{said}");
    let json: serde_json::Value = serde_json::from_str(&run(p2v("inspect").arg(&disk.path).arg("--json"))).unwrap();
    let logical = json["layout"]["logical"].as_array().unwrap();
    let root = logical
        .iter()
        .find(|volume| volume["volume"]["uuid"] == ROOT_UUID)
        .unwrap();
    assert_eq!((&root["group"], &root["name"]), (&"vg-old".into(), &"lv_root".into()));
    assert_eq!(root["segments"].as_array().unwrap().len(), 2);

    let before = sha256(&disk.machine.join("disk0.qcow2"));
    let said = disk.adapt(&[]);
    assert!(
        said.contains("on logical volume vg-old/lv_root, file etc/fstab"),
        "{said}"
    );
    let raw = disk.adapted();
    let root = disk.volume(&raw, &disk.root);
    assert_sound(&root);
    let expected = FSTAB
        .replace("/dev/sda1", &format!("UUID={BOOT_UUID}"))
        .replace("/dev/sdb1", "# /dev/sdb1");
    assert_eq!(cat(&root, "/etc/fstab"), expected);
    assert_eq!(cat(&root, "/etc/lvm/devices/system.devices"), "");
    assert_eq!(cat(&root, "/etc/hostname"), "oldpc\n");
    let boot = disk.volume(&raw, &[BOOT]);
    assert_sound(&boot);
    assert_eq!(cat(&boot, "/grub/grub.conf"), MENU.replace("(hd1,0)", "(hd0,0)"));
    // The image on /boot got the drivers that the root has.
    let image = folder.path().join("image");
    run(Command::new("debugfs")
        .args(["-R", &format!("dump /initramfs-{KERNEL}.img {}", image.display())])
        .arg(&boot));
    let bytes = fs::read(&image).unwrap();
    let old = initramfs().len();
    let added = bytes[old..].windows(6).position(|word| word == b"070701").unwrap();
    fs::write(&image, &bytes[old + added..]).unwrap();
    let script = "cpio --quiet -i --to-stdout '*/ata_piix.ko' < \"$1\"";
    let module = run(Command::new("sh").args(["-ec", script, "sh"]).arg(&image));
    assert_eq!(module, "\x7fELF kernel/drivers/ata/ata_piix.ko");
    // Nothing else changed: LVM's own structures, the other volumes, what lies between.
    let untouched = [
        0..BOOT.start,
        FIRST.start..disk.root[0].start,
        disk.root[0].end..disk.root[1].start,
        disk.root[1].end..118 * MIB,
    ];
    assert!(untouched[2].contains(&disk.swap[0].start) && untouched[3].contains(&disk.home[0].start));
    for range in untouched {
        let ranges = std::slice::from_ref(&range);
        assert!(
            read_places(&raw, ranges) == read_places(&disk.path, ranges),
            "{range:?}"
        );
    }
    assert!(disk.adapt(&[]).contains("Adapted already"));
    assert_eq!(sha256(&disk.machine.join("disk0.qcow2")), before);
    disk.adapt(&["--undo"]);
    assert!(!disk.machine.join("disk0.adapted.qcow2").exists());
}

#[test]
fn lvm_still_reads_the_adapted_disk() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Disk::make(folder.path(), &centos(), &boot(), |_| {});
    disk.adapt(&[]);
    let raw = disk.adapted();
    let lvm = Lvm::on(&raw, &[FIRST, SECOND]);
    lvm.run(&["vgck", "vg-old"]);
    assert_eq!(lvm.places("vg-old/lv_root"), disk.root);
}

#[test]
fn what_cannot_be_read_is_noted_and_left() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Disk::make(folder.path(), &centos(), &boot(), |lvm| {
        lvm.run(&[
            "lvcreate", "-q", "-an", "-Zn", "-Wn", "-i2", "-L4m", "-n", "fast", "vg-old",
        ]);
        lvm.run(&["lvchange", "-q", "-pr", "vg-old/lv_root"]);
    });
    let said = disk.inspect();
    assert!(
        said.contains("logical volume vg-old/fast cannot be read: it is striped"),
        "{said}"
    );
    assert!(said.contains("CentOS release 6.10"), "{said}");
    // LVM does not let the root be written, and so p2v does not either.
    let refused = start(p2v("adapt").arg(&disk.machine));
    assert!(!refused.status.success());
    let said = String::from_utf8_lossy(&refused.stdout);
    assert!(
        said.contains("must not be written: LVM itself does not let it"),
        "{said}"
    );
    assert!(!disk.machine.join("disk0.adapted.qcow2").exists());
}

#[test]
fn the_disk_of_a_guest_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let guest = centos().file(
        "etc/fstab",
        "/dev/xvda1 / ext3 defaults 1 1\n/dev/sdb1 /data ext3 defaults 1 2\n",
    );
    let disk = Disk::make(folder.path(), &guest, &Tree::new(), |_| {});
    let said = disk.adapt(&[]);
    assert!(said.contains("virtual machine which ran"), "{said}");
    assert!(!disk.machine.join("disk0.adapted.qcow2").exists());
}

#[test]
fn a_session_in_swap_on_a_logical_volume_stops_everything() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Disk::make(folder.path(), &centos(), &boot(), |lvm| {
        let mut swap = lvm.read("vg-old/lv_swap");
        // As the kernel leaves it: its own mark, and the old one before it.
        assert_eq!(&swap[4086..4096], b"SWAPSPACE2");
        swap[4076..4086].copy_from_slice(b"SWAPSPACE2");
        swap[4086..4096].copy_from_slice(b"S1SUSPEND\0");
        lvm.write("vg-old/lv_swap", &swap);
    });
    let refused = start(p2v("adapt").arg(&disk.machine));
    assert!(!refused.status.success());
    let said = format!("{}{}", String::from_utf8_lossy(&refused.stdout), errors(&refused));
    assert!(said.contains("hibernated Linux"), "{said}");
    disk.adapt(&["--discard-hibernation"]);
    let raw = disk.adapted();
    let swap = disk.volume(&raw, &disk.swap);
    assert!(run(Command::new("blkid").args(["-p", "-o", "export"]).arg(&swap)).contains("TYPE=swap\n"));
    assert_sound(&disk.volume(&raw, &disk.root));
}
