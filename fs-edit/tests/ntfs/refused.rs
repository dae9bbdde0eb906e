//! What cannot be done: it is told, and nothing is broken.

use super::judges::*;
use super::volumes::{Tree, run};
use super::{attribute, noise, volume};
use fs_edit::FsEditError;

#[test]
fn a_full_volume_is_refused_before_anything_is_broken() {
    let (volume, mut files) = volume(8, &[]);
    let disk = Disk::new(&volume);
    disk.edit(|editor| {
        let error = editor.write("large", &noise(1, 8 << 20)).unwrap_err();
        assert!(matches!(error, FsEditError::NoRoom { .. }), "{error}");
        let mut number = 0;
        let error = loop {
            let (path, data) = (
                format!("Windows/file {number}"),
                noise(number, 700 + 13 * usize::try_from(number).unwrap()),
            );
            match editor.write(&path, &data) {
                Ok(()) => files.insert(path, data),
                Err(error) => break error,
            };
            number += 1;
        };
        assert!(number > 100, "{number}");
        assert!(matches!(error, FsEditError::NoRoom { .. }), "{error}");
        let error = editor.append("Windows/file 5", &noise(2, 1 << 20)).unwrap_err();
        assert!(matches!(error, FsEditError::NoRoom { .. }), "{error}");
        // It still works: smaller is possible, and what is removed makes room.
        editor.write("Windows/file 7", b"small").unwrap();
        files.insert("Windows/file 7".to_owned(), b"small".to_vec());
        for number in 100..number {
            editor.remove(&format!("Windows/file {number}")).unwrap();
            files.remove(&format!("Windows/file {number}"));
        }
        editor.write("again", &noise(3, 100_000)).unwrap();
        files.insert("again".to_owned(), noise(3, 100_000));
    });
    assert_eq!(hashes(disk.sound().path()), expected(&files));
}

#[test]
fn a_disk_that_fails_is_told_and_nothing_is_done_after_it() {
    let (volume, _) = volume(32, &[]);
    let disk = Disk::with_limit(&volume, 256 << 10);
    let mut editor = disk.open().unwrap();
    let error = editor.write("large", &noise(1, 1 << 20)).unwrap_err();
    assert!(
        error.to_string().contains("262144 bytes would have to be changed"),
        "{error}"
    );
    let error = editor.write("small", b"x").unwrap_err();
    assert!(error.to_string().contains("earlier change"), "{error}");
    assert!(editor.finish().is_err());
}

#[test]
fn what_is_not_finished_stops_where_it_was() {
    let (volume, _) = volume(32, &[]);
    let disk = Disk::new(&volume);
    let snapshot = disk.scratch.snapshot();
    let mut editor = disk.open().unwrap();
    editor.write("new", &noise(1, 1 << 20)).unwrap();
    let at_the_end = disk.scratch.changes().unwrap();
    drop(editor);
    assert_eq!(disk.scratch.changes().unwrap(), at_the_end);
    disk.scratch.restore(snapshot);
    disk.sound();
}

#[test]
fn volumes_that_are_not_in_order_are_refused() {
    let (volume, _) = volume(32, &[]);
    let refused = |volume: &[u8], why: &str| {
        let disk = Disk::new(volume);
        match disk.open() {
            Err(FsEditError::Unfit { kind: "NTFS", reason }) => assert!(reason.contains(why), "{why}: {reason}"),
            Err(error) => panic!("{why}: {error}"),
            Ok(_) => panic!("{why}: opened"),
        }
        assert_eq!(disk.scratch.changes().unwrap(), [], "{why}");
    };
    // A log in use: restart pages with a client that has not signed off.
    let file = Disk::new(&volume).volume();
    let log = clusters(file.path(), "$LogFile")[0].start;
    for (version, flags, why) in [
        (1, 0, "did not close"),
        (2, 0, "did not close"),
        (2, 2, "did not close"),
    ] {
        let mut open = volume.clone();
        for page in [log, log + 4096] {
            open[page..page + 4096].copy_from_slice(&restart_page(version, flags));
        }
        refused(&open, why);
    }
    let mut damaged = volume.clone();
    damaged[log..log + 8192].fill(0x33);
    refused(&damaged, "log");
    // `ntfsfix` without options marks the volume for chkdsk.
    let file = Disk::new(&volume).volume();
    run("ntfs-3g", "ntfsfix", &[file.path().to_str().unwrap()]);
    refused(&std::fs::read(file.path()).unwrap(), "chkdsk");
    // The session of a hibernated Windows.
    let mut session = b"hibr".to_vec();
    session.resize(8192, 0);
    refused(&Tree::new().file("hiberfil.sys", session).ntfs(32, ""), "hiberfil.sys");
    Disk::new(&Tree::new().file("hiberfil.sys", vec![0; 8192]).ntfs(32, ""))
        .edit(|editor| editor.write("x", b"x").unwrap());
    // Windows NT 4.0's version, in the volume's own record and in its mirror.
    let mut old = volume.clone();
    let file = Disk::new(&volume).volume();
    let record = record(file.path(), "$Volume");
    let mirror = clusters(file.path(), "$MFTMirr")[0].start + 3 * 1024;
    for at in [record, mirror] {
        let value = at + attribute(&volume[at..], 0x70) + 24;
        assert_eq!(old[value + 8..value + 10], [3, 1]);
        old[value + 8..value + 10].copy_from_slice(&[1, 2]);
    }
    refused(&old, "version is 1.2");
    refused(&vec![0; 1 << 20], "boot sector");
    refused(&volume[..volume.len() - (1 << 20)], "boot sector");
}

/// A restart page of the log, with a client.
fn restart_page(version: u8, flags: u8) -> Vec<u8> {
    let mut page = vec![0; 4096];
    let mut put = |at: usize, bytes: &[u8]| page[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, b"RSTR\x1E\0\x09\0");
    put(0x10, &4096u32.to_le_bytes());
    put(0x14, &4096u32.to_le_bytes());
    put(0x18, &[0x30, 0, 1, 0, version, 0]);
    put(0x30, &5u64.to_le_bytes());
    put(0x3A, &[0xFF, 0xFF, 0, 0, flags, 0]);
    for block in 0..8 {
        put(block * 512 + 510, &[1, 0]);
    }
    put(0x1E, &[1, 0]);
    page
}
