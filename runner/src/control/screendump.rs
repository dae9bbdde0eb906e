//! Writes a picture of the screen to a file, whole or not at all.

use crate::video::Frame;
use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// A file format of pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// Portable network graphics, 8 bits a channel.
    Png,
    /// Binary portable pixmap (P6).
    Ppm,
}

/// Writes `frame` to `path`: first under a temporary name beside it, then renamed.
pub(super) fn write(frame: &Frame, format: Format, path: &Path) -> io::Result<()> {
    static SERIAL: AtomicU64 = AtomicU64::new(0);
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let mut temporary = OsString::from(".");
    temporary.push(name);
    let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
    temporary.push(format!(".{}-{serial}.tmp", std::process::id()));
    let temporary = path.with_file_name(temporary);

    let written = write_new(frame, format, &temporary).and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written
}

fn write_new(frame: &Frame, format: Format, path: &Path) -> io::Result<()> {
    let file = OpenOptions::new().write(true).create_new(true).open(path)?;
    let mut out = BufWriter::new(file);
    match format {
        Format::Png => out.write_all(&frame.to_png()?)?,
        Format::Ppm => {
            write!(out, "P6\n{} {}\n255\n", frame.width, frame.height)?;
            out.write_all(&frame.rgb())?;
        }
    }
    out.flush()
}
