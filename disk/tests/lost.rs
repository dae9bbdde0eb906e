//! Whose a lost place is, judged by debugfs (icheck, ncheck), ntfscluster and mshowfat.
#![allow(missing_docs)]

mod volumes;

use disk::lost::{Owners, owners};
use disk::usedmap::map_volume;
use disk::{ExtentSet, ReadAt};
use std::ops::Range;
use std::sync::Arc;
use volumes::{Tree, run};

fn noise(seed: u32, len: usize) -> Vec<u8> {
    let words = (0..len as u32).flat_map(|i| (i ^ seed << 20).wrapping_mul(2_654_435_761).to_le_bytes());
    words.take(len).collect()
}

/// Small files, large ones, and folders of more than one block.
fn tree() -> Tree {
    let mut tree = Tree::new();
    for (number, len) in [9_000, 70_000, 400_000, 3_000_000].into_iter().enumerate() {
        let name = format!("Folder {number}/deeper/file {number}.bin");
        tree = tree.file(&name, noise(number as u32, len));
    }
    for number in 0..200 {
        tree = tree.file(
            &format!("Many/a rather long name, number {number}.txt"),
            noise(number, 3_000),
        );
    }
    tree
}

/// The owners of `lost` on a volume on which that was zeroed.
fn ask(volume: &[u8], lost: Range<u64>) -> Owners {
    let map = map_volume(&volume.to_vec()).unwrap();
    assert!(map.mapped, "{:?}", map.notes);
    let mut damaged = volume.to_vec();
    damaged[lost.start as usize..lost.end as usize].fill(0);
    let disk: Arc<dyn ReadAt> = Arc::new(damaged);
    owners(&disk, 0..volume.len() as u64, &map, &ExtentSet::from_range(lost))
}

fn written(volume: &[u8]) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), volume).unwrap();
    file
}

#[test]
fn ext_files_are_named_as_debugfs_names_them() {
    for kind in ["ext2", "ext3", "ext4"] {
        let volume = tree().ext(kind, 12);
        let file = written(&volume);
        let image = file.path().to_str().unwrap();
        let head = run("e2fsprogs", "dumpe2fs", &["-h", image]);
        let size: u64 = head
            .lines()
            .find_map(|line| line.strip_prefix("Block size:"))
            .unwrap()
            .trim()
            .parse()
            .unwrap();
        let blocks = volume.len() as u64 / size;
        let step = (blocks / 150) | 1;
        let asked: Vec<u64> = (1..blocks).step_by(step as usize).collect();
        let numbers: Vec<String> = asked.iter().map(u64::to_string).collect();
        let text = run(
            "e2fsprogs",
            "debugfs",
            &["-R", &format!("icheck {}", numbers.join(" ")), image],
        );
        let inodes: Vec<Option<String>> = text
            .lines()
            .skip(1)
            .map(|line| {
                line.split_whitespace()
                    .nth(1)
                    .filter(|word| *word != "<block")
                    .map(str::to_owned)
            })
            .collect();
        assert_eq!(inodes.len(), asked.len(), "{text}");
        let mut named = 0;
        for (block, inode) in asked.iter().zip(inodes) {
            let found = ask(&volume, block * size..(block + 1) * size);
            let what = format!("{kind}, block {block}, inode {inode:?}: {found:?}");
            // The filesystem's own inodes have no names.
            match inode.filter(|inode| inode == "2" || inode.parse::<u32>().unwrap() >= 11) {
                Some(inode) => {
                    let names = run("e2fsprogs", "debugfs", &["-R", &format!("ncheck {inode}"), image]);
                    let name = names
                        .lines()
                        .nth(1)
                        .unwrap()
                        .split_once('\t')
                        .unwrap()
                        .1
                        .trim()
                        .to_owned();
                    let [file] = &found.files[..] else { panic!("{what}") };
                    assert_eq!(file.bytes, size, "{what}");
                    let path = file.path.trim_end_matches('/').to_owned();
                    // The names in a lost folder are lost, its own is not.
                    assert_eq!(path, name.trim_end_matches('/').replace("//", "/"), "{what}");
                    named += 1;
                }
                None => assert!(found.files.is_empty(), "{what}"),
            }
        }
        assert!(named > 30, "{kind}: {named} blocks of files were asked for");
    }
}

#[test]
fn ntfs_files_are_named_as_ntfscluster_names_them() {
    let volume = tree().ntfs(16, "");
    let file = written(&volume);
    let image = file.path().to_str().unwrap();
    let mut named = 0;
    for cluster in (1..4096u64).step_by(61) {
        let range = format!("{cluster}-{cluster}");
        let text = run("ntfs-3g", "ntfscluster", &["-f", "-c", &range, image]);
        // "Inode 64 /Folder/file/$DATA"
        let name = text.lines().find_map(|line| {
            let path = line.strip_prefix("Inode ")?.split_once(' ')?.1;
            path.strip_suffix("/$DATA").map(str::to_owned)
        });
        let found = ask(&volume, cluster * 4096..(cluster + 1) * 4096);
        let what = format!("cluster {cluster}: {found:?}; ntfscluster: {text}");
        match name {
            Some(name) if !name.starts_with("/$") => {
                let [file] = &found.files[..] else { panic!("{what}") };
                assert_eq!((file.path.as_str(), file.bytes), (name.as_str(), 4096), "{what}");
                named += 1;
            }
            // The filesystem's own files are named too, where they can still be read.
            _ => assert!(found.files.iter().all(|file| file.path.starts_with("/$")), "{what}"),
        }
    }
    assert!(named > 5, "{named} clusters of files were asked for");
}

