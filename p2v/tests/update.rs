//! `p2v capture --update`: a second capture of the same disk, of which only what changed is stored.

mod common;

use common::kills::{at_steps, was_killed};
use common::running::{launch, machine};
use common::*;
use std::fs;
use std::path::Path;
use std::process::Command;

fn size(machine: &Path) -> u64 {
    fs::metadata(machine.join("disk0.qcow2")).unwrap().len()
}

/// The disk a month later: a file is new on ext4, and one is gone; the swap space was used.
fn a_month_later(disk: &MixedDisk, folder: &Path) {
    let volume = part(&disk.path, EXT4, &folder.join("later.ext4"));
    let new = folder.join("new.txt");
    fs::write(&new, "what happened in May\n".repeat(1000)).unwrap();
    for request in [format!("write {} new.txt", new.display()), "rm file5.bin".to_owned()] {
        run(Command::new("debugfs").args(["-w", "-R", &request]).arg(&volume));
    }
    run(Command::new("e2fsck").args(["-fn"]).arg(&volume));
    put(&disk.path, EXT4.start, &fs::read(&volume).unwrap());
}

#[test]
fn only_what_changed_is_stored_and_all_of_it_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let disk = MixedDisk::make(folder.path());
    let (old, may, june) = (
        folder.path().join("old"),
        folder.path().join("may"),
        folder.path().join("june"),
    );
    capture(&disk.path, &old, &[]);
    let before = sha256(&old.join("disk0.qcow2"));
    let with_old = ["--update".to_owned(), old.display().to_string()];
    let with_old: Vec<&str> = with_old.iter().map(String::as_str).collect();

    // Nothing has changed.
    capture(&disk.path, &may, &with_old);
    judge(&disk.path, &may);
    assert!(size(&may) < 2 * MIB, "{} bytes for nothing", size(&may));

    a_month_later(&disk, folder.path());
    capture(&disk.path, &june, &with_old);
    judge(&disk.path, &june);
    assert!(size(&june) < size(&old) / 2, "{} of {}", size(&june), size(&old));
    run(p2v("verify").arg(&june).arg("--against").arg(&disk.path));
    let info = run(Command::new("qemu-img")
        .args(["info", "--output=json"])
        .arg(june.join("disk0.qcow2")));
    let info: serde_json::Value = serde_json::from_str(&info).unwrap();
    assert_eq!(info["backing-filename"], "../old/disk0.qcow2");
    assert_eq!(sha256(&old.join("disk0.qcow2")), before);

    // What it lies on is neither removed nor renamed.
    for command in [
        p2v("remove").arg(&old).arg("--yes"),
        p2v("rename").arg(&old).arg("older"),
    ] {
        let output = start(command);
        assert_eq!(output.status.code(), Some(3));
        assert!(errors(&output).contains("is needed by"), "{}", errors(&output));
    }
    for machine in [&june, &may, &old] {
        run(p2v("remove").arg(machine).arg("--yes"));
    }
}

#[test]
fn what_is_gone_from_the_disk_is_zero() {
    let folder = tempfile::tempdir().unwrap();
    let disk = stale(&folder.path().join("disk.img"), 24);
    let (old, new) = (folder.path().join("old"), folder.path().join("new"));
    capture(&disk, &old, &[]);
    // A part of a chunk, a whole one, and the end.
    put(&disk, MIB / 2, &vec![0; 300_000]);
    put(&disk, 6 * MIB, &vec![0; 4 << 20]);
    put(&disk, 23 * MIB, &vec![0; 1 << 20]);
    capture(&disk, &new, &["--update", &old.display().to_string()]);
    judge(&disk, &new);
    run(p2v("verify").arg(&new).arg("--against").arg(&disk));
    // The same, in a file with holes: nothing is read there, and it is still not what it was.
    run(Command::new("fallocate").arg("--dig-holes").arg(&disk));
    let holes = folder.path().join("holes");
    capture(&disk, &holes, &["--update", &old.display().to_string()]);
    run(Command::new("qemu-img")
        .args(["compare", "-q", "-F", "raw"])
        .args([&holes.join("disk0.qcow2"), &disk]));
}

#[test]
fn it_is_gone_on_with_too() {
    let folder = tempfile::tempdir().unwrap();
    let disk = stale(&folder.path().join("disk.img"), 40);
    let (old, new) = (folder.path().join("old"), folder.path().join("new"));
    capture(&disk, &old, &[]);
    for at in [1, 11, 21, 31] {
        put(&disk, at * MIB, &noise(at, 5 << 20));
        put(&disk, (at + 6) * MIB, &vec![0; 2 << 20]);
    }
    let of = |command: &mut Command| {
        command
            .arg(&disk)
            .arg("-o")
            .arg(&new)
            .arg("--update")
            .arg(&old)
            .arg("--quiet");
    };
    let kills = at_steps(&["fdatasync", "fsync", "rename", "renameat2"], |command, _| {
        command.arg("capture");
        of(command);
        let killed = was_killed(command);
        if !new.join("machine.toml").exists() {
            if new.join("disk0.journal").exists() {
                let whole = start(p2v("capture").arg(&disk).arg("-o").arg(&new));
                let said = errors(&whole);
                assert!(
                    !new.join("disk0.qcow2.partial").exists() || whole.status.success() || said.contains("--update"),
                    "{said}"
                );
            }
            if !new.join("machine.toml").exists() {
                let mut again = p2v("capture");
                of(&mut again);
                run(&mut again);
            }
        }
        judge(&disk, &new);
        fs::remove_dir_all(&new).unwrap();
        killed
    });
    assert!(kills > 8, "{kills} kills");
}

#[test]
fn another_disk_is_refused_and_a_machine_runs_on_it() {
    let folder = tempfile::tempdir().unwrap();
    let old = machine(folder.path());
    let disk = folder.path().join("disk.img");
    let other = stale(&folder.path().join("other.img"), 4);
    let new = folder.path().join("new");
    let output = start(p2v("capture").arg(&other).arg("-o").arg(&new).arg("--update").arg(&old));
    assert_eq!(output.status.code(), Some(3));
    assert!(errors(&output).contains("another disk"), "{}", errors(&output));
    let output = start(
        p2v("capture")
            .arg(&disk)
            .args(["-o", "ssh://newpc/x", "--update"])
            .arg(&old),
    );
    assert_eq!(output.status.code(), Some(3), "{}", errors(&output));
    put(&disk, 4 * MIB, b"later");
    capture(&disk, &new, &["--update", &old.display().to_string()]);
    drop(launch(&new, &["--ephemeral"]));
    drop(launch(&new, &[]));
    run(Command::new("qemu-img")
        .args(["check", "-q"])
        .arg(new.join("disk0.now.qcow2")));
    // Without what it lies on it is told to be broken.
    fs::rename(&old, folder.path().join("elsewhere")).unwrap();
    let launched = start(p2v("launch").arg(&new).arg("--headless"));
    assert!(!launched.status.success());
    assert!(errors(&launched).contains("old"), "{}", errors(&launched));
}
