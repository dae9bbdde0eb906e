//! What a launched machine finds of the old PC, by the files in `firmware/`: a boot sector writes to the disk what the
//! firmware left in memory.

mod common;

use common::*;
use p2v_tests::old_pc::{self, SERIAL};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A machine whose disk holds that boot sector, captured in the made-up PC.
fn machine(folder: &Path) -> PathBuf {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/realmode");
    let disk = folder.join("disk.img");
    let mut nasm = Command::new("nasm");
    nasm.args(["-f", "bin", "-I"]).arg(format!("{}/", sources.display()));
    run(nasm.arg("-o").arg(&disk).arg(sources.join("tables.asm")));
    fs::OpenOptions::new()
        .write(true)
        .open(&disk)
        .unwrap()
        .set_len(MIB)
        .unwrap();
    let firmware = folder.join("sys-firmware");
    old_pc::write(&firmware).unwrap();
    let machine = folder.join("oldpc");
    run(p2v("capture")
        .arg(&disk)
        .arg("-o")
        .arg(&machine)
        .env("P2V_SYS_FIRMWARE", firmware)
        .env("P2V_OWN_DISK", &disk));
    machine
}

/// What the guest found, and what p2v said.
fn launch(machine: &Path, more: &[&str]) -> (Vec<u8>, String) {
    let mut command = p2v("launch");
    command
        .arg(machine)
        .args(["--headless", "--memory", "32", "--cpus", "1"]);
    let output = start(command.args(more));
    let said = errors(&output);
    assert!(output.status.success(), "{said}");
    let raw = machine.with_extension("raw");
    let mut convert = Command::new("qemu-img");
    convert.args(["convert", "-O", "raw"]);
    run(convert.arg(machine.join("disk0.now.qcow2")).arg(&raw));
    run(p2v("reset").arg(machine).arg("--yes"));
    (fs::read(raw).unwrap(), said)
}

fn holds(memory: &[u8], bytes: &[u8]) -> bool {
    memory.windows(bytes.len()).any(|window| window == bytes)
}

/// Another content for a file that is read-only.
fn replace(path: &Path, bytes: &[u8]) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(path, bytes).unwrap();
}

#[test]
fn the_guest_is_shown_which_pc_it_was_unless_it_is_hidden() {
    let folder = tempfile::tempdir().unwrap();
    let machine = machine(folder.path());
    let [slic, msdm] = old_pc::licences();
    let (memory, said) = launch(&machine, &[]);
    assert!(holds(&memory, SERIAL.as_bytes()) && holds(&memory, &slic) && holds(&memory, &msdm));
    let line = said
        .lines()
        .find(|line| line.contains("shows which PC it was"))
        .unwrap();
    assert!(
        line.contains("(SMBIOS, SLIC, MSDM)") && line.contains("activated again"),
        "{line}"
    );
    assert_eq!(said.matches("activated").count(), 1, "{said}");

    // On the command line, then in machine.toml.
    let toml = machine.join("machine.toml");
    let text = fs::read_to_string(&toml).unwrap();
    for (setting, arguments) in [("shown", &["--identity", "hidden"][..]), ("hidden", &[])] {
        let changed = text.replace("identity = \"shown\"", &format!("identity = \"{setting}\""));
        fs::write(&toml, changed).unwrap();
        let (memory, said) = launch(&machine, arguments);
        assert!(!holds(&memory, SERIAL.as_bytes()) && !holds(&memory, b"SLIC"));
        assert!(!said.contains("which PC"), "{said}");
    }
}

#[test]
fn damaged_files_are_told_and_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let machine = machine(folder.path());
    let firmware = machine.join("firmware");
    let [slic, msdm] = old_pc::licences();
    replace(&firmware.join("SLIC"), &slic[..200]);
    replace(&firmware.join("dmi"), &[1, 2, 3]);
    let (memory, said) = launch(&machine, &[]);
    for words in [
        "firmware/SLIC is not shown to the machine",
        "374 bytes",
        "firmware/dmi is not shown",
    ] {
        assert!(said.contains(words), "no {words:?} in {said}");
    }
    assert!(said.contains("which PC it was (MSDM)"), "{said}");
    assert!(holds(&memory, &msdm) && !holds(&memory, &slic[..100]) && !holds(&memory, SERIAL.as_bytes()));
}
