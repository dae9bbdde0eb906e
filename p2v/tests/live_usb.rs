//! `p2v live-usb --write`: what is refused, and what is on a stick afterwards. Images are made by xorriso, sticks are
//! files and loop devices; the judges are sfdisk, blkid and e2fsck. The real image starts in `cargo xtask live`.
#![allow(clippy::indexing_slicing)]

mod common;

use common::failing::FailingDisk;
use common::*;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// An image with the form of the real one: the ISO filesystem and a second partition, behind an MBR.
fn image(folder: &Path) -> PathBuf {
    let (tree, esp, iso) = (folder.join("tree"), folder.join("esp"), folder.join("live.iso"));
    fs::create_dir(&tree).unwrap();
    fs::write(tree.join("filesystem.squashfs"), noise(1, 5 << 20)).unwrap();
    fs::write(&esp, noise(2, 1 << 20)).unwrap();
    run(Command::new("xorriso")
        .args([
            "-as",
            "mkisofs",
            "-quiet",
            "-volid",
            "P2V_12345678",
            "-partition_offset",
            "16",
        ])
        .args(["--mbr-force-bootable", "-append_partition", "2", "0xef"])
        .args([&esp, Path::new("-output"), &iso, &tree]));
    iso
}

fn stick(folder: &Path, mib: u64) -> PathBuf {
    stale(&folder.join("stick"), mib)
}

fn write(stick: &Path, image: &Path, more: &[&str]) -> Output {
    start(p2v("live-usb").arg("--write").arg(stick).arg(image).args(more))
}

fn assert_refused(output: &Output, why: &str) {
    let said = errors(output);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains(why), "{said}");
}

/// The partitions: start and size in bytes, and type.
fn table(stick: &Path) -> Vec<(u64, u64, String)> {
    let text = run(Command::new("sfdisk").arg("--json").arg(stick));
    let table: serde_json::Value = serde_json::from_str(&text).unwrap();
    let partitions = table["partitiontable"]["partitions"].as_array().unwrap();
    let number = |value: &serde_json::Value| value.as_u64().unwrap() * 512;
    partitions
        .iter()
        .map(|p| {
            (
                number(&p["start"]),
                number(&p["size"]),
                p["type"].as_str().unwrap().to_owned(),
            )
        })
        .collect()
}

/// Everything that a stick must have after it was written.
fn assert_written(stick: &Path, image: &Path) {
    let (mut wanted, written) = (fs::read(image).unwrap(), fs::read(stick).unwrap());
    // The third entry of the table is new.
    wanted[446 + 32..446 + 48].copy_from_slice(&written[446 + 32..446 + 48]);
    assert!(written[..wanted.len()] == wanted, "the image is not on the stick");
    let (before, after) = (table(image), table(stick));
    assert_eq!(before[..], after[..2]);
    let (start, size, kind) = after[2].clone();
    assert_eq!(kind, "83");
    assert!(start >= wanted.len() as u64 && start + size <= written.len() as u64);
    let volume = part(stick, start..start + size, &stick.with_extension("volume"));
    assert_eq!(
        run(Command::new("blkid")
            .args(["-p", "-o", "value", "-s", "LABEL"])
            .arg(&volume))
        .trim(),
        "P2V-CAPTURES"
    );
    run(Command::new("e2fsck").arg("-fn").arg(&volume));
    let last = &written[written.len() - MIB as usize..];
    assert!(last.iter().all(|byte| *byte == 0), "old marks are left at the end");
}

#[test]
fn a_stick_has_the_image_and_a_partition_for_captures() {
    let folder = tempfile::tempdir().unwrap();
    let (image, stick) = (image(folder.path()), stick(folder.path(), 200));
    let output = write(&stick, &image, &["--yes", "--quiet"]);
    assert!(output.status.success(), "{}", errors(&output));
    assert!(String::from_utf8_lossy(&output.stdout).contains("MiB for captures"));
    assert_written(&stick, &image);
    // Once more, over what is there by now: it is told.
    let refused = write(&stick, &image, &[]);
    assert_refused(&refused, "what was captured onto it is lost, too");
    assert!(errors(&refused).contains("P2V-CAPTURES"), "{}", errors(&refused));
    let output = write(&stick, &image, &["--yes", "--quiet"]);
    assert!(output.status.success(), "{}", errors(&output));
    assert_written(&stick, &image);
}

#[test]
fn a_small_stick_has_the_image_only() {
    let folder = tempfile::tempdir().unwrap();
    let (image, stick) = (image(folder.path()), stick(folder.path(), 40));
    let output = write(&stick, &image, &["--yes", "--quiet"]);
    assert!(output.status.success(), "{}", errors(&output));
    assert!(String::from_utf8_lossy(&output.stdout).contains("too small for captures"));
    assert_eq!(table(&stick), table(&image));
}

#[test]
fn nothing_is_written_unless_all_is_well() {
    let folder = tempfile::tempdir().unwrap();
    let (image, stick) = (image(folder.path()), stick(folder.path(), 100));
    let before = sha256(&stick);
    assert_refused(&write(&stick, &image, &[]), "must be confirmed");
    let cut = folder.path().join("cut.iso");
    fs::write(&cut, &fs::read(&image).unwrap()[..4 << 20]).unwrap();
    assert_refused(&write(&stick, &cut, &["--yes"]), "is cut off");
    let other = stale(&folder.path().join("other.iso"), 2);
    assert_refused(&write(&stick, &other, &["--yes"]), "no image of p2v's live system");
    let small = stale(&folder.path().join("small"), 3);
    assert_refused(&write(&small, &image, &["--yes"]), "too small");

    let disk = Loop::attach(&stick, &[]);
    // Not the file either: the loop device has it.
    assert_refused(&write(&stick, &image, &["--yes"]), "in use");
    assert_refused(&write(&disk.0, &image, &["--yes"]), "not a removable disk");
    drop(disk);
    assert_eq!(sha256(&stick), before);
}

