//! Captures that end before they are finished, at any moment and for any reason, and are gone on with.

mod common;

use common::failing::{FailingDisk, bad_in};
use common::kills::{at_every_step, at_random_moments, at_steps, was_killed};
use common::*;
use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// What an unfinished capture has and a finished one has not.
const JOURNAL: &str = "disk0.journal";

fn capture_of(command: &mut Command, disk: &Path, machine: &Path) {
    command.arg(disk).arg("-o").arg(machine).arg("--quiet");
}

/// Goes on with an unfinished capture, to its end.
fn go_on(disk: &Path, machine: &Path) {
    let mut command = p2v("capture");
    capture_of(&mut command, disk, machine);
    run(&mut command);
    assert!(!machine.join(JOURNAL).exists());
}

/// Starts a capture and kills it when the journal has grown past its beginning `steps` times.
fn killed_after(steps: usize, disk: &Path, machine: &Path) {
    let mut command = p2v("capture");
    capture_of(&mut command, disk, machine);
    let mut child = command.spawn().unwrap();
    let size = || fs::metadata(machine.join(JOURNAL)).map_or(0, |journal| journal.len());
    for _ in 0..=steps {
        let before = size();
        while size() == before {
            assert!(
                child.try_wait().unwrap().is_none(),
                "the capture was finished too early"
            );
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(machine.join(JOURNAL).exists() && !machine.join("machine.toml").exists());
}

#[test]
fn every_step_of_a_capture_can_be_its_last() {
    let folder = tempfile::tempdir().unwrap();
    let disk = mixed_bytes(folder.path(), 28);
    let machine = folder.path().join("oldpc");
    let kills = at_every_step(|command, _| {
        command.arg("capture");
        capture_of(command, &disk, &machine);
        let killed = was_killed(command);
        if !machine.join("machine.toml").exists() {
            go_on(&disk, &machine);
        }
        judge(&disk, &machine);
        fs::remove_dir_all(&machine).unwrap();
        killed
    });
    assert!(kills > 60, "{kills} kills");
}

#[test]
fn killed_at_random_moments() {
    let folder = tempfile::tempdir().unwrap();
    let disk = mixed_bytes(folder.path(), 300);
    let machine = folder.path().join("oldpc");
    let attempt = |random: [u8; 2]| {
        let mut command = p2v("capture");
        capture_of(&mut command, &disk, &machine);
        // Zstandard at this level takes seconds for it.
        let mut child = command.args(["--level", "9"]).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(20 + u64::from(random[0]) * 4));
        child.kill().unwrap();
        let status = child.wait().unwrap();
        let killed = status.signal() == Some(9);
        assert!(killed || status.success());
        killed
    };
    at_random_moments(12, &disk, &machine, attempt, || go_on(&disk, &machine));
}

/// A disk that writes down what is read of it: offset and length of each read.
fn watched(disk: &Path, folder: &Path) -> (FailingDisk, PathBuf) {
    let watched = FailingDisk::with_script(disk, "echo $4 $3 >>$folder/reads;", folder);
    (watched, folder.join("reads"))
}

#[test]
fn hardly_anything_is_read_twice() {
    let folder = tempfile::tempdir().unwrap();
    let disk = mixed_bytes(folder.path(), 300);
    let (watched, reads) = watched(&disk, folder.path());
    let machine = folder.path().join("oldpc");
    killed_after(12, &watched.path, &machine);
    let read = || -> u64 {
        let text = fs::read_to_string(&reads).unwrap();
        let lengths = text.lines().map(|line| line.split(' ').nth(1).unwrap());
        lengths.map(|length| length.parse::<u64>().unwrap()).sum()
    };
    assert!(read() > 90 * MIB, "{}", read());
    go_on(&watched.path, &machine);
    judge(&disk, &machine);
    // What is not durable yet, what is under way, and a few chunks to see that the disk is the same.
    let twice = read() - 300 * MIB;
    assert!(twice <= 64 * MIB, "{twice} bytes were read again");
}

#[test]
fn a_failing_disk_is_gone_on_with_while_it_is_rescued() {
    let folder = tempfile::tempdir().unwrap();
    let disk = mixed_bytes(folder.path(), 12);
    let bad = [3 * MIB + 512..3 * MIB + 1536, 9 * MIB..9 * MIB + 512];
    let failing = FailingDisk::with_bad(&disk, &bad, folder.path());
    let zeroed = folder.path().join("zeroed.img");
    fs::copy(&disk, &zeroed).unwrap();
    for range in &bad {
        put(&zeroed, range.start, &vec![0; (range.end - range.start) as usize]);
    }
    let machine = folder.path().join("oldpc");
    let mut late = 0;
    // Those that a rescue has beside what every capture has.
    let kills = at_steps(&["fdatasync", "fsync", "renameat2", "rename"], |command, step| {
        command.arg("capture");
        capture_of(command, &failing.path, &machine);
        let output = start(command);
        let killed = output.status.signal() == Some(9);
        late += usize::from(killed && machine.join("disk0.rescued.partial").exists());
        if !machine.join("machine.toml").exists() {
            let mut command = p2v("capture");
            capture_of(&mut command, &failing.path, &machine);
            let output = start(&mut command);
            assert_eq!(output.status.code(), Some(6), "{step}: {}", errors(&output));
        }
        assert_eq!(bad_in(&machine.join("disk0.map")), bad, "{step}");
        judge(&zeroed, &machine);
        fs::remove_dir_all(&machine).unwrap();
        killed
    });
    assert!(kills > 10 && late > 3, "{kills} kills, {late} of them late");
}

#[test]
fn another_disk_and_a_changed_one_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let disk = mixed_bytes(folder.path(), 100);
    // A filesystem that can be mounted, and then differs in its superblock only.
    let volume = folder.path().join("volume.img");
    File::create(&volume).unwrap().set_len(16 * MIB).unwrap();
    run(Command::new("mkfs.ext4").arg("-q").arg(&volume));
    let volume_bytes = fs::read(&volume).unwrap();
    let mixed = folder.path().join("mixed.img");
    fs::copy(&disk, &mixed).unwrap();
    put(&mixed, 4 * MIB, &volume_bytes);
    let table = format!(
        "label: dos\nstart=8192, size={}, type=83\nstart=49152, type=83\n",
        16 * MIB / 512
    );
    feed(Command::new("sfdisk").arg("-q").arg(&mixed), &table);
    let machine = folder.path().join("oldpc");
    killed_after(2, &mixed, &machine);
    let refused = |disk: &Path, words: &[&str]| {
        let output = start(p2v("capture").arg(disk).arg("-o").arg(&machine).arg("--quiet"));
        let said = errors(&output);
        assert_eq!(output.status.code(), Some(3), "{said}");
        assert!(
            words.iter().all(|word| said.contains(word)) && said.contains("--restart"),
            "{said}"
        );
    };
    let larger = folder.path().join("larger.img");
    fs::copy(&mixed, &larger).unwrap();
    File::options()
        .write(true)
        .open(&larger)
        .unwrap()
        .set_len(101 * MIB)
        .unwrap();
    refused(&larger, &["another disk", "size"]);
    // The same disk after its filesystem was mounted once.
    let mounted = folder.path().join("mounted.img");
    fs::copy(&mixed, &mounted).unwrap();
    run(Command::new("tune2fs").args(["-C", "9"]).arg(&volume));
    put(&mounted, 4 * MIB, &fs::read(&volume).unwrap());
    refused(&mounted, &["has changed", "partition 1"]);
    // A file that was changed where no filesystem tells.
    let edited = folder.path().join("edited.img");
    fs::copy(&mixed, &edited).unwrap();
    put(&edited, 600 << 10, b"other");
    refused(&edited, &["has changed"]);
    let compression = start(
        p2v("capture")
            .arg(&mixed)
            .arg("-o")
            .arg(&machine)
            .args(["--compression", "zlib"]),
    );
    assert!(
        errors(&compression).contains("--compression zstd"),
        "{}",
        errors(&compression)
    );

    // Nothing was lost by all that, and a disk that has moved is the same.
    let moved = folder.path().join("moved.img");
    fs::rename(&mixed, &moved).unwrap();
    go_on(&moved, &machine);
    judge(&moved, &machine);
}

