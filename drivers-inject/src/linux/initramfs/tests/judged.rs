//! Reading is compared with cpio and lsinitramfs.

use super::*;
use std::collections::BTreeSet;

fn names(list: &[u8]) -> BTreeSet<String> {
    let lines = String::from_utf8(list.to_vec()).unwrap();
    lines.lines().map(entry::clean).collect()
}

#[test]
fn every_compression_gives_what_cpio_lists() {
    let folder = sample();
    for format in ["newc", "crc"] {
        let archive = pack(folder.path(), format);
        let expected = names(&tool("cpio", &["cpio", "--quiet", "-it"], folder.path(), &archive));
        for (compression, ..) in COMPRESSORS {
            let image = parse(&compress(compression, &archive));
            let [member] = image.members() else {
                panic!("{compression}: {} members", image.members().len());
            };
            assert_eq!(member.compression, compression);
            let all: BTreeSet<String> = member.entries.iter().map(|entry| entry.path.clone()).collect();
            assert_eq!(all, expected, "{compression}");
            assert_like_folder(&image, folder.path());
        }
    }
}

/// Every file of the folder is in the image, with its contents and permissions, and nothing else is.
pub(super) fn assert_like_folder(image: &Initramfs, folder: &Path) {
    let found = names(&tool("findutils", &["find", "."], folder, &[]));
    let paths: BTreeSet<String> = image.entries().map(|(path, _)| path.to_owned()).collect();
    assert_eq!(paths, found.into_iter().filter(|path| !path.is_empty()).collect());
    for (path, entry) in image.entries() {
        let file = folder.join(path);
        let metadata = fs::symlink_metadata(&file).unwrap();
        assert_eq!(entry.mode, metadata.permissions().mode(), "{path}");
        if metadata.is_symlink() {
            let target = fs::read_link(&file).unwrap();
            assert_eq!(entry.target.as_deref(), target.to_str());
        } else if metadata.is_file() {
            assert!(entry.is_like(&fs::read(&file).unwrap()), "{path}");
        }
    }
}

#[test]
fn lsinitramfs_and_we_list_the_same_of_microcode_and_a_main_part() {
    let early = tempfile::tempdir().unwrap();
    put(early.path(), "kernel/x86/microcode/GenuineIntel.bin", [1; 2049]);
    let early = pack(early.path(), "newc");
    let folder = sample();
    let main = pack(folder.path(), "newc");
    // It knows neither plain main parts nor lzma.
    let known = |kind: &Compression| !matches!(kind, Compression::None | Compression::Lzma);
    for compression in COMPRESSORS.map(|(kind, ..)| kind).into_iter().filter(known) {
        let mut bytes = early.clone();
        bytes.extend(compress(compression, &main));
        let work = tempfile::tempdir().unwrap();
        put(work.path(), "image", &bytes);
        let expected = tool("initramfs-tools-core", &["lsinitramfs", "image"], work.path(), &[]);
        let image = parse(&bytes);
        let offsets: Vec<u64> = image.members().iter().map(|member| member.offset).collect();
        assert_eq!(offsets, [0, early.len() as u64]);
        let ours = image.members().iter().flat_map(|member| &member.entries);
        let ours: BTreeSet<String> = ours.map(|entry| entry.path.clone()).collect();
        assert_eq!(ours, names(&expected), "{compression}");
    }
}

#[test]
fn modules_are_listed_by_version_and_wanted_files_kept() {
    let folder = sample();
    let image = parse(&compress(Compression::Zstd, &pack(folder.path(), "newc")));
    let modules = image.modules();
    assert_eq!(modules.keys().collect::<Vec<_>>(), [VERSION]);
    let files: Vec<&str> = modules[VERSION].files.iter().map(String::as_str).collect();
    assert_eq!(files, ["ata_piix", "crc32c_intel", "sd_mod"]);
    let builtin: Vec<&str> = modules[VERSION].builtin.iter().map(String::as_str).collect();
    assert_eq!(builtin, ["ext4", "foo_bar"]);
    assert_eq!(image.contents("conf/modules"), Some(&b"# loaded\nunix\n"[..]));
    assert_eq!(image.contents("usr/lib/long"), None);
    assert_eq!(image.generator(), Generator::InitramfsTools);
    let through_links = image.entry(&format!("/lib/modules/{VERSION}/modules.builtin"));
    assert_eq!(
        through_links.unwrap().path,
        format!("usr/lib/modules/{VERSION}/modules.builtin")
    );
    assert_eq!(
        image.entry("bin/sh").unwrap().size,
        9,
        "a hard link has the contents of the other name"
    );
}

#[test]
fn generators_are_told_apart() {
    for (files, expected) in [
        (
            &["scripts/functions", "conf/initramfs.conf"][..],
            Generator::InitramfsTools,
        ),
        (&["usr/lib/dracut/hooks/x"], Generator::Dracut),
        (&["lib/dracut/dracut-057"], Generator::Dracut),
        (&["dracut-004-411.el6"], Generator::Dracut),
        (&["init_functions", "config", "init"], Generator::Mkinitcpio),
        (&["sbin/nlplug-findfs", "init"], Generator::AlpineMkinitfs),
        (&["run_all.sh", "boot/83-mount.sh"], Generator::SuseMkinitrd),
        (&["bin/nash", "init", "lib/ata_piix.ko"], Generator::Nash),
        (&["init"], Generator::Unknown),
    ] {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            put(folder.path(), file, "");
        }
        let image = parse(&pack(folder.path(), "newc"));
        assert_eq!(image.generator(), expected, "{files:?}");
    }
}

#[test]
fn several_compressed_members_and_zeros_between_them() {
    let mut bytes = Vec::new();
    let mut expected = BTreeSet::new();
    for (number, (compression, ..)) in COMPRESSORS.iter().enumerate() {
        let folder = tempfile::tempdir().unwrap();
        put(folder.path(), &format!("file{number}"), "x");
        put(folder.path(), "last", compression.to_string());
        expected.insert(format!("file{number}"));
        // Behind lz4, as the kernel has it, only with four zeros.
        bytes.resize((bytes.len() + 4 * number).next_multiple_of(4), 0);
        bytes.extend(compress(*compression, &pack(folder.path(), "newc")));
    }
    let keep = |path: &str| path == "last";
    let image = Initramfs::parse(
        &bytes,
        &Limits {
            keep: &keep,
            ..Limits::default()
        },
    )
    .unwrap();
    assert_eq!(image.members().len(), COMPRESSORS.len());
    expected.insert("last".to_owned());
    assert_eq!(
        image
            .entries()
            .map(|(path, _)| path.to_owned())
            .collect::<BTreeSet<_>>(),
        expected
    );
    assert_eq!(image.contents("last"), Some(&b"lz4"[..]), "the last member wins");
}
