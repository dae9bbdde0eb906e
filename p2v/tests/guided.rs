//! `p2v` without arguments, as the owner of an old PC sees it: whole journeys through the real interface at 80x25.

mod common;

use common::guided::*;
use common::tmux::Tmux;
use common::*;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// A drive: a loop device with a file system.
fn drive(folder: &Path, label: &str, mib: u64, mkfs: &[&str]) -> Loop {
    let file = folder.join(format!("{label}.img"));
    sparse(&file, mib);
    run(Command::new(mkfs[0]).args(&mkfs[1..]).arg(label).arg(&file));
    Loop::attach(&file, &[])
}

const EXT4: &[&str] = &["mkfs.ext4", "-q", "-F", "-L"];
const FAT32: &[&str] = &["mkfs.fat", "-F", "32", "-n"];

/// The file system of a drive, to look at after p2v has closed it.
struct Mounted(PathBuf);

impl Mounted {
    fn at(device: &Path, folder: &Path, options: &str) -> Self {
        let point = folder.join("mounted");
        fs::create_dir_all(&point).unwrap();
        run(Command::new("mount").args(["-o", options]).args([device, &point]));
        Mounted(point)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = start(Command::new("umount").arg(&self.0));
    }
}

fn is_mounted(device: &Path) -> bool {
    start(Command::new("findmnt").arg(device)).status.success()
}

#[test]
fn an_old_pc_is_copied_to_the_stick() {
    let folder = tempfile::tempdir().unwrap();
    let disk = old_disk(folder.path());
    let stick = drive(folder.path(), "P2V-CAPTURES", 128, EXT4);
    let backup = drive(folder.path(), "BACKUP", 128, EXT4);
    {
        // An earlier copy has the name that will be proposed.
        let there = Mounted::at(&stick.0, folder.path(), "rw");
        fs::create_dir(there.0.join("family-pc")).unwrap();
        fs::write(there.0.join("family-pc/machine.toml"), "").unwrap();
    }
    let before = sha256(&disk);
    let tmux = Tmux::start(folder.path(), &[&disk, &backup.0, &stick.0]);
    tmux.wait_for("System: Debian GNU/Linux 11 (bullseye), called family-pc, on partition 1 Health: not known");
    // The stick's own place comes first.
    tmux.go(&["Enter"], "> This stick (its place for copies)");
    assert!(!is_mounted(&stick.0));
    tmux.go(&["Enter"], "Use this drive?");
    tmux.go(&["Escape"], "Where shall the copy go?");
    assert!(!is_mounted(&stick.0), "nothing is mounted without a yes");
    tmux.go(&["Enter"], "Use this drive?");
    tmux.go(&["Enter"], "> family-pc");
    assert!(is_mounted(&stick.0) && !is_mounted(&backup.0));
    tmux.go(&["Enter"], "holds a machine already. Choose another name.");
    tmux.type_text("-2");
    tmux.wait_for("> family-pc-2");
    let ready = tmux.go(&["Enter"], "Press Enter to start.");
    let device = stick.0.file_name().unwrap().to_str().unwrap();
    let line = format!(
        "mount -w --mkdir -o nosuid,nodev,noexec /dev/{device} /run/p2v/{device} && p2v capture {} -o /run/p2v/{device}/family-pc-2",
        disk.display()
    );
    let without_gaps = |text: &str| text.split_whitespace().collect::<String>();
    assert!(without_gaps(&ready).contains(&without_gaps(&line)), "{ready}");
    tmux.go(&["Enter"], "The old PC is copied, all of it.");
    tmux.wait_for("the folder family-pc-2 on this stick");
    tmux.press(&["q"]);
    let printed = tmux.wait_for_end(0);
    assert!(without_gaps(&printed).contains(&without_gaps(&line)), "{printed}");
    assert!(!is_mounted(&stick.0), "the drive was not closed");
    assert_eq!(sha256(&disk), before);

    let there = Mounted::at(&stick.0, folder.path(), "ro");
    let copy = folder.path().join("family-pc-2");
    run(Command::new("cp").arg("-r").arg(there.0.join("family-pc-2")).arg(&copy));
    drop(there);
    judge(&disk, &copy);
    run(p2v("verify").arg(&copy).arg("--against").arg(&disk));
}

