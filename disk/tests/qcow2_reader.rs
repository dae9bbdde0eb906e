//! Images that `qemu-img` and `qemu-io` make, read by us: every kind must read like QEMU reads it.

mod qcow2_tools;

use disk::ReadAt;
use disk::qcow2::{Image, ImageOptions, Qcow2Error};
use proptest::prelude::*;
use qcow2_tools::{content, create_encrypted, qemu_img, qemu_io};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

/// What QEMU says is on the disk.
fn by_qemu(image: &Path) -> Vec<u8> {
    let raw = image.with_extension("by-qemu.raw");
    qemu_img(&[
        "convert",
        "-f",
        "qcow2",
        "-O",
        "raw",
        image.to_str().unwrap(),
        raw.to_str().unwrap(),
    ]);
    std::fs::read(raw).unwrap()
}

/// Reads all of the image in pieces of `step` bytes, and checks what is allocated against zeros.
fn by_us(path: &Path, step: usize) -> Vec<u8> {
    let image = Image::open(path).unwrap();
    let mut all = vec![0xee; image.size() as usize];
    for (number, piece) in all.chunks_mut(step).enumerate() {
        image.read_at((number * step) as u64, piece).unwrap();
    }
    let allocated = image.allocated().unwrap();
    for range in allocated.complement(image.size()).iter() {
        assert!(
            all[range.start as usize..range.end as usize].iter().all(|b| *b == 0),
            "{range:?} is not zero"
        );
    }
    all
}

