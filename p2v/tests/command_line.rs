//! Help, completions, manual page, and the commands that only look.

mod common;

use common::*;
use std::fs;
use std::process::Command;

#[test]
fn completions_are_scripts_that_their_shells_accept() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("p2v.bash");
    fs::write(&script, run(p2v("completions").arg("bash"))).unwrap();
    run(Command::new("bash").arg("-n").arg(&script));
    for shell in ["zsh", "fish", "elvish", "powershell"] {
        assert!(run(p2v("completions").arg(shell)).contains("against"));
    }
}

#[test]
fn the_manual_page_names_every_command_and_is_clean_roff() {
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("p2v.1");
    fs::write(&page, run(&mut p2v("man"))).unwrap();
    let shown = start(
        Command::new("man")
            .args(["--warnings", "-l"])
            .arg(&page)
            .env("MANWIDTH", "100"),
    );
    assert!(shown.status.success() && shown.stderr.is_empty(), "{}", errors(&shown));
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    for words in [
        "P2V CAPTURE",
        "P2V VERIFY",
        "P2V SNAPSHOT RESTORE",
        "P2V LAUNCHER",
        "--dry-run",
        "--ephemeral",
        "Exit codes",
        "130",
    ] {
        assert!(shown.contains(words), "no `{words}` in {shown}");
    }
}

#[test]
fn help_has_examples_and_exit_codes() {
    let help = run(&mut p2v("--help"));
    assert!(
        help.contains("p2v capture /dev/sda -o oldpc") && help.contains("130"),
        "{help}"
    );
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let script = "\"$1\" man | head -1";
    let output =
        start(Command::new("bash").args(["-euo", "pipefail", "-c", script, "bash", env!("CARGO_BIN_EXE_p2v")]));
    assert!(output.status.success(), "{}", errors(&output));
}

#[test]
fn disks_lists_json() {
    let disks: serde_json::Value = serde_json::from_str(&run(p2v("disks").arg("--json"))).unwrap();
    assert!(disks.is_array());
    run(&mut p2v("disks"));
}

#[test]
fn inspect_says_the_same_of_raw_qcow2_and_machine_folder() {
    let folder = tempfile::tempdir().unwrap();
    let disk = MixedDisk::make(folder.path());
    let machine = folder.path().join("oldpc");
    capture(&disk.path, &machine, &[]);
    let look = |path: &std::path::Path| -> serde_json::Value {
        serde_json::from_str(&run(p2v("inspect").arg(path).arg("--json"))).unwrap()
    };
    let raw = look(&disk.path);
    assert_eq!(raw["layout"]["table"]["scheme"], "mbr");
    assert_eq!(raw["layout"]["contents"].as_array().unwrap().len(), 4);
    for other in [&machine, &machine.join("disk0.qcow2")] {
        let other = look(other);
        assert_eq!(other["layout"], raw["layout"]);
        assert_eq!(other["used_bytes"], raw["used_bytes"]);
    }
    let text = run(p2v("inspect").arg(&disk.path));
    for words in ["WINDISK", "DOSDISK", "ROOT", "id 1234abcd"] {
        assert!(text.contains(words), "no `{words}` in {text}");
    }
}

#[test]
fn a_machine_that_does_not_run_is_off() {
    let folder = tempfile::tempdir().unwrap();
    let disk = stale(&folder.path().join("disk.img"), 1);
    let machine = folder.path().join("oldpc");
    capture(&disk, &machine, &[]);
    assert_eq!(run(p2v("status").arg(&machine)), "off\n");
    for arguments in [&["screenshot", "-o", "x.png"][..], &["type", "x"], &["shutdown"]] {
        let output = start(p2v(arguments[0]).arg(&machine).args(&arguments[1..]));
        assert_eq!(output.status.code(), Some(3), "{}", errors(&output));
        assert!(errors(&output).contains("is not running"), "{}", errors(&output));
    }
    let output = start(p2v("status").arg(folder.path()));
    assert_eq!(output.status.code(), Some(3), "{}", errors(&output));
}
