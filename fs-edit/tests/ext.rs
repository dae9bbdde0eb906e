//! ext2, ext3 and ext4: what was changed is there, the rest is as it was, and `e2fsck -fn` finds nothing.

mod extfs;

use extfs::{Image, MATRIX, MIB, noise, open};
use fs_edit::FsEditError;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

const FSTAB: &[u8] = b"/dev/hda1 / ext3 defaults 0 1\n/dev/hda2 none swap sw 0 0\n";

/// A small tree: fstab, a file of `big` MiB, links, and a folder of many names.
fn tree(folder: &Path, big: usize) {
    for name in ["etc", "var/log", "lots", "usr/lib"] {
        fs::create_dir_all(folder.join(name)).unwrap();
    }
    fs::write(folder.join("etc/fstab"), FSTAB).unwrap();
    fs::write(folder.join("etc/empty"), b"").unwrap();
    fs::write(folder.join("var/log/big"), noise(big << 20, 1)).unwrap();
    fs::write(folder.join("var/log/other"), noise(100_000, 2)).unwrap();
    symlink("/usr/lib", folder.join("lib")).unwrap();
    symlink("loop", folder.join("loop")).unwrap();
    symlink("../etc/fstab", folder.join("usr/table")).unwrap();
    let long = format!("/{}etc/fstab", "./".repeat(60));
    symlink(long, folder.join("usr/long")).unwrap();
    for number in 0..600 {
        let name = format!("a name that is rather long, number {number}");
        fs::write(folder.join("lots").join(name), number.to_string()).unwrap();
    }
}

fn image(arguments: &str) -> Image {
    image_with(arguments, 2)
}

fn image_with(arguments: &str, big: usize) -> Image {
    let folder = tempfile::tempdir().unwrap();
    tree(folder.path(), big);
    // A small file takes 64 KiB if that is the smallest piece.
    let size = if arguments.contains("655") { 256 } else { 80 };
    let image = Image::new(arguments, size * MIB, folder.path());
    // Large folders get an index, as the kernel makes one.
    extfs::output(std::process::Command::new("e2fsck").arg("-fyD").arg(&image.path));
    assert_eq!(image.complaint(), None);
    image
}

/// Runs `test` on every filesystem.
fn on_all(test: impl Fn(&Image)) {
    for (name, arguments) in MATRIX {
        println!("{name}");
        test(&image(arguments));
    }
}

#[test]
fn files_are_rewritten_with_other_sizes_and_keep_what_they_have() {
    on_all(|image| {
        image.change(
            "ea_set etc/fstab security.selinux system_u:object_r:etc_t:s0\nsif etc/fstab uid 7\nsif etc/fstab mode 0100640\n",
        );
        let same = vec![b'x'; FSTAB.len()];
        let cases = [
            same,
            b"short\n".to_vec(),
            noise(3_000_001, 3),
            noise(9000, 4),
            Vec::new(),
            FSTAB.to_vec(),
        ];
        for data in cases {
            image.edit(|editor| {
                editor.write("/etc/fstab", &data).unwrap();
                assert_eq!(editor.read("/usr/table", MIB * 4).unwrap(), data);
            });
            assert_eq!(image.complaint(), None, "{} bytes", data.len());
            assert_eq!(image.dump("/etc/fstab"), data);
            assert_eq!(image.dump("/var/log/other"), noise(100_000, 2));
        }
        let stat = image.debugfs("stat etc/fstab");
        assert!(stat.contains("User:     7") && stat.contains("Mode:  0640"), "{stat}");
        let attribute = image.debugfs("ea_get etc/fstab security.selinux");
        // Revision 0 has no attributes.
        let old = image.debugfs("stats").contains("Filesystem revision #:    0");
        assert!(old || attribute.contains("system_u:object_r:etc_t:s0"), "{attribute}");
    });
}

