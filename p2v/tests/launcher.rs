//! The menu's entry, judged by desktop-file-validate, GLib and librsvg.

mod common;

use common::desktop::Desktop;
use common::running::*;
use common::*;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// `p2v` with a data folder of its own.
fn p2v_in(data: &Path, words: &[&str]) -> Command {
    let mut command = p2v(words[0]);
    command
        .args(&words[1..])
        .env("XDG_DATA_HOME", data)
        .env_remove("P2V_MACHINES");
    command
}

/// Adds an entry for the machine, has it judged, and starts the machine through it.
fn added_and_started(desktop: &Desktop, data: &Path, machine: &str) {
    let said = run(&mut p2v_in(data, &["launcher", "add", machine]));
    let entry = PathBuf::from(said.trim().rsplit_once(": ").unwrap().1);
    assert!(entry.starts_with(data.join("applications")), "{said}");
    let warnings = run(Command::new("desktop-file-validate").arg(&entry));
    assert_eq!(warnings, "");
    let text = fs::read_to_string(&entry).unwrap();
    let icon = text.lines().find_map(|line| line.strip_prefix("Icon=")).unwrap();
    let picture = data.join("icon.png");
    run(Command::new("rsvg-convert")
        .args(["-w", "64", "-h", "64", icon, "-o"])
        .arg(&picture));
    assert!(fs::read(&picture).unwrap().starts_with(b"\x89PNG"));

    // GLib takes Exec apart and starts it.
    let mut open = desktop.on(Command::new("gio"));
    let started = open.arg("launch").arg(&entry).spawn();
    let mut started = Running(started.expect("gio is in Debian's package libglib2.0-bin"));
    until("the entry does not start the machine", || {
        run(&mut p2v_in(data, &["status", machine])) == "running\n"
    });
    // A panel shows the window under the entry: they name the same class.
    let class = text.lines().find_map(|line| line.strip_prefix("StartupWMClass="));
    desktop.window(&format!("^{}$", class.unwrap()));
    run(&mut p2v_in(data, &["shutdown", machine, "--force", "--wait"]));
    started.0.wait().unwrap();
}

#[test]
fn an_entry_is_valid_and_starts_the_machine_whatever_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let disk = boot_disk(folder.path());
    let desktop = Desktop::start();
    let odd = "Dad's \"old\" $PC `1` 50% \u{e9}; #x";
    for name in ["oldpc", odd] {
        run(p2v_in(&data, &["capture", "--quiet", "--name", name]).arg(&disk));
        added_and_started(&desktop, &data, name);
    }
    // Machines elsewhere may lie in stranger folders.
    let elsewhere = folder.path().join(r"two\\back $(x) %f\").join("pc");
    let elsewhere = elsewhere.to_str().unwrap();
    run(p2v_in(&data, &["capture", "--quiet", "-o", elsewhere]).arg(&disk));
    added_and_started(&desktop, &data, elsewhere);
    run(&mut p2v_in(&data, &["launcher", "remove", elsewhere]));

    let p2v = |words: &[&str]| p2v_in(&data, words);
    let entries = || names(&data.join("applications"));
    // The entry follows its machine.
    run(&mut p2v(&["rename", odd, "study"]));
    assert_eq!(entries(), ["p2v-oldpc.desktop", "p2v-study.desktop"]);
    let text = fs::read_to_string(data.join("applications/p2v-study.desktop")).unwrap();
    assert!(text.contains("Name=study\n") && text.contains("/study\""), "{text}");
    run(&mut p2v(&["remove", "study", "--yes"]));
    assert_eq!(entries(), ["p2v-oldpc.desktop"]);

    // An entry that is not ours is left alone.
    let entry = data.join("applications/p2v-oldpc.desktop");
    let own = fs::read_to_string(&entry).unwrap();
    fs::write(&entry, "[Desktop Entry]\nName=x\n").unwrap();
    refused(&mut p2v(&["launcher", "add", "oldpc"]), &["not for this machine"]);
    assert!(run(&mut p2v(&["launcher", "remove", "oldpc"])).contains("was not"));
    fs::write(&entry, own).unwrap();
    refused(&mut p2v(&["launcher", "remove", "nopc"]), &["nopc"]);
    // The machine may be gone already.
    fs::remove_dir_all(data.join("p2v/machines/oldpc")).unwrap();
    run(&mut p2v(&["launcher", "remove", "oldpc"]));
    assert_eq!(entries(), [""; 0]);
    assert_eq!(names(&data.join("icons/hicolor/scalable/apps")), [""; 0]);
}
