//! A capture holds exactly what the map says, judged by `qemu-img`; files come out as they went in.

mod common;

use common::*;
use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

/// Extracts every file from every filesystem of the raw disk `disk` and compares checksums.
fn assert_files(disk: &Path, files: &[(String, String)], scratch: &Path) {
    let fat = part(disk, FAT, &scratch.join("out.fat"));
    let ntfs = part(disk, NTFS, &scratch.join("out.ntfs"));
    let ext4 = part(disk, EXT4, &scratch.join("out.ext4"));
    run(Command::new("fsck.fat").args(["-n"]).arg(&fat));
    run(Command::new("ntfsfix").args(["-n"]).arg(&ntfs));
    run(Command::new("e2fsck").args(["-fn"]).arg(&ext4));
    let out = scratch.join("out.file");
    for (name, expected) in files {
        run(Command::new("mcopy")
            .arg("-o")
            .arg("-i")
            .arg(&fat)
            .arg(format!("::{name}"))
            .arg(&out));
        assert_eq!(sha256(&out), *expected, "{name} on FAT");
        let script = "ntfscat \"$1\" \"$2\" > \"$3\"";
        run(Command::new("sh")
            .args(["-euc", script, "sh"])
            .arg(&ntfs)
            .arg(name)
            .arg(&out));
        assert_eq!(sha256(&out), *expected, "{name} on NTFS");
        run(Command::new("debugfs")
            .arg("-R")
            .arg(format!("dump {name} {}", out.display()))
            .arg(&ext4));
        assert_eq!(sha256(&out), *expected, "{name} on ext4");
    }
}

#[test]
fn a_mixed_disk_comes_out_as_the_map_says_and_with_every_file() {
    let folder = tempfile::tempdir().unwrap();
    let disk = MixedDisk::make(folder.path());
    let before = sha256(&disk.path);
    let machine = folder.path().join("oldpc");
    let result = capture(&disk.path, &machine, &[]);
    assert_eq!(sha256(&disk.path), before, "the source was written to");
    judge(&disk.path, &machine);

    let raw = folder.path().join("out.raw");
    let image = machine.join("disk0.qcow2");
    run(Command::new("qemu-img")
        .args(["convert", "-O", "raw"])
        .args([&image, &raw]));
    assert_files(&raw, &disk.files, folder.path());

    // 32 MiB hold all the files and structures; the rest is free, and full of stale data that must not be copied.
    let read = result["read_bytes"].as_u64().unwrap();
    assert!(read < 60 * MIB, "{read} bytes were read");
    assert!(
        map_of(&machine)
            .iter()
            .any(|(range, status)| *status == '?' && range.end - range.start > 10 * MIB)
    );
    run(p2v("verify").arg(&machine).arg("--against").arg(&disk.path));

    let toml = fs::read_to_string(machine.join("machine.toml")).unwrap();
    for line in [
        "firmware = \"bios\"",
        "table = \"mbr\"",
        "table_id = \"1234abcd\"",
        "heads = 255",
        "sectors = 63",
    ] {
        assert!(toml.contains(line), "no `{line}` in {toml}");
    }
}

#[test]
fn a_block_device_is_captured_like_its_image() {
    let folder = tempfile::tempdir().unwrap();
    let disk = MixedDisk::make(folder.path());
    let device = Loop::attach(&disk.path, &["-r"]);
    let machine = folder.path().join("oldpc");
    capture(&device.0, &machine, &[]);
    judge(&disk.path, &machine);
    run(p2v("verify").arg(&machine).arg("--against").arg(&device.0));
}

#[test]
fn every_compression_gives_the_same_disk() {
    let folder = tempfile::tempdir().unwrap();
    let disk = stale(&folder.path().join("disk.img"), 5);
    put(&disk, 2 * MIB, &vec![7; MIB as usize]);
    for more in [
        &["--compression", "none"][..],
        &["--compression", "zlib"],
        &["--level", "-5"],
        &["--level", "19"],
    ] {
        let machine = folder.path().join(more.join(""));
        capture(&disk, &machine, more);
        judge(&disk, &machine);
        run(p2v("verify").arg(&machine));
    }
}

