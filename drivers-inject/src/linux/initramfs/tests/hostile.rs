//! Damaged images are refused with an error that says where.

use super::*;

fn error(bytes: &[u8]) -> InitramfsError {
    Initramfs::parse(bytes, &Limits::default()).unwrap_err()
}

fn problem(bytes: &[u8]) -> CpioProblem {
    match error(bytes) {
        InitramfsError::Cpio { problem, .. } => problem,
        other => panic!("{other}"),
    }
}

fn archive(format: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "file", "contents");
    pack(folder.path(), format)
}

/// Where the second entry's header begins: that of `file`.
fn second(bytes: &[u8]) -> usize {
    bytes[6..].windows(5).position(|window| window == b"07070").unwrap() + 6
}

#[test]
fn what_is_not_understood_is_named_with_its_place() {
    let mut bytes = archive("newc");
    let at = bytes.len();
    bytes.extend(b"\x04\x22\x4d\x18 and so on");
    let message = error(&bytes).to_string();
    assert!(
        message.contains(&format!("byte {at}")) && message.contains("lz4 frame"),
        "{message}"
    );
    bytes.truncate(at);
    bytes.extend(b"garbage");
    assert!(error(&bytes).to_string().contains("bytes 67 61 72 62"));
    let mut lzo = vec![0; 12];
    lzo.extend(b"\x89LZO\0\r\n\x1a\n");
    assert!(error(&lzo).to_string().contains("lzo"));
    assert_eq!(error(&[0; 5]), InitramfsError::Empty(5));
    assert_eq!(error(&[]), InitramfsError::Empty(0));
}

#[test]
fn a_plain_archive_begins_at_a_multiple_of_four() {
    let mut bytes = archive("newc");
    bytes.push(0);
    let at = bytes.len();
    bytes.extend(archive("newc"));
    assert_eq!(error(&bytes), InitramfsError::Unaligned(at));
}

#[test]
fn damaged_headers_are_refused() {
    let good = archive("newc");
    let file = second(&good);
    let changed = |at: usize, with: &[u8]| {
        let mut bytes = good.clone();
        bytes[at..at + with.len()].copy_from_slice(with);
        bytes
    };
    assert!(matches!(problem(&changed(file, b"070707")), CpioProblem::Magic(_)));
    assert!(matches!(
        problem(&changed(file + 6, b"0000000g")),
        CpioProblem::Number(_)
    ));
    assert!(matches!(
        problem(&changed(file + 6, b"+0000001")),
        CpioProblem::Number(_)
    ));
    assert!(matches!(
        problem(&changed(file + 54, b"FFFFFFFF")),
        CpioProblem::Truncated
    ));
    assert!(matches!(
        problem(&changed(file + 94, b"FFFFFFFF")),
        CpioProblem::NameLength(u32::MAX)
    ));
    assert!(matches!(
        problem(&changed(file + 94, b"00000000")),
        CpioProblem::NameLength(0)
    ));
    assert!(matches!(problem(&changed(file + 114, b"x")), CpioProblem::NameEnd));
    // A symbolic link whose target is as long as the kernel would never take it.
    let mut link = changed(file + 14, b"0000A1FF");
    link[file + 54..file + 62].copy_from_slice(b"00002000");
    assert!(matches!(problem(&link), CpioProblem::Target { size: 0x2000, .. }));
    assert!(matches!(problem(&good[..file + 50]), CpioProblem::Truncated));
    assert!(matches!(problem(&good[..file + 117]), CpioProblem::Truncated));
}

#[test]
fn checksums_of_the_crc_format_count() {
    let mut bytes = archive("crc");
    let file = second(&bytes);
    bytes[file + 117] ^= 1;
    assert!(matches!(problem(&bytes), CpioProblem::Checksum { .. }));
}

#[test]
fn cut_and_damaged_compressed_data_is_an_error() {
    let archive = archive("newc");
    for (compression, ..) in COMPRESSORS.iter().skip(1) {
        let good = compress(*compression, &archive);
        for len in [good.len() / 3, good.len() / 2, good.len() - 1] {
            assert!(
                Initramfs::parse(&good[..len], &Limits::default()).is_err(),
                "{compression} {len}"
            );
        }
        // Lz4 has no checksum: a changed byte may give other contents.
        if *compression == Compression::Lz4Legacy {
            continue;
        }
        let mut bad = good.clone();
        let middle = bad.len() / 2;
        bad[middle] ^= 0x55;
        assert!(Initramfs::parse(&bad, &Limits::default()).is_err(), "{compression}");
    }
}

#[test]
fn junk_inside_compressed_data_is_an_error() {
    let mut bytes = archive("newc");
    bytes.extend(b"junk");
    assert!(matches!(
        problem(&compress(Compression::Gzip, &bytes)),
        CpioProblem::Junk(_)
    ));
}

#[test]
fn limits_hold() {
    let folder = tempfile::tempdir().unwrap();
    for number in 0..20 {
        put(folder.path(), &format!("conf/conf.d/{number}"), [b'x'; 100]);
    }
    put(folder.path(), "zeros", vec![0; 3 << 20]);
    let bytes = compress(Compression::Xz, &pack(folder.path(), "newc"));
    let unit = |limits: Limits<'_>| match Initramfs::parse(&bytes, &limits).unwrap_err() {
        InitramfsError::TooMuch { unit, .. } => unit,
        other => panic!("{other}"),
    };
    let all = Limits::default;
    assert_eq!(
        unit(Limits {
            unpacked: 2 << 20,
            ..all()
        }),
        "bytes"
    );
    assert_eq!(unit(Limits { entries: 10, ..all() }), "entries");
    assert_eq!(unit(Limits { names: 50, ..all() }), "bytes of names");
    let image = Initramfs::parse(&bytes, &Limits { kept: 1000, ..all() }).unwrap();
    let kept = image.entries().filter(|(_, entry)| entry.contents.is_some()).count();
    assert_eq!(kept, 10);
}

#[test]
fn links_in_a_circle_lead_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    symlink("b", folder.path().join("a")).unwrap();
    symlink("a", folder.path().join("b")).unwrap();
    let image = parse(&pack(folder.path(), "newc"));
    assert!(image.entry("a/x").is_none());
    let file = NewEntry {
        path: "a/x".to_owned(),
        mode: 0o644,
        contents: vec![],
    };
    assert!(matches!(append(&image, &[file]), Err(AppendError::NotAFolder(_))));
}
