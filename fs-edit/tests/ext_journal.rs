//! Replaying journals that `debugfs` wrote: the result is what `e2fsck` and `debugfs` make of the same journal.

mod extfs;

use disk::raw::RawFile;
use disk::usedmap::VolumeKind;
use extfs::{Image, MIB, noise, run};
use fs_edit::{FsEditError, JournalState, Replayed, journal_state, replay_journal};
use proptest::prelude::*;
use std::fs;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::process::Command;

/// Name, `mke2fs`, `debugfs jo`.
const JOURNALS: &[(&str, &str, &str)] = &[
    ("ext3", "-t ext3 -b 4096", "jo"),
    ("ext3 of 1 KiB blocks", "-t ext3 -b 1024", "jo"),
    (
        "ext4 without checksums",
        "-t ext4 -b 4096 -O ^metadata_csum,^64bit",
        "jo",
    ),
    ("ext4 with 64bit", "-t ext4 -b 4096 -O ^metadata_csum,64bit", "jo"),
    (
        "checksum version 2",
        "-t ext4 -b 4096 -O metadata_csum,^64bit",
        "jo -c -v 2",
    ),
    (
        "checksum version 2, 64bit",
        "-t ext4 -b 1024 -O metadata_csum,64bit",
        "jo -c -v 2",
    ),
    (
        "checksum version 3",
        "-t ext4 -b 1024 -O metadata_csum,^64bit",
        "jo -c -v 3",
    ),
    (
        "checksum version 3, 64bit",
        "-t ext4 -b 4096 -O metadata_csum,64bit",
        "jo -c -v 3",
    ),
];

/// A volume whose changes wait in the journal, and what it must become.
struct Waiting {
    image: Image,
    /// The image after the changes, without a journal.
    changed: Vec<u8>,
    block: usize,
}

fn copy(image: &Image) -> Image {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("image");
    fs::copy(&image.path, &path).unwrap();
    Image { folder, path }
}

fn list(blocks: &[usize]) -> String {
    blocks.iter().map(usize::to_string).collect::<Vec<_>>().join(",")
}

/// Changes files in a copy, and writes the blocks that differ as transactions into the journal of the original. Two
/// more blocks are written and revoked; the last transaction has no commit.
fn waiting(arguments: &str, journal: &str) -> Waiting {
    let tree = tempfile::tempdir().unwrap();
    fs::write(tree.path().join("fstab"), b"old").unwrap();
    fs::write(tree.path().join("victim"), noise(200_000, 9)).unwrap();
    let image = Image::new(&format!("{arguments} -J size=4"), 32 * MIB, tree.path());
    let other = copy(&image);
    other.edit(|editor| {
        editor.write("/fstab", b"new").unwrap();
        editor.create_folder("/folder").unwrap();
        for number in 0..60 {
            let data = match number {
                // Starts with the log's magic number: must be escaped there.
                0 => [b"\xC0\x3B\x39\x98".to_vec(), noise(9000, 1)].concat(),
                _ => noise(number * 500, number as u64),
            };
            editor.write(&format!("/folder/{number}"), &data).unwrap();
        }
    });
    let stats = image.debugfs("stats");
    let block = stats
        .split("Block size:")
        .nth(1)
        .and_then(|rest| rest.split_whitespace().next());
    let block: usize = block.unwrap().parse().unwrap();
    let (before, changed) = (fs::read(&image.path).unwrap(), fs::read(&other.path).unwrap());
    let mut blocks: Vec<usize> = (0..before.len() / block)
        .filter(|at| before[at * block..][..block] != changed[at * block..][..block])
        .collect();
    // The superblock: only its counters differ, and they are summed up anew.
    blocks.retain(|at| *at != 1024 / block);
    assert!(blocks.len() > 50);
    let victim = image.debugfs("blocks /victim");
    let victims: Vec<usize> = victim
        .split_whitespace()
        .take(2)
        .map(|word| word.parse().unwrap())
        .collect();

    let write = |name: String, options: &str, blocks: &[usize], bytes: &[u8]| {
        let data: Vec<u8> = blocks
            .iter()
            .flat_map(|at| &bytes[at * block..][..block])
            .copied()
            .collect();
        fs::write(image.folder.path().join(&name), data).unwrap();
        format!("jw -b {} {options} {name}\n", list(blocks))
    };
    let mut script = format!("{journal}\n");
    let garbage = noise(before.len(), 77);
    script += &write(
        "garbage".to_owned(),
        "",
        &[&victims[..], &blocks[blocks.len() - 5..]].concat(),
        &garbage,
    );
    // Revokes beside blocks in one transaction: debugfs 1.47.0 loses the commit.
    script += &format!("jw -r {}\n", list(&victims));
    for (number, part) in blocks.chunks(12).enumerate() {
        script += &write(number.to_string(), "", part, &changed);
    }
    script += &write("unfinished".to_owned(), "-c", &victims, &garbage);
    script += "jc\n";
    image.change(&script);
    Waiting { image, changed, block }
}

