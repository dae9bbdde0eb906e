//! What was appended is unpacked by cpio over the original.

use super::judged::assert_like_folder;
use super::*;

fn new_files() -> Vec<NewEntry> {
    let file = |path: &str, contents: &[u8]| NewEntry {
        path: path.to_owned(),
        mode: 0o640,
        contents: contents.to_vec(),
    };
    vec![
        file(
            &format!("lib/modules/{VERSION}/kernel/drivers/ata/new/deep/er.ko"),
            &[3; 70_001],
        ),
        file(&format!("/lib/modules/{VERSION}/modules.builtin"), b""),
        file("conf/modules", b"unix\nata_piix\n"),
        file("new/folder/file", b"1"),
        file("bin/new", b"12"),
    ]
}

/// Unpacks an archive over a folder, as the kernel does.
fn unpack(archive: &[u8], folder: &Path) {
    tool("cpio", &["cpio", "--quiet", "-idmu"], folder, archive);
}

#[test]
fn appended_files_override_in_every_compression() {
    let folder = sample();
    let archive = pack(folder.path(), "newc");
    let files = new_files();
    for (compression, package, command) in COMPRESSORS {
        let packed = compress(compression, &archive);
        for zeros in [0, 1, 3, 4, 9] {
            let mut bytes = packed.clone();
            bytes.resize(bytes.len() + zeros, 0);
            let image = parse(&bytes);
            assert_eq!(image.missing(&files).len(), files.len());
            let appended = append(&image, &files).unwrap();
            assert_eq!(appended, append(&image, &files).unwrap(), "deterministic");
            let start = bytes.len();
            bytes.extend(&appended);
            check(&image, &bytes, &files).unwrap();

            let result = tempfile::tempdir().unwrap();
            unpack(&archive, result.path());
            if compression != Compression::Lz4Legacy {
                let second = bytes[start..].iter().position(|byte| *byte != 0).unwrap() + start;
                assert_eq!(second % 4, 0);
                unpack(&bytes[second..], result.path());
            } else {
                let second = bytes[start..].iter().position(|byte| *byte != 0).unwrap() + start;
                unpack(
                    &tool(package, &[command[0], "-dcq"], folder.path(), &bytes[second..]),
                    result.path(),
                );
                if zeros == 0 {
                    let whole = tool(package, &[command[0], "-dcq"], folder.path(), &bytes);
                    assert!(whole.starts_with(&archive), "frames follow each other");
                }
            }
            assert!(result.path().join("lib").is_symlink());
            for file in &files {
                let path = result.path().join(image.tree.resolve(&file.path, true).unwrap());
                assert_eq!(fs::read(path).unwrap(), file.contents, "{compression} {}", file.path);
            }
            assert!(result.path().join("usr/bin/new").is_file());
            let image = parse(&bytes);
            assert_like_folder(&image, result.path());
            assert!(image.missing(&files).is_empty());
            assert!(image.modules()[VERSION].files.contains("er"));
        }
    }
}

#[test]
fn lz4_data_goes_on_at_a_multiple_of_four() {
    // Not padded to 512 as cpio does it: the kernel counts on in the unpacked data of the frames.
    let mut writer = write::Writer::default();
    writer.add("a", 0o100_644, b"1").unwrap();
    let mut archive = writer.finish();
    archive.extend([0; 3]);
    let mut bytes = compress(Compression::Lz4Legacy, &archive);
    let image = parse(&bytes);
    bytes.extend(append(&image, &new_files()).unwrap());
    let whole = tool("lz4", &["lz4", "-dcq"], Path::new("/"), &bytes);
    let second = whole[archive.len()..].iter().position(|byte| *byte != 0).unwrap() + archive.len();
    assert_eq!(second % 4, 0);
    check(&image, &bytes, &new_files()).unwrap();
}

#[test]
fn impossible_places_are_refused() {
    let folder = sample();
    let image = parse(&pack(folder.path(), "newc"));
    let refused = |paths: &[&str]| {
        let file = |path: &&str| NewEntry {
            path: (*path).to_owned(),
            mode: 0o644,
            contents: vec![],
        };
        append(&image, &paths.iter().map(file).collect::<Vec<_>>()).unwrap_err()
    };
    for paths in [
        &["usr/lib"][..],
        &["conf/modules/x"],
        &["usr/bin/sh/x/y"],
        &["a/b", "a"],
    ] {
        assert!(matches!(refused(paths), AppendError::NotAFolder(_)), "{paths:?}");
    }
    for path in ["", "/", "..", "a/../b"] {
        assert!(matches!(refused(&[path]), AppendError::Path(_)), "{path}");
    }
    for path in ["x".repeat(4096), "x/".repeat(48) + "x"] {
        assert!(matches!(refused(&[&path]), AppendError::TooLong(_)), "{path}");
    }
}