#[test]
fn a_disk_that_is_mounted_is_refused_and_a_free_one_written_on_demand() {
    let folder = tempfile::tempdir().unwrap();
    let (image, stick) = (image(folder.path()), stick(folder.path(), 100));
    run(Command::new("mke2fs").args(["-q", "-F"]).arg(&stick));
    let disk = Loop::attach(&stick, &[]);
    let mount = folder.path().join("mount");
    fs::create_dir(&mount).unwrap();
    run(Command::new("mount").args(["-o", "ro"]).args([&disk.0, &mount]));
    let forced = ["--yes", "--quiet", "--even-if-not-removable"];
    let output = write(&disk.0, &image, &forced);
    run(Command::new("umount").arg(&mount));
    assert_refused(&output, "mounted at");
    let output = write(&disk.0, &image, &forced);
    assert!(output.status.success(), "{}", errors(&output));
    drop(disk);
    assert_written(&stick, &image);
}

#[test]
fn a_stick_with_less_room_than_it_claims_is_found_out() {
    let folder = tempfile::tempdir().unwrap();
    let image = image(folder.path());
    let stick = FailingDisk::lying(200 * MIB, 100 * MIB, folder.path());
    let output = write(&stick.path, &image, &["--yes", "--quiet"]);
    let said = errors(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("less room than it claims"), "{said}");
}

#[test]
fn what_is_missing_is_named_with_its_package_before_anything_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let iso = folder.path().join("new.iso");
    let mut command = p2v("live-usb");
    // Without tool::start, which adds paths.
    let output = command.arg("-o").arg(&iso).env("PATH", folder.path()).output().unwrap();
    assert_refused(&output, "apt-get install mmdebstrap mtools squashfs-tools xorriso");
    File::create(&iso).unwrap();
    assert_refused(&start(p2v("live-usb").arg("-o").arg(&iso)), "is there already");
    assert_eq!(fs::metadata(&iso).unwrap().len(), 0);
}

#[test]
fn a_program_for_other_processors_is_refused_before_anything_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let iso = folder.path().join("new.iso");
    let program = Path::new(env!("CARGO_BIN_EXE_p2v"));
    let output = start(
        p2v("live-usb")
            .args(["--arch", "i386", "--program"])
            .arg(program)
            .arg("-o")
            .arg(&iso),
    );
    assert_refused(&output, "is no program for i386");
    // Without one beside it, p2v says where it comes from.
    let alone = folder.path().join("p2v");
    fs::copy(program, &alone).unwrap();
    let output = start(
        Command::new(&alone)
            .args(["live-usb", "--arch", "i386", "-o"])
            .arg(&iso),
    );
    assert_refused(&output, "`cargo xtask i386` makes it");
    assert!(!iso.exists());
}

/// Comes back when `is` holds; fails when it does not for a long time.
fn until(what: &str, is: impl Fn() -> bool) {
    let started = Instant::now();
    while !is() {
        assert!(started.elapsed() < Duration::from_secs(300), "never: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_signal_ends_what_makes_the_system_and_nothing_stays() {
    // As mmdebstrap does it: the signal ends its children, and it cleans up itself, in the end.
    let script = "#!/bin/sh\n\
        trap : TERM\n\
        mkdir \"$JUDGE/system\"\n\
        sleep 100000 &\n\
        echo $! >\"$JUDGE/new\"; mv \"$JUDGE/new\" \"$JUDGE/child\"\n\
        wait\n\
        : >\"$JUDGE/cleaning\"\n\
        until [ -e \"$JUDGE/go\" ]; do sleep 0.01; done\n\
        rmdir \"$JUDGE/system\"\n\
        exit 1\n";
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let (folder, judge) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let file = |name: &str| judge.path().join(name);
        fs::write(file("mmdebstrap"), script).unwrap();
        run(Command::new("chmod").arg("755").arg(file("mmdebstrap")));
        let path = std::env::var("PATH").unwrap();
        let mut running = p2v("live-usb")
            .args(["--mirror", "http://mirror.invalid/debian", "-o"])
            .arg(folder.path().join("new.iso"))
            .env("PATH", format!("{}:{path}", judge.path().display()))
            .env("JUDGE", judge.path())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let send = || {
            run(Command::new("kill")
                .arg(format!("-{signal}"))
                .arg(running.id().to_string()));
        };
        until("the tool runs", || file("child").exists());
        send();
        until("the tool cleans up", || file("cleaning").exists());
        // Impatience changes nothing.
        send();
        fs::write(file("go"), "").unwrap();
        assert_eq!(running.wait().unwrap().code(), Some(code));
        assert!(!file("system").exists(), "the tool could not clean up");
        let child = fs::read_to_string(file("child")).unwrap();
        let child = Path::new("/proc").join(child.trim()).join("cmdline");
        let alive = fs::read(&child).is_ok_and(|name| name.starts_with(b"sleep"));
        assert!(!alive, "the tool's child still runs");
        assert_eq!(
            fs::read_dir(folder.path()).unwrap().count(),
            0,
            "something stays behind"
        );
    }
}