#[test]
fn fat_files_are_named_as_mshowfat_names_them() {
    let volume = tree().fat_with(20, &["-F16", "-s4"]);
    let file = written(&volume);
    let image = file.path().to_str().unwrap();
    let text = run("dosfstools", "fsck.fat", &["-v", "-n", image]);
    let data = text.lines().find(|line| line.starts_with("Data area starts")).unwrap();
    let data: u64 = data.split_whitespace().nth(5).unwrap().parse().unwrap();
    for path in ["/Folder 3/deeper/file 3.bin", "/Many/a rather long name, number 77.txt"] {
        let text = run("mtools", "mshowfat", &["-i", image, &format!("::{path}")]);
        let first = text.split_once('<').unwrap().1;
        let first: u64 = first.split(['-', '>']).next().unwrap().parse().unwrap();
        let at = data + (first - 2) * 2048;
        let found = ask(&volume, at..at + 512);
        assert_eq!(found.files.len(), 1, "{found:?}");
        assert_eq!((found.files[0].path.as_str(), found.files[0].bytes), (path, 512));
        assert_eq!((found.free, found.metadata, found.unknown), (0, 0, 0), "{found:?}");
    }
    // The last cluster is free.
    let end = volume.len() as u64;
    let found = ask(&volume, end - 8192..end - 4096);
    assert_eq!((found.free, found.files.len()), (4096, 0), "{found:?}");
}

#[test]
fn whatever_is_damaged_nobody_has_more_than_was_lost() {
    use proptest::prelude::*;
    use proptest::test_runner::{Config, TestRunner};
    let tree = Tree::new()
        .file("a/b/large.bin", noise(1, 600_000))
        .file("small.txt", "small");
    let volumes = [tree.ext("ext2", 4), tree.ext("ext4", 4), tree.ntfs(4, ""), tree.fat(4)];
    let seen = std::cell::RefCell::new(std::collections::BTreeSet::new());
    for (number, volume) in volumes.into_iter().enumerate() {
        // A runner counts its cases over all that it runs.
        let mut runner = TestRunner::new(Config::with_cases(60));
        // Structures: everything in use but what files hold, which most of the volume is.
        let used = map_volume(&volume).unwrap().used;
        let noise = noise(1, 600_000);
        let structures: Vec<usize> = used
            .iter()
            .flat_map(|range| range.step_by(512))
            .map(|at| at as usize)
            .filter(|at| {
                let sector = &volume[*at..*at + 512];
                // NTFS has large tables of letters and a large log; what says where files are is in its records.
                if number == 2 {
                    return volume[at / 1024 * 1024..].starts_with(b"FILE");
                }
                sector.iter().any(|byte| *byte != 0) && !noise.chunks_exact(512).any(|part| part == sector)
            })
            .collect();
        let word = (
            0usize..508,
            prop_oneof![any::<[u8; 4]>(), Just([0; 4]), Just([0xFF; 4])],
        );
        let damage = prop::collection::vec((prop::sample::select(structures), word), 1..30);
        let result = runner.run(&damage, |damage| {
            let mut damaged = volume.clone();
            for (sector, (at, bytes)) in &damage {
                damaged[sector + at..sector + at + 4].copy_from_slice(bytes);
            }
            let size = damaged.len() as u64;
            let map = map_volume(&damaged).unwrap();
            let disk: Arc<dyn ReadAt> = Arc::new(damaged);
            let found = owners(&disk, 0..size, &map, &ExtentSet::from_range(0..size));
            prop_assert!(found.free + found.metadata + found.unknown <= size, "{:?}", found);
            seen.borrow_mut().insert((number, found.files.len(), found.notes));
            Ok(())
        });
        result.unwrap();
    }
    // The damage is not all beside the point.
    let seen = seen.into_inner();
    for number in 0..4 {
        let ways = seen.iter().filter(|(volume, ..)| *volume == number).count();
        assert!(ways > 1, "volume {number}: {seen:?}");
    }
}

#[test]
fn folders_inside_themselves_are_walked_once() {
    let mut tree = Tree::new().file("OUTER/INNER/FILE.BIN", noise(1, 9_000));
    for number in 0..60 {
        tree = tree.file(&format!("OUTER/D{number}/X"), "x");
    }
    let mut volume = tree.fat_with(20, &["-F16", "-s4"]);
    let entry = |volume: &[u8], name: &[u8; 11]| {
        let at = volume
            .chunks(32)
            .position(|entry| entry.starts_with(name) && entry[11] & 0x10 != 0);
        at.unwrap() * 32
    };
    let outer = entry(&volume, b"OUTER      ");
    let cluster = [volume[outer + 26], volume[outer + 27]];
    // Sixty folders that are the one they are in: 60⁶⁴ paths.
    for number in 0..60 {
        let name = format!("{:11}", format!("D{number}"));
        let at = entry(&volume, name.as_bytes().try_into().unwrap());
        volume[at + 26..at + 28].copy_from_slice(&cluster);
    }
    let map = map_volume(&volume).unwrap();
    let size = volume.len() as u64;
    let disk: Arc<dyn ReadAt> = Arc::new(volume);
    let found = owners(&disk, 0..size, &map, &ExtentSet::from_range(0..size));
    let files = found.files.iter().filter(|file| file.path.ends_with("/FILE.BIN"));
    assert_eq!(files.map(|file| file.bytes).collect::<Vec<_>>(), [9_000], "{found:?}");
}