#[test]
fn places_that_cannot_take_it_say_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    // More than FAT's largest file, and far more than there is room.
    let disk = folder.path().join("old.img");
    sparse(&disk, 6 << 10);
    let fat = drive(folder.path(), "STICK", 64, FAT32);
    let small = drive(folder.path(), "SMALL", 64, EXT4);
    let locked = drive(folder.path(), "LOCKED", 64, EXT4);
    run(Command::new("blockdev").arg("--setro").arg(&locked.0));
    let tmux = Tmux::start(folder.path(), &[&disk, &fat.0, &small.0, &locked.0]);
    tmux.wait_for("> Image file, 6.4 GB");
    tmux.wait_for("Systems: none that p2v knows");
    tmux.go(&["Enter"], "Where shall the copy go? 6.4 GB");
    for (place, words) in [
        (
            "STICK",
            "formatted as FAT, which holds no file over 4 GB. Use another drive, or format this one as exFAT",
        ),
        ("SMALL", "There is no room:"),
        ("LOCKED", "It can only be read: perhaps it has a lock switch"),
    ] {
        tmux.choose(place);
        tmux.press(&["Enter"]);
        // In the list and, for who presses Enter all the same, above the keys.
        let said = |screen: &str| {
            screen
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" ")
                .matches(words)
                .count()
                >= 2
        };
        tmux.wait_until(words, said);
        for _ in 0..3 {
            tmux.press(&["Up"]);
        }
    }
    tmux.choose("Another folder");
    tmux.go(&["Enter"], "In which folder shall the copy be?");
    tmux.type_text("nowhere/at/all");
    tmux.go(&["Enter"], "There is no such folder.");
    tmux.press(&["BSpace"; 14]);
    tmux.type_text("dev/shm");
    tmux.wait_for("> /dev/shm");
    tmux.go(
        &["Enter"],
        "is only in this computer's memory: it is gone when the computer is switched off",
    );
    tmux.go(&["Escape"], "Where shall the copy go?");
    tmux.press(&["q"]);
    tmux.wait_for_end(0);
    assert!(![&fat, &small, &locked].iter().any(|drive| is_mounted(&drive.0)));
}

#[test]
fn the_disk_itself_is_no_place() {
    let folder = tempfile::tempdir().unwrap();
    let disk = drive(folder.path(), "OLD", 32, EXT4);
    let there = Mounted::at(&disk.0, folder.path(), "rw");
    // What smartctl prints of a disk that wears out, as far as it is read.
    let bin = folder.path().join("bin");
    fs::create_dir(&bin).unwrap();
    let json =
        r#"{"smart_status": {"passed": true}, "ata_smart_attributes": {"table": [{"id": 197, "raw": {"value": 8}}]}}"#;
    let script = format!(
        "#!/bin/sh\n[ \"$4\" = {} ] && echo '{json}'\nexit 64\n",
        disk.0.display()
    );
    fs::write(bin.join("smartctl"), script).unwrap();
    run(Command::new("chmod").arg("+x").arg(bin.join("smartctl")));
    let tmux = Tmux::start(folder.path(), &[&disk.0]);
    tmux.wait_for("Not now: It is in use and can change:");
    tmux.wait_for("Health: worn: it has places that it cannot read (8). Copy it soon.");
    tmux.go(&["Enter"], "Unmount it, then press R. Up/Down");
    drop(there);
    let there = Mounted::at(&disk.0, folder.path(), "ro");
    tmux.press(&["r"]);
    tmux.wait_until("the disk, free", |screen| {
        !screen.contains("Not now") && screen.contains("none that p2v knows")
    });
    tmux.go(&["Enter"], "Where shall the copy go?");
    assert!(!tmux.screen().contains("OLD"), "{}", tmux.screen());
    tmux.choose("Another folder");
    tmux.go(&["Enter"], "In which folder");
    tmux.type_text(there.0.to_str().unwrap().trim_start_matches('/'));
    tmux.go(&["Enter"], "That folder is on the disk that is to be copied");
}

