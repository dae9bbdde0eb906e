//! What the qcow2 tests share: `qemu-img` and `qemu-io` as judges, and disks with all kinds of content.
#![allow(dead_code, reason = "each test file uses a part")]

use std::path::Path;
use std::process::{Command, Output};

fn run(tool: &str, arguments: &[&str]) -> Output {
    match Command::new(tool).args(arguments).output() {
        Ok(output) => output,
        Err(error) => panic!("{tool}: {error}; install the Debian package qemu-utils"),
    }
}

fn succeeds(tool: &str, arguments: &[&str]) -> String {
    let output = run(tool, arguments);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{tool} {arguments:?}: {text}{errors}");
    text
}

/// Runs `qemu-img` and returns what it printed; it must succeed.
pub(crate) fn qemu_img(arguments: &[&str]) -> String {
    succeeds("qemu-img", arguments)
}

/// Runs `qemu-img create` for an encrypted image. QEMU measures how fast the processor is for that, and gives up where
/// the kernel's count of the time has not moved on: then it is asked again.
pub(crate) fn create_encrypted(arguments: &[&str]) {
    const UNMEASURED: &str = "Unable to get accurate CPU usage";
    for _ in 0..50 {
        let output = run("qemu-img", arguments);
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() {
            return;
        }
        assert!(errors.contains(UNMEASURED), "qemu-img {arguments:?}: {errors}");
    }
    panic!("qemu-img {arguments:?}: {UNMEASURED}, 50 times");
}

/// Runs `qemu-img`, which must fail.
pub(crate) fn qemu_img_fails(arguments: &[&str]) {
    let output = run("qemu-img", arguments);
    assert!(!output.status.success(), "qemu-img {arguments:?} succeeded");
}

/// Runs `qemu-io` commands on an image; all must succeed.
pub(crate) fn qemu_io(image: &Path, format: &str, commands: &[&str]) -> String {
    let mut arguments = vec!["-f", format];
    for command in commands {
        arguments.extend(["-c", command]);
    }
    arguments.push(image.to_str().unwrap());
    let text = succeeds("qemu-io", &arguments);
    // qemu-io's exit code does not tell of a failed pattern check.
    assert!(!text.contains("Pattern verification failed"), "{text}");
    text
}

/// No error and no leaked cluster.
pub(crate) fn check_clean(image: &Path) {
    qemu_img(&["check", "-f", "qcow2", image.to_str().unwrap()]);
}

/// The qcow2 image and the raw one hold the same disk. A longer one must be zero behind the other's end.
pub(crate) fn compare(image: &Path, raw: &Path) {
    qemu_img(&[
        "compare",
        "-f",
        "qcow2",
        "-F",
        "raw",
        image.to_str().unwrap(),
        raw.to_str().unwrap(),
    ]);
}

/// A disk made of pieces (kind, length in bytes): 0 zeros, 1 text, 2 noise, 3 a repeated byte.
pub(crate) fn content(pieces: &[(u8, usize)], seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut disk = Vec::new();
    for (kind, len) in pieces {
        match kind {
            0 => disk.resize(disk.len() + len, 0),
            1 => {
                let words = ["photo ", "letter ", "1998 ", "holiday\n", "the "];
                let end = disk.len() + len;
                while disk.len() < end {
                    disk.extend(words[next() as usize % words.len()].bytes());
                }
                disk.truncate(end);
            }
            2 => disk.extend((0..*len).map(|_| (next() >> 24) as u8)),
            _ => {
                let byte = next() as u8;
                disk.resize(disk.len() + len, byte);
            }
        }
    }
    disk
}

/// The most memory that this process ever had (bytes).
pub(crate) fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib * 1024
}
