//! `p2v adapt` reads what it needs and no more: 500 GB take no longer than 5.

mod common;
#[allow(dead_code, reason = "each test binary uses its own part")]
#[path = "../../drivers-inject/tests/common/hives.rs"]
mod hives;
mod linux;
#[path = "../../disk/tests/volumes/mod.rs"]
mod volumes;
mod windows;

use common::*;
use std::fs::File;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

const GIB: u64 = 1 << 30;
/// Partition 1, with a Windows.
const NTFS: std::ops::Range<u64> = MIB..300 * GIB;
/// Partition 2, with a Linux.
const EXT4: std::ops::Range<u64> = 300 * GIB..499 * GIB;
/// What may be read, in bytes. Maps of used blocks alone are 16 MiB of this disk, most of them zeros.
const LIMIT: u64 = 24 * MIB;
/// A file that is none of adapt's business.
const FILM: u64 = 4 * LIMIT;

/// Makes the disk: sparse, with both systems.
fn disk(path: &Path) {
    File::create(path).unwrap().set_len(500 * GIB).unwrap();
    let table = format!(
        "label: dos\nunit: sectors\nstart={}, size={}, type=7, bootable\nstart={}, size={}, type=83\n",
        NTFS.start / 512,
        (NTFS.end - NTFS.start) / 512,
        EXT4.start / 512,
        (EXT4.end - EXT4.start) / 512
    );
    feed(Command::new("sfdisk").arg("-q").arg(path), &table);
    let tree = linux::tree().file("etc/fstab", "/dev/sda2 / ext4 defaults 0 1\n");
    run(Command::new("mke2fs")
        .args(["-q", "-F", "-t", "ext4", "-J", "size=64", "-d"])
        .arg(tree.path())
        .arg("-E")
        .arg(format!(
            "lazy_itable_init=1,lazy_journal_init=1,nodiscard,offset={}",
            EXT4.start
        ))
        .arg(path)
        .arg(format!("{}k", (EXT4.end - EXT4.start) / 1024)));
    let range = [
        format!("--offset={}", NTFS.start),
        format!("--sizelimit={}", NTFS.end - NTFS.start),
    ];
    let device = Loop::attach(path, &[&range[0], &range[1]]);
    run(Command::new("mkntfs").args(["-q", "-F", "-Q"]).arg(&device.0));
    let hive = windows::windows_7().build();
    let tree = windows::tree(&hive, &windows::software("Windows 7 Professional", "6.1", "7601"))
        .file("Users/Me/film.avi", noise(2, FILM as usize));
    let mount = tempfile::tempdir().unwrap();
    // In the foreground, so that all is written when it has ended.
    let script = "ntfs-3g -o no_detach \"$1\" \"$2\" & fs=$!; until mountpoint -q \"$2\"; do kill -0 $fs; done; \
                  trap 'umount \"$2\"; wait $fs' EXIT; cp -r \"$3\"/. \"$2\"";
    run(Command::new("sh")
        .args(["-euc", script, "sh"])
        .arg(&device.0)
        .args([mount.path(), tree.path()]));
}

/// Runs a command; what it printed, and how many bytes it read from files: the kernel adds those of a process to its
/// parent's when that has waited for it.
fn reads(command: &mut Command) -> (String, u64) {
    let script = "\"$@\"; grep rchar /proc/$$/io";
    let mut whole = Command::new("sh");
    whole.args(["-euc", script, "sh"]);
    let text = run(whole.arg(command.get_program()).args(command.get_args()));
    let (said, count) = text.rsplit_once("rchar: ").unwrap();
    (said.to_owned(), count.trim().parse().unwrap())
}

#[test]
fn five_hundred_gigabytes_are_looked_at_by_their_files_alone() {
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("disk.img");
    disk(&image);
    let machine = folder.path().join("oldpc");
    let started = Instant::now();
    capture(&image, &machine, &[]);
    println!("captured in {:.1?}", started.elapsed());
    let size = std::fs::metadata(machine.join("disk0.qcow2")).unwrap().len();
    assert!(size > FILM, "a capture of {size} bytes shows nothing");

    // The count counts: reading a file of a known size.
    let (_, sum) = reads(Command::new("sha256sum").arg(std::env::current_exe().unwrap()));
    assert!(sum >= std::fs::metadata(std::env::current_exe().unwrap()).unwrap().len());

    for more in [&["--dry-run"][..], &[]] {
        let started = Instant::now();
        let (said, bytes) = reads(p2v("adapt").arg(&machine).args(more));
        println!(
            "p2v adapt {more:?}: {bytes} bytes read, {:.1?}\n{said}",
            started.elapsed()
        );
        assert!(
            said.contains("msahci Start: 3 → 0") && said.contains("file etc/fstab"),
            "{said}"
        );
        assert!(bytes < LIMIT, "{bytes} bytes were read");
    }
}
