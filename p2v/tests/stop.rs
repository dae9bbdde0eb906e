//! Captures that do not come to their end leave nothing that looks finished. (How they are gone on with: `resume.rs`.)

mod common;

use common::*;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Starts a capture that takes minutes, and returns when it is in the middle of it.
fn slow_capture(disk: &Path, target: &Path) -> Child {
    let mut command = p2v("capture");
    command
        .arg(disk)
        .arg("-o")
        .arg(target)
        .args(["--level", "19"])
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(
        lines.any(|line| line.unwrap().starts_with("Copying: 0 B")),
        "no progress"
    );
    // Progress lines come every five seconds; the first one proves that chunks went through.
    assert!(lines.any(|line| line.unwrap().contains(" left")), "no progress");
    std::thread::spawn(move || lines.for_each(drop));
    child
}

fn signal(child: &Child, name: &str) {
    run(Command::new("kill").arg(format!("-{name}")).arg(child.id().to_string()));
}

/// Data that zstd at level 19 has work with.
fn tough(path: &Path) {
    let words = noise(5, 1 << 16);
    let text: String = noise(6, 40 << 20)
        .iter()
        .map(|byte| char::from(b'a' + words[usize::from(*byte)] % 20))
        .collect();
    let one = text.into_bytes();
    fs::write(path, [&one[..], &one[7..], &one[13..]].concat()).unwrap();
}

#[test]
fn ctrl_c_ends_a_capture_and_the_same_command_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let disk = folder.path().join("disk.img");
    tough(&disk);
    for (name, code, made_before) in [("INT", 130, false), ("TERM", 143, true)] {
        let target = folder.path().join(name);
        if made_before {
            fs::create_dir(&target).unwrap();
        }
        let mut child = slow_capture(&disk, &target);
        assert!(target.join("disk0.qcow2.partial").exists());
        assert!(!target.join("disk0.qcow2").exists());
        signal(&child, name);
        let asked = Instant::now();
        assert_eq!(child.wait().unwrap().code(), Some(code));
        assert!(asked.elapsed() < Duration::from_secs(30));
        assert!(!target.join("machine.toml").exists() && !target.join("disk0.qcow2").exists());
        // Quickly now.
        let result = capture(&disk, &target, &["--level", "1"]);
        assert!(result["copied_before_bytes"].as_u64().unwrap() > 0, "{result}");
        judge(&disk, &target);
    }
}

#[test]
fn a_killed_capture_does_not_look_finished() {
    let folder = tempfile::tempdir().unwrap();
    let disk = folder.path().join("disk.img");
    tough(&disk);
    let target = folder.path().join("oldpc");
    let mut child = slow_capture(&disk, &target);
    signal(&child, "KILL");
    child.wait().unwrap();
    assert!(!target.join("machine.toml").exists() && !target.join("disk0.qcow2").exists());
    let output = start(p2v("launch").arg(&target).arg("--headless"));
    assert_eq!(output.status.code(), Some(3), "{}", errors(&output));
    assert!(errors(&output).contains("was not finished"), "{}", errors(&output));
}

#[test]
fn an_image_that_shrinks_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let disk = folder.path().join("disk.img");
    tough(&disk);
    let target = folder.path().join("oldpc");
    let mut child = slow_capture(&disk, &target);
    fs::File::options()
        .write(true)
        .open(&disk)
        .unwrap()
        .set_len(MIB)
        .unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(4));
    assert!(!target.join("machine.toml").exists());
}
