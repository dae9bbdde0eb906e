//! From a root filesystem into an image.

use super::*;
use crate::linux::initramfs::{Generator, Initramfs, Limits, Modules, append, check};
use std::io::Write;
use std::process::Stdio;

/// An image with these files and all folders above them, packed by cpio.
fn image(files: &Files) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    write_files(files, folder.path());
    std::os::unix::fs::symlink("usr/lib", folder.path().join("lib")).unwrap();
    let script = "find . -print0 | cpio --null --quiet -o -H newc";
    let output = Command::new("sh")
        .args(["-ec", script])
        .current_dir(folder.path())
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "is cpio installed (Debian package cpio)? {stderr}"
    );
    output.stdout
}

fn unpack(archive: &[u8], folder: &Path) {
    let mut child = Command::new("cpio")
        .args(["--quiet", "-idmu"])
        .current_dir(folder)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("cpio must be installed (Debian package cpio): {error}"));
    child.stdin.take().unwrap().write_all(archive).unwrap();
    assert!(child.wait().unwrap().success());
}

/// Files of the image and what they should hold.
type Requests = Vec<(&'static str, &'static str)>;

/// What tells each generator, and what it asks for the drivers with.
fn generators() -> Vec<(Generator, Files, Requests)> {
    let files = |files: &[(&str, &str)]| {
        files
            .iter()
            .map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec()))
            .collect::<Files>()
    };
    vec![
        (
            Generator::InitramfsTools,
            files(&[
                ("scripts/functions", ""),
                ("conf/initramfs.conf", ""),
                ("conf/modules", "dm-mod\nunix"),
            ]),
            vec![("conf/modules", "dm-mod\nunix\nata_piix\nsd_mod\n")],
        ),
        (
            Generator::Dracut,
            files(&[("usr/lib/dracut/x", ""), ("usr/lib/systemd/systemd-modules-load", "")]),
            vec![
                (
                    "etc/cmdline.d/p2v.conf",
                    "rd.driver.pre=ata_piix rd.driver.pre=sd_mod\n",
                ),
                ("etc/modules-load.d/p2v.conf", "ata_piix\nsd_mod\n"),
            ],
        ),
        (
            Generator::Mkinitcpio,
            files(&[("init_functions", ""), ("config", "MODULES=\"ext4\"\n")]),
            vec![("config", "MODULES=\"ext4\"\nMODULES=\"${MODULES} ata_piix sd_mod\"\n")],
        ),
        (Generator::AlpineMkinitfs, files(&[("sbin/nlplug-findfs", "")]), vec![]),
    ]
}

#[test]
fn an_image_without_drivers_gets_them_and_asks_for_them() {
    let root = root(".xz");
    let tree = tree(&root);
    for (generator, mut files, requests) in generators() {
        // It has been made on an AHCI machine, and has what ahci needs.
        for path in tree.closure(&["ahci", "sd_mod"]).unwrap() {
            files.insert(format!("usr/{path}"), root[&path].clone());
        }
        let mut bytes = image(&files);
        let old = Initramfs::parse(&bytes, &Limits::default()).unwrap();
        assert_eq!(old.generator(), generator);
        let have: &Modules = &old.modules()[VERSION];
        assert_eq!(
            controllers_of(VERSION, &have.files, &have.builtin),
            BTreeSet::from([Controller::Ahci])
        );
        assert!(injection(&tree, &old, Controller::Ahci).unwrap().is_empty());

        let plan: Injection = injection(&tree, &old, Controller::Ide).unwrap();
        let first: &Copy = &plan.copy[0];
        assert!(first.required && first.from == first.to, "{first:?}");
        assert_eq!(plan.modules, ["ata_piix"]);
        assert_eq!(plan.way.disk, "sda");
        let new = plan.entries(|path| root.get(path).cloned()).unwrap();
        assert!(new.iter().any(|file| file.path.ends_with("modules.dep.bin")));
        let appended = append(&old, &new).unwrap();
        let start = bytes.len();
        bytes.extend(&appended);
        check(&old, &bytes, &new).unwrap();
        let now = Initramfs::parse(&bytes, &Limits::default()).unwrap();
        let have = &now.modules()[VERSION];
        assert!(controllers_of(VERSION, &have.files, &have.builtin).contains(&Controller::Ide));
        assert!(
            injection(&tree, &now, Controller::Ide).unwrap().is_empty(),
            "nothing to do a second time"
        );

        let result = tempfile::tempdir().unwrap();
        unpack(&bytes[..start], result.path());
        unpack(&bytes[start..], result.path());
        for (path, contents) in requests {
            assert_eq!(fs::read_to_string(result.path().join(path)).unwrap(), contents);
        }
        assert_all_there(result.path(), "ata_piix");
    }
}