#[test]
fn a_large_file_is_appended_to() {
    for (name, arguments) in MATRIX {
        println!("{name}");
        let image = image_with(arguments, 20);
        let added = noise((30 << 20) + 5, 5);
        image.edit(|editor| {
            editor.append("/var/log/big", &added).unwrap();
            editor.append("/var/log/big", b"tail").unwrap();
            editor.append("/etc/empty", b"").unwrap();
            editor.append("/etc/fstab", b"# more\n").unwrap();
        });
        assert_eq!(image.complaint(), None);
        let expected = [noise(20 << 20, 1), added, b"tail".to_vec()].concat();
        assert!(image.dump("/var/log/big") == expected);
        assert_eq!(image.dump("/etc/fstab"), [FSTAB, b"# more\n"].concat());
    }
}

#[test]
fn many_files_come_into_a_folder_go_and_get_other_names() {
    on_all(|image| {
        image.edit(|editor| {
            editor.create_folder("/new/folder/deep").unwrap();
            editor.create_folder("new/folder").unwrap();
            for number in 0..400 {
                let data = noise(number * 7, number as u64);
                let name = format!("a new file whose name is long, number {number}");
                editor.write(&format!("/lots/{name}"), &data).unwrap();
                editor.write(&format!("/new/folder/{number}"), &data).unwrap();
            }
            editor.write("/lib/module.ko", b"through a link").unwrap();
        });
        assert_eq!(image.complaint(), None);
        for number in [0, 1, 77, 399] {
            let data = noise(number * 7, number as u64);
            let name = format!("a new file whose name is long, number {number}");
            assert_eq!(image.dump(&format!("/lots/{name}")), data);
            assert_eq!(image.dump(&format!("/new/folder/{number}")), data);
        }
        assert_eq!(image.dump("/usr/lib/module.ko"), b"through a link");
        image.edit(|editor| {
            for number in 0..600 {
                let path = format!("/lots/a name that is rather long, number {number}");
                if number % 3 == 0 {
                    editor.remove(&path).unwrap();
                } else if number % 3 == 1 {
                    editor.rename(&path, &format!("renamed {number}")).unwrap();
                }
            }
            editor.remove("/var/log/big").unwrap();
            editor.remove("/usr/table").unwrap();
            editor.remove("/lib").unwrap();
            editor.rename("/new/folder", "other").unwrap();
        });
        assert_eq!(image.complaint(), None);
        assert!(!image.has("/lots/a name that is rather long, number 0"));
        assert!(!image.has("/lots/a name that is rather long, number 1"));
        assert_eq!(image.dump("/lots/renamed 1"), b"1");
        assert_eq!(image.dump("/lots/a name that is rather long, number 2"), b"2");
        assert_eq!(image.dump("/new/other/399"), noise(399 * 7, 399));
        assert!(!image.has("/lib") && image.has("/usr/lib/module.ko") && image.has("/etc/fstab"));
    });
}

#[test]
fn what_cannot_be_done_is_refused_and_changes_nothing() {
    let image = image("-t ext4");
    let scratch = image.scratch();
    let mut editor = image.open(&scratch).unwrap();
    assert!(matches!(editor.read("/no/such", 1), Err(FsEditError::NotFound(_))));
    assert!(matches!(editor.read("/etc/fstab/x", 1), Err(FsEditError::NotFound(_))));
    assert!(matches!(
        editor.append("/etc/none", b"x"),
        Err(FsEditError::NotFound(_))
    ));
    assert!(matches!(editor.write("/none/x", b"x"), Err(FsEditError::NotFound(_))));
    for error in [
        editor.read("/etc/fstab", 3).unwrap_err(),
        editor.read("/", 3).unwrap_err(),
        editor.read("/loop", 100).unwrap_err(),
        editor.write("/etc", b"x").unwrap_err(),
        editor.write("", b"x").unwrap_err(),
        editor.write(&format!("/{}", "n".repeat(256)), b"x").unwrap_err(),
        editor.write("/a\0b", b"x").unwrap_err(),
        editor.remove("/etc").unwrap_err(),
        editor.remove("/").unwrap_err(),
        editor.rename("/etc/..", "x").unwrap_err(),
        editor.rename("/etc/fstab", "empty").unwrap_err(),
        editor.rename("/etc/fstab", "a/b").unwrap_err(),
        editor.create_folder("/etc/fstab").unwrap_err(),
    ] {
        assert!(matches!(error, FsEditError::Failed { .. }), "{error}");
    }
    editor.finish().unwrap();
    let changes = scratch.changes().unwrap();
    assert!(changes.len() <= 1, "only the time in the superblock: {}", changes.len());
}

