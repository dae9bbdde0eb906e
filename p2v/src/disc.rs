//! What can be put into the CD-ROM drive: an image, a real disc in this computer's drive, or a folder that becomes one.

use crate::error::{Failure, Result};
use std::fs::{self, File};
use std::io::{Seek, SeekFrom};
use std::path::Path;
use std::process::{Command, Stdio};

/// A sector of a disc in bytes.
const SECTOR: u64 = 2048;
/// Longest name that Windows reads from a disc (Joliet as most programs write it), in UTF-16 units.
const LONGEST_NAME: usize = 103;

/// Opens a disc. What a folder becomes lies in a file without a name in `room`, and is gone when it is closed.
pub(crate) fn open(path: &Path, room: &Path) -> Result<File> {
    let failed = |error| Failure::refused(format!("cannot open the disc {}: {error}", path.display()));
    if fs::metadata(path).map_err(failed)?.is_dir() {
        return from_folder(path, room);
    }
    let mut file = File::open(path).map_err(failed)?;
    let size = file.seek(SeekFrom::End(0)).map_err(failed)?;
    if size == 0 || !size.is_multiple_of(SECTOR) {
        let what = format!(
            "{} is no disc image: its size, {size} bytes, is no multiple of {SECTOR}",
            path.display()
        );
        return Err(Failure::refused(what).advice("Was it downloaded completely?"));
    }
    Ok(file)
}

/// Makes a disc of what is in a folder now: ISO 9660 with long names for Windows (Joliet) and Linux (Rock Ridge).
fn from_folder(folder: &Path, room: &Path) -> Result<File> {
    check(folder, room)?;
    let failed = |error: std::io::Error| {
        Failure::failed(format!(
            "cannot make a disc of {} in {}: {error}",
            folder.display(),
            room.display()
        ))
    };
    let image = tempfile::tempfile_in(room).map_err(failed)?;
    let output = Command::new("xorrisofs")
        .args(["-quiet", "-iso-level", "3", "-joliet", "-joliet-long", "-rational-rock"])
        .args(["-volid", &label(folder), "-output", "-"])
        // Whatever its name begins with, it is no option.
        .arg(std::path::absolute(folder).map_err(failed)?)
        .stdin(Stdio::null())
        .stdout(image.try_clone().map_err(failed)?)
        .stderr(Stdio::piped())
        .output()
        .map_err(|error| {
            Failure::refused(format!("cannot run xorrisofs, which makes discs of folders: {error}"))
                .advice("It belongs to Debian's package `xorriso`: `apt-get install xorriso`.")
        })?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let what = format!("xorrisofs cannot make a disc of {}: {}", folder.display(), said.trim());
        return Err(Failure::failed(what));
    }
    Ok(image)
}

/// Refuses what would not be whole on the disc, and says what old systems will not see.
fn check(folder: &Path, room: &Path) -> Result<()> {
    let mut left = vec![folder.to_owned()];
    let (mut size, mut links, mut long, mut huge) = (0u64, 0u64, 0u64, 0u64);
    while let Some(folder) = left.pop() {
        let unreadable = |error| Failure::refused(format!("cannot read {}: {error}", folder.display()));
        for entry in fs::read_dir(&folder).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            let metadata = entry.metadata().map_err(unreadable)?;
            if entry.file_name().to_string_lossy().encode_utf16().count() > LONGEST_NAME {
                long += 1;
            }
            if metadata.is_dir() {
                left.push(entry.path());
            } else if metadata.is_file() {
                // What cannot be read would be missing on the disc.
                File::open(entry.path())
                    .map_err(|error| Failure::refused(format!("cannot read {}: {error}", entry.path().display())))?;
                size = size.saturating_add(metadata.len());
                huge += u64::from(metadata.len() > u64::from(u32::MAX));
            } else {
                links += 1;
            }
        }
    }
    let free = rustix::fs::statvfs(room).map_or(u64::MAX, |free| free.f_bavail.saturating_mul(free.f_frsize));
    if size > free {
        let what = format!(
            "there is no room in {} for a disc of {}: it holds {size} bytes, {free} are free",
            room.display(),
            folder.display()
        );
        return Err(Failure::refused(what));
    }
    for (count, what) in [
        (links, "are links or devices, which Windows does not see"),
        (long, "have names longer than 103 characters, which Windows sees cut"),
        (
            huge,
            "are larger than 4 GiB, which systems before Windows Vista cannot read whole",
        ),
    ] {
        if count > 0 {
            eprintln!("warning: {count} entries of {} {what}", folder.display());
        }
    }
    Ok(())
}

/// The disc's name: the folder's, in the characters that every system takes.
fn label(folder: &Path) -> String {
    let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let name = folder.file_name().unwrap_or_default().to_string_lossy().to_uppercase();
    let plain = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' });
    let label: String = plain.take(16).collect();
    if label.is_empty() { "DISC".to_owned() } else { label }
}