fn same(image: &Path) {
    let expected = by_qemu(image);
    for step in [usize::MAX >> 1, 100_000, 4096] {
        assert!(
            by_us(image, step.min(expected.len().max(1))) == expected,
            "{}",
            image.display()
        );
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A folder with `disk.raw`: all kinds of content.
fn folder_with_disk() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let raw = folder.path().join("disk.raw");
    let mut disk = content(
        &[
            (1, 700_000),
            (0, 900_000),
            (2, 500_000),
            (3, 300_000),
            (0, 100_000),
            (1, 123_456),
        ],
        42,
    );
    disk.resize(disk.len().next_multiple_of(512), 0);
    std::fs::write(&raw, disk).unwrap();
    (folder, raw)
}

#[test]
fn every_cluster_size_version_and_compression() {
    let (folder, raw) = folder_with_disk();
    for bits in 9..=21 {
        for (name, options) in [
            ("v2", "compat=0.10"),
            ("v3", "compat=1.1"),
            ("lazy", "compat=1.1,lazy_refcounts=on,refcount_bits=16"),
            ("narrow", "compat=1.1,refcount_bits=1"),
            ("zlib", "compat=1.1,compression_type=zlib"),
            ("zstd", "compat=1.1,compression_type=zstd"),
            ("v2 zlib", "compat=0.10,compression_type=zlib"),
        ] {
            let image = folder.path().join(format!("{name}-{bits}.qcow2"));
            let options = format!("cluster_size={},{options}", 1 << bits);
            let mut arguments = vec!["convert", "-f", "raw", "-O", "qcow2", "-o", &options];
            // Images with references of one bit cannot share a cluster of the file between pieces.
            if name.contains("zlib") || name == "zstd" {
                arguments.push("-c");
            }
            arguments.extend([text(&raw), text(&image)]);
            qemu_img(&arguments);
            assert!(by_us(&image, 1 << 20) == std::fs::read(&raw).unwrap(), "{name} {bits}");
            std::fs::remove_file(image).unwrap();
        }
    }
}

#[test]
fn zero_clusters_and_parts_of_clusters() {
    let folder = tempfile::tempdir().unwrap();
    for (name, options) in [
        ("plain", "cluster_size=64k"),
        ("parts", "cluster_size=64k,extended_l2=on"),
        ("large parts", "cluster_size=2M,extended_l2=on"),
        ("small parts", "cluster_size=16k,extended_l2=on,compression_type=zstd"),
        ("allocated", "cluster_size=64k,preallocation=metadata"),
    ] {
        let image = folder.path().join(format!("{name}.qcow2"));
        qemu_img(&["create", "-q", "-f", "qcow2", "-o", options, text(&image), "5M"]);
        qemu_io(
            &image,
            "qcow2",
            &[
                "write -P 0x11 0 1M",
                "write -P 0x22 1234k 10k",
                "write -z 64k 128k",
                "write -zu 256k 64k",
                "write -P 0x33 70k 3k",
                // Compressed data cannot go where a cluster has its place already.
                if name == "allocated" {
                    "write -P 0x44 2M 2M"
                } else {
                    "write -c -P 0x44 2M 2M"
                },
                "write -P 0x55 2100k 7k",
                "discard 512k 64k",
                "write -P 0x66 5119k 1k",
                "write -z 4100k 900",
            ],
        );
        same(&image);
    }
}

#[test]
fn chains_of_backing_files() {
    let (folder, raw) = folder_with_disk();
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir(at("sub")).unwrap();
    let create = |options: &str, backing: &str, format: &str, image: &Path, size: Option<&str>| {
        let mut arguments = vec![
            "create",
            "-q",
            "-f",
            "qcow2",
            "-o",
            options,
            "-b",
            backing,
            "-F",
            format,
            text(image),
        ];
        arguments.extend(size);
        qemu_img(&arguments);
    };
    // Larger than what is behind it, other cluster sizes, names relative to the image and absolute.
    create("cluster_size=4k", "disk.raw", "raw", &at("one.qcow2"), Some("4M"));
    qemu_io(
        &at("one.qcow2"),
        "qcow2",
        &["write -P 0x11 10k 300k", "write -z 700k 200k", "write -P 0x77 3999k 5k"],
    );
    create(
        "cluster_size=2M",
        "../one.qcow2",
        "qcow2",
        &at("sub/two.qcow2"),
        Some("3M"),
    );
    qemu_io(&at("sub/two.qcow2"), "qcow2", &["write -P 0x22 2500k 9k"]);
    create(
        "cluster_size=64k,extended_l2=on",
        text(&at("sub/two.qcow2")),
        "qcow2",
        &at("three.qcow2"),
        Some("6M"),
    );
    qemu_io(
        &at("three.qcow2"),
        "qcow2",
        &["write -P 0x33 100k 1k", "write -z 200k 33k", "write -P 1 5M 1M"],
    );
    for name in ["one.qcow2", "sub/two.qcow2", "three.qcow2"] {
        same(&at(name));
    }
    drop(raw);
}

#[test]
fn a_backing_file_without_a_recorded_format_is_looked_at() {
    let (folder, raw) = folder_with_disk();
    let base = folder.path().join("base.qcow2");
    qemu_img(&["convert", "-O", "qcow2", text(&raw), text(&base)]);
    for backing in ["disk.raw", "base.qcow2"] {
        let image = folder.path().join("top.qcow2");
        qemu_img(&[
            "create",
            "-q",
            "-f",
            "qcow2",
            "-b",
            backing,
            "-F",
            if backing == "disk.raw" { "raw" } else { "qcow2" },
            text(&image),
        ]);
        // Newer QEMU always records the format: take it out by giving the extension an unknown number.
        let mut bytes = std::fs::read(&image).unwrap();
        let at = bytes[..65536]
            .windows(4)
            .position(|w| w == [0xe2, 0x79, 0x2a, 0xca])
            .unwrap();
        bytes[at..at + 4].copy_from_slice(&0x1234_5678u32.to_be_bytes());
        std::fs::write(&image, bytes).unwrap();
        assert!(by_us(&image, 1 << 20) == std::fs::read(&raw).unwrap());
        std::fs::remove_file(&image).unwrap();
    }
}

#[test]
fn the_disk_as_it_is_now_not_its_snapshots() {
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("disk.qcow2");
    qemu_img(&["create", "-q", "-f", "qcow2", text(&image), "3M"]);
    qemu_io(&image, "qcow2", &["write -P 0x11 0 2M"]);
    qemu_img(&["snapshot", "-c", "before", text(&image)]);
    qemu_io(&image, "qcow2", &["write -P 0x22 1M 100k"]);
    same(&image);
}

#[test]
fn what_cannot_be_read_is_said() {
    let (folder, raw) = folder_with_disk();
    let at = |name: &str| folder.path().join(name);
    let open = |name: &str| {
        Image::open(&at(name))
            .err()
            .unwrap_or_else(|| panic!("{name} was opened"))
    };

    let options = "encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10";
    let secret = "secret,id=s,data=123456";
    let luks = at("luks.qcow2");
    create_encrypted(&[
        "create",
        "-q",
        "--object",
        secret,
        "-f",
        "qcow2",
        "-o",
        options,
        text(&luks),
        "1M",
    ]);
    assert!(matches!(open("luks.qcow2"), Qcow2Error::Unsupported { feature, .. } if feature.contains("LUKS")));

    let options = format!("data_file={}", text(&at("data.raw")));
    qemu_img(&[
        "create",
        "-q",
        "-f",
        "qcow2",
        "-o",
        &options,
        text(&at("external.qcow2")),
        "1M",
    ]);
    assert!(matches!(open("external.qcow2"), Qcow2Error::Unsupported { .. }));

    assert!(matches!(open("disk.raw"), Qcow2Error::Invalid { .. }));
    assert!(matches!(open("absent.qcow2"), Qcow2Error::Io { path, .. } if path == at("absent.qcow2")));
    assert!(matches!(Image::open(folder.path()), Err(Qcow2Error::Invalid { .. })));

    // A ring: each is the other's backing file. QEMU does not make one; renaming does.
    qemu_img(&["create", "-q", "-f", "qcow2", text(&at("a.qcow2")), "1M"]);
    qemu_img(&[
        "create",
        "-q",
        "-f",
        "qcow2",
        "-b",
        "a.qcow2",
        "-F",
        "qcow2",
        text(&at("b.qcow2")),
    ]);
    std::fs::remove_file(at("a.qcow2")).unwrap();
    std::fs::copy(at("b.qcow2"), at("a.qcow2")).unwrap();
    assert!(matches!(open("b.qcow2"), Qcow2Error::Invalid { reason, .. } if reason.contains("ring")));

    // Nothing behind it any more: the error names the missing file.
    qemu_img(&[
        "create",
        "-q",
        "-f",
        "qcow2",
        "-b",
        "disk.raw",
        "-F",
        "raw",
        text(&at("top.qcow2")),
    ]);
    std::fs::remove_file(&raw).unwrap();
    assert!(matches!(open("top.qcow2"), Qcow2Error::Io { path, .. } if path == raw));

    // Waiting for somebody to write into a FIFO would last for ever.
    assert!(
        std::process::Command::new("mkfifo")
            .arg(&raw)
            .status()
            .unwrap()
            .success()
    );
    assert!(matches!(open("top.qcow2"), Qcow2Error::Invalid { .. }));
}

#[test]
fn an_image_marked_as_corrupt_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("disk.qcow2");
    qemu_img(&["create", "-q", "-f", "qcow2", text(&image), "1M"]);
    let mut bytes = std::fs::read(&image).unwrap();
    bytes[79] |= 2;
    std::fs::write(&image, &bytes).unwrap();
    assert!(matches!(Image::open(&image), Err(Qcow2Error::Invalid { reason, .. }) if reason.contains("corrupt")));
    // Dirty only means that reference counts may be wrong.
    bytes[79] = bytes[79] & !2 | 1;
    std::fs::write(&image, &bytes).unwrap();
    Image::open(&image).unwrap();
}

