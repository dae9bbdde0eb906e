//! `p2v adapt` on captured disks with made Windows folders, judged by ntfs-3g's tools, libhivex and qemu-img.

mod common;
#[allow(dead_code, reason = "each test binary uses its own part")]
#[path = "../../drivers-inject/tests/common/hives.rs"]
mod hives;
#[path = "../../disk/tests/volumes/mod.rs"]
mod volumes;
mod windows;

use common::*;
use hives::dump_with_hivex;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use windows::*;

fn adapt(machine: &Path, more: &[&str]) -> Output {
    start(p2v("adapt").arg(machine).args(more))
}

/// Runs it; it must succeed. Returns what `--json` prints.
fn adapted(machine: &Path, more: &[&str]) -> serde_json::Value {
    let text = run(p2v("adapt").arg(machine).arg("--json").args(more));
    serde_json::from_str(&text).unwrap()
}

/// It must refuse, and say these words.
fn refused(machine: &Path, more: &[&str], words: &[&str]) {
    let output = adapt(machine, more);
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), errors(&output));
    assert_eq!(output.status.code(), Some(3), "{said}");
    for words in words {
        assert!(said.contains(words), "no `{words}` in: {said}");
    }
}

/// Lines of a hivex dump for the Start values of services.
fn starts(sets: &[&str], services: &[(&str, u32)]) -> Vec<String> {
    let mut lines = Vec::new();
    for set in sets {
        for (service, start) in services {
            let bytes: String = start.to_le_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
            lines.push(format!("value\t\\{set}\\Services\\{service}\tStart\t4\t{bytes}"));
        }
    }
    lines
}

fn sorted(mut lines: Vec<String>) -> Vec<String> {
    lines.sort();
    lines
}

#[test]
fn windows_7_gets_its_inbox_drivers_and_nothing_else_changes() {
    let folder = tempfile::tempdir().unwrap();
    let hive = windows_7().build();
    let before = windows_7_volume(&hive);
    let machine = machine(folder.path(), &before);
    let capture = machine.join("disk0.qcow2");
    let captured = sha256(&capture);

    let planned = adapted(&machine, &["--dry-run"]);
    assert_eq!(planned["status"], "dry-run");
    assert!(!machine.join("disk0.adapted.qcow2").exists());
    let report = adapted(&machine, &[]);
    assert_eq!(report["status"], "adapted");
    assert_eq!(report["edits"], planned["edits"]);
    assert_eq!(report["edits"].as_array().unwrap().len(), 8, "{report:#}");
    assert_eq!(
        report["edits"][0]["place"],
        r"HKLM\SYSTEM\ControlSet001\Services\intelide Start"
    );
    run(Command::new("qemu-img")
        .args(["check", "-q"])
        .arg(machine.join("disk0.adapted.qcow2")));

    // Exactly the table, as libhivex sees it.
    let after = volume_of(&machine, "disk0.adapted.qcow2", before.len());
    let (old_volume, new_volume) = (folder.path().join("old"), folder.path().join("new"));
    fs::write(&old_volume, &before).unwrap();
    fs::write(&new_volume, &after).unwrap();
    let (old_hive, new_hive) = (folder.path().join("old.hive"), folder.path().join("new.hive"));
    fs::write(&old_hive, &hive).unwrap();
    fs::write(&new_hive, ntfscat(&new_volume, SYSTEM)).unwrap();
    let (gone, come) = diff(&dump_with_hivex(&old_hive), &dump_with_hivex(&new_hive));
    let sets = ["ControlSet001", "ControlSet002"];
    let crash =
        |number| sets.map(|set| format!("value\t\\{set}\\Control\\CrashControl\tAutoReboot\t4\t0{number}000000"));
    let services = |start| starts(&sets, &[("intelide", start), ("pciide", start), ("msahci", start)]);
    assert_eq!(gone, sorted([services(3), crash(1).to_vec()].concat()));
    assert_eq!(come, sorted([services(0), crash(0).to_vec()].concat()));

    // On the volume, only clusters of that file.
    assert_eq!(ntfsfix(&new_volume), ntfsfix(&old_volume).replace("old", "new"));
    let allowed = clusters(&new_volume, SYSTEM, 4096);
    for block in differing(&before, &after) {
        assert!(
            allowed.iter().any(|range| range.contains(&block)),
            "block at {block} was changed"
        );
    }
    assert_eq!(ntfscat(&new_volume, "Users/Me/photo.jpg"), noise(1, 700_000));
    assert_eq!(ntfscat(&new_volume, "Users/Me/small.txt"), b"resident");

    // A second run changes nothing; undo leaves no trace; the capture is as it was.
    let overlay = sha256(&machine.join("disk0.adapted.qcow2"));
    assert_eq!(adapted(&machine, &[])["status"], "adapted-already");
    assert_eq!(sha256(&machine.join("disk0.adapted.qcow2")), overlay);
    assert_eq!(adapted(&machine, &["--undo"])["status"], "undone");
    let names: Vec<_> = fs::read_dir(&machine)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert!(
        !names.iter().any(|name| name.to_string_lossy().contains("adapted")),
        "{names:?}"
    );
    assert_eq!(adapted(&machine, &["--undo"])["status"], "nothing-to-undo");
    assert_eq!(sha256(&capture), captured);
    assert_eq!(volume_of(&machine, "disk0.qcow2", before.len()), before);
    run(p2v("verify").arg(&machine));
}

