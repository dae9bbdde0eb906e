//! Going on with a capture that was not finished: is it the same disk, and is it still as it was?

use super::fingerprint::{Difference, Fingerprint};
use super::pipeline::whole_chunk;
use super::store::journal::Codec;
use super::store::{Past, Wish};
use super::{Buffer, CHUNK};
use crate::error::{Failure, Result};
use crate::machine::{JOURNAL, Library, Unfinished, check_unused, unfinished};
use crate::source::Input;
use disk::ExtentSet;
use disk::qcow2::Compression;
use std::path::{Path, PathBuf};

/// What a capture to a folder begins with.
pub(crate) enum Before {
    /// Nothing.
    Nothing,
    /// What was begun there is to be thrown away, or never came to anything.
    ThrowAway,
    /// An unfinished capture.
    Past(Box<Past>),
}

impl Before {
    /// Bytes of `read` that need not be read again.
    pub(super) fn bytes_done(&self, read: &ExtentSet) -> u64 {
        match self {
            Before::Past(past) => past.bytes_done(read),
            Before::Nothing | Before::ThrowAway => 0,
        }
    }
}

/// The folder that is meant, on this computer, and what is in it. Refuses one that holds anything else.
pub(super) fn choose(wish: &Wish) -> Result<(PathBuf, Before)> {
    let whole = |folder: PathBuf| std::path::absolute(&folder).unwrap_or(folder);
    if let Some(folder) = &wish.folder {
        let folder = whole(PathBuf::from(folder));
        let before = before(&folder, wish.restart)?;
        if let Before::Nothing = before {
            check_unused(&folder)?;
        }
        return Ok((folder, before));
    }
    let library = Library::locate()?;
    if let Some(name) = &wish.name {
        let folder = library.path().join(name);
        let before = before(&folder, wish.restart)?;
        if let Before::Nothing = before {
            library.new_folder(name)?;
        }
        return Ok((folder, before));
    }
    if let Some(folder) = in_library(&library, &wish.disk) {
        let before = before(&folder, wish.restart)?;
        return Ok((folder, before));
    }
    let folder = library.free_folder(wish.names.iter().map(String::as_str))?;
    Ok((folder, Before::Nothing))
}

/// Looks what is in `folder`; with `restart`, an unfinished capture there does not count.
fn before(folder: &Path, restart: bool) -> Result<Before> {
    match unfinished(folder) {
        Unfinished::No => Ok(Before::Nothing),
        _ if restart => Ok(Before::ThrowAway),
        Unfinished::Resumable => {
            let past = Past::load(&folder.join(JOURNAL)).map_err(|error| {
                let what = format!(
                    "{} holds an unfinished capture that p2v cannot go on with: {error}",
                    folder.display()
                );
                Failure::refused(what).advice("`--restart` throws it away and starts anew.")
            })?;
            // Without anything in it there may not even be an image.
            let past = past.filter(|past| !past.done.is_empty() || !past.left.is_empty());
            Ok(past.map_or(Before::ThrowAway, |past| Before::Past(Box::new(past))))
        }
        Unfinished::Lost => {
            let what = format!(
                "{} holds a capture that was not finished, and no journal of it",
                folder.display()
            );
            Err(Failure::refused(what)
                .advice("If no other p2v is writing there, `--restart` throws it away and starts anew."))
        }
    }
}

/// The unfinished capture of the disk `now` in the library, if there is one.
fn in_library(library: &Library, now: &Fingerprint) -> Option<PathBuf> {
    let mut folders = library.folders().unwrap_or_default().into_iter();
    folders.find(|folder| {
        matches!(unfinished(folder), Unfinished::Resumable)
            && matches!(Past::load(&folder.join(JOURNAL)), Ok(Some(past)) if past.begun.disk.difference(now).is_none())
    })
}

/// Refuses to go on unless the disk is the one that was begun with, and nobody wrote to it since. `used` is what would be
/// copied of it now.
pub(super) fn check(
    folder: &str,
    past: &Past,
    input: &Input,
    now: &Fingerprint,
    used: &ExtentSet,
    compression: Compression,
    updates: bool,
) -> Result<()> {
    let path = input.info().path;
    let begun = &past.begun;
    let path = path.display();
    let throw_away = "Or throw the unfinished capture away and start anew, with `--restart`.";
    if let Some(difference) = begun.disk.difference(now) {
        return Err(match difference {
            Difference::Another(what) => Failure::refused(format!(
                "{folder} holds an unfinished capture of another disk: {}; {path} is {}, and has another {what}",
                begun.disk.text(),
                now.text()
            ))
            .advice(format!("Give that disk, or another folder with `-o`. {throw_away}")),
            Difference::Changed(partition) => changed(&path.to_string(), partition),
            Difference::Map => Failure::refused(format!(
                "the capture in {folder} was begun with a `--map` that said something else"
            ))
            .advice(format!("Give the same map. {throw_away}")),
        });
    }
    if begun.base.is_some() != updates {
        let what = if updates { "without" } else { "with" };
        return Err(
            Failure::refused(format!("the capture in {folder} was begun {what} `--update`"))
                .advice(format!("Go on in the same way. {throw_away}")),
        );
    }
    let codec = Codec::from(compression);
    if codec != begun.codec {
        return Err(Failure::refused(format!(
            "the capture in {folder} was begun with `--compression {}`",
            begun.codec.name()
        ))
        .advice(format!("Go on with the same. {throw_away}")));
    }
    // What cannot be read of a failing disk any more makes more of it count as used, never less.
    let without = |one: &ExtentSet, other: &ExtentSet| super::intersection(one, other).bytes() == one.bytes();
    if !without(used, &past.used) && !without(&past.used, used) {
        return Err(changed(&path.to_string(), 0));
    }
    Ok(())
}

/// Reads a few of the chunks that were copied again: a disk that was used meanwhile would become a mixture of then and now.
pub(super) fn check_samples(past: &Past, input: &Input, read: &ExtentSet) -> Result<()> {
    let size = input.info().size;
    let mut buffer = Buffer::new();
    for (index, hash) in past.samples() {
        let start = index.saturating_mul(CHUNK);
        let part: ExtentSet = read.within(start..start.saturating_add(CHUNK).min(size)).collect();
        // What a failing disk does not give twice says nothing.
        let same = whole_chunk(input, &part, size, &mut buffer).is_none_or(|bytes| blake3::hash(bytes) == hash);
        if !same {
            return Err(changed(&input.info().path.display().to_string(), 0));
        }
    }
    Ok(())
}

fn changed(path: &str, partition: u32) -> Failure {
    let where_ = match partition {
        0 => String::new(),
        partition => format!(" (partition {partition})"),
    };
    Failure::refused(format!("{path} has changed since its capture was begun{where_}")).advice(
        "Its system was started, or it was mounted, meanwhile: what was copied before and what would be copied now do not \
         fit together. Start anew with `--restart`, and leave the disk alone until the capture is finished.",
    )
}