#[test]
fn a_computer_without_disks() {
    let folder = tempfile::tempdir().unwrap();
    let tmux = Tmux::start(folder.path(), &[]);
    tmux.wait_for("No disk was found in this PC.");
    tmux.press(&["Enter", "Down", "r"]);
    tmux.wait_for("No disk was found in this PC.");
    // Ended from outside.
    run(Command::new("kill").arg("-TERM").arg(tmux.pid()));
    tmux.wait_for_end(143);
}

#[test]
fn a_target_that_fills_up() {
    let folder = tempfile::tempdir().unwrap();
    let disk = stale(&folder.path().join("old.img"), 64);
    let small = drive(folder.path(), "SMALL", 24, EXT4);
    let tmux = Tmux::start(folder.path(), &[&disk, &small.0]);
    tmux.wait_for("Systems: none that p2v knows");
    tmux.go(&["Enter"], "> SMALL");
    tmux.go(&["Enter"], "Use this drive?");
    tmux.go(&["Enter"], "What shall the copy be called?");
    tmux.go(&["Enter"], "it fits only if it compresses well");
    tmux.go(
        &["Enter"],
        "The target is full. Make room or choose another target, then start again.",
    );
    // Another place is offered.
    tmux.go(&["Enter"], "Where shall the copy go?");
    tmux.go(&["Down"], "> This computer, among p2v's machines");
    tmux.go(&["Enter"], "What shall the copy be called?");
    tmux.press(&["BSpace"; 40]);
    tmux.type_text("oldpc");
    tmux.go(&["Enter"], "Press Enter to start.");
    tmux.go(&["Enter"], "The old PC is copied, all of it.");
    tmux.press(&["q"]);
    tmux.wait_for_end(0);
    judge(&disk, &folder.path().join("library/oldpc"));
    // What went there can be gone on with.
    let there = Mounted::at(&small.0, folder.path(), "ro");
    let names = fs::read_dir(&there.0).unwrap().map(|entry| entry.unwrap().path());
    let begun: Vec<_> = names.filter(|path| !path.ends_with("lost+found")).collect();
    assert_eq!(begun.len(), 1, "{begun:?}");
    assert!(begun[0].join("disk0.journal").exists() && !begun[0].join("machine.toml").exists());
}

/// From the start to the copy of that disk, into the library.
fn start_copy(tmux: &Tmux) {
    tmux.wait_for("Systems: none that p2v knows");
    tmux.go(&["Enter"], "> This computer, among p2v's machines");
    tmux.go(&["Enter"], "What shall the copy be called?");
    tmux.press(&["BSpace"; 40]);
    tmux.type_text("oldpc");
    tmux.go(&["Enter"], "Press Enter to start.");
    tmux.press(&["Enter"]);
}

#[test]
fn a_failing_disk_is_seen_to_fail_and_what_was_lost_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let (disk, failing, gate) = slow_disk(folder.path(), 40);
    let tmux = Tmux::start(folder.path(), &[&failing.path]);
    start_copy(&tmux);
    tmux.wait_for("The disk could not read what it was asked for (once so far, last in the disk (unknown))");
    tmux.wait_for("The disk has not answered for");
    gate.open();
    let report = tmux.wait_for("4.1 kB of it could not be read: the disk is damaged there.");
    assert!(report.contains("4096 bytes whose owner is not known"), "{report}");
    tmux.press(&["q"]);
    tmux.wait_for_end(6);
    let copy = folder.path().join("library/oldpc");
    let bad = 21 * MIB..21 * MIB + 4096;
    assert_eq!(failing::bad_in(&copy.join("disk0.map")), std::slice::from_ref(&bad));
    // Equal everywhere else.
    put(&disk, 21 * MIB, &[0; 4096]);
    run(Command::new("qemu-img")
        .args(["compare", "-f", "qcow2", "-F", "raw"])
        .arg(copy.join("disk0.qcow2"))
        .arg(&disk));
}

