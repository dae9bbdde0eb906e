//! Several sessions of one machine at once, and what a killed one leaves.

mod common;

use common::running::*;
use common::*;
use std::fs;
use std::path::Path;
use std::process::Command;

fn status(machine: &Path) -> serde_json::Value {
    serde_json::from_str(&run(p2v("status").arg(machine).arg("--json"))).unwrap()
}

/// Whether a process holds a file open that is in `folder` but has no name there.
fn nameless(pid: &str, folder: &Path) -> bool {
    let links = fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    let targets = links.filter_map(|link| fs::read_link(link.unwrap().path()).ok());
    let inside =
        |target: &std::path::PathBuf| target.starts_with(folder) && target.to_string_lossy().ends_with(" (deleted)");
    targets.filter(inside).count() > 0
}

#[test]
fn ephemeral_sessions_run_side_by_side_and_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let machine = machine(folder.path());
    let before = names(&machine);
    let mut first = launch(&machine, &["--ephemeral"]);
    let second = launch(&machine, &["--ephemeral"]);
    assert_eq!(status(&machine)["sessions"].as_array().unwrap().len(), 2);
    let shown = run(p2v("status").arg(&machine));
    assert!(shown.contains(&first.id()) && shown.contains(&second.id()), "{shown}");

    let ids = [&*first.id(), &*second.id(), "--session"];
    for arguments in [&["type", "x"][..], &["shutdown"], &["screenshot", "-o", "x.png"]] {
        refused(p2v(arguments[0]).arg(&machine).args(&arguments[1..]), &ids);
    }
    let picture = folder.path().join("screen.png");
    run(p2v("screenshot")
        .arg(&machine)
        .args(["--session", &second.id(), "-o"])
        .arg(&picture));
    assert!(picture.exists());
    run(p2v("type").arg(&machine).args(["--session", &second.id(), "hello"]));
    run(p2v("shutdown")
        .arg(&machine)
        .args(["--session", &first.id(), "--force", "--wait"]));
    assert!(first.0.wait().unwrap().success());
    // Only one is left: there is nothing to tell apart.
    assert_eq!(run(p2v("status").arg(&machine)), "running\n");
    assert_eq!(status(&machine)["sessions"][0]["session"], second.id());
    ends(second, &machine);
    assert_eq!(names(&machine), before);
}

#[test]
fn a_session_that_keeps_and_one_that_forgets_run_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let machine = machine(folder.path());
    let mut forgets = launch(&machine, &["--ephemeral"]);
    let keeps = launch(&machine, &[]);
    let sessions = &status(&machine)["sessions"];
    assert_eq!(sessions[0]["session"], "main");
    assert_eq!(sessions[1]["ephemeral"], true);
    run(p2v("shutdown")
        .arg(&machine)
        .args(["--session", &forgets.id(), "--force", "--wait"]));
    assert!(forgets.0.wait().unwrap().success());
    ends(keeps, &machine);

    // Now what the machine wrote is there: many may read it, or one may write it.
    let readers = [(); 2].map(|()| launch(&machine, &["--ephemeral"]));
    refused(
        p2v("launch").arg(&machine).arg("--headless"),
        &["disk0.now.qcow2", "in use"],
    );
    drop(readers);
}

#[test]
fn a_killed_ephemeral_session_leaves_no_trace() {
    let folder = tempfile::tempdir().unwrap();
    let machine = machine(folder.path());
    let before = names(&machine);
    let mut killed = launch(&machine, &["--ephemeral"]);
    assert!(nameless(&killed.id(), &machine), "its overlay should have no name");
    let socket = format!("run/control-{}.sock", killed.id());
    let mut while_it_ran = before.clone();
    while_it_ran.push("run".to_owned());
    while_it_ran.sort();
    assert_eq!(names(&machine), while_it_ran);

    killed.0.kill().unwrap();
    killed.0.wait().unwrap();
    assert!(machine.join(&socket).exists(), "the kernel does not remove sockets");
    assert_eq!(run(p2v("status").arg(&machine)), "off\n");
    assert_eq!(names(&machine), before);
}

#[test]
fn a_running_machine_is_not_changed() {
    let folder = tempfile::tempdir().unwrap();
    let machine = machine(folder.path());
    ends(launch(&machine, &[]), &machine);
    let running = launch(&machine, &["--ephemeral"]);
    let now = sha256(&machine.join("disk0.now.qcow2"));
    for arguments in [
        &["rename", "", "other"][..],
        &["remove", "", "--yes"],
        &["reset", "", "--yes"],
        &["snapshot create", "", "x"],
        &["adapt", ""],
    ] {
        let mut words = arguments[0].split(' ');
        let mut command = p2v(words.next().unwrap());
        command.args(words).arg(&machine).args(&arguments[2..]);
        refused(&mut command, &["is running", "p2v shutdown"]);
    }
    ends(running, &machine);
    assert_eq!(sha256(&machine.join("disk0.now.qcow2")), now);
    // QEMU's locks count as well.
    let mut qemu = Command::new("qemu-io");
    qemu.arg(machine.join("disk0.now.qcow2"))
        .stdin(std::process::Stdio::piped());
    let mut qemu = Running(qemu.spawn().expect("qemu-io is in Debian's package qemu-utils"));
    until("qemu-io does not lock the image", || {
        fs::read_to_string("/proc/locks")
            .unwrap()
            .contains(&inode(&machine.join("disk0.now.qcow2")))
    });
    refused(p2v("reset").arg(&machine).arg("--yes"), &["in use"]);
    refused(p2v("snapshot").arg("create").arg(&machine).arg("x"), &["in use"]);
    drop(qemu.0.stdin.take());
    qemu.0.wait().unwrap();
    run(p2v("reset").arg(&machine).arg("--yes"));
}

/// How /proc/locks names a file's inode, at the end of its device and inode.
fn inode(path: &Path) -> String {
    use std::os::unix::fs::MetadataExt;
    format!(":{} ", fs::metadata(path).unwrap().ino())
}