#[test]
fn threads_read_with_little_memory() {
    let (folder, raw) = folder_with_disk();
    let image = folder.path().join("disk.qcow2");
    qemu_img(&[
        "convert",
        "-c",
        "-O",
        "qcow2",
        "-o",
        "compression_type=zstd",
        text(&raw),
        text(&image),
    ]);
    let expected = Arc::new(std::fs::read(&raw).unwrap());
    let options = ImageOptions {
        cluster_cache: 200_000,
        table_cache: 4096,
    };
    let image = Arc::new(Image::open_with(&image, options).unwrap());
    let threads: Vec<_> = (1..5usize)
        .map(|number| {
            let (image, expected) = (Arc::clone(&image), Arc::clone(&expected));
            thread::spawn(move || {
                for round in 0..3000 {
                    let start = (round * number * 7919) % (expected.len() - 5000);
                    let mut data = vec![0; 1 + round % 5000];
                    image.read_at(start as u64, &mut data).unwrap();
                    assert!(data == expected[start..start + data.len()]);
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
}

/// Small images of different kinds to damage, with what is on the disk.
fn victims(folder: &Path) -> Vec<PathBuf> {
    let raw = folder.join("disk.raw");
    std::fs::write(&raw, content(&[(1, 60_000), (0, 50_000), (2, 30_000)], 3)).unwrap();
    [
        ("zstd", "cluster_size=4k,compression_type=zstd", true),
        ("zlib", "cluster_size=512,compat=0.10", true),
        ("plain", "cluster_size=16k,extended_l2=on", false),
    ]
    .into_iter()
    .map(|(name, options, compress)| {
        let image = folder.join(name);
        let mut arguments = vec!["convert", "-f", "raw", "-O", "qcow2", "-o", options];
        arguments.extend(compress.then_some("-c"));
        arguments.extend([text(&raw), text(&image)]);
        qemu_img(&arguments);
        image
    })
    .collect()
}

/// Opens and reads everything that can be read; errors are fine.
fn survive(path: &Path) {
    let Ok(image) = Image::open(path) else {
        return;
    };
    let _ = image.allocated();
    let mut buf = vec![0; 70_000];
    // A damaged size may be enormous: the start, the end and some places between are enough.
    for part in 0..16 {
        let start = (image.size() / 16 * part).min(image.size().saturating_sub(buf.len() as u64));
        let len = buf.len().min(image.size() as usize);
        let _ = image.read_at(start, &mut buf[..len]);
    }
}

#[test]
fn damage_is_an_error_at_worst() {
    let folder = tempfile::tempdir().unwrap();
    let damaged = folder.path().join("damaged.qcow2");
    for victim in victims(folder.path()) {
        let good = std::fs::read(&victim).unwrap();
        let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
            failure_persistence: None,
            ..ProptestConfig::with_cases(400)
        });
        // Most of the damage where the tables are: the header, and all over the file.
        let place = prop_oneof![0..112usize, 0..good.len()];
        let flips = prop::collection::vec((place, any::<u8>()), 1..12);
        let length = prop_oneof![3 => Just(good.len()), 1 => 0..good.len()];
        runner
            .run(&(flips, length), |(flips, length)| {
                let mut bytes = good.clone();
                for (at, byte) in flips {
                    bytes[at] = byte;
                }
                // Backing files of damaged names are none of this test's business.
                bytes[8..20].fill(0);
                bytes.truncate(length);
                std::fs::write(&damaged, &bytes).unwrap();
                survive(&damaged);
                Ok(())
            })
            .unwrap();
    }
    assert!(qcow2_tools::peak_memory() < 400 << 20);
}

#[test]
fn an_image_cut_short_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    for victim in victims(folder.path()) {
        let good = std::fs::read(&victim).unwrap();
        let short = folder.path().join("short.qcow2");
        std::fs::write(&short, &good[..good.len() / 2]).unwrap();
        let read = Image::open(&short).map_err(std::io::Error::from).and_then(|image| {
            let mut all = vec![0; image.size() as usize];
            image.read_at(0, &mut all)
        });
        let message = read.err().unwrap().to_string();
        assert!(
            message.contains("short.qcow2") && message.contains("cut short"),
            "{message}"
        );
    }
}
