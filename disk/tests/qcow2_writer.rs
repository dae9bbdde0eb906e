//! Images that we write, judged by `qemu-img`.

mod qcow2_tools;

use disk::ReadAt;
use disk::qcow2::{Compression, EncodedCluster, Image, Qcow2Error, Summary, Writer, WriterOptions};
use proptest::prelude::*;
use qcow2_tools::{check_clean, compare, content, qemu_img, qemu_img_fails};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

fn options(virtual_size: u64, cluster_bits: u32, compression: Compression) -> WriterOptions {
    WriterOptions {
        virtual_size,
        cluster_bits,
        compression,
    }
}

/// Writes `disk` to a new image, its clusters in the order of `order`.
fn write(path: &Path, disk: &[u8], options: WriterOptions, order: impl IntoIterator<Item = u64>) -> Summary {
    let mut writer = Writer::create(path, options).unwrap();
    let mut encoder = writer.encoder().unwrap();
    let size = writer.cluster_size() as usize;
    for number in order {
        let start = number as usize * size;
        let mut cluster = disk[start..disk.len().min(start + size)].to_vec();
        cluster.resize(size, 0);
        let encoded = encoder.encode(&cluster).unwrap();
        writer.append(number, &encoded).unwrap();
    }
    writer.finish().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Any disk, cluster size, method and order.
    #[test]
    fn qemu_reads_what_was_written(
        cluster_bits in prop::sample::select(vec![9u32, 10, 12, 16, 17, 21]),
        compression in prop::sample::select(vec![
            Compression::None, Compression::Zlib, Compression::Zstd(1), Compression::Zstd(3)]),
        pieces in prop::collection::vec((0u8..4, 1usize..400_000), 1..24),
        seed: u64,
        shuffle: bool,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let disk = content(&pieces, seed);
        let clusters = (disk.len() as u64).div_ceil(1 << cluster_bits);
        let mut order: Vec<u64> = (0..clusters).collect();
        if shuffle {
            order.sort_by_key(|number| (number ^ seed).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        }
        let (raw, image) = (folder.path().join("disk.raw"), folder.path().join("disk.qcow2"));
        std::fs::write(&raw, &disk).unwrap();
        let summary = write(&image, &disk, options(disk.len() as u64, cluster_bits, compression), order);
        prop_assert_eq!(summary.file_size, std::fs::metadata(&image).unwrap().len());
        check_clean(&image);
        compare(&image, &raw);

        let ours = Image::open(&image).unwrap();
        let mut back = vec![1; disk.len()];
        ours.read_at(0, &mut back).unwrap();
        prop_assert!(back == disk);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// The writer ends at any moment, more than once: what was safe then is kept, and what came after is written again.
    #[test]
    fn an_unfinished_image_is_gone_on_with(
        cluster_bits in prop::sample::select(vec![9u32, 12, 16, 18]),
        compression in prop::sample::select(vec![Compression::None, Compression::Zlib, Compression::Zstd(1)]),
        pieces in prop::collection::vec((0u8..4, 1usize..400_000), 1..24),
        seed: u64,
        ends in prop::collection::vec((0u64..100, 0u64..40), 1..4),
        finish_first: bool,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let disk = content(&pieces, seed);
        let (raw, image) = (folder.path().join("disk.raw"), folder.path().join("disk.qcow2"));
        std::fs::write(&raw, &disk).unwrap();
        let options = options(disk.len() as u64, cluster_bits, compression);
        let size = 1usize << cluster_bits;
        let clusters = disk.len().div_ceil(size) as u64;
        let append = |writer: &mut Writer, number: u64| {
            let start = number as usize * size;
            let mut cluster = disk[start..disk.len().min(start + size)].to_vec();
            cluster.resize(size, 0);
            let encoded = writer.encoder().unwrap().encode(&cluster).unwrap();
            writer.append(number, &encoded).unwrap().map(|entry| (number, entry))
        };
        let mut writer = Writer::create(&image, options).unwrap();
        let (mut known, mut next) = (Vec::new(), 0);
        for (safe, lost) in ends {
            let end = (next + clusters * safe / 100).min(clusters);
            known.extend((next..end).filter_map(|number| append(&mut writer, number)));
            next = end;
            let length = writer.flush().unwrap();
            (next..(next + lost).min(clusters)).for_each(|number| { append(&mut writer, number); });
            if finish_first && next == clusters {
                writer.finish().unwrap();
            } else {
                drop(writer);
            }
            writer = Writer::resume(&image, options, length, known.iter().copied().map(Ok)).unwrap();
        }
        (next..clusters).for_each(|number| { append(&mut writer, number); });
        let summary = writer.finish().unwrap();
        prop_assert_eq!(summary.file_size, std::fs::metadata(&image).unwrap().len());
        check_clean(&image);
        compare(&image, &raw);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// Only what differs is written, some of it zeros, and the rest is read from the image behind.
    #[test]
    fn an_image_lies_on_another_one(
        bits in prop::sample::select(vec![(9u32, 16u32), (16, 16), (18, 16), (16, 18)]),
        pieces in prop::collection::vec((0u8..4, 1usize..300_000), 1..12),
        changed in prop::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 0..8),
        seed: u64,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let old = content(&pieces, seed);
        let size = 1usize << bits.0;
        let clusters = old.len().div_ceil(size);
        let mut new = old.clone();
        let mut differing: Vec<usize> = changed.iter().map(|(index, _)| index.index(clusters)).collect();
        differing.sort_unstable();
        differing.dedup();
        for (number, (_, zero)) in differing.iter().zip(&changed) {
            let end = new.len().min((number + 1) * size);
            let fill = if *zero { 0 } else { 0xA5 };
            new[number * size..end].fill(fill);
        }
        std::fs::create_dir(folder.path().join("old")).unwrap();
        std::fs::create_dir(folder.path().join("new")).unwrap();
        let behind = options(old.len() as u64, bits.1, Compression::Zstd(1));
        write(&folder.path().join("old/disk.qcow2"), &old, behind, 0..(old.len() as u64).div_ceil(1 << bits.1));
        let (raw, image) = (folder.path().join("disk.raw"), folder.path().join("new/disk.qcow2"));
        std::fs::write(&raw, &new).unwrap();
        let mut writer = Writer::create(&image, options(new.len() as u64, bits.0, Compression::Zstd(1))).unwrap();
        writer.lie_on(b"../old/disk.qcow2").unwrap();
        for number in differing {
            let mut cluster = new[number * size..new.len().min((number + 1) * size)].to_vec();
            cluster.resize(size, 0);
            let encoded = writer.encoder().unwrap().encode(&cluster).unwrap();
            writer.append(number as u64, &encoded).unwrap();
        }
        writer.finish().unwrap();
        check_clean(&image);
        compare(&image, &raw);
        let ours = Image::open(&image).unwrap();
        let mut back = vec![1; new.len()];
        ours.read_at(0, &mut back).unwrap();
        prop_assert!(back == new);
    }
}

#[test]
fn a_list_of_clusters_that_cannot_be_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("disk.qcow2");
    let options = options(1 << 20, 16, Compression::Zstd(1));
    let mut writer = Writer::create(&image, options).unwrap();
    let encoded = writer.encoder().unwrap().encode(&[7; 1 << 16]).unwrap();
    let entry = writer.append(3, &encoded).unwrap().unwrap();
    let length = writer.flush().unwrap();
    drop(writer);
    let resume = |length, clusters: &[(u64, u64)]| {
        Writer::resume(&image, options, length, clusters.iter().copied().map(Ok)).map(drop)
    };
    resume(length, &[(3, entry)]).unwrap();
    for clusters in [
        &[(3, entry), (3, entry)][..],
        &[(16, entry)],
        &[(3, 0)],
        &[(3, 3)],
        &[(3, 1 << 62)],
        &[(3, entry + (1 << 30))],
        &[(3, u64::MAX)],
    ] {
        assert!(
            matches!(resume(length, clusters), Err(Qcow2Error::Io { .. })),
            "{clusters:x?}"
        );
    }
    assert!(matches!(resume(length + 1, &[(3, entry)]), Err(Qcow2Error::Io { .. })));
}

#[test]
fn zeros_take_no_space_and_a_huge_disk_little_memory() {
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("disk.qcow2");
    let size = 64u64 << 40;
    let mut writer = Writer::create(&image, options(size, 16, Compression::Zstd(1))).unwrap();
    let mut encoder = writer.encoder().unwrap();
    let mut block = vec![0; 65536];
    assert!(matches!(encoder.encode(&block).unwrap(), EncodedCluster::Zero));
    writer.append(7, &EncodedCluster::Zero).unwrap();
    // One cluster in each of 10 000 places far apart: L2 tables of 625 MiB, hardly anything in them. Then the same places
    // again: the pages that were changed, 39 MiB, do not fit the memory.
    let places = 10_000;
    let step = (size >> 16) / places;
    for round in 0..2 {
        for place in 0..places {
            block[..8].copy_from_slice(&(place * 2 + round + 1).to_le_bytes());
            let encoded = encoder.encode(&block).unwrap();
            writer.append(place * step + round, &encoded).unwrap();
        }
    }
    let last = (size >> 16) - 1;
    let encoded = encoder.encode(&vec![7; 65536]).unwrap();
    writer.append(last, &encoded).unwrap();
    writer.finish().unwrap();
    let peak = qcow2_tools::peak_memory();
    check_clean(&image);

    let file = std::fs::metadata(&image).unwrap();
    let on_disk = file.blocks() * 512;
    assert!(
        file.len() > 600 << 20 && on_disk < 64 << 20,
        "{on_disk} of {}",
        file.len()
    );

    let ours = Image::open(&image).unwrap();
    assert_eq!(ours.size(), size);
    let allocated = ours.allocated().unwrap();
    assert_eq!(allocated.bytes(), (2 * places + 1) * 65536);
    let mut number = [0; 8];
    for place in 0..places {
        ours.read_at((place * step + 1) << 16, &mut number).unwrap();
        assert_eq!(u64::from_le_bytes(number), place * 2 + 2);
    }
    ours.read_at(size - 8, &mut number).unwrap();
    assert_eq!(number, [7; 8]);
    assert!(peak < 128 << 20, "{peak} bytes of memory at the peak");
}

#[test]
fn many_tiny_pieces_in_one_cluster_of_the_file() {
    // Each cluster of the file has room for more pieces than its reference count of 16 bits can tell. `qemu-img
    // check` does not decompress, so pieces of a few bytes may stand for clusters.
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("disk.qcow2");
    let clusters = 140_000u64;
    let mut writer = Writer::create(&image, options(clusters << 21, 21, Compression::Zlib)).unwrap();
    let tiny = EncodedCluster::Compressed(vec![1; 12]);
    for cluster in 0..clusters {
        writer.append(cluster, &tiny).unwrap();
    }
    writer.finish().unwrap();
    check_clean(&image);
}

#[test]
fn a_file_that_exists_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("disk.qcow2");
    std::fs::write(&image, "photos").unwrap();
    let error = Writer::create(&image, options(1 << 20, 16, Compression::None))
        .err()
        .unwrap();
    assert!(error.to_string().contains("disk.qcow2"), "{error}");
    assert_eq!(std::fs::read(&image).unwrap(), b"photos");
}