#[test]
fn a_full_volume_says_what_is_missing_before_it_is_changed() {
    on_all(|image| {
        let scratch = image.scratch();
        let mut editor = image.open(&scratch).unwrap();
        let before = scratch.changes().unwrap();
        let data = vec![1; usize::try_from(image.size()).unwrap()];
        for path in ["/etc/fstab", "/etc/new"] {
            match editor.write(path, &data).unwrap_err() {
                FsEditError::NoRoom { needed, free, .. } => assert!(needed > free && free < data.len() as u64),
                error => panic!("{error}"),
            }
        }
        assert!(matches!(
            editor.append("/var/log/big", &data),
            Err(FsEditError::NoRoom { .. })
        ));
        assert_eq!(scratch.changes().unwrap(), before);
        // What fits to the last block still works.
        let mut number = 0;
        loop {
            match editor.write(&format!("/var/log/fill {number}"), &data[..1 << 20]) {
                Ok(()) => number += 1,
                Err(FsEditError::NoRoom { .. }) => break,
                Err(error) => panic!("{error}"),
            }
        }
        assert!(number > 10);
        editor.finish().unwrap();
        image.apply(&scratch);
        assert_eq!(image.complaint(), None);
    });
}

#[test]
fn a_volume_in_the_middle_of_a_disk_is_changed_and_nothing_beside_it() {
    let image = image("-t ext4 -b 1024");
    let volume = fs::read(&image.path).unwrap();
    let (start, end) = (63 * 512, 63 * 512 + volume.len());
    let mut disk = vec![0xAA; end + 12345];
    disk[start..end].copy_from_slice(&volume);
    let scratch = std::sync::Arc::new(disk::scratch::Scratch::new(std::sync::Arc::new(disk.clone()), 64 * MIB));
    let mut editor = open(&scratch, start as u64..end as u64).unwrap();
    editor.write("/etc/fstab", b"changed").unwrap();
    editor.finish().unwrap();
    for change in scratch.changes().unwrap() {
        let at = usize::try_from(change.offset).unwrap();
        disk[at..at + change.after.len()].copy_from_slice(&change.after);
    }
    assert!(disk[..start].iter().chain(&disk[end..]).all(|byte| *byte == 0xAA));
    fs::write(&image.path, &disk[start..end]).unwrap();
    assert_eq!(image.complaint(), None);
    assert_eq!(image.dump("/etc/fstab"), b"changed");
    let outside = open(&scratch, 0..disk.len() as u64 + 1);
    assert!(outside.is_err());
}

/// A field of `debugfs stat`, such as ` mtime:`: what follows it up to ` --`.
fn field(image: &Image, path: &str, name: &str) -> String {
    let stat = image.debugfs(&format!("stat {path}"));
    let line = stat.lines().find(|line| line.contains(name));
    let line = line.unwrap_or_else(|| panic!("no {name} in {stat}"));
    line.split(name)
        .nth(1)
        .unwrap()
        .split("--")
        .next()
        .unwrap()
        .trim()
        .to_owned()
}