fn replay(image: &Image) -> Result<Replayed, FsEditError> {
    let device = RawFile::open(&image.path, true).unwrap();
    replay_journal(VolumeKind::Ext, &device, 0..image.size())
}

fn state(image: &Image) -> JournalState {
    let device = RawFile::open(&image.path, false).unwrap();
    journal_state(VolumeKind::Ext, &device, 0..image.size()).unwrap()
}

/// Blocks that belong to the journal's inode.
fn journal_blocks(image: &Image) -> Vec<usize> {
    let blocks = image.debugfs("blocks <8>");
    blocks.split_whitespace().map(|word| word.parse().unwrap()).collect()
}

/// Blocks in which two images differ, but for the superblock and the journal.
fn differences(image: &Image, other: &[u8], block: usize) -> Vec<usize> {
    let journal = journal_blocks(image);
    let bytes = fs::read(&image.path).unwrap();
    (0..bytes.len() / block)
        .filter(|at| bytes[at * block..][..block] != other[at * block..][..block])
        .filter(|at| *at != 1024 / block && !journal.contains(at))
        .collect()
}

#[test]
fn a_replayed_volume_is_what_e2fsck_and_debugfs_make_of_it() {
    for (name, arguments, journal) in JOURNALS {
        println!("{name}");
        let Waiting { image, changed, block } = waiting(arguments, journal);
        let [by_debugfs, by_e2fsck] = [copy(&image), copy(&image)];
        assert_eq!(state(&image), JournalState::NeedsReplay);
        assert!(matches!(
            image.open(&image.scratch()).err(),
            Some(FsEditError::Unfit { .. })
        ));
        let replayed = replay(&image).unwrap();
        assert!(replayed.transactions >= 4 && replayed.damaged.is_none(), "{replayed:?}");
        assert_eq!(state(&image), JournalState::Clean);
        assert_eq!(image.complaint(), None);
        assert_eq!(image.dump("/victim"), noise(200_000, 9));
        assert_eq!(image.dump("/fstab"), b"new");
        assert!(image.dump("/folder/0").starts_with(b"\xC0\x3B\x39\x98"));
        assert_eq!(differences(&image, &changed, block), Vec::<usize>::new());
        // debugfs' own replay.
        by_debugfs.change("jr\n");
        let other = fs::read(&by_debugfs.path).unwrap();
        assert_eq!(differences(&image, &other, block), Vec::<usize>::new());
        // e2fsck's. It may write the times of its own work, in the superblock only.
        run(Command::new("e2fsck").arg("-p").arg(&by_e2fsck.path));
        let other = fs::read(&by_e2fsck.path).unwrap();
        assert_eq!(differences(&image, &other, block), Vec::<usize>::new());
        // A second time there is nothing to do, and files can be changed.
        assert_eq!(replay(&image).unwrap(), Replayed::default());
        image.edit(|editor| editor.write("/fstab", b"newer").unwrap());
        assert_eq!(image.complaint(), None);
    }
}

/// Finds the commit block of the transaction `number` from the start of the log.
fn commits(image: &Image, block: usize) -> Vec<usize> {
    let bytes = fs::read(&image.path).unwrap();
    let journal = journal_blocks(image);
    let is_commit = |at: &usize| bytes[at * block..][..8] == *b"\xC0\x3B\x39\x98\x00\x00\x00\x02";
    journal.into_iter().filter(is_commit).collect()
}

