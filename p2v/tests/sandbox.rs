//! A machine that runs is in its sandbox: the kernel says so, and it cannot open what it is asked to.

mod common;

use common::running::*;
use common::*;
use runner::control::{Client, ClientError};
use serde_json::json;
use std::fs;
use std::path::Path;

/// Asks a running machine to write a picture of its screen to a path by itself.
fn writes(machine: &Path, path: &Path) -> Result<(), ClientError> {
    let mut client = Client::connect(&machine.join("run/control.sock")).unwrap();
    let arguments = json!({ "filename": path, "format": "png" });
    client.execute("screendump", &arguments).map(drop)
}

/// The value that the kernel gives for each thread of a process.
fn of_threads(pid: &str, what: &str) -> Vec<String> {
    let threads = fs::read_dir(Path::new("/proc").join(pid).join("task")).unwrap();
    // A thread may end while it is looked at.
    let value = |thread: fs::DirEntry| {
        let status = fs::read_to_string(thread.path().join("status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix(what))?;
        Some(line.trim().to_owned())
    };
    threads.filter_map(|thread| value(thread.unwrap())).collect()
}

#[test]
fn a_running_machine_opens_no_files_but_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let machine = machine(folder.path());
    let picture = folder.path().join("picture.png");

    let free = launch(&machine, &["--no-sandbox"]);
    writes(&machine, &picture).unwrap();
    assert!(of_threads(&free.id(), "Seccomp:").iter().all(|mode| mode == "0"));
    ends(free, &machine);
    fs::remove_file(&picture).unwrap();

    let running = launch(&machine, &[]);
    for (what, wanted) in [("Seccomp:", "2"), ("NoNewPrivs:", "1")] {
        let threads = of_threads(&running.id(), what);
        assert!(
            threads.len() >= 5 && threads.iter().all(|value| value == wanted),
            "{what} {threads:?}"
        );
    }
    // Neither elsewhere nor beside its own disk.
    for path in [&picture, &machine.join("picture.png"), &machine.join("disk0.qcow2")] {
        let refused = writes(&machine, path).unwrap_err().to_string();
        assert!(refused.contains("Permission denied"), "{refused}");
    }
    assert!(!picture.exists());
    // Whoever wants a picture opens the file.
    run(p2v("screenshot").arg(&machine).arg("--output").arg(&picture));
    assert!(fs::read(&picture).unwrap().starts_with(b"\x89PNG"));
    ends(running, &machine);
    run(p2v("verify").arg("--quiet").arg(&machine));
}