#[test]
fn unfinished_images_are_no_images() {
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("disk.qcow2");
    let mut writer = Writer::create(&image, options(8 << 20, 16, Compression::Zstd(1))).unwrap();
    let mut encoder = writer.encoder().unwrap();
    for cluster in 0..100 {
        let data = encoder.encode(&vec![cluster as u8 + 1; 65536]).unwrap();
        writer.append(cluster, &data).unwrap();
    }
    assert!(matches!(Image::open(&image), Err(Qcow2Error::Locked { .. })));
    drop(writer);
    assert!(matches!(
        Image::open(&image),
        Err(Qcow2Error::Invalid { .. } | Qcow2Error::Io { .. })
    ));
    qemu_img_fails(&["check", "-f", "qcow2", image.to_str().unwrap()]);
}

#[test]
fn misuse_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("disk.qcow2");
    let mut writer = Writer::create(&image, options(1000, 9, Compression::None)).unwrap();
    let mut encoder = writer.encoder().unwrap();
    let data = encoder.encode(&[1; 512]).unwrap();
    writer.append(1, &data).unwrap();
    assert!(writer.append(1, &data).is_err(), "appended twice");
    assert!(writer.append(2, &data).is_err(), "past the end");
    assert!(writer.append(0, &EncodedCluster::Plain(vec![1; 100])).is_err(), "short");
    assert!(
        writer.append(0, &EncodedCluster::Compressed(vec![1; 513])).is_err(),
        "long"
    );
    assert!(encoder.encode(&[1; 513]).is_err());
    writer.finish().unwrap();
    check_clean(&image);
    let info = qemu_img(&["info", "--output=json", image.to_str().unwrap()]);
    assert!(info.contains("\"virtual-size\": 1024"), "{info}");

    let path = folder.path().join("bad.qcow2");
    for (size, bits) in [(1 << 20, 8), (1 << 20, 22), (1 << 40, 9), (u64::MAX, 21)] {
        assert!(Writer::create(&path, options(size, bits, Compression::None)).is_err());
        assert!(!path.exists());
    }
}

#[test]
fn a_target_without_room_is_an_error_with_its_path() {
    const TARGET: &str = "P2V_TEST_TARGET_WITHOUT_ROOM";
    if let Some(path) = std::env::var_os(TARGET) {
        let path = Path::new(&path);
        let mut writer = Writer::create(path, options(64 << 20, 16, Compression::None)).unwrap();
        let data = EncodedCluster::Plain(vec![1; 65536]);
        let error = (0..1024)
            .find_map(|cluster| writer.append(cluster, &data).err())
            .unwrap();
        assert!(
            matches!(&error, Qcow2Error::Io { path: named, .. } if named == path),
            "{error}"
        );
        return;
    }
    // This test again, in a process that may not make files of more than 4 MiB.
    let folder = tempfile::tempdir().unwrap();
    let status = std::process::Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 8192; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "a_target_without_room_is_an_error_with_its_path"])
        .env(TARGET, folder.path().join("disk.qcow2"))
        .status()
        .unwrap();
    assert!(status.success());
}