/// All that modprobe would load is there; the paths.
fn assert_all_there(folder: &Path, name: &str) -> Vec<String> {
    let paths = modprobe(folder, name);
    assert!(!paths.is_empty());
    for path in &paths {
        assert!(folder.join(path).is_file(), "{path}");
    }
    paths
}

#[test]
fn an_image_with_unpacked_modules_gets_a_list_of_its_own() {
    let (root, unpacked) = (root(".zst"), root(""));
    let tree = tree(&root);
    let (_, mut files, _) = generators().swap_remove(2);
    for path in super::tree(&unpacked).closure(&["ahci", "sd_mod"]).unwrap() {
        files.insert(format!("usr/{path}"), unpacked[&path].clone());
    }
    // One that the root filesystem has no more, and what it needs by the image's own list.
    let folder = format!("usr/lib/modules/{VERSION}");
    files.insert(format!("{folder}/extra/own.ko"), b"\x7fELF".to_vec());
    files.insert(
        format!("{folder}/modules.dep"),
        b"extra/own.ko: kernel/drivers/scsi/libata.ko\n".to_vec(),
    );
    let bytes = image(&files);
    let old = Initramfs::parse(&bytes, &Limits::default()).unwrap();
    let plan = injection(&tree, &old, Controller::Ide).unwrap();
    let new = plan.entries(|path| root.get(path).cloned()).unwrap();
    let appended = append(&old, &new).unwrap();
    let result = tempfile::tempdir().unwrap();
    unpack(&bytes, result.path());
    unpack(&appended, result.path());
    let paths = assert_all_there(result.path(), "ata_piix");
    let ends: Vec<&str> = paths.iter().map(|path| path.rsplit('/').next().unwrap()).collect();
    assert_eq!(ends, ["scsi_common.ko", "scsi_mod.ko", "libata.ko", "ata_piix.ko.zst"]);
    assert_all_there(result.path(), "ahci");
    assert_all_there(result.path(), "sd_mod");
    let own = assert_all_there(result.path(), "own");
    assert_eq!(own.len(), 2);
}

#[test]
fn what_cannot_be_done_is_said() {
    let root = root("");
    let tree = tree(&root);
    let bare = |path: &str| {
        let files = Files::from([(path.to_owned(), vec![])]);
        Initramfs::parse(&image(&files), &Limits::default()).unwrap()
    };
    let nash = injection(&tree, &bare("bin/nash"), Controller::Ide).unwrap_err();
    assert_eq!(
        nash,
        ModuleError::NoRequest {
            generator: Generator::Nash
        }
    );
    let mut without = root.clone();
    let dep = format!("lib/modules/{VERSION}/modules.dep");
    without.insert(dep, b"kernel/drivers/ata/ata_piix.ko:\n".to_vec());
    let none = injection(&super::tree(&without), &bare("sbin/nlplug-findfs"), Controller::Ide).unwrap_err();
    assert!(matches!(none, ModuleError::NoDriver { .. }));
    let plan = injection(&tree, &bare("sbin/nlplug-findfs"), Controller::Nvme).unwrap();
    let missing = plan.entries(|path| root.get(path).filter(|_| !path.ends_with("nvme.ko")).cloned());
    assert!(matches!(missing.unwrap_err(), ModuleError::MissingFile(path) if path.ends_with("nvme.ko")));
}
