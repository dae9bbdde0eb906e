//! Writing the live system onto a stick.
//!
//! [`target`] (which disk, may it be overwritten) → [`capacity`] (is it as large as it says) → a filesystem for
//! captures behind the place of the image → [`copy`] (the image, its table last) → read back.

mod capacity;
mod copy;
mod table;
mod target;

pub(crate) use target::Target;

use super::{medium, tools};
use crate::error::{Failure, Result};
use crate::report;
use crate::signals::Stop;
use disk::layout::DiskLayout;
use std::fs::File;
use std::io;
use std::path::Path;
use std::process::Command;
use table::CAPTURES;

/// What became of a stick.
pub(crate) struct Written {
    /// Size of the partition for captures in bytes; `None` if there was no room for one.
    pub(crate) captures: Option<u64>,
}

/// Refused unless the image fits the stick. Returns the image's size.
pub(crate) fn fits(image: &Path, target: &Target) -> Result<u64> {
    let size = medium::check(image)?;
    if size > target.size() {
        return Err(Failure::refused(format!(
            "{} is too small: it has {}, the image needs {}",
            target.path().display(),
            report::size(target.size()),
            report::size(size)
        )));
    }
    Ok(size)
}

/// Refused if a program is missing that writing needs.
pub(crate) fn ready() -> Result<()> {
    tools::ensure(&["mke2fs"])
}

/// Whether a stick was made by this module before, and may hold captures.
pub(crate) fn has_captures(layout: &DiskLayout) -> bool {
    let mut volumes = layout.contents.iter().map(|contents| &contents.volume);
    volumes.any(|volume| volume.label.as_deref() == Some(CAPTURES))
}

/// Overwrites the stick with the image; reads back what was written.
pub(crate) fn write(image: &Path, target: &Target, quiet: bool, stop: &Stop) -> Result<Written> {
    let size = fits(image, target)?;
    let place = table::place(size, target.size());
    let failed = |error: io::Error| Failure::target_write(target.path(), &error);
    {
        // Whoever uses it by now has it: the kernel says so.
        let disk = target.open()?;
        copy::erase_ends(&disk, target.size()).map_err(failed)?;
        if let Some(place) = &place {
            capacity::check(&disk, target, place.clone(), stop)?;
        }
    }
    // While the stick has no table, no desktop takes what is on it.
    if let Some(place) = &place {
        format(target, place.start, place.end - place.start, stop)?;
    }
    let disk = target.open()?;
    let source =
        File::open(image).map_err(|error| Failure::failed(format!("cannot read {}: {error}", image.display())))?;
    let mut head = copy::body(&source, size, &disk, target, quiet, stop)?;
    if let Some(place) = &place {
        table::add(head.sector_mut(), place)
            .map_err(|what| Failure::failed(format!("{} has no room for a partition: {what}", image.display())))?;
    }
    copy::head(&head, &disk).map_err(failed)?;
    copy::verify(&source, size, &head, target, quiet, stop)?;
    Ok(Written {
        captures: place.map(|place| place.end - place.start),
    })
}

/// Makes the filesystem for captures, `length` bytes from byte `start` of the stick.
///
/// ext4: captures are written by Linux and run on Linux; a file may be of any size (FAT ends at 4 GiB); and its
/// journal keeps what was written before, if the stick is pulled out or the power fails. exFAT has none.
fn format(target: &Target, start: u64, length: u64, stop: &Stop) -> Result<()> {
    let mut command: Command = tools::command("mke2fs");
    command
        .args(["-q", "-F", "-t", "ext4", "-m", "0", "-b", "4096", "-L", CAPTURES])
        .args(["-E", &format!("offset={start},nodiscard")])
        .arg(target.path())
        .arg((length / 4096).to_string());
    tools::run(&mut command, "makes the filesystem for captures", stop).map(|_| ())
}
