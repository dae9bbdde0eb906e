//! Captures to another computer, through the system's ssh.

mod common;

use common::failing::{FailingDisk, bad_in};
use common::kills::at_random_moments;
use common::*;
use p2v_tests::ssh::OtherPc;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

fn far(disk: &Path, other: &OtherPc, output: &str) -> Command {
    let mut command = p2v("capture");
    command.arg(disk).args(["-o", output]).args(other.arguments());
    command
}

#[test]
fn it_is_stored_there_and_is_what_it_would_be_here() {
    let folder = tempfile::tempdir().unwrap();
    let disk = MixedDisk::make(folder.path());
    let other = other_pc(folder.path());
    let machine = folder.path().join("old pc");
    let output = start(&mut far(
        &disk.path,
        &other,
        &format!("ssh://newpc{}", machine.display()),
    ));
    let said = errors(&output);
    assert!(output.status.success(), "{said}");
    assert!(
        said.contains(&format!("Target   newpc:{}", machine.display())),
        "{said}"
    );
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        text.contains(&format!("The machine is in newpc:{}", machine.display())),
        "{text}"
    );
    judge(&disk.path, &machine);
    run(p2v("verify").arg(&machine).arg("--against").arg(&disk.path));
    // The same files as a capture to a folder of this computer, but for when it was made.
    let here = folder.path().join("here");
    capture(&disk.path, &here, &[]);
    let names = |folder: &Path| {
        let mut names: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        names.sort();
        names
    };
    assert_eq!(names(&machine), names(&here));
    for name in ["disk0.blake3", "disk0.map"] {
        assert_eq!(sha256(&machine.join(name)), sha256(&here.join(name)), "{name}");
    }
    // A machine is never written over.
    let output = start(&mut far(
        &disk.path,
        &other,
        &format!("ssh://newpc{}", machine.display()),
    ));
    assert_eq!(output.status.code(), Some(3), "{}", errors(&output));
    assert!(errors(&output).contains("on newpc:") && errors(&output).contains("holds a machine already"));

    // Without a path it goes into the library there, and says nothing of this computer's.
    let result = run(far(&disk.path, &other, "ssh://newpc").args(["--name", "grandma", "--json"]));
    let result: serde_json::Value = serde_json::from_str(&result).unwrap();
    assert_eq!(result["host"], "newpc");
    judge(&disk.path, &other.library().join("grandma"));
}

/// Processes whose command line holds `word`.
fn processes_of(word: &str) -> Vec<String> {
    let found = start(Command::new("pgrep").args(["-f", "--", word]));
    String::from_utf8_lossy(&found.stdout)
        .lines()
        .map(str::to_owned)
        .collect()
}

/// Kills p2v here, ssh, or p2v there.
fn cut(child: &mut Child, other: &OtherPc, which: u8) {
    match which % 3 {
        0 => child.kill().unwrap(),
        1 => drop(start(
            Command::new("pkill")
                .args(["-KILL", "-x", "ssh", "-P"])
                .arg(child.id().to_string()),
        )),
        _ => {
            let there = processes_of(&format!("^{} receive", other.p2v().display()));
            there
                .iter()
                .for_each(|pid| drop(start(Command::new("kill").args(["-KILL", pid]))));
        }
    }
}

