//! The image onto the stick and back: the first MiB, with boot sector and table, comes last, so that a stick that was
//! not finished does not start.

use super::target::Target;
use crate::capture::progress::Progress;
use crate::capture::{Buffer, CHUNK};
use crate::error::{Failure, Result};
use crate::signals::Stop;
use disk::source::Source;
use rustix::fs::{Advice, fadvise};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Bytes of the beginning that are written last.
const HEAD: usize = 1 << 20;

/// The beginning of the image, with what was added to its table.
pub(super) struct Head(Vec<u8>);

impl Head {
    /// The first sector.
    pub(super) fn sector_mut(&mut self) -> &mut [u8; 512] {
        // An image is larger than that: `medium::check`.
        self.0.first_chunk_mut().expect("the head has a sector")
    }
}

/// Removes what the stick was before: tables, boot sectors, and the marks that RAID and GPT leave at the end.
pub(super) fn erase_ends(disk: &File, size: u64) -> io::Result<()> {
    let zeros = vec![0; HEAD];
    disk.write_all_at(&zeros, 0)?;
    disk.write_all_at(&zeros, size.saturating_sub(HEAD as u64))?;
    disk.sync_all()
}

/// Writes everything but the head, which it returns.
pub(super) fn body(image: &File, size: u64, disk: &File, target: &Target, quiet: bool, stop: &Stop) -> Result<Head> {
    let failed = |error: io::Error| Failure::target_write(target.path(), &error);
    let unreadable = |error: io::Error| Failure::failed(format!("cannot read the image: {error}"));
    let mut head = vec![0; HEAD.min(usize::try_from(size).unwrap_or(HEAD))];
    image.read_exact_at(&mut head, 0).map_err(unreadable)?;
    let progress = Progress::new("writing", size, quiet);
    let mut buffer = Buffer::new();
    let mut offset = head.len() as u64;
    while offset < size {
        going_on(stop)?;
        let part = part(&mut buffer, size - offset);
        image.read_exact_at(part, offset).map_err(unreadable)?;
        disk.write_all_at(part, offset).map_err(failed)?;
        // Written now, not all at once at the end: so the progress is true.
        disk.sync_data().map_err(failed)?;
        offset += part.len() as u64;
        progress.add(part.len() as u64);
    }
    progress.finish();
    Ok(Head(head))
}

/// Writes the head, and with it the table: from now on the stick starts.
pub(super) fn head(head: &Head, disk: &File) -> io::Result<()> {
    disk.write_all_at(&head.0, 0)?;
    disk.sync_all()?;
    forget(disk);
    Ok(())
}

/// Makes the kernel drop what it remembers of a disk, so that it is read again.
pub(super) fn forget(disk: &File) {
    let _ = fadvise(disk, 0, None, Advice::DontNeed);
}

/// Reads everything back, past the page cache, and compares.
pub(super) fn verify(image: &File, size: u64, head: &Head, target: &Target, quiet: bool, stop: &Stop) -> Result<()> {
    let source = Source::open(target.path())?;
    let (mut written, mut wanted) = (Buffer::new(), Buffer::new());
    let progress = Progress::new("reading back", size, quiet);
    let mut offset = 0;
    while offset < size {
        going_on(stop)?;
        let wanted = part(&mut wanted, size - offset);
        image
            .read_exact_at(wanted, offset)
            .map_err(|error| Failure::failed(format!("cannot read the image: {error}")))?;
        if offset == 0 {
            let length = head.0.len();
            wanted.get_mut(..length).unwrap_or_default().copy_from_slice(&head.0);
        }
        let written = part(&mut written, size - offset);
        source
            .read_bulk(offset, written)
            .map_err(|error| Failure::target_write(target.path(), &error))?;
        if written != wanted {
            let wrong = written
                .iter()
                .zip(wanted.iter())
                .position(|(a, b)| a != b)
                .unwrap_or_default();
            return Err(Failure::failed(format!(
                "{} is wrong at byte {}: what was written does not come back",
                target.path().display(),
                offset + wrong as u64
            ))
            .advice(
                "The stick is broken, or was written to by something else meanwhile. Try again, or take another one.",
            ));
        }
        offset += written.len() as u64;
        progress.add(written.len() as u64);
    }
    progress.finish();
    Ok(())
}

/// Stops if a signal asked to, and says what that means for the stick.
pub(super) fn going_on(stop: &Stop) -> Result<()> {
    stop.check().map_err(|interrupted| {
        Failure::new(
            interrupted.exit,
            "interrupted: what was on the stick is lost, and it is not finished",
        )
        .advice("Start again to finish it.")
    })
}

/// As much of the buffer as there is left.
fn part(buffer: &mut Buffer, left: u64) -> &mut [u8] {
    let length = usize::try_from(left.min(CHUNK)).unwrap_or_default();
    buffer.bytes_mut().get_mut(..length).unwrap_or_default()
}
