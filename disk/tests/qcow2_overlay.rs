//! Overlays that take writes, judged by `qemu-img`, `qemu-io` and a model in memory.

mod qcow2_tools;

use disk::qcow2::{Compression, Image, Overlay, OverlayOptions, Qcow2Error, Writer, WriterOptions};
use disk::{BlockDevice, ReadAt};
use proptest::prelude::*;
use qcow2_tools::{check_clean, compare, content, qemu_img, qemu_img_fails, qemu_io};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;

/// A capture of `disk` in `folder`, compressed, with 64 KiB clusters.
fn capture(folder: &Path, disk: &[u8]) -> PathBuf {
    let path = folder.join("disk0.qcow2");
    let options = WriterOptions {
        virtual_size: disk.len() as u64,
        cluster_bits: 16,
        compression: Compression::Zstd(1),
    };
    let mut writer = Writer::create(&path, options).unwrap();
    let mut encoder = writer.encoder().unwrap();
    for (number, data) in disk.chunks(65536).enumerate() {
        let mut cluster = data.to_vec();
        cluster.resize(65536, 0);
        writer
            .append(number as u64, &encoder.encode(&cluster).unwrap())
            .unwrap();
    }
    writer.finish().unwrap();
    path
}

fn open(path: &Path, backing: &Path) -> Result<Overlay, Qcow2Error> {
    Overlay::open_or_create(path, backing, OverlayOptions::default())
}

fn read_all(disk: &impl ReadAt) -> Vec<u8> {
    let mut all = vec![0xee; disk.size() as usize];
    disk.read_at(0, &mut all).unwrap();
    all
}

#[derive(Clone, Debug)]
enum Step {
    Write(usize, usize, u8),
    Read(usize, usize),
    Flush,
    Reopen,
}

