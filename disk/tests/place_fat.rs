//! Where files lie on FAT volumes, judged by mshowfat, and changes in place, judged by mtools and fsck.fat.

mod volumes;

use disk::ReadAt;
use disk::guestfs::{self, GuestFsError, Placement};
use disk::scratch::Scratch;
use disk::usedmap::VolumeKind::Fat;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use volumes::{Tree, run};

fn noise(seed: u32, len: usize) -> Vec<u8> {
    let words = (0..len as u32).flat_map(|i| (i ^ seed).wrapping_mul(2_654_435_761).to_le_bytes());
    words.take(len).collect()
}

fn place(volume: &[u8], path: &str) -> Result<Placement, GuestFsError> {
    let mut fs = guestfs::open(Fat, Arc::new(volume.to_vec())).unwrap().unwrap();
    fs.place(path)
}

/// Where the clusters begin, in bytes.
fn data_start(image: &Path) -> u64 {
    let text = run("dosfstools", "fsck.fat", &["-v", "-n", image.to_str().unwrap()]);
    let line = text.lines().find(|line| line.starts_with("Data area starts")).unwrap();
    line.split_whitespace().nth(5).unwrap().parse().unwrap()
}

/// The clusters of a file in the order of the file, by mshowfat: `::/file <2> <7-15>`.
fn by_mshowfat(image: &Path, path: &str, cluster: u64) -> Vec<Range<u64>> {
    let data = data_start(image);
    let text = run(
        "mtools",
        "mshowfat",
        &["-i", image.to_str().unwrap(), &format!("::{path}")],
    );
    let items = text
        .split(['<', '>'])
        .filter(|item| item.starts_with(|c: char| c.is_ascii_digit()));
    let range = |item: &str| {
        let (first, last) = item.split_once('-').unwrap_or((item, item));
        let (first, last): (u64, u64) = (first.parse().unwrap(), last.parse().unwrap());
        data + (first - 2) * cluster..data + (last - 1) * cluster
    };
    items.map(range).collect()
}

/// A volume with a file in several pieces, made by mtools.
fn fragmented(megabytes: u32, options: &[&str]) -> tempfile::NamedTempFile {
    let folder = Tree::new().file("folder/first file.txt", noise(1, 9000));
    let volume = folder.fat_with(megabytes, options);
    let image = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(image.path(), volume).unwrap();
    let name = image.path().to_str().unwrap().to_owned();
    let copy = |target: &str, bytes: &[u8]| {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        let args = ["-i", &name, file.path().to_str().unwrap(), &format!("::{target}")];
        run("mtools", "mcopy", &args);
    };
    for number in 0..8 {
        copy(&format!("small{number}"), &noise(2, 5000));
    }
    for number in [1, 3, 4, 6] {
        run("mtools", "mdel", &["-i", &name, &format!("::small{number}")]);
    }
    if options.contains(&"32") {
        // FAT32 notes down where to look for free clusters: at the start again.
        std::os::unix::fs::FileExt::write_all_at(image.as_file(), &[2, 0, 0, 0], 512 + 492).unwrap();
    }
    copy("folder/SYSTEM", &noise(3, 100_001));
    copy("empty", b"");
    image
}

/// A disk that takes writes, in memory.
fn writable(bytes: Vec<u8>) -> Scratch {
    Scratch::new(Arc::new(bytes), u64::MAX)
}

/// All of its bytes.
fn bytes_of(disk: &Scratch) -> Vec<u8> {
    let mut bytes = vec![0; disk.size() as usize];
    disk.read_at(0, &mut bytes).unwrap();
    bytes
}