/// Each kill comes to a random one of the three processes.
#[test]
fn killed_at_random_moments_on_either_side() {
    let folder = tempfile::tempdir().unwrap();
    let disk = mixed_bytes(folder.path(), 300);
    let other = other_pc(folder.path());
    let machine = folder.path().join("oldpc");
    let output = format!("ssh://newpc{}", machine.display());
    let attempt = |random: [u8; 2]| {
        let mut command = far(&disk, &other, &output);
        command
            .args(["--level", "12", "--quiet"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        std::thread::sleep(Duration::from_millis(150 + u64::from(random[0]) * 5));
        cut(&mut child, &other, random[1]);
        let output = child.wait_with_output().unwrap();
        let code = output.status.code();
        assert!([None, Some(5), Some(0)].contains(&code), "{}", errors(&output));
        code != Some(0)
    };
    let finish = || drop(run(far(&disk, &other, &output).arg("--quiet")));
    at_random_moments(9, &disk, &machine, attempt, finish);
}

#[test]
fn ctrl_c_keeps_what_came_there() {
    let folder = tempfile::tempdir().unwrap();
    let disk = mixed_bytes(folder.path(), 200);
    let other = other_pc(folder.path());
    let machine = folder.path().join("oldpc");
    let output = format!("ssh://newpc{}", machine.display());
    let mut command = far(&disk, &other, &output);
    let mut child = command.args(["--level", "12"]).stderr(Stdio::piped()).spawn().unwrap();
    let begun = Instant::now();
    while fs::metadata(machine.join("disk0.journal")).map_or(0, |journal| journal.len()) < 2000 {
        assert!(begun.elapsed() < Duration::from_secs(120), "nothing becomes safe");
        std::thread::sleep(Duration::from_millis(2));
    }
    run(Command::new("kill").arg("-INT").arg(child.id().to_string()));
    let said = {
        use std::io::Read;
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        said
    };
    assert_eq!(child.wait().unwrap().code(), Some(130), "{said}");
    assert!(
        said.contains("the same command goes on") && said.contains("on newpc"),
        "{said}"
    );
    let plan = run(far(&disk, &other, &output).args(["--dry-run", "--json"]));
    let plan: serde_json::Value = serde_json::from_str(&plan).unwrap();
    assert!(plan["copied_before_bytes"].as_u64().unwrap() > 0, "{plan}");
    run(far(&disk, &other, &output).arg("--quiet"));
    judge(&disk, &machine);
}

#[test]
fn what_a_failing_disk_lost_is_told_by_the_other_computer() {
    let folder = tempfile::tempdir().unwrap();
    let disk = MixedDisk::make(folder.path());
    let bad = [FAT.start + MIB..FAT.start + MIB + 512, 169 * MIB..169 * MIB + 2048];
    let failing = FailingDisk::with_bad(&disk.path, &bad, folder.path());
    let other = other_pc(folder.path());
    let (there, here) = (folder.path().join("there"), folder.path().join("here"));
    let output = start(far(&failing.path, &other, &format!("ssh://newpc{}", there.display())).arg("--json"));
    assert_eq!(output.status.code(), Some(6), "{}", errors(&output));
    let far: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let output = start(p2v("capture").arg(&failing.path).arg("-o").arg(&here).arg("--json"));
    let near: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(far["lost"], near["lost"]);
    assert_eq!(far["lost"]["bytes"], 512 + 2048);
    assert_eq!(bad_in(&there.join("disk0.map")), bad);
    assert_eq!(
        sha256(&there.join("disk0.lost.txt")),
        sha256(&here.join("disk0.lost.txt"))
    );
    assert_eq!(sha256(&there.join("disk0.blake3")), sha256(&here.join("disk0.blake3")));
}

#[test]
fn what_does_not_work_is_told_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let disk = stale(&folder.path().join("disk.img"), 4);
    let other = other_pc(folder.path());
    let fails = |command: &mut Command, code: i32, words: &[&str]| {
        let output = start(command);
        let said = errors(&output);
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(words.iter().all(|word| said.contains(word)), "{words:?}: {said}");
    };
    let place = format!("{}", folder.path().join("oldpc").display());
    let with = |option: &str, value: &str| {
        let mut arguments = other.arguments();
        let at = arguments.iter().position(|argument| argument == option).unwrap();
        arguments[at + 1] = value.into();
        let mut command = p2v("capture");
        command
            .arg(&disk)
            .arg("-o")
            .arg(format!("ssh://newpc{place}"))
            .args(arguments);
        command
    };
    fails(
        &mut far(&disk, &other, &format!("ssh://locked{place}")),
        5,
        &["no connection to locked", "Try `ssh locked`"],
    );
    fails(
        &mut with("--remote-p2v", "p2v-not-there"),
        5,
        &["no p2v on newpc", "--remote-p2v"],
    );
    fails(
        &mut far(&disk, &other, "ssh://newpc/proc/oldpc"),
        3,
        &["newpc:/proc/oldpc has 0 B free"],
    );
    fails(&mut with("--remote-p2v", "yes"), 1, &["no p2v of this version"]);
    fails(
        &mut far(&disk, &other, "ssh://"),
        3,
        &["no place on another computer", "ssh://me@newpc/"],
    );
    fails(
        &mut with("--ssh", "ssh-not-there"),
        1,
        &["cannot start ssh-not-there", "openssh-client"],
    );
    assert!(!folder.path().join("oldpc").exists());
    // Started by hand it says what it is for; a stranger's bytes end it.
    let output = start(Command::new("sh").arg("-c").arg(format!(
        "head -c 5000 /dev/urandom | {} receive",
        env!("CARGO_BIN_EXE_p2v")
    )));
    assert_eq!(output.status.code(), Some(1), "{}", errors(&output));
}
