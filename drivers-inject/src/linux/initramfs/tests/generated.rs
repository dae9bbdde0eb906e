//! Random bytes and random trees.

use super::*;
use proptest::prelude::*;

/// First bytes that lead into each decompressor.
fn beginnings() -> impl Strategy<Value = Vec<u8>> {
    prop::sample::select(vec![
        vec![],
        b"070701".to_vec(),
        vec![0x1f, 0x8b, 8],
        b"BZh91AY&SY".to_vec(),
        vec![0x5d, 0, 0, 0x80, 0],
        vec![0xfd, b'7', b'z', b'X', b'Z', 0, 0, 1],
        lz4::MAGIC.to_vec(),
        vec![0x28, 0xb5, 0x2f, 0xfd],
    ])
}

type Tree = Vec<(Vec<u8>, u8, Vec<u8>)>;

/// Names of few letters, so that they meet; folders, files, links among each other.
fn trees() -> impl Strategy<Value = Tree> {
    let name = prop::collection::vec(0..4_u8, 1..4);
    prop::collection::vec((name, 0..3_u8, prop::collection::vec(any::<u8>(), 0..40)), 0..12)
}

fn path(parts: &[u8]) -> String {
    let parts: Vec<&str> = parts
        .iter()
        .map(|part| ["a", "b", "lib", ".."][usize::from(*part)])
        .collect();
    parts.join("/")
}

fn archive(tree: &Tree) -> Vec<u8> {
    let mut writer = write::Writer::default();
    for (parts, kind, contents) in tree {
        let target = path(&contents.iter().take(3).map(|byte| byte % 4).collect::<Vec<_>>());
        let (mode, contents) = match kind {
            0 => (0o040_755, &[][..]),
            1 => (0o100_644, &contents[..]),
            _ => (0o120_777, target.as_bytes()),
        };
        writer.add(&path(parts), mode, contents).unwrap();
    }
    writer.finish()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn arbitrary_bytes_never_panic(first in beginnings(), rest in prop::collection::vec(any::<u8>(), 0..600)) {
        let bytes = [first, rest].concat();
        let _ = Initramfs::parse(&bytes, &Limits::default());
    }

    #[test]
    fn damaged_archives_never_panic(tree in trees(), damage in prop::collection::vec((any::<u16>(), any::<u8>()), 1..4)) {
        let mut bytes = archive(&tree);
        for (at, byte) in damage {
            let at = usize::from(at) % bytes.len();
            bytes[at] = byte;
        }
        let _ = Initramfs::parse(&bytes, &Limits::default());
    }
}

proptest! {
    // Each case starts a process.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn appended_files_are_there_or_refused(
        tree in trees(),
        new in trees(),
        (compression, _, _) in prop::sample::select(COMPRESSORS.to_vec()),
        zeros in 0..9_usize,
    ) {
        let mut bytes = compress(compression, &archive(&tree));
        bytes.resize(bytes.len() + zeros, 0);
        let image = parse(&bytes);
        let mut files: Vec<NewEntry> = Vec::new();
        for (parts, _, contents) in new {
            let path = path(&parts);
            let resolved = image.tree.resolve(&path, false);
            if files.iter().all(|file| image.tree.resolve(&file.path, false) != resolved) {
                files.push(NewEntry { path, mode: 0o644, contents });
            }
        }
        let Ok(appended) = append(&image, &files) else { return Ok(()) };
        bytes.extend(appended);
        check(&image, &bytes, &files).unwrap();
    }
}
