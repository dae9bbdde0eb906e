//! `p2v verify` finds every kind of difference, and says where it is.

mod common;

use common::*;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A captured disk of 8 MiB, of which 1 to 7 MiB are a partition; its folder may be damaged.
fn captured(folder: &Path, more: &[&str]) -> (PathBuf, PathBuf) {
    let disk = stale(&folder.join("disk.img"), 8);
    put(&disk, 0, &vec![0; MIB as usize]);
    feed(
        Command::new("sfdisk").arg("-q").arg(&disk),
        "label: dos\nstart=2048, size=12288, type=83\n",
    );
    let machine = folder.join("oldpc");
    capture(&disk, &machine, more);
    for name in ["disk0.qcow2", "disk0.blake3", "disk0.map"] {
        let path = machine.join(name);
        assert!(
            fs::metadata(&path).unwrap().permissions().readonly(),
            "{name} can be written to"
        );
        fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
    }
    (disk, machine)
}

/// A verification that must fail with exit code 1; returns its JSON.
fn fails(machine: &Path, more: &[&str]) -> serde_json::Value {
    let output = start(p2v("verify").arg(machine).arg("--json").args(more));
    assert_eq!(output.status.code(), Some(1), "{}", errors(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn one_flipped_bit_is_found_wherever_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let (_, machine) = captured(folder.path(), &[]);
    run(p2v("verify").arg(&machine));
    let image = machine.join("disk0.qcow2");
    let size = fs::metadata(&image).unwrap().len();
    let file = File::options().read(true).write(true).open(&image).unwrap();
    // Data clusters lie from the first clusters of the file to its tables; noise fills almost all of it.
    for at in [size / 4, size / 2, size / 4 * 3] {
        let mut byte = [0];
        file.read_exact_at(&mut byte, at).unwrap();
        file.write_all_at(&[byte[0] ^ 0x10], at).unwrap();
        let found = fails(&machine, &[]);
        // One chunk; the first and the last one lie on a border of the partition and are named in two parts.
        let parts = found["image_differs"].as_array().unwrap();
        assert!(parts.iter().any(|part| part["partition"] == 1), "{found}");
        let lengths: Option<u64> = parts.iter().map(|part| part["length"].as_u64()).sum();
        assert_eq!(lengths, Some(2 * MIB), "{found}");
        file.write_all_at(&byte, at).unwrap();
        run(p2v("verify").arg(&machine));
    }
}

#[test]
fn data_where_none_was_captured_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let disk = folder.path().join("disk.img");
    File::create(&disk).unwrap().set_len(64 * MIB).unwrap();
    put(&disk, 5 * MIB, b"data");
    let machine = folder.path().join("oldpc");
    capture(&disk, &machine, &["--compression", "none"]);
    let image = machine.join("disk0.qcow2");
    fs::set_permissions(&image, fs::Permissions::from_mode(0o644)).unwrap();
    run(Command::new("qemu-io").args(["-c", "write -P 0 40M 64k"]).arg(&image));
    run(p2v("verify").arg(&machine));
    run(Command::new("qemu-io").args(["-c", "write -P 1 40M 512"]).arg(&image));
    let found = fails(&machine, &[]);
    assert_eq!(found["image_differs"][0]["offset"], 40 * MIB, "{found}");
}

#[test]
fn a_changed_source_is_told_from_a_damaged_capture() {
    let folder = tempfile::tempdir().unwrap();
    let (disk, machine) = captured(folder.path(), &[]);
    let against = ["--against", disk.to_str().unwrap()];
    run(p2v("verify").arg(&machine).args(against));
    put(&disk, 3 * MIB + 5000, b"changed");
    let found = fails(&machine, &against);
    assert_eq!(found["image_differs"].as_array().unwrap().len(), 0, "{found}");
    let expected = serde_json::json!([{
        "offset": 3 * MIB + 4096, "length": 4096, "partition": 1, "place": found["source_differs"][0]["place"],
    }]);
    assert_eq!(found["source_differs"], expected);
    let output = start(p2v("verify").arg(&machine).args(against));
    assert!(
        errors(&output).contains("the source has changed since"),
        "{}",
        errors(&output)
    );

    File::options()
        .write(true)
        .open(&disk)
        .unwrap()
        .set_len(9 * MIB)
        .unwrap();
    let output = start(p2v("verify").arg(&machine).args(against));
    assert_eq!(output.status.code(), Some(1));
    assert!(errors(&output).contains("another disk"), "{}", errors(&output));
}

#[test]
fn damaged_lists_and_images_are_told_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let (_, machine) = captured(folder.path(), &[]);
    let list = machine.join("disk0.blake3");
    let text = fs::read_to_string(&list).unwrap();
    fs::write(&list, text.replacen("2097152 2097152", "2097152 2097153", 1)).unwrap();
    let output = start(p2v("verify").arg(&machine));
    assert_eq!(output.status.code(), Some(1));
    assert!(
        errors(&output).contains("disk0.blake3 is damaged"),
        "{}",
        errors(&output)
    );
    fs::write(&list, text).unwrap();

    let image = machine.join("disk0.qcow2");
    let size = fs::metadata(&image).unwrap().len();
    File::options()
        .write(true)
        .open(&image)
        .unwrap()
        .set_len(size / 2)
        .unwrap();
    let output = start(p2v("verify").arg(&machine));
    assert_eq!(output.status.code(), Some(1), "{}", errors(&output));
    assert!(!errors(&output).contains("panicked"), "{}", errors(&output));
    fs::remove_file(&image).unwrap();
    let output = start(p2v("verify").arg(&machine));
    assert_eq!(output.status.code(), Some(1));
    assert!(errors(&output).contains("disk0.qcow2"), "{}", errors(&output));
}
