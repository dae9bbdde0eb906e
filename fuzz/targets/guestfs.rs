//! Whatever is damaged in a filesystem, its files are read or refused.
//!
//! The volumes are made by `mke2fs`, `mkntfs` and `mkfs.vfat`; the fuzzer chooses one and what to overwrite.
#![no_main]

use disk::guestfs::{self, GuestFs};
use disk::lost::owners;
use disk::usedmap::{VolumeKind, map_volume};
use disk::{ExtentSet, ReadAt};
use std::process::{Command, Stdio};
use std::sync::{Arc, LazyLock};

const SIZE: usize = 2 << 20;

static VOLUMES: LazyLock<[(VolumeKind, Vec<u8>); 4]> = LazyLock::new(|| {
    [
        (VolumeKind::Ext, made_by("mke2fs", &["-q", "-F", "-t", "ext2"])),
        (
            VolumeKind::Ext,
            made_by("mke2fs", &["-q", "-F", "-t", "ext4", "-O", "64bit"]),
        ),
        (VolumeKind::Ntfs, made_by("mkntfs", &["-q", "-F", "-f"])),
        (VolumeKind::Fat, made_by("mkfs.vfat", &[])),
    ]
});

libfuzzer_sys::fuzz_target!(|input: (u8, Vec<(u32, u32)>)| {
    let (which, damage) = input;
    let (kind, volume) = &VOLUMES[usize::from(which) % VOLUMES.len()];
    let mut volume = volume.clone();
    for (at, word) in damage {
        let at = at as usize % (SIZE - 4);
        volume[at..at + 4].copy_from_slice(&word.to_le_bytes());
    }
    let volume: Arc<dyn ReadAt> = Arc::new(volume);
    if let Ok(Some(mut fs)) = guestfs::open(*kind, Arc::clone(&volume)) {
        look(&mut *fs, "", 0);
    }
    // Whose everything is: nobody has more than there is.
    let everything = ExtentSet::from_range(0..SIZE as u64);
    if let Ok(map) = map_volume(&*volume) {
        let owners = owners(&volume, 0..SIZE as u64, &map, &everything);
        assert!(
            owners.free + owners.metadata + owners.unknown <= SIZE as u64,
            "{owners:?}"
        );
    }
});

/// Reads the start of every file, some folders deep.
fn look(fs: &mut dyn GuestFs, folder: &str, depth: u32) {
    for name in fs.list(folder).unwrap_or_default().into_iter().take(20) {
        let path = format!("{folder}/{name}");
        let _ = fs.size(&path);
        let _ = fs.read_start(&path, 10_000);
        if let Ok(place) = fs.place(&path) {
            let whole = place.pieces(0, place.size).expect("a file has all its bytes");
            assert_eq!(whole, place.data);
            let inside = |range: &std::ops::Range<u64>| range.start < range.end && range.end <= SIZE as u64;
            assert!(place.data.iter().chain(&place.slack).all(inside), "{place:?}");
        }
        if depth < 2 {
            look(fs, &path, depth + 1);
        }
    }
}

/// An empty volume. The file has a name of its own for each process that fuzzes.
fn made_by(program: &str, args: &[&str]) -> Vec<u8> {
    let name = format!("p2v-fuzz-{program}-{}-{}", args.len(), std::process::id());
    let path = std::env::temp_dir().join(name);
    std::fs::write(&path, vec![0; SIZE]).expect("the temporary folder is writable");
    let search = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    let mut command = Command::new(program);
    command
        .args(args)
        .arg(&path)
        .env("PATH", search)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let status = command.status().unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(status.success(), "{program} failed");
    let volume = std::fs::read(&path).expect("the volume was just made");
    // Left over, it would do no harm.
    let _ = std::fs::remove_file(&path);
    volume
}
