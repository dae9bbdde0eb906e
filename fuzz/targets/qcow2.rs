//! Any bytes as a qcow2 image, and a good image with any damage: opening and reading ends, without a panic and
//! without much memory.
#![no_main]
use disk::ReadAt;
use disk::qcow2::{Compression, Image, ImageOptions, Writer, WriterOptions};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

static FILE: LazyLock<PathBuf> =
    LazyLock::new(|| std::env::temp_dir().join(format!("p2v-fuzz-{}.qcow2", std::process::id())));

/// Small images, one a method of compression.
static GOOD: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    [Compression::None, Compression::Zlib, Compression::Zstd(1)]
        .into_iter()
        .map(|compression| good_image(&FILE, compression))
        .collect()
});

fn good_image(path: &Path, compression: Compression) -> Vec<u8> {
    let _ = std::fs::remove_file(path);
    let options = WriterOptions {
        virtual_size: 100 << 10,
        cluster_bits: 10,
        compression,
    };
    let mut writer = Writer::create(path, options).expect("a temporary file");
    let mut encoder = writer.encoder().expect("an encoder");
    for cluster in (0..100).step_by(3) {
        let data: Vec<u8> = (0..1024u32).map(|at| (at >> 4) as u8 ^ cluster as u8).collect();
        let encoded = encoder.encode(&data).expect("a cluster");
        writer.append(cluster, &encoded).expect("room");
    }
    writer.finish().expect("room");
    std::fs::read(path).expect("the image")
}

libfuzzer_sys::fuzz_target!(|input: (u8, Vec<(u16, u8)>, Vec<u8>)| {
    let (which, damage, anything) = input;
    let mut bytes = GOOD.get(usize::from(which)).cloned().unwrap_or(anything);
    for (at, byte) in damage {
        if let Some(place) = bytes.get_mut(usize::from(at)) {
            *place = byte;
        }
    }
    // No backing files: their names would lead to files of this computer.
    if let Some(backing) = bytes.get_mut(8..20) {
        backing.fill(0);
    }
    if std::fs::write(&*FILE, &bytes).is_err() {
        return;
    }
    let options = ImageOptions {
        cluster_cache: 4 << 20,
        table_cache: 64 << 10,
    };
    let Ok(image) = Image::open_with(&FILE, options) else {
        return;
    };
    let mut buf = vec![0; 20_000];
    for part in 0..8 {
        let len = buf.len().min(usize::try_from(image.size()).unwrap_or(usize::MAX));
        let start = (image.size() / 8 * part).min(image.size() - len as u64);
        let _ = image.read_at(start, &mut buf[..len]);
    }
    let _ = image.allocated();
});
