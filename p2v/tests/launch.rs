//! `p2v launch` and the commands that control what it runs, with a boot sector of our own on the real `/dev/kvm`.

mod common;

use common::running::*;
use common::*;
use std::fs;
use std::process::Command;

#[test]
fn a_launched_machine_is_seen_typed_at_and_shut_down() {
    let folder = tempfile::tempdir().unwrap();
    let machine = machine(folder.path());
    let capture = machine.join("disk0.qcow2");
    let before = sha256(&capture);
    let running = launch(&machine, &[]);

    let picture = folder.path().join("screen.png");
    run(p2v("screenshot").arg(&machine).arg("-o").arg(&picture));
    assert!(fs::read(&picture).unwrap().starts_with(b"\x89PNG\r\n\x1a\n"));
    run(p2v("type").arg(&machine).args(["hello", "--enter", "--key", "ctrl-c"]));
    let unknown = start(p2v("type").arg(&machine).args(["--key", "no_such_key"]));
    assert_eq!(unknown.status.code(), Some(1), "{}", errors(&unknown));

    let second = start(p2v("launch").arg(&machine).arg("--headless"));
    assert_eq!(second.status.code(), Some(3), "{}", errors(&second));
    ends(running, &machine);
    assert_eq!(sha256(&capture), before, "the capture was written to");
    run(Command::new("qemu-img")
        .args(["check", "-q"])
        .arg(machine.join("disk0.now.qcow2")));
    run(p2v("verify").arg(&machine));
    ends(launch(&machine, &[]), &machine);
}

#[test]
fn an_ephemeral_machine_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let machine = machine(folder.path());
    let before = names(&machine);
    ends(launch(&machine, &["--ephemeral"]), &machine);
    assert_eq!(names(&machine), before);
}

#[test]
fn what_cannot_be_run_is_refused_with_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let machine = machine(folder.path());
    let toml = machine.join("machine.toml");
    let text = fs::read_to_string(&toml).unwrap();
    fs::write(&toml, text.replace("firmware = \"bios\"", "firmware = \"uefi\"")).unwrap();
    let output = start(p2v("launch").arg(&machine).arg("--headless"));
    assert_eq!(output.status.code(), Some(3));
    assert!(errors(&output).contains("UEFI"), "{}", errors(&output));
    fs::write(&toml, text).unwrap();

    let disc = folder.path().join("disc.iso");
    fs::write(&disc, [0; 3000]).unwrap();
    let output = start(p2v("launch").arg(&machine).arg("--headless").arg("--disc").arg(&disc));
    assert_eq!(output.status.code(), Some(3));
    assert!(errors(&output).contains("2048"), "{}", errors(&output));
}

#[test]
fn a_running_machine_is_not_adapted_and_an_adapted_disk_is_what_runs() {
    let folder = tempfile::tempdir().unwrap();
    let machine = machine(folder.path());
    let adapted = machine.join("disk0.adapted.qcow2");
    let create = ["create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", "disk0.qcow2"];
    run(Command::new("qemu-img").args(create).arg(&adapted));
    let running = launch(&machine, &["--ephemeral"]);
    for more in [&[][..], &["--undo"]] {
        let output = start(p2v("adapt").arg(&machine).args(more));
        assert_eq!(output.status.code(), Some(3), "{}", errors(&output));
        assert!(errors(&output).contains("is running"), "{}", errors(&output));
    }
    ends(running, &machine);
    ends(launch(&machine, &[]), &machine);
    let info = run(Command::new("qemu-img")
        .args(["info", "-U"])
        .arg(machine.join("disk0.now.qcow2")));
    assert!(info.contains("backing file: disk0.adapted.qcow2"), "{info}");
    let output = start(p2v("adapt").arg(&machine).arg("--undo"));
    assert!(errors(&output).contains("has run already"), "{}", errors(&output));
    assert!(adapted.exists());
}
