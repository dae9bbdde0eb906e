//! Targets that fail while a capture is stored on them, here and on another computer: it is gone on with when they are
//! well again.

mod common;

use common::usb::UsbDisk;
use common::*;
use p2v_tests::ssh::OtherPc;
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Where the machine `machine` is stored: arguments of `p2v capture`.
type Target<'a> = &'a dyn Fn(&Path) -> Vec<OsString>;

fn here(machine: &Path) -> Vec<OsString> {
    vec!["-o".into(), machine.into()]
}

/// The same folder, through ssh.
fn there(other: &OtherPc, machine: &Path) -> Vec<OsString> {
    let place = format!("ssh://newpc{}", machine.display());
    let output = ["-o".into(), place.into()];
    output.into_iter().chain(other.arguments()).collect()
}

fn fills_up(folder: &Path, target: Target<'_>) {
    let disk = mixed_bytes(folder, 96);
    let (small, machine) = (folder.join("small"), folder.join("oldpc"));
    fs::create_dir(&small).unwrap();
    // A private mount: what comes of it is moved out before it goes.
    let script = "disk=$1 small=$2 out=$3 p2v=$4; shift 4; mount -t tmpfs -o size=24m tmpfs \"$small\"; \
                  code=0; \"$p2v\" capture \"$disk\" \"$@\" --quiet || code=$?; [ $code = 5 ]; \
                  [ ! -e \"$small/oldpc/machine.toml\" ]; \
                  code=0; \"$p2v\" capture \"$disk\" \"$@\" --quiet || code=$?; [ $code = 3 ]; \
                  mount -o remount,size=200m \"$small\"; \
                  \"$p2v\" capture \"$disk\" \"$@\"; cp -a \"$small/oldpc\" \"$out\"";
    let output = start(
        Command::new("unshare")
            .args(["--mount", "sh", "-euc", script, "sh"])
            .args([&disk, &small, &machine])
            .arg(env!("CARGO_BIN_EXE_p2v"))
            .args(target(&small.join("oldpc"))),
    );
    let said = errors(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(
        said.contains("Make room") && said.contains("the same command goes on"),
        "{said}"
    );
    assert!(said.contains("were copied before"), "{said}");
    judge(&disk, &machine);
}

#[test]
fn one_that_is_full_is_gone_on_with_when_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    fills_up(folder.path(), &here);
}

#[test]
fn one_that_is_full_there() {
    let folder = tempfile::tempdir().unwrap();
    let other = other_pc(folder.path());
    fills_up(folder.path(), &|machine| there(&other, machine));
}

fn is_pulled_out(folder: &Path, target: Target<'_>) {
    let disk = mixed_bytes(folder, 200);
    let mut usb = UsbDisk::new(folder, 300);
    usb.plug_in(folder);
    let machine = usb.mount.join("oldpc");
    let journal = machine.join("disk0.journal");
    let capture = || {
        let mut command = p2v("capture");
        command.arg(&disk).args(target(&machine));
        command
    };
    let mut child = capture()
        .args(["--quiet", "--level", "9"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let size = || fs::metadata(&journal).map_or(0, |journal| journal.len());
    while size() < 2000 {
        assert!(
            child.try_wait().unwrap().is_none(),
            "the capture was finished too early"
        );
        std::thread::sleep(Duration::from_millis(1));
    }
    usb.pull_out(folder);
    let output = child.wait_with_output().unwrap();
    let said = errors(&output);
    assert_eq!(output.status.code(), Some(5), "{said}");
    assert!(said.contains("still connected"), "{said}");
    usb.forget();

    usb.plug_in(folder);
    assert!(size() > 0, "nothing was safe");
    let text = run(capture().args(["--dry-run", "--json"]));
    let plan: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert!(plan["copied_before_bytes"].as_u64().unwrap() > 0, "{text}");
    run(capture().arg("--quiet"));
    assert!(!journal.exists());
    judge(&disk, &machine);
}

#[test]
fn one_that_was_pulled_out_is_gone_on_with() {
    let folder = tempfile::tempdir().unwrap();
    is_pulled_out(folder.path(), &here);
}

#[test]
fn one_that_was_pulled_out_there() {
    let folder = tempfile::tempdir().unwrap();
    let other = other_pc(folder.path());
    is_pulled_out(folder.path(), &|machine| there(&other, machine));
}