#[test]
fn a_machine_that_has_run_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let machine = machine(folder.path(), &windows_7_volume(&windows_7().build()));
    adapted(&machine, &[]);
    let overlay = sha256(&machine.join("disk0.adapted.qcow2"));
    fs::write(machine.join("disk0.now.qcow2"), "what the machine wrote").unwrap();
    for more in [&[][..], &["--undo"]] {
        refused(&machine, more, &["has run already", "disk0.now.qcow2"]);
    }
    assert_eq!(sha256(&machine.join("disk0.adapted.qcow2")), overlay);
}

#[test]
fn a_hibernated_machine_is_refused_until_its_session_may_go() {
    let folder = tempfile::tempdir().unwrap();
    let session = [b"HIBR".to_vec(), noise(7, 20_000)].concat();
    let tree = tree(&windows_7().build(), &software("Windows 7 Professional", "6.1", "7601"));
    let before = tree
        .file("hiberfil.sys", &session)
        .ntfs_with(VOLUME, &["-p", "2048"], "");
    let machine = machine(folder.path(), &before);
    refused(
        &machine,
        &[],
        &["saved session", "Nothing is changed", "--discard-hibernation", "lost"],
    );
    refused(&machine, &["--dry-run"], &["saved session"]);
    assert!(!machine.join("disk0.adapted.qcow2").exists());
    let inspected = run(p2v("inspect").arg(&machine));
    assert!(inspected.contains("--discard-hibernation"), "{inspected}");

    let report = adapted(&machine, &["--discard-hibernation"]);
    assert_eq!(report["edits"].as_array().unwrap().len(), 9);
    let volume = folder.path().join("volume");
    fs::write(&volume, volume_of(&machine, "disk0.adapted.qcow2", before.len())).unwrap();
    let now = ntfscat(&volume, "hiberfil.sys");
    assert!(now[..4096].iter().all(|byte| *byte == 0));
    assert_eq!(now[4096..], session[4096..]);
    // ntfs-3g would mount it for writing now; it does not where a session is saved (its code for that is 14).
    let probe = |volume: &Path| {
        start(Command::new("ntfs-3g.probe").arg("--readwrite").arg(volume))
            .status
            .code()
    };
    assert_eq!(probe(&volume), Some(0));
    fs::write(&volume, &before).unwrap();
    assert_eq!(probe(&volume), Some(14));
    assert_eq!(adapted(&machine, &[])["status"], "adapted-already");
    // The capture still has the session.
    assert_eq!(volume_of(&machine, "disk0.qcow2", before.len()), before);
}

#[test]
fn what_an_interrupted_run_left_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let machine = machine(folder.path(), &windows_7_volume(&windows_7().build()));
    let partial = machine.join("disk0.adapted.qcow2.partial");
    let create = ["create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", "disk0.qcow2"];
    run(Command::new("qemu-img").args(create).arg(&partial));
    run(Command::new("qemu-io").args(["-c", "write -q -P 7 0 1M"]).arg(&partial));
    adapted(&machine, &[]);
    assert!(!partial.exists());
    let mut start = vec![0; 1 << 20];
    let raw = machine.with_extension("raw");
    run(Command::new("qemu-img")
        .args(["convert", "-O", "raw"])
        .args([&machine.join("disk0.adapted.qcow2"), &raw]));
    std::os::unix::fs::FileExt::read_exact_at(&fs::File::open(raw).unwrap(), &mut start, 0).unwrap();
    assert_ne!(start[..512], [7; 512]);
}

#[test]
fn a_disk_without_a_known_system_needs_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let disk = stale(&folder.path().join("disk.img"), 2);
    let machine = folder.path().join("oldpc");
    capture(&disk, &machine, &[]);
    let report = adapted(&machine, &[]);
    assert_eq!(report["status"], "nothing-to-do");
    assert!(!machine.join("disk0.adapted.qcow2").exists());
}

#[test]
fn a_broken_registry_is_refused_and_nothing_written() {
    let folder = tempfile::tempdir().unwrap();
    let mut hive = windows_7().build();
    hive.truncate(6000);
    let machine = machine(folder.path(), &windows_7_volume(&hive));
    refused(&machine, &[], &["left as it is", "cut off"]);
    let names: Vec<_> = fs::read_dir(&machine)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert!(
        !names.iter().any(|name| name.to_string_lossy().contains("adapted")),
        "{names:?}"
    );
}