#[test]
fn paused_and_cancelled() {
    let folder = tempfile::tempdir().unwrap();
    let (disk, failing, gate) = slow_disk(folder.path(), 30);
    let begun = || {
        let reads = fs::read_to_string(folder.path().join("reads")).unwrap();
        let far = reads.lines().map(|line| line.parse::<u64>().unwrap());
        far.filter(|at| (30 * MIB..56 * MIB).contains(at)).max().unwrap_or(0)
    };
    let tmux = Tmux::start(folder.path(), &[&failing.path]);
    start_copy(&tmux);
    tmux.wait_for("The disk has not answered for");
    // Each of the four readers is in a chunk of 2 MiB, and ends that one when the gate opens.
    tmux.go(&["p"], "Paused: the old disk is left alone until you press P.");
    gate.open();
    tmux.wait_until("no reads", |screen| {
        !screen.contains("not answered") && screen.contains("Paused")
    });
    let last = begun();
    assert!(last < 40 * MIB, "{last}");
    // A question, and not the answer yes.
    tmux.go(
        &["Escape"],
        "Stop copying? The copy is not finished; it can go on later.",
    );
    tmux.go(&["n"], "Paused: the old disk is left alone");
    assert_eq!(begun(), last);
    tmux.go(&["p"], "could not be read: the disk is damaged there.");
    tmux.press(&["q"]);
    tmux.wait_for_end(6);
    drop(tmux);

    // Again, and stopped in the middle.
    let copy = folder.path().join("library/oldpc");
    put(&disk, 21 * MIB, &[0; 4096]);
    run(Command::new("qemu-img")
        .args(["compare", "-f", "qcow2", "-F", "raw"])
        .arg(copy.join("disk0.qcow2"))
        .arg(&disk));
    fs::remove_dir_all(&copy).unwrap();
    fs::remove_file(folder.path().join("go")).unwrap();
    let tmux = Tmux::start(folder.path(), &[&failing.path]);
    start_copy(&tmux);
    tmux.wait_for("The disk has not answered for");
    tmux.go(&["Escape"], "Stop copying?");
    tmux.go(&["y"], "The copy was stopped.");
    assert!(!copy.join("machine.toml").exists());
    tmux.press(&["q"]);
    // The disk still hangs: nobody waits for it.
    tmux.wait_for("interrupted; the source is untouched");
    gate.open();
    tmux.wait_for_end(130);
    drop(tmux);

    // And gone on with, from where it was.
    let tmux = Tmux::start(folder.path(), &[&failing.path]);
    start_copy(&tmux);
    tmux.wait_for("could not be read: the disk is damaged there.");
    tmux.press(&["q"]);
    tmux.wait_for_end(6);
    run(Command::new("qemu-img")
        .args(["compare", "-f", "qcow2", "-F", "raw"])
        .arg(copy.join("disk0.qcow2"))
        .arg(&disk));
}

#[test]
fn a_terminal_that_is_closed_ends_the_copy() {
    let folder = tempfile::tempdir().unwrap();
    let (_, failing, gate) = slow_disk(folder.path(), 30);
    let tmux = Tmux::start(folder.path(), &[&failing.path]);
    start_copy(&tmux);
    tmux.wait_for("The disk has not answered for");
    let process = Path::new("/proc").join(tmux.pid());
    let copy = folder.path().join("library/oldpc");
    assert!(copy.exists() && process.exists());
    drop(tmux);
    // It is over though the kernel holds a thread of it in its read.
    let state = || fs::read_to_string(process.join("status")).unwrap_or_default();
    let over = || !process.exists() || state().contains("State:\tZ");
    let begun = Instant::now();
    while !over() {
        assert!(
            begun.elapsed() < Duration::from_secs(180),
            "p2v has not ended: {}",
            state()
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    gate.open();
    while process.exists() {
        assert!(
            begun.elapsed() < Duration::from_secs(180),
            "p2v is still there: {}",
            state()
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(!copy.join("machine.toml").exists());
}

#[test]
fn the_help_is_printed_where_there_is_nobody_to_ask() {
    let output = start(&mut Command::new(env!("CARGO_BIN_EXE_p2v")));
    assert_eq!(output.status.code(), Some(2));
    assert!(errors(&output).contains("Usage: p2v <COMMAND>"), "{}", errors(&output));
}