fn steps(size: usize) -> impl Strategy<Value = Vec<Step>> {
    let range = (0..size, prop_oneof![1..5000usize, 60_000..200_000usize]);
    let step = prop_oneof![
        6 => (range.clone(), any::<u8>()).prop_map(|((start, len), byte)| Step::Write(start, len, byte)),
        3 => range.prop_map(|(start, len)| Step::Read(start, len)),
        1 => Just(Step::Flush),
        1 => Just(Step::Reopen),
    ];
    prop::collection::vec(step, 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Any sequence of writes and reads behaves like memory, and QEMU sees the same disk afterwards.
    #[test]
    fn behaves_like_memory(
        pieces in prop::collection::vec((0u8..4, 1usize..400_000), 1..8),
        seed: u64,
        steps in steps(1 << 21),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let mut model = content(&pieces, seed);
        model.resize(model.len().next_multiple_of(512), 0);
        let backing = capture(folder.path(), &model);
        let before = std::fs::read(&backing).unwrap();
        let path = folder.path().join("disk0.now.qcow2");
        let mut overlay = open(&path, &backing).unwrap();
        prop_assert_eq!(overlay.size(), model.len() as u64);
        for step in steps {
            match step {
                Step::Write(start, len, byte) => {
                    let start = start % model.len();
                    let end = (start + len).min(model.len());
                    let data: Vec<u8> = (start..end).map(|at| byte.wrapping_add((at >> 9) as u8)).collect();
                    overlay.write_at(start as u64, &data).unwrap();
                    model[start..end].copy_from_slice(&data);
                }
                Step::Read(start, len) => {
                    let start = start % model.len();
                    let end = (start + len).min(model.len());
                    let mut data = vec![0xee; end - start];
                    overlay.read_at(start as u64, &mut data).unwrap();
                    prop_assert!(data == model[start..end]);
                }
                Step::Flush => overlay.flush().unwrap(),
                Step::Reopen => {
                    drop(overlay);
                    overlay = open(&path, &backing).unwrap();
                }
            }
        }
        prop_assert!(read_all(&overlay) == model);
        drop(overlay);
        let raw = folder.path().join("model.raw");
        std::fs::write(&raw, &model).unwrap();
        check_clean(&path);
        compare(&path, &raw);
        prop_assert!(read_all(&Image::open(&path).unwrap()) == model);
        prop_assert!(std::fs::read(&backing).unwrap() == before, "the capture has changed");
    }
}

#[test]
fn threads_write_parts_of_the_same_clusters() {
    let folder = tempfile::tempdir().unwrap();
    let mut model = content(&[(1, 4 << 20)], 1);
    let backing = capture(folder.path(), &model);
    let path = folder.path().join("disk0.now.qcow2");
    let overlay = Arc::new(open(&path, &backing).unwrap());
    // Each thread writes every fourth sector, and now and then reads its own back.
    let threads: Vec<_> = (0..4u64)
        .map(|number| {
            let overlay = Arc::clone(&overlay);
            thread::spawn(move || {
                for sector in (number..8192).step_by(4) {
                    let sector = (sector * 2731) % 8192 / 4 * 4 + number;
                    overlay.write_at(sector * 512, &[sector as u8; 512]).unwrap();
                    let mut back = [0; 512];
                    overlay.read_at(sector * 512, &mut back).unwrap();
                    assert_eq!(back, [sector as u8; 512]);
                }
                overlay.flush().unwrap();
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    for number in 0..4u64 {
        for sector in (number..8192).step_by(4) {
            let sector = ((sector * 2731) % 8192 / 4 * 4 + number) as usize;
            model[sector * 512..][..512].fill(sector as u8);
        }
    }
    assert!(read_all(&*overlay) == model);
    drop(overlay);
    check_clean(&path);
    let raw = folder.path().join("model.raw");
    std::fs::write(&raw, &model).unwrap();
    compare(&path, &raw);
}

#[test]
fn qemu_opens_it_wherever_the_folder_is() {
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("old: pc");
    std::fs::create_dir(&folder).unwrap();
    let model = content(&[(1, 300_000), (0, 200_000), (2, 100_000)], 5);
    let backing = capture(&folder, &model);
    let path = folder.join("disk0.now.qcow2");
    let overlay = open(&path, &backing).unwrap();
    overlay.write_at(100, b"written by p2v").unwrap();
    drop(overlay);
    let moved = outer.path().join("moved");
    std::fs::rename(&folder, &moved).unwrap();
    let info = qemu_img(&["info", "--output=json", moved.join("disk0.now.qcow2").to_str().unwrap()]);
    assert!(info.contains("\"backing-filename\": \"disk0.qcow2\""), "{info}");
    assert!(info.contains("\"backing-filename-format\": \"qcow2\""), "{info}");
    let path = moved.join("disk0.now.qcow2");
    // QEMU writes to it, then we do again.
    qemu_io(&path, "qcow2", &["write -P 0x11 200k 10k", "write -z 300k 64k"]);
    let overlay = open(&path, &moved.join("disk0.qcow2")).unwrap();
    overlay.write_at(310 << 10, &[0x22; 1024]).unwrap();
    let mut expected = model.clone();
    expected.resize(expected.len().next_multiple_of(512), 0);
    expected[100..114].copy_from_slice(b"written by p2v");
    expected[200 << 10..210 << 10].fill(0x11);
    expected[300 << 10..364 << 10].fill(0);
    expected[310 << 10..311 << 10].fill(0x22);
    assert!(read_all(&overlay) == expected);
    overlay.flush().unwrap();
    drop(overlay);
    check_clean(&path);
}

#[test]
fn an_overlay_on_something_else_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let other_folder = tempfile::tempdir().unwrap();
    let model = content(&[(1, 100_000)], 5);
    let backing = capture(folder.path(), &model);
    let other = capture(other_folder.path(), &model);
    let path = folder.path().join("disk0.now.qcow2");
    drop(open(&path, &backing).unwrap());
    let message = open(&path, &other).err().unwrap().to_string();
    assert!(
        message.contains("disk0.now.qcow2") && message.contains("not on"),
        "{message}"
    );
    // A capture is no overlay.
    assert!(open(&other, &backing).is_err());
    // No capture, no overlay, and no empty file left.
    let path = folder.path().join("new.qcow2");
    assert!(open(&path, &folder.path().join("absent.qcow2")).is_err());
    assert!(!path.exists());
    // An overlay that is no qcow2 image at all is left as it is.
    std::fs::write(&path, "letters").unwrap();
    assert!(open(&path, &backing).is_err());
    assert_eq!(std::fs::read(&path).unwrap(), b"letters");
}

#[test]
fn one_user_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let backing = capture(folder.path(), &content(&[(1, 100_000)], 5));
    let path = folder.path().join("disk0.now.qcow2");
    let overlay = open(&path, &backing).unwrap();
    assert!(matches!(open(&path, &backing), Err(Qcow2Error::Locked { .. })));
    assert!(matches!(Image::open(&path), Err(Qcow2Error::Locked { .. })));
    // Another overlay on the same capture is fine; so is reading the capture, for QEMU too.
    drop(open(&folder.path().join("other.qcow2"), &backing).unwrap());
    Image::open(&backing).unwrap();
    check_clean(&backing);
    qemu_img_fails(&["check", path.to_str().unwrap()]);
    overlay.write_at(0, b"still locked").unwrap();
    qemu_img_fails(&["check", path.to_str().unwrap()]);
    drop(overlay);
    check_clean(&path);
}

#[test]
fn an_ephemeral_overlay_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let model = content(&[(1, 300_000)], 5);
    let backing = capture(folder.path(), &model);
    let path = folder.path().join("session.qcow2");
    let options = OverlayOptions { ephemeral: true };
    let overlay = Overlay::open_or_create(&path, &backing, options).unwrap();
    let names = || {
        std::fs::read_dir(folder.path())
            .unwrap()
            .map(|e| e.unwrap().file_name())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(), ["disk0.qcow2"]);
    overlay.write_at(5, b"gone tomorrow").unwrap();
    overlay.flush().unwrap();
    let mut buf = [0; 18];
    overlay.read_at(0, &mut buf).unwrap();
    assert_eq!(&buf[5..], b"gone tomorrow");
    assert_eq!(buf[..5], model[..5]);
    // Two sessions at once do not see each other.
    let second = Overlay::open_or_create(&path, &backing, options).unwrap();
    second.read_at(0, &mut buf).unwrap();
    assert_eq!(buf[..], model[..18]);
    drop((overlay, second));
    assert_eq!(names(), ["disk0.qcow2"]);
}

/// Where round `round` of the killed process writes (the number of a 4 KiB block out of 4 096).
fn block_of(round: u64) -> u64 {
    round.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 52
}

/// The process that is killed: writes its round number all over the disk, flushes now and then, and says so.
fn write_until_killed(path: &Path, backing: &Path, first_round: u64) {
    let overlay = open(path, backing).unwrap();
    for round in first_round.. {
        let block: Vec<u8> = round.to_le_bytes().repeat(512);
        overlay.write_at(block_of(round) * 4096, &block).unwrap();
        if round % 37 == 0 {
            overlay.flush().unwrap();
            println!("flushed {round}");
        }
    }
}

#[test]
fn what_was_flushed_survives_kill_9() {
    const FOLDER: &str = "P2V_TEST_FOLDER_OF_THE_KILLED";
    const ROUND: &str = "P2V_TEST_FIRST_ROUND";
    if let Some(folder) = std::env::var_os(FOLDER) {
        let first_round = std::env::var(ROUND).unwrap().parse().unwrap();
        let folder = Path::new(&folder);
        return write_until_killed(&folder.join("now.qcow2"), &folder.join("disk0.qcow2"), first_round);
    }
    let folder = tempfile::tempdir().unwrap();
    let model = content(&[(1, 16 << 20)], 9);
    capture(folder.path(), &model);
    let path = folder.path().join("now.qcow2");
    let mut first_round = 1;
    // For each block the rounds that may have written it last.
    let mut possible: Vec<Vec<u64>> = vec![vec![0]; 4096];
    for life in 0..8u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "what_was_flushed_survives_kill_9", "--nocapture"])
            .env(FOLDER, folder.path())
            .env(ROUND, first_round.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // Killed at another moment each time: after a number of flushes, while it goes on writing.
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut flushed = first_round - 1;
        for _ in 0..1 + life * 3 {
            let line = lines
                .by_ref()
                .map(Result::unwrap)
                .find(|line| line.contains("flushed "))
                .unwrap();
            flushed = line.rsplit(' ').next().unwrap().parse().unwrap();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // Flushes that it still told of before it died count too.
        for line in lines.map_while(Result::ok) {
            if let Some(round) = line.strip_prefix("flushed ").and_then(|round| round.parse().ok()) {
                flushed = round;
            }
        }
        check_clean(&path);
        for round in first_round..=flushed {
            possible[block_of(round) as usize] = vec![round];
        }
        // Nobody knows how far it came after that: no further than to the next flush.
        first_round = flushed + 100;
        for round in flushed + 1..first_round {
            possible[block_of(round) as usize].push(round);
        }
        let image = Image::open(&path).unwrap();
        for (block, possible) in possible.iter_mut().enumerate() {
            let mut data = vec![0; 4096];
            image.read_at(block as u64 * 4096, &mut data).unwrap();
            let found = possible.iter().copied().find(|round| match round {
                0 => data == model[block * 4096..][..4096],
                _ => data == round.to_le_bytes().repeat(512),
            });
            let found = found.unwrap_or_else(|| panic!("life {life}: block {block} holds none of rounds {possible:?}"));
            *possible = vec![found];
        }
    }
}

#[test]
fn writes_past_the_end_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let backing = capture(folder.path(), &content(&[(1, 100_000)], 5));
    let overlay = open(&folder.path().join("now.qcow2"), &backing).unwrap();
    let size = overlay.size();
    assert!(overlay.write_at(size - 1, &[1, 2]).is_err());
    assert!(overlay.write_at(u64::MAX, &[1]).is_err());
    assert!(overlay.read_at(size, &mut [0]).is_err());
    overlay.write_at(size - 1, &[1]).unwrap();
    overlay.write_at(size, &[]).unwrap();
}
