//! For fuzz targets: parsers that are no part of the interface.

use crate::linux::initramfs::{Initramfs, Limits, NewEntry, append, check};

/// Reads bytes as an initramfs, and adds a file at `path` where that is possible: it must be there afterwards, and
/// nothing else lost. The number of entries.
pub fn initramfs(bytes: &[u8], path: &str) -> Option<usize> {
    let limits = Limits {
        unpacked: 512 << 20,
        ..Limits::default()
    };
    let image = Initramfs::parse(bytes, &limits).ok()?;
    let _ = (image.modules(), image.generator());
    let file = NewEntry {
        path: path.to_owned(),
        mode: 0o644,
        contents: path.as_bytes().to_vec(),
    };
    let files = [file];
    if let Ok(appended) = append(&image, &files) {
        let whole = [bytes, &appended].concat();
        check(&image, &whole, &files).expect("the file is there and nothing is lost");
    }
    Some(image.entries().count())
}