#[test]
fn places_are_those_that_mshowfat_lists() {
    for (megabytes, options, cluster) in [
        (2, &["-F", "12", "-s", "1"][..], 512),
        (2, &["-F", "12", "-s", "4"], 2048),
        (16, &["-F", "16", "-s", "2"], 1024),
        (40, &["-F", "32", "-s", "1"], 512),
        (140, &["-F", "32", "-s", "4"], 2048),
    ] {
        let image = fragmented(megabytes, options);
        let volume = std::fs::read(image.path()).unwrap();
        for (path, contents) in [
            ("folder/SYSTEM", noise(3, 100_001)),
            ("folder/first file.txt", noise(1, 9000)),
            ("small7", noise(2, 5000)),
        ] {
            let place = place(&volume, path).unwrap();
            assert_eq!(place.size, contents.len() as u64);
            let mut all: Vec<Range<u64>> = Vec::new();
            for range in place.data.iter().chain(&place.slack) {
                match all.last_mut() {
                    Some(last) if last.end == range.start => last.end = range.end,
                    _ => all.push(range.clone()),
                }
            }
            assert_eq!(all, by_mshowfat(image.path(), path, cluster), "{options:?} {path}");
            let bytes = place
                .data
                .iter()
                .flat_map(|range| &volume[range.start as usize..range.end as usize]);
            assert!(bytes.copied().eq(contents), "{options:?} {path}");
        }
        assert_eq!(place(&volume, "empty").unwrap(), Placement::default());

        // A change across the pieces, seen by mtools; the filesystem is as good as before.
        let system = place(&volume, "folder/SYSTEM").unwrap();
        assert!(system.data.len() > 2, "{:?}", system.data);
        let device = writable(volume.clone());
        system.write_at(&device, 0, 1000, &noise(4, 40_000)).unwrap();
        std::fs::write(image.path(), bytes_of(&device)).unwrap();
        let read = tempfile::NamedTempFile::new().unwrap();
        let (name, target) = (image.path().to_str().unwrap(), read.path().to_str().unwrap());
        run("mtools", "mcopy", &["-n", "-o", "-i", name, "::folder/SYSTEM", target]);
        let mut expected = noise(3, 100_001);
        expected[1000..41_000].copy_from_slice(&noise(4, 40_000));
        assert!(std::fs::read(read.path()).unwrap() == expected);
        run("dosfstools", "fsck.fat", &["-n", name]);
    }
}

#[test]
fn chains_that_make_no_sense_are_refused() {
    let image = fragmented(16, &["-F", "16", "-s", "2"]);
    let volume = std::fs::read(image.path()).unwrap();
    let clusters = by_mshowfat(image.path(), "folder/SYSTEM", 1024);
    let (data, reserved) = (data_start(image.path()), 512 * u64::from(volume[14]));
    let number = |position: u64| (position - data) / 1024 + 2;
    let (first, second) = (number(clusters[0].start), number(clusters[1].start));
    // In the entry of the last cluster of the second piece, in the first copy of the table.
    let last = number(clusters[1].end - 1024);
    let with = |next: u64| {
        let mut volume = volume.clone();
        let at = (reserved + last * 2) as usize;
        volume[at..at + 2].copy_from_slice(&(next as u16).to_le_bytes());
        place(&volume, "folder/SYSTEM")
    };
    for (next, reason) in [
        (second, "circle"),
        (first, "circle"),
        (0xFFFF, "ends too early"),
        (0, "ends too early"),
        (1, "ends too early"),
        (0xFFF7, "ends too early"),
    ] {
        let error = with(next).unwrap_err();
        assert!(matches!(error, GuestFsError::NotInPlace { .. }), "{error}");
        assert!(error.to_string().contains(reason), "{next}: {error}");
    }
    let error = place(&volume, "none").unwrap_err();
    assert!(matches!(error, GuestFsError::NotFound(_)));
    assert!(matches!(place(&volume, "folder"), Err(GuestFsError::WrongKind { .. })));
}

#[test]
fn damaged_volumes_give_errors() {
    let image = fragmented(16, &["-F", "16", "-s", "2"]);
    let volume = std::fs::read(image.path()).unwrap();
    let mut state = 7u64;
    for _ in 0..300 {
        let mut volume = volume.clone();
        for _ in 0..6 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            // Boot sector, tables and folders come first.
            let at = (state >> 33) as usize % (80 << 10);
            volume[at] ^= (state >> 16) as u8;
        }
        if let Ok(Some(mut fs)) = guestfs::open(Fat, Arc::new(volume.clone()))
            && let Ok(place) = fs.place("folder/SYSTEM")
        {
            assert!(
                place
                    .data
                    .iter()
                    .chain(&place.slack)
                    .all(|range| range.end <= volume.len() as u64)
            );
        }
    }
}