#[test]
fn times_change_as_a_running_system_would_change_them_and_counters_do_not() {
    let image = image("-t ext4");
    image.change("sif /etc/fstab mtime 20010203040506\nsif /etc/fstab ctime 20010203040506\nsif /etc/fstab crtime 20010203040506\nsif /etc mtime 20010203040506\n");
    let before = ["mtime:", "ctime:", "crtime:", "atime:", "Generation:"].map(|name| field(&image, "/etc/fstab", name));
    let folder = field(&image, "/etc", "mtime:");
    let counts = |image: &Image| {
        let stats = image.debugfs("stats -h");
        let lines = stats
            .lines()
            .filter(|line| line.starts_with("Mount count") || line.starts_with("Last mount"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let counted = counts(&image);
    image.edit(|editor| editor.write("/etc/fstab", b"x").unwrap());
    let after = ["mtime:", "ctime:", "crtime:", "atime:", "Generation:"].map(|name| field(&image, "/etc/fstab", name));
    assert_ne!(before[0], after[0]);
    assert_ne!(before[1], after[1]);
    assert_eq!(before[2..], after[2..]);
    assert_eq!(folder, field(&image, "/etc", "mtime:"), "the folder did not change");
    assert!(counted.len() >= 2);
    assert_eq!(counted, counts(&image));
    image.edit(|editor| editor.write("/etc/new", b"x").unwrap());
    assert_ne!(folder, field(&image, "/etc", "mtime:"));
}

#[test]
fn other_names_of_a_file_and_shared_attributes_stay() {
    let image = image("-t ext3");
    fs::write(image.folder.path().join("value"), noise(900, 8)).unwrap();
    image.change("ln /etc/fstab /var/fstab\nsif /etc/fstab links_count 2\nea_set -f value /etc/fstab user.long\n");
    assert_eq!(image.complaint(), None);
    image.edit(|editor| editor.remove("/etc/fstab").unwrap());
    assert_eq!(image.complaint(), None);
    assert_eq!(image.dump("/var/fstab"), FSTAB);
    assert!(image.debugfs("ea_list /var/fstab").contains("user.long (900)"));
    image.edit(|editor| editor.remove("/var/fstab").unwrap());
    assert_eq!(image.complaint(), None);
}

#[test]
fn holes_unwritten_blocks_and_dirt_behind_the_end_are_no_contents() {
    on_all(|image| {
        // A block of which only the start belongs to the file has other bytes behind it.
        let first = image.debugfs("blocks /etc/fstab");
        let stats = image.debugfs("stats -h");
        let block = stats
            .split("Block size:")
            .nth(1)
            .and_then(|rest| rest.split_whitespace().next());
        let block: u64 = block.unwrap().parse().unwrap();
        if let Some(first) = first
            .split_whitespace()
            .next()
            .and_then(|word| word.parse::<u64>().ok())
            .filter(|at| *at > 0)
        {
            let file = fs::File::options().write(true).open(&image.path).unwrap();
            use std::os::unix::fs::FileExt;
            file.write_all_at(&[0xEE; 500], first * block + FSTAB.len() as u64)
                .unwrap();
        }
        image.edit(|editor| {
            editor.append("/etc/fstab", b"+").unwrap();
            assert_eq!(editor.read("/etc/fstab", 1000).unwrap(), [FSTAB, b"+"].concat());
        });
        // The file grows by its size alone: what comes into sight are zeros.
        image.change("sif /etc/fstab size 400\n");
        let mut expected = [FSTAB, b"+"].concat();
        expected.resize(400, 0);
        image.edit(|editor| assert_eq!(editor.read("/etc/fstab", 1000).unwrap(), expected));
        // Blocks 1 and 2 become a hole, or are there and were never written.
        image.change("punch /var/log/other 0 0\n");
        let len = usize::try_from(block).unwrap().min(100_000);
        let mut data = noise(100_000, 2);
        data[..len].fill(0);
        image.edit(|editor| {
            assert!(editor.read("/var/log/other", MIB).unwrap() == data);
            editor.append("/var/log/other", b"end").unwrap();
        });
        assert!(image.dump("/var/log/other") == [&data[..], b"end"].concat());
        image.edit(|editor| editor.write("/var/log/other", &noise(100_000, 2)).unwrap());
        assert!(image.dump("/var/log/other") == noise(100_000, 2));
        assert_eq!(image.complaint(), None);
    });
}

/// What is said about an image when it is opened.
fn refusal(image: &Image) -> String {
    match image.open(&image.scratch()) {
        Ok(_) => panic!("it was opened"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn filesystems_that_must_not_be_changed_are_refused() {
    let cases = [
        ("-t ext4", "ssv state 2\n", "fsck"),
        ("-t ext2", "ssv state 0\n", "not unmounted cleanly"),
        (
            "-t ext4 -O ^metadata_csum",
            "feature needs_recovery\n",
            "journal must be replayed",
        ),
        ("-t ext4 -O quota", "", "quota"),
        ("-t ext4", "feature read-only\n", "read-only"),
        ("-t ext4", "feature shared_blocks\n", "share"),
        ("-t ext4", "ssv feature_incompat 0x80000242\n", "unknown features"),
        (
            "-t ext4 -O ^metadata_csum",
            "set_bg 0 free_blocks_count 7\nset_bg 0 checksum calc\n",
            "count of free blocks",
        ),
        ("-t ext2", "freeb 21\n", "free"),
    ];
    for (arguments, change, words) in cases {
        let image = image(arguments);
        image.change(change);
        let said = refusal(&image);
        assert!(said.contains(words), "{arguments} {change}: {said}");
    }
}

#[test]
fn sealed_and_encrypted_files_are_left_alone() {
    let image = image("-t ext4 -O ^metadata_csum");
    for flags in ["0x180000", "0x80800"] {
        image.change(&format!("sif /etc/fstab flags {flags}\n"));
        image.edit(|editor| {
            for error in [
                editor.write("/etc/fstab", b"x").unwrap_err(),
                editor.append("/etc/fstab", b"x").unwrap_err(),
                editor.remove("/etc/fstab").unwrap_err(),
            ] {
                assert!(matches!(error, FsEditError::Failed { .. }), "{error}");
            }
        });
    }
    // Immutable and append-only are for running systems.
    image.change("sif /etc/fstab flags 0x80030\n");
    image.edit(|editor| editor.write("/etc/fstab", b"x").unwrap());
    assert_eq!(image.complaint(), None);
    assert!(field(&image, "/etc/fstab", "Flags:").contains("0x80030"));
}

#[test]
fn orphans_are_left_for_the_next_mount() {
    let image = image("-t ext4 -O ^metadata_csum");
    let number = |path: &str| {
        let stat = image.debugfs(&format!("stat {path}"));
        stat.split_whitespace().nth(1).unwrap().parse::<u32>().unwrap()
    };
    // One that was deleted while open, and one that was being shortened.
    let (deleted, shortened) = (number("/var/log/other"), number("/etc/empty"));
    image.change(&format!(
        "unlink /var/log/other\nsif <{deleted}> links_count 0\nsif <{deleted}> dtime @{shortened}\nssv last_orphan {deleted}\n"
    ));
    image.edit(|editor| {
        let error = editor.remove("/etc/empty").unwrap_err().to_string();
        assert!(error.contains("shortening"), "{error}");
        editor.write("/etc/fstab", &noise(20_000, 1)).unwrap();
        editor.remove("/var/log/big").unwrap();
        editor.write("/etc/empty", b"not any more").unwrap();
    });
    assert!(
        image
            .debugfs("stats -h")
            .contains(&format!("First orphan inode:       {deleted}"))
    );
    // A start's check finishes both, and nothing else is wrong.
    let out = extfs::output(std::process::Command::new("e2fsck").arg("-p").arg(&image.path));
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(out.status.code() <= Some(1), "{text}");
    assert!(
        text.contains("Clearing orphaned inode") && text.contains("Truncating orphaned inode"),
        "{text}"
    );
    assert_eq!(image.complaint(), None);
    assert_eq!(image.dump("/etc/empty"), b"not any more");
    assert_eq!(image.dump("/etc/fstab"), noise(20_000, 1));
}
