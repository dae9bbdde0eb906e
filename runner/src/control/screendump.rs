//! Writes a picture of the screen: to a path, whole or not at all, or to an open file.

use crate::video::Frame;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
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

/// Writes `frame` to `path`.
pub(super) fn write(frame: &Frame, format: Format, path: &Path) -> io::Result<()> {
    replace(path, |file| write_to(frame, format, file))?
}

/// Lets `fill` write a file, first under a temporary name beside `path`; what it made takes the place of `path`, unless
/// it failed.
pub(super) fn replace<E>(path: &Path, fill: impl FnOnce(&File) -> Result<(), E>) -> io::Result<Result<(), E>> {
    static SERIAL: AtomicU64 = AtomicU64::new(0);
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let mut temporary = OsString::from(".");
    temporary.push(name);
    let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
    temporary.push(format!(".{}-{serial}.tmp", std::process::id()));
    let temporary = path.with_file_name(temporary);

    let file = OpenOptions::new().write(true).create_new(true).open(&temporary)?;
    let filled = fill(&file);
    let ended = match filled {
        Ok(()) => fs::rename(&temporary, path),
        Err(_) => fs::remove_file(&temporary),
    };
    if ended.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    ended.map(|()| filled)
}

/// Writes `frame` to an open file.
pub(super) fn write_to(frame: &Frame, format: Format, file: &File) -> io::Result<()> {
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
