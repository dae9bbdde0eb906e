//! Linux systems on made ext2/3/4 volumes.

mod common;

use common::{Tree, disk_of};
use disk::usedmap::VolumeKind::Ext;
use drivers_inject::{Family, inspect};

/// An ELF header for `machine` (e_machine of the System V ABI).
fn elf(machine: u8) -> Vec<u8> {
    let mut header = vec![0; 64];
    header[..6].copy_from_slice(b"\x7fELF\x01\x01");
    header[18] = machine;
    header
}

const BULLSEYE: &str =
    "PRETTY_NAME=\"Debian GNU/Linux 11 (bullseye)\"\nNAME=\"Debian GNU/Linux\"\nVERSION_ID=\"11\"\nID=debian\n";

#[test]
fn debian_with_merged_usr_is_found_through_its_links() {
    let tree = Tree::new()
        .file("usr/lib/os-release", BULLSEYE)
        .link("etc/os-release", "../usr/lib/os-release")
        .file("etc/hostname", "oldpc\n")
        .file("etc/adjtime", "0.0 0 0.0\n0\nLOCAL\n")
        .file("usr/bin/dash", elf(3))
        .link("usr/bin/sh", "dash")
        .link("bin", "usr/bin");
    for kind in ["ext2", "ext3", "ext4"] {
        let (disk, layout) = disk_of(vec![(Ext, tree.ext(kind, 8))]);
        let systems = inspect(&disk, &layout).systems;
        assert_eq!(systems.len(), 1, "{kind}: {systems:?}");
        let system = &systems[0];
        assert_eq!(system.family, Family::Linux);
        assert_eq!(system.name, "Debian GNU/Linux 11 (bullseye)");
        assert_eq!(system.version.as_deref(), Some("11"));
        assert_eq!(system.architecture.as_deref(), Some("x86"));
        assert_eq!(system.hostname.as_deref(), Some("oldpc"));
        assert_eq!(system.rtc_utc, Some(false));
        assert_eq!(system.partition, 1);
        assert!(system.notes.is_empty(), "{:?}", system.notes);
    }
}

#[test]
fn a_separate_usr_and_boot_make_one_system() {
    let root = Tree::new()
        .link("etc/os-release", "../usr/lib/os-release")
        .file("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n")
        .file("etc/adjtime", "0.0 0 0.0\n0\nUTC\n")
        .link("bin", "usr/bin")
        .folder("usr");
    let usr = Tree::new()
        .file(
            "lib/os-release",
            "NAME=Fedora\nVERSION=\"39 (Server)\"\nVARIANT=\"Server Edition\"\nVERSION_ID=39\n",
        )
        .file("bin/sh", elf(62))
        .folder("share");
    let boot = Tree::new().file("vmlinuz", "x").file("grub/grub.cfg", "x");
    let (disk, layout) = disk_of(vec![
        (Ext, boot.ext("ext2", 4)),
        (Ext, usr.ext("ext4", 8)),
        (Ext, root.ext("ext4", 8)),
    ]);
    let systems = inspect(&disk, &layout).systems;
    assert_eq!(systems.len(), 1, "{systems:?}");
    assert_eq!(systems[0].name, "Fedora 39 (Server)");
    assert_eq!(systems[0].edition.as_deref(), Some("Server Edition"));
    assert_eq!(systems[0].architecture.as_deref(), Some("x86_64"));
    assert_eq!(systems[0].rtc_utc, Some(true));
    assert_eq!(systems[0].partition, 3);
}

#[test]
fn systems_from_before_os_release_are_named() {
    let cases = [
        ("etc/debian_version", "3.1\n", "Debian GNU/Linux 3.1", Some("3.1")),
        (
            "etc/redhat-release",
            "Red Hat Linux release 7.3 (Valhalla)\n",
            "Red Hat Linux release 7.3 (Valhalla)",
            Some("7.3"),
        ),
        (
            "etc/lsb-release",
            "DISTRIB_ID=Ubuntu\nDISTRIB_RELEASE=8.04\nDISTRIB_DESCRIPTION=\"Ubuntu 8.04.4 LTS\"\n",
            "Ubuntu 8.04.4 LTS",
            Some("8.04"),
        ),
    ];
    for (path, text, name, version) in cases {
        let tree = Tree::new()
            .file(path, text)
            .file("etc/passwd", "")
            .file("etc/fstab", "");
        let (disk, layout) = disk_of(vec![(Ext, tree.ext("ext3", 8))]);
        let systems = inspect(&disk, &layout).systems;
        assert_eq!(systems[0].name, name);
        assert_eq!(systems[0].version.as_deref(), version);
    }
}

#[test]
fn a_root_without_any_release_is_still_reported() {
    let tree = Tree::new().file("etc/fstab", "").file("etc/passwd", "");
    let (disk, layout) = disk_of(vec![(Ext, tree.ext("ext4", 8))]);
    let systems = inspect(&disk, &layout).systems;
    assert_eq!(systems[0].name, "Linux");
    assert_eq!(systems[0].notes.len(), 1);
}

#[test]
fn a_volume_of_photos_is_no_system() {
    let tree = Tree::new().file("2004/beach.jpg", "x");
    let (disk, layout) = disk_of(vec![(Ext, tree.ext("ext4", 8))]);
    assert!(inspect(&disk, &layout).systems.is_empty());
}
