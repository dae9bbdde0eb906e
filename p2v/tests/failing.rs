//! Disks that fail: what can be read is read, what is lost is what ddrescue loses too, and the right files are named.

mod common;

use common::failing::{FailingDisk, bad_in, lost_to_ddrescue};
use common::*;
use std::fs::{self, File};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;

/// Captures a disk of which some is lost, which is exit code 6; the result is what `--json` prints.
fn capture_in_part(disk: &Path, machine: &Path, more: &[&str]) -> serde_json::Value {
    let output = start(p2v("capture").arg(disk).arg("-o").arg(machine).arg("--json").args(more));
    assert_eq!(output.status.code(), Some(6), "{}", errors(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A copy of `disk` with zeros in `lost`.
fn with_zeros(disk: &Path, lost: &[Range<u64>], to: &Path) {
    fs::copy(disk, to).unwrap();
    for range in lost {
        put(to, range.start, &vec![0; (range.end - range.start) as usize]);
    }
}

/// The image is the disk but for what was lost, by qemu-img; checksums and map agree with it.
fn judge_in_part(disk: &Path, lost: &[Range<u64>], machine: &Path, scratch: &Path) {
    let zeroed = scratch.join("zeroed.img");
    with_zeros(disk, lost, &zeroed);
    judge(&zeroed, machine);
    run(p2v("verify").arg(machine).arg("--against").arg(&zeroed));
}

/// The first ranges of the disk that a file of `MixedDisk` has on ext4, by debugfs, and on NTFS, by ntfscluster.
fn block_on_ext4(disk: &Path, name: &str, scratch: &Path) -> u64 {
    let volume = part(disk, EXT4, &scratch.join("place.ext4"));
    let blocks = run(Command::new("debugfs")
        .arg("-R")
        .arg(format!("blocks /{name}"))
        .arg(&volume));
    let numbers: Vec<u64> = blocks.split_whitespace().map(|word| word.parse().unwrap()).collect();
    let size = run(Command::new("dumpe2fs").arg("-h").arg(&volume));
    let size = size
        .lines()
        .find_map(|line| line.strip_prefix("Block size:"))
        .unwrap()
        .trim()
        .to_owned();
    EXT4.start + numbers[numbers.len() / 2] * size.parse::<u64>().unwrap()
}

fn cluster_on_ntfs(disk: &Path, name: &str, scratch: &Path) -> u64 {
    let volume = part(disk, NTFS, &scratch.join("place.ntfs"));
    let text = run(Command::new("ntfsinfo").arg("-v").arg("-F").arg(name).arg(&volume));
    // The runlist of the attribute $DATA: VCN, LCN, length.
    let data = &text[text.find("$DATA").unwrap()..];
    let line = data.lines().skip_while(|line| !line.contains("LCN")).nth(1).unwrap();
    let lcn = line.split_whitespace().nth(1).unwrap().trim_start_matches("0x");
    NTFS.start + u64::from_str_radix(lcn, 16).unwrap() * 4096
}

/// Where the first byte of a file's contents is in a FAT volume: found by its contents, which are noise.
fn place_on_fat(disk: &Path, tree: &Path, name: &str) -> u64 {
    let mut volume = vec![0; (FAT.end - FAT.start) as usize];
    File::open(disk).unwrap().read_exact_at(&mut volume, FAT.start).unwrap();
    let contents = fs::read(tree.join(name)).unwrap();
    let at = volume
        .chunks(512)
        .position(|sector| sector == &contents[..512])
        .unwrap();
    FAT.start + at as u64 * 512
}

/// The files that a result names, as "partition path bytes".
fn named(result: &serde_json::Value) -> Vec<String> {
    let mut names = Vec::new();
    for place in result["lost"]["places"].as_array().unwrap() {
        for file in place["files"].as_array().unwrap() {
            names.push(format!(
                "{} {} {}",
                place["partition"],
                file["path"].as_str().unwrap(),
                file["bytes"]
            ));
        }
    }
    names
}

#[test]
fn what_is_lost_is_what_ddrescue_loses_and_the_right_files_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let disk = MixedDisk::make(folder.path());
    let tree = folder.path().join("tree");
    let ext = block_on_ext4(&disk.path, "file4.bin", folder.path());
    let ntfs = cluster_on_ntfs(&disk.path, "file5.bin", folder.path()) + 8192;
    let fat = place_on_fat(&disk.path, &tree, "file3.bin") + 1024;
    // Sectors of a file on each filesystem, and one that nobody uses.
    let mut bad = vec![
        fat..fat + 1536,
        ntfs..ntfs + 512,
        ext..ext + 1024,
        169 * MIB..169 * MIB + 2048,
    ];
    bad.sort_by_key(|range| range.start);
    let failing = FailingDisk::with_bad(&disk.path, &bad, folder.path());
    let machine = folder.path().join("oldpc");
    let result = capture_in_part(&failing.path, &machine, &[]);

    assert_eq!(bad_in(&machine.join("disk0.map")), bad);
    assert_eq!(lost_to_ddrescue(&failing.path, folder.path(), &[]), bad);
    judge_in_part(&disk.path, &bad, &machine, folder.path());
    run(p2v("verify").arg(&machine).arg("--against").arg(&failing.path));
    assert_eq!(result["lost"]["bytes"], 1536 + 512 + 1024 + 2048);
    assert_eq!(
        named(&result),
        ["1 /file3.bin 1536", "2 /file5.bin 512", "6 /file4.bin 1024"],
        "{result}"
    );
    let list = fs::read_to_string(machine.join("disk0.lost.txt")).unwrap();
    assert!(list.contains("512 bytes of /file5.bin"), "{list}");
    assert!(!machine.join("disk0.rescued.partial").exists());
}

#[test]
fn a_block_device_that_fails_from_some_sector_on_is_captured_up_to_there() {
    let folder = tempfile::tempdir().unwrap();
    let file = stale(&folder.path().join("disk.img"), 64);
    let whole = folder.path().join("whole.img");
    fs::copy(&file, &whole).unwrap();
    let device = Loop::attach(&file, &["-r"]);
    // The device keeps its size; what it has lost reads as an I/O error.
    let left = 9 * MIB + 8192;
    File::options().write(true).open(&file).unwrap().set_len(left).unwrap();
    let machine = folder.path().join("oldpc");
    capture_in_part(&device.0, &machine, &[]);
    let lost = std::slice::from_ref(&(left..64 * MIB)).to_vec();
    assert_eq!(bad_in(&machine.join("disk0.map")), lost);
    judge_in_part(&whole, &lost, &machine, folder.path());
}

/// Shell words for a failing disk: `$4` is the offset and `$3` the length of a read; `touches A B` says whether it
/// meets those bytes.
const TOUCHES: &str = "touches() { [ \"$offset\" -lt \"$2\" ] && [ $((offset + length)) -gt \"$1\" ]; }\n\
                       length=$3; offset=$4\n";

#[test]
fn errors_that_heal_at_the_third_retry_are_read_with_enough_retries() {
    let folder = tempfile::tempdir().unwrap();
    let disk = stale(&folder.path().join("disk.img"), 4);
    // Two sectors that are read at the third time when they are asked for alone.
    let sick = 3 * MIB..3 * MIB + 1024;
    let script = format!(
        "{TOUCHES} if touches {} {}; then\n\
         if [ \"$length\" -gt 512 ]; then echo EIO too long >&2; exit 1; fi\n\
         echo >> $folder/try.$offset\n\
         if [ $(wc -l < $folder/try.$offset) -lt 3 ]; then echo EIO not yet >&2; exit 1; fi; fi",
        sick.start, sick.end
    );
    for (retries, healed) in [("1", false), ("2", true)] {
        let place = folder.path().join(retries);
        fs::create_dir(&place).unwrap();
        let failing = FailingDisk::with_script(&disk, &script, &place);
        let machine = place.join("oldpc");
        if healed {
            let result = capture(&failing.path, &machine, &["--retries", retries]);
            assert_eq!(result["lost"]["bytes"], 0);
            assert!(!machine.join("disk0.lost.txt").exists());
            judge(&disk, &machine);
            run(p2v("verify").arg(&machine));
        } else {
            capture_in_part(&failing.path, &machine, &["--retries", retries]);
            assert_eq!(bad_in(&machine.join("disk0.map")), std::slice::from_ref(&sick));
        }
    }
    // ddrescue needs as many.
    for (retries, lost) in [("-r1", vec![sick]), ("-r2", Vec::new())] {
        let place = folder.path().join(retries);
        fs::create_dir(&place).unwrap();
        let failing = FailingDisk::with_script(&disk, &script, &place);
        assert_eq!(lost_to_ddrescue(&failing.path, &place, &[retries]), lost);
    }
}

#[test]
fn ddrescue_goes_on_where_a_capture_ended() {
    let folder = tempfile::tempdir().unwrap();
    let disk = stale(&folder.path().join("disk.img"), 8);
    let bad = [3 * MIB..3 * MIB + 4096, 5 * MIB + 512..5 * MIB + 1024];
    let machine = folder.path().join("oldpc");
    {
        let failing = FailingDisk::with_bad(&disk, &bad, folder.path());
        capture_in_part(&failing.path, &machine, &[]);
    }
    let raw = folder.path().join("raw.img");
    run(Command::new("qemu-img")
        .args(["convert", "-O", "raw"])
        .args([&machine.join("disk0.qcow2"), &raw]));
    let map = folder.path().join("goes-on.map");
    fs::copy(machine.join("disk0.map"), &map).unwrap();
    // The disk reads again, and is said so: only what was lost is taken from it.
    let other = folder.path().join("other.img");
    fs::write(&other, vec![0x55; 8 * MIB as usize]).unwrap();
    for range in &bad {
        put(&other, range.start, &part_of(&disk, range));
    }
    run(Command::new("ddrescue").args(["-q", "-r1"]).args([&other, &raw, &map]));
    run(Command::new("cmp").args([&disk, &raw]));
    assert!(bad_in(&map).is_empty());
}

fn part_of(disk: &Path, range: &Range<u64>) -> Vec<u8> {
    let mut bytes = vec![0; (range.end - range.start) as usize];
    File::open(disk)
        .unwrap()
        .read_exact_at(&mut bytes, range.start)
        .unwrap();
    bytes
}

#[test]
fn an_image_that_ddrescue_made_is_captured_with_its_map() {
    let folder = tempfile::tempdir().unwrap();
    let disk = MixedDisk::make(folder.path());
    let at = block_on_ext4(&disk.path, "file5.bin", folder.path());
    let bad = std::slice::from_ref(&(at..at + 512)).to_vec();
    {
        let failing = FailingDisk::with_bad(&disk.path, &bad, folder.path());
        assert_eq!(lost_to_ddrescue(&failing.path, folder.path(), &[]), bad);
    }
    let machine = folder.path().join("oldpc");
    let map = folder.path().join("ddrescue.map");
    let image = folder.path().join("ddrescue.img");
    let result = capture_in_part(&image, &machine, &["--map", map.to_str().unwrap()]);
    assert_eq!(named(&result), ["6 /file5.bin 512"], "{result}");
    assert_eq!(bad_in(&machine.join("disk0.map")), bad);
    judge_in_part(&disk.path, &bad, &machine, folder.path());
    // A map of another disk is refused.
    fs::write(&map, "0x0 + 1\n0x0 0x1000 +\n").unwrap();
    let output = start(
        p2v("capture")
            .arg(&image)
            .arg("-o")
            .arg(folder.path().join("other"))
            .arg("--map")
            .arg(&map),
    );
    assert_eq!(output.status.code(), Some(1), "{}", errors(&output));
    assert!(
        errors(&output).contains("not a map of this disk"),
        "{}",
        errors(&output)
    );
}

#[test]
fn a_slow_area_is_read_last() {
    let folder = tempfile::tempdir().unwrap();
    let disk = stale(&folder.path().join("disk.img"), 64);
    // Slow only for large reads, for the sake of who waits for this test: the order of small ones is tested beside them.
    let slow = 20 * MIB..36 * MIB;
    let script = format!(
        "{TOUCHES} echo $offset >> $folder/order\n\
         if touches {} {} && [ \"$length\" -gt 65536 ]; then sleep 6; fi",
        slow.start, slow.end
    );
    let failing = FailingDisk::with_script(&disk, &script, folder.path());
    let machine = folder.path().join("oldpc");
    capture(&failing.path, &machine, &[]);
    judge(&disk, &machine);
    run(p2v("verify").arg(&machine));
    let order = fs::read_to_string(folder.path().join("order")).unwrap();
    let order: Vec<u64> = order.lines().map(|line| line.parse().unwrap()).collect();
    let end = order.iter().position(|at| (60 * MIB..63 * MIB).contains(at)).unwrap();
    let left = order[end..].iter().filter(|at| slow.contains(at)).count();
    assert!(left as u64 >= 2 * MIB / 65536, "{left} reads came last: {order:?}");
}

#[test]
fn a_stuck_disk_is_told_and_ctrl_c_ends_the_capture() {
    use std::io::{BufRead, BufReader};
    let folder = tempfile::tempdir().unwrap();
    let disk = stale(&folder.path().join("disk.img"), 16);
    // Stuck until the test lets go: the reads end then, and with them the process that nobody waits for.
    let script = format!(
        "{TOUCHES} if touches {} {}; then while ! [ -e $folder/go ]; do sleep 0.1; done; fi",
        9 * MIB,
        10 * MIB
    );
    let failing = FailingDisk::with_script(&disk, &script, folder.path());
    let machine = folder.path().join("oldpc");
    let mut child = p2v("capture")
        .arg(&failing.path)
        .arg("-o")
        .arg(&machine)
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("waiting for the disk for ")));
    run(Command::new("kill").arg("-INT").arg(child.id().to_string()));
    // The message comes although the disk still hangs.
    assert!(lines.any(|line| line.unwrap().contains("interrupted")));
    fs::write(folder.path().join("go"), "").unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(!machine.join("machine.toml").exists());
    run(p2v("capture").arg(&failing.path).arg("-o").arg(&machine).arg("--quiet"));
    judge(&disk, &machine);
}

