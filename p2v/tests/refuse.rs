//! What p2v declines, with which exit code, and that it changes nothing then.

mod common;

use common::*;
use std::fs;
use std::path::Path;
use std::process::Command;

/// A capture that must end with `code` and say `words`.
fn refused(source: &Path, target: &Path, more: &[&str], code: i32, words: &str) {
    let output = start(p2v("capture").arg(source).arg("-o").arg(target).args(more));
    let said = errors(&output);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(said.contains(words), "no `{words}` in: {said}");
    assert!(!said.contains("panicked"), "{said}");
}

#[test]
fn sources_that_are_no_disks() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("oldpc");
    refused(folder.path(), &target, &[], 4, "a directory");
    refused(&folder.path().join("none"), &target, &[], 4, "p2v disks");
    refused(Path::new("/dev/null"), &target, &[], 4, "character device");
    let empty = folder.path().join("empty");
    fs::write(&empty, "").unwrap();
    refused(&empty, &target, &[], 4, "no contents");
    let vhdx = folder.path().join("disk.vhdx");
    fs::write(&vhdx, b"vhdxfile and more").unwrap();
    refused(&vhdx, &target, &[], 3, "qemu-img convert");
    let broken = folder.path().join("broken.qcow2");
    fs::write(&broken, b"QFI\xfb and nonsense").unwrap();
    refused(&broken, &target, &[], 1, "qcow2");
    assert!(!target.exists());
}

#[test]
fn targets_that_hold_something() {
    let folder = tempfile::tempdir().unwrap();
    let disk = stale(&folder.path().join("disk.img"), 1);
    let target = folder.path().join("oldpc");
    fs::write(&target, "a file").unwrap();
    refused(&disk, &target, &[], 3, "is no folder");
    assert_eq!(fs::read(&target).unwrap(), b"a file");

    refused(&disk, folder.path(), &[], 3, "not empty");
    let again = folder.path().join("again");
    capture(&disk, &again, &[]);
    let before = sha256(&again.join("disk0.qcow2"));
    refused(&disk, &again, &[], 3, "holds a machine already");
    assert_eq!(sha256(&again.join("disk0.qcow2")), before);
    fs::remove_file(again.join("machine.toml")).unwrap();
    fs::rename(again.join("disk0.qcow2"), again.join("disk0.qcow2.partial")).unwrap();
    refused(&disk, &again, &[], 3, "was not finished");
    let output = start(p2v("verify").arg(&again));
    assert_eq!(output.status.code(), Some(3), "{}", errors(&output));
}

#[test]
fn an_empty_folder_will_do() {
    let folder = tempfile::tempdir().unwrap();
    let disk = stale(&folder.path().join("disk.img"), 1);
    let target = folder.path().join("oldpc");
    fs::create_dir(&target).unwrap();
    capture(&disk, &target, &[]);
    judge(&disk, &target);
}

#[test]
fn wrong_usage_is_exit_code_2() {
    let output = start(&mut p2v("capture"));
    assert_eq!(output.status.code(), Some(2));
    let output = start(p2v("capture").args(["x", "-o", "y", "--level", "99"]));
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_mounted_disk_and_a_target_on_it() {
    let folder = tempfile::tempdir().unwrap();
    let disk = folder.path().join("disk.img");
    fs::File::create(&disk).unwrap().set_len(32 * MIB).unwrap();
    run(Command::new("mkfs.ext4").arg("-q").arg(&disk));
    let device = Loop::attach(&disk, &[]);
    let mount = folder.path().join("mount");
    fs::create_dir(&mount).unwrap();
    run(Command::new("mount").args([&device.0, &mount]));
    let _mounted = Mounted(&mount);

    let target = folder.path().join("oldpc");
    refused(&device.0, &target, &[], 3, "umount");
    assert!(!target.exists());
    refused(
        &device.0,
        &mount.join("oldpc"),
        &["--allow-in-use"],
        3,
        "the disk that is to be captured",
    );
    refused(
        &disk,
        &mount.join("oldpc"),
        &["--allow-in-use"],
        3,
        "the disk that is to be captured",
    );
    run(p2v("capture")
        .arg(&device.0)
        .arg("-o")
        .arg(&target)
        .args(["--quiet", "--allow-in-use"]));
    run(Command::new("mount").args(["-o", "remount,ro"]).arg(&mount));
    let output = start(
        p2v("capture")
            .arg(&device.0)
            .arg("-o")
            .arg(folder.path().join("readonly")),
    );
    assert!(output.status.success(), "{}", errors(&output));
    assert!(errors(&output).contains("Warning: in use"), "{}", errors(&output));
}

/// Unmounts when dropped.
struct Mounted<'a>(&'a Path);

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        let _ = start(Command::new("umount").arg(self.0));
    }
}

#[test]
fn a_medium_that_cannot_hold_it_is_refused_beforehand() {
    let folder = tempfile::tempdir().unwrap();
    let disk = stale(&folder.path().join("disk.img"), 64);
    // A private mount that ends with the process.
    let script = "mount -t tmpfs -o size=2m tmpfs \"$2\"; exec \"$3\" capture \"$1\" -o \"$2/oldpc\"";
    let small = folder.path().join("small");
    fs::create_dir(&small).unwrap();
    let output = start(
        Command::new("unshare")
            .args(["--user", "--map-root-user", "--mount", "sh", "-euc", script, "sh"])
            .args([&disk, &small])
            .arg(env!("CARGO_BIN_EXE_p2v")),
    );
    assert_eq!(output.status.code(), Some(3), "{}", errors(&output));
    assert!(errors(&output).contains("--ignore-free-space"), "{}", errors(&output));
}
