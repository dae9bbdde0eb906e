//! Copies of overlays: shared blocks where the file system can, else only what is not a hole.

use crate::capture::progress::Progress;
use crate::error::{Exit, Failure, Result};
use crate::signals::Stop;
use rustix::fs::SeekFrom;
use rustix::io::Errno;
use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Bytes read and written at once.
const PIECE: usize = 1 << 20;

/// Copies `from` to the new file `to` and syncs it. On an error, and when `stop` is requested, `to` is removed.
pub(super) fn copy(from: &Path, to: &Path, what: &'static str, quiet: bool, stop: &Stop) -> Result<()> {
    let source =
        File::open(from).map_err(|error| Failure::failed(format!("cannot read {}: {error}", from.display())))?;
    let target = File::create_new(to).map_err(|error| write_failure(to, &error))?;
    let copied = fill(&source, &target, to, what, quiet, stop);
    if copied.is_err() {
        let _ = fs::remove_file(to);
    }
    copied
}

fn fill(source: &File, target: &File, to: &Path, what: &'static str, quiet: bool, stop: &Stop) -> Result<()> {
    let failed = |error: io::Error| write_failure(to, &error);
    // btrfs, XFS and others share the blocks until one side is written to: that takes no time and no room.
    if rustix::fs::ioctl_ficlone(target, source).is_ok() {
        return target.sync_all().map_err(failed);
    }
    let size = source.metadata().map_err(failed)?.len();
    target.set_len(size).map_err(failed)?;
    let parts = data(source, size).map_err(failed)?;
    let total = parts.iter().map(|part| part.end - part.start).sum();
    let progress = Progress::new(what, total, quiet);
    let copied = copy_parts(source, target, &parts, &progress, stop, &failed);
    progress.finish();
    copied?;
    target.sync_all().map_err(failed)
}

fn copy_parts(
    source: &File,
    target: &File,
    parts: &[Range<u64>],
    progress: &Progress,
    stop: &Stop,
    failed: &impl Fn(io::Error) -> Failure,
) -> Result<()> {
    let mut buffer = vec![0; PIECE];
    for part in parts {
        let mut at = part.start;
        while at < part.end {
            stop.check()?;
            let wanted = usize::try_from(part.end - at).unwrap_or(PIECE).min(PIECE);
            let piece = buffer.get_mut(..wanted).unwrap_or_default();
            source.read_exact_at(piece, at).map_err(failed)?;
            target.write_all_at(piece, at).map_err(failed)?;
            at += wanted as u64;
            progress.add(wanted as u64);
        }
    }
    Ok(())
}

/// The parts of a file that are no holes.
fn data(file: &File, size: u64) -> io::Result<Vec<Range<u64>>> {
    let mut parts = Vec::new();
    let mut at = 0;
    while at < size {
        let start = match rustix::fs::seek(file, SeekFrom::Data(at)) {
            Ok(start) => start,
            // Nothing but a hole up to the end.
            Err(Errno::NXIO) => break,
            Err(Errno::INVAL | Errno::OPNOTSUPP) => at,
            Err(error) => return Err(error.into()),
        };
        let end = match rustix::fs::seek(file, SeekFrom::Hole(start)) {
            Ok(end) => end.min(size),
            Err(Errno::INVAL | Errno::OPNOTSUPP) => size,
            Err(error) => return Err(error.into()),
        };
        if start >= end {
            break;
        }
        parts.push(start..end);
        at = end;
    }
    Ok(parts)
}

fn write_failure(path: &Path, error: &io::Error) -> Failure {
    let full = [Errno::NOSPC, Errno::DQUOT]
        .iter()
        .any(|errno| error.raw_os_error() == Some(errno.raw_os_error()));
    if !full {
        return Failure::target_write(path, error);
    }
    Failure::new(
        Exit::TargetUnwritable,
        format!("cannot write {}: {error}", path.display()),
    )
    .advice("Nothing was changed. Make room, for example with `p2v snapshot delete`, and try again.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn holes_stay_holes_and_nothing_is_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        let file = File::create(&from).unwrap();
        file.set_len(64 << 20).unwrap();
        file.write_all_at(b"middle", 20 << 20).unwrap();
        file.write_all_at(b"end", (64 << 20) - 3).unwrap();
        copy(&from, &to, "Copying", true, &Stop::default()).unwrap();
        assert_eq!(fs::read(&from).unwrap(), fs::read(&to).unwrap());
        assert!(to.metadata().unwrap().blocks() * 512 < 4 << 20);
        assert!(copy(&from, &to, "Copying", true, &Stop::default()).is_err());
    }
}