#[test]
fn a_filesystem_whose_structures_are_lost_is_copied_whole_and_that_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let disk = MixedDisk::make(folder.path());
    // The superblock of ext4, the boot sector of FAT, the first records of NTFS's master file table.
    let table = run(Command::new("ntfsinfo")
        .arg("-m")
        .arg(part(&disk.path, NTFS, &folder.path().join("ntfs"))));
    let lcn = table
        .lines()
        .find_map(|line| line.trim().strip_prefix("LCN of Data Attribute for FILE_MFT:"));
    let table = NTFS.start + lcn.unwrap().trim().parse::<u64>().unwrap() * 4096;
    let bad = vec![
        FAT.start..FAT.start + 512,
        table..table + 1024,
        EXT4.start + 1024..EXT4.start + 2048,
    ];
    let failing = FailingDisk::with_bad(&disk.path, &bad, folder.path());
    let machine = folder.path().join("oldpc");
    let output = start(p2v("capture").arg(&failing.path).arg("-o").arg(&machine));
    let plan = errors(&output);
    assert_eq!(output.status.code(), Some(6), "{plan}");
    assert_eq!(plan.matches("its structures cannot be read").count(), 3, "{plan}");
    // Everything but free space that others know of is there.
    assert_eq!(bad_in(&machine.join("disk0.map")), bad);
    for range in [FAT, NTFS, EXT4] {
        let skipped = map_of(&machine)
            .into_iter()
            .any(|(found, status)| status == '?' && found.start < range.end && found.end > range.start);
        assert!(!skipped, "{range:?}");
    }
    judge_in_part(&disk.path, &bad, &machine, folder.path());
    let report = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(
        report.matches("Note: no files could be looked up").count(),
        3,
        "{report}"
    );
}
