//! libext2fs runs in this process: whatever a damaged filesystem holds, there is an answer, in bounded time.

mod extfs;

use disk::scratch::Scratch;
use extfs::{Image, MIB, noise, open};
use fs_edit::Editor;
use proptest::prelude::*;
use std::fs;
use std::os::unix::fs::symlink;
use std::sync::Arc;

/// Mostly without checksums: these would keep the damage from the code behind them.
const KINDS: &[&str] = &[
    "-t ext2 -b 1024",
    "-t ext3 -b 1024 -I 128",
    "-t ext4 -b 1024 -O ^metadata_csum",
    "-t ext4 -b 1024 -I 256 -O ^metadata_csum,inline_data",
    "-t ext4 -b 4096 -O ^metadata_csum,bigalloc -C 16384",
    "-t ext4 -b 1024 -O metadata_csum",
    "-t ext4 -b 1024 -O ^metadata_csum,ea_inode,large_dir",
    "-t ext4 -b 1024 -O ^metadata_csum,meta_bg,^resize_inode",
];

/// An image, and the blocks of it that hold structures (1 KiB each).
fn image(arguments: &str) -> (Vec<u8>, Vec<usize>) {
    let tree = tempfile::tempdir().unwrap();
    let root = tree.path();
    for name in ["etc", "deep/er", "many"] {
        fs::create_dir_all(root.join(name)).unwrap();
    }
    fs::write(root.join("etc/fstab"), b"a table\n").unwrap();
    fs::write(root.join("etc/small"), noise(100, 2)).unwrap();
    fs::write(root.join("big"), noise(400_000, 1)).unwrap();
    symlink("/deep/er", root.join("link")).unwrap();
    symlink("x/".repeat(70) + "etc", root.join("long")).unwrap();
    for number in 0..150 {
        fs::write(root.join(format!("many/a name that is rather long {number}")), b"").unwrap();
    }
    // As small a journal as there can be; bigalloc counts groups in clusters.
    let more = if arguments.contains("bigalloc") {
        "-J size=4"
    } else {
        "-g 8192 -J size=1"
    };
    let image = Image::new(&format!("{arguments} -N 256 {more}"), 12 * MIB, root);
    // Extents in a tree, holes, unwritten blocks; attributes in the inode and in a block.
    let mut script = String::new();
    for at in (0..300).step_by(2) {
        script += &format!("punch /big {at} {at}\n");
    }
    script += "fallocate /etc/small 3 20\nea_set /etc/fstab user.a bbbb\n";
    fs::write(image.folder.path().join("value"), noise(700, 3)).unwrap();
    script += "ea_set -f value /etc/fstab user.long\nea_set -f value /big user.long\n";
    image.change(&script);
    extfs::output(std::process::Command::new("e2fsck").arg("-fyD").arg(&image.path));
    assert_eq!(image.complaint(), None, "{arguments}");
    let bytes = fs::read(&image.path).unwrap();
    let noise = noise(400_000, 1);
    let holds_data = |block: &[u8]| noise.chunks(1024).any(|part| part.starts_with(&block[..16]));
    let blocks = bytes.chunks(1024).enumerate();
    let blocks = blocks.filter(|(_, block)| block.iter().any(|byte| *byte != 0) && !holds_data(block));
    let blocks = blocks.map(|(number, _)| number * 1024).collect();
    (bytes, blocks)
}

/// Everything that the editor can do; errors are fine.
fn work(editor: &mut dyn Editor) {
    let limit = 1 << 20;
    for path in [
        "/etc/fstab",
        "/etc/small",
        "/big",
        "/link/none",
        "/long/fstab",
        "/many/a name that is rather long 99",
    ] {
        let _ = editor.read(path, limit);
    }
    let _ = editor.write("/etc/fstab", &noise(3000, 4));
    let _ = editor.write("/etc/small", b"smaller");
    let _ = editor.append("/big", &noise(5000, 5));
    let _ = editor.append("/etc/small", &noise(50, 5));
    let _ = editor.create_folder("/new/folder");
    for number in 0..20 {
        let _ = editor.write(
            &format!("/many/another name that is rather long {number}"),
            b"some bytes",
        );
    }
    let _ = editor.write("/link/file", &noise(20_000, 6));
    let _ = editor.rename("/etc/fstab", "table");
    let _ = editor.remove("/etc/table");
    let _ = editor.remove("/long");
    let _ = editor.write("/big", b"small now");
    let _ = editor.remove("/big");
    let _ = editor.remove("/many/a name that is rather long 7");
}

#[derive(Clone, Debug)]
struct Damage {
    block: prop::sample::Index,
    offset: usize,
    value: Vec<u8>,
}

fn damage() -> impl Strategy<Value = Damage> {
    const EXTREMES: &[&[u8]] = &[
        b"\0",
        b"\xFF",
        b"\0\0",
        b"\xFF\xFF",
        b"\xFF\x7F",
        b"\0\0\0\0",
        b"\xFF\xFF\xFF\xFF",
        b"\xFF\xFF\xFF\x7F",
    ];
    let value = prop_oneof![
        prop::sample::select(EXTREMES).prop_map(<[u8]>::to_vec),
        prop::collection::vec(any::<u8>(), 1..5),
        prop::collection::vec(any::<u8>(), 1..2),
    ];
    (any::<prop::sample::Index>(), 0usize..1024, value).prop_map(|(block, offset, value)| Damage {
        block,
        offset,
        value,
    })
}

#[test]
fn damaged_filesystems_give_errors_and_nothing_worse() {
    let cases = std::env::var("DAMAGE_CASES")
        .ok()
        .and_then(|cases| cases.parse().ok())
        .unwrap_or(600);
    let images: Vec<_> = KINDS.iter().map(|arguments| image(arguments)).collect();
    let images: Vec<(Arc<Vec<u8>>, Vec<usize>)> = images
        .into_iter()
        .map(|(bytes, blocks)| (Arc::new(bytes), blocks))
        .collect();
    let opened = std::cell::Cell::new(0);
    let case = (0..images.len(), prop::collection::vec(damage(), 1..8));
    proptest!(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases) }, |((which, damages) in case)| {
        if let Ok(path) = std::env::var("DAMAGE_LOG") {
            // A crash leaves here what caused it.
            fs::write(path, format!("{which} {damages:?}")).unwrap();
        }
        let (bytes, blocks) = &images[which];
        let scratch = Arc::new(Scratch::new(Arc::clone(bytes) as _, 64 * MIB));
        for damage in &damages {
            let at = damage.block.get(blocks) + damage.offset;
            use disk::BlockDevice;
            let _ = scratch.write_at(at as u64, &damage.value);
        }
        let started = std::time::Instant::now();
        if let Ok(mut editor) = open(&scratch, 0..bytes.len() as u64) {
            opened.set(opened.get() + 1);
            work(&mut *editor);
            let _ = editor.finish();
        }
        prop_assert!(started.elapsed().as_secs() < 20);
    });
    // Not all of them were refused at the door.
    assert!(opened.get() * 10 > cases, "{} of {cases}", opened.get());
}