#[test]
fn disks_of_odd_sizes() {
    let folder = tempfile::tempdir().unwrap();
    for size in [
        512,
        1000,
        65_536 + 512,
        2 * MIB as usize - 512,
        5 * MIB as usize + 3 * 512,
    ] {
        let disk = folder.path().join(format!("{size}.img"));
        fs::write(&disk, noise(3, size)).unwrap();
        let machine = folder.path().join(format!("{size}"));
        capture(&disk, &machine, &[]);
        run(p2v("verify").arg(&machine).arg("--against").arg(&disk));
        run(Command::new("qemu-img")
            .args(["check", "-q"])
            .arg(machine.join("disk0.qcow2")));
        // qcow2 counts in sectors; a part of one is filled with zeros.
        let padded = File::options().write(true).open(&disk).unwrap();
        padded.set_len((size as u64).next_multiple_of(512)).unwrap();
        run(Command::new("qemu-img")
            .args(["compare", "-q"])
            .arg(machine.join("disk0.qcow2"))
            .arg(&disk));
    }
}

#[test]
fn a_qcow2_image_is_captured_as_the_disk_it_holds() {
    let folder = tempfile::tempdir().unwrap();
    let raw = stale(&folder.path().join("disk.img"), 4);
    let qcow2 = folder.path().join("disk.qcow2");
    run(Command::new("qemu-img")
        .args(["convert", "-c", "-O", "qcow2"])
        .args([&raw, &qcow2]));
    let machine = folder.path().join("oldpc");
    capture(&qcow2, &machine, &[]);
    judge(&raw, &machine);
    run(p2v("verify").arg(&machine).arg("--against").arg(&raw));
}

#[test]
fn sixteen_tebibytes_of_nothing_take_seconds_and_little_memory() {
    let folder = tempfile::tempdir().unwrap();
    let disk = folder.path().join("disk.img");
    // The largest file of ext4 is one block smaller.
    let size = (16 << 40) - 4096;
    File::create(&disk).unwrap().set_len(size).unwrap();
    put(&disk, 9 << 40, b"the only data");
    put(&disk, size - 512, b"the end");
    let machine = folder.path().join("oldpc");
    let result = capture(&disk, &machine, &[]);
    assert!(result["seconds"].as_f64().unwrap() < 10.0, "{result}");
    assert!(result["peak_memory_bytes"].as_u64().unwrap() < 256 * MIB, "{result}");
    assert_eq!(result["chunks_with_data"], 2);
    run(Command::new("qemu-img")
        .args(["check", "-q"])
        .arg(machine.join("disk0.qcow2")));
    run(p2v("verify").arg(&machine).arg("--against").arg(&disk));
}

#[test]
fn memory_stays_bounded_while_data_flows() {
    let folder = tempfile::tempdir().unwrap();
    let disk = stale(&folder.path().join("disk.img"), 400);
    let result = capture(&disk, &folder.path().join("oldpc"), &[]);
    assert!(result["peak_memory_bytes"].as_u64().unwrap() < 256 * MIB, "{result}");
}

#[test]
fn a_dry_run_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let disk = stale(&folder.path().join("disk.img"), 2);
    let machine = folder.path().join("oldpc");
    let plan = run(p2v("capture").arg(&disk).arg("-o").arg(&machine).arg("--dry-run"));
    assert!(plan.contains("To copy  2.00 MiB"), "{plan}");
    let json = run(p2v("capture")
        .arg(&disk)
        .arg("-o")
        .arg(&machine)
        .args(["--dry-run", "--json"]));
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["used_bytes"], 2 * MIB);
    assert!(!machine.exists());
}

#[test]
fn a_capture_through_sudo_belongs_to_who_asked() {
    use std::os::unix::fs::MetadataExt;
    let folder = tempfile::tempdir().unwrap();
    let disk = stale(&folder.path().join("disk.img"), 1);
    let machine = folder.path().join("oldpc");
    run(p2v("capture")
        .arg(&disk)
        .arg("-o")
        .arg(&machine)
        .env("SUDO_UID", "1234")
        .env("SUDO_GID", "2345"));
    let owner = |path: &Path| fs::metadata(path).map(|meta| (meta.uid(), meta.gid())).unwrap();
    // The same as before for everybody but root.
    let expected = if owner(folder.path()).0 == 0 {
        (1234, 2345)
    } else {
        owner(folder.path())
    };
    assert_eq!(owner(&machine), expected);
    for name in ["disk0.qcow2", "disk0.blake3", "disk0.map", "machine.toml"] {
        assert_eq!(owner(&machine.join(name)), expected, "{name}");
    }
}