#[test]
fn a_damaged_transaction_ends_the_replay_and_is_told() {
    for (name, arguments, journal) in JOURNALS.iter().filter(|(.., journal)| journal.contains("-c")) {
        println!("{name}");
        let Waiting { image, block, .. } = waiting(arguments, journal);
        let commits = commits(&image, block);
        let file = File::options().write(true).open(&image.path).unwrap();
        file.write_all_at(&[0x5A], (commits[2] * block + 100) as u64).unwrap();
        let replayed = replay(&image).unwrap();
        assert_eq!(replayed.transactions, 2);
        assert!(replayed.damaged.is_some());
        assert_eq!(state(&image), JournalState::Clean);
        let error = image.open(&image.scratch()).err().expect("it has errors").to_string();
        assert!(error.contains("fsck"), "{error}");
        let out = extfs::output(Command::new("e2fsck").arg("-p").arg(&image.path));
        let text = String::from_utf8_lossy(&out.stdout).into_owned();
        assert!(text.contains("contains a file system with errors"), "{text}");
    }
}

#[test]
fn a_damaged_block_in_the_journal_is_refused_and_nothing_is_written() {
    let Waiting { image, block, .. } = waiting(JOURNALS[7].1, JOURNALS[7].2);
    let commits = commits(&image, block);
    let file = File::options().write(true).open(&image.path).unwrap();
    file.write_all_at(&[0x5A; 3], ((commits[3] - 1) * block + 7) as u64)
        .unwrap();
    let before = fs::read(&image.path).unwrap();
    let error = replay(&image).unwrap_err().to_string();
    assert!(error.contains("wrong checksum"), "{error}");
    assert!(fs::read(&image.path).unwrap() == before);
}

#[test]
fn a_journal_elsewhere_or_with_unknown_features_is_refused() {
    let Waiting { image, block, .. } = waiting(JOURNALS[0].1, JOURNALS[0].2);
    let file = File::options().write(true).read(true).open(&image.path).unwrap();
    let home = (journal_blocks(&image)[0] * block) as u64;
    for (offset, bytes) in [
        (0x28, 0x40u32),
        (0x28, 0x18),
        (0x2C, 1),
        (0x0C, 512),
        (0x14, 0),
        (0x1C, 0x7FFF_FFFF),
    ] {
        let mut before = [0; 4];
        file.read_exact_at(&mut before, home + offset).unwrap();
        file.write_all_at(&bytes.to_be_bytes(), home + offset).unwrap();
        assert!(matches!(replay(&image), Err(FsEditError::Unfit { .. })));
        file.write_all_at(&before, home + offset).unwrap();
    }
    file.write_all_at(&7u32.to_le_bytes(), 1024 + 228).unwrap();
    let error = replay(&image).unwrap_err().to_string();
    assert!(error.contains("another device"), "{error}");
    file.write_all_at(&0u32.to_le_bytes(), 1024 + 228).unwrap();
    replay(&image).unwrap();
    assert_eq!(image.complaint(), None);
}

#[test]
fn whatever_bytes_a_journal_has_there_is_an_answer() {
    let images = [0, 3, 5, 7].map(|at| {
        let Waiting { image, block, .. } = waiting(JOURNALS[at].1, JOURNALS[at].2);
        let journal = journal_blocks(&image);
        // Descriptor, revoke and commit blocks, the superblock, and the map.
        let bytes = fs::read(&image.path).unwrap();
        let magic = |at: &usize| bytes[at * block..].starts_with(b"\xC0\x3B\x39\x98");
        let mut places: Vec<usize> = journal.into_iter().filter(magic).map(|at| at * block).collect();
        places.extend([1024, 2048, 4096]);
        (bytes, places)
    });
    let case = (
        0..images.len(),
        prop::collection::vec((any::<prop::sample::Index>(), 0usize..1024, any::<u8>()), 1..6),
    );
    proptest!(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) }, |((which, flips) in case)| {
        let (bytes, places) = &images[which];
        let mut bytes = bytes.clone();
        for (place, offset, byte) in flips {
            // Most fields lie at the start.
            bytes[place.get(places) + if byte & 1 == 0 { offset % 64 } else { offset }] ^= byte | 1;
        }
        let size = bytes.len() as u64;
        let scratch = disk::scratch::Scratch::new(std::sync::Arc::new(bytes), 64 * MIB);
        let result = replay_journal(VolumeKind::Ext, &scratch, 0..size);
        if result.is_err() {
            prop_assert!(scratch.changes().unwrap().is_empty());
        }
    });
}