#[test]
fn a_restart_throws_away_and_a_damaged_journal_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let disk = mixed_bytes(folder.path(), 100);
    let machine = folder.path().join("oldpc");
    killed_after(2, &disk, &machine);
    // Behind the last whole record anything may be.
    let mut journal = fs::read(machine.join(JOURNAL)).unwrap();
    journal.extend(noise(3, 100));
    fs::write(machine.join(JOURNAL), &journal).unwrap();
    go_on(&disk, &machine);
    judge(&disk, &machine);
    fs::remove_dir_all(&machine).unwrap();

    killed_after(2, &disk, &machine);
    fs::remove_file(machine.join("disk0.qcow2.partial")).unwrap();
    let output = start(p2v("capture").arg(&disk).arg("-o").arg(&machine));
    assert!(!output.status.success());
    assert!(errors(&output).contains("--restart"), "{}", errors(&output));
    run(p2v("capture")
        .arg(&disk)
        .arg("-o")
        .arg(&machine)
        .args(["--restart", "--quiet"]));
    judge(&disk, &machine);
    // A finished capture is never thrown away.
    let output = start(p2v("capture").arg(&disk).arg("-o").arg(&machine).arg("--restart"));
    assert_eq!(output.status.code(), Some(3), "{}", errors(&output));
    judge(&disk, &machine);
}

#[test]
fn in_the_library_it_is_found_by_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let disk = mixed_bytes(folder.path(), 100);
    let library = folder.path().join("p2v/machines");
    let machine = library.join("oldpc");
    fs::create_dir_all(&library).unwrap();
    killed_after(2, &disk, &machine);
    let list = run(p2v("list").env("XDG_DATA_HOME", folder.path()));
    assert!(list.contains("unfinished"), "{list}");
    run(p2v("capture").arg(&disk).env("XDG_DATA_HOME", folder.path()));
    judge(&disk, &machine);
    assert_eq!(fs::read_dir(&library).unwrap().count(), 1);
}
