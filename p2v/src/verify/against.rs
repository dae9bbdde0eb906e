//! What was copied against the disk it came from.

use super::{chunks_of, on_all_cores};
use crate::capture::progress::Progress;
use crate::capture::{Buffer, CHUNK, GRAIN, intersection};
use crate::error::{Failure, Result};
use crate::signals::Stop;
use crate::source::Input;
use disk::qcow2::Image;
use disk::{ExtentSet, ReadAt};

/// Compares the `copied` ranges of `image` with `source`, and returns where they differ (in units of 4096 bytes).
pub(crate) fn compare_with_source(
    image: &Image,
    copied: &ExtentSet,
    size: u64,
    source: &Input,
    quiet: bool,
    stop: &Stop,
) -> Result<ExtentSet> {
    let info = source.info();
    if info.size != size {
        let what = format!(
            "{} has {} bytes, the captured disk had {size}",
            info.path.display(),
            info.size
        );
        return Err(Failure::failed(what).advice("It is another disk, or its size was changed."));
    }
    let tables = |error| Failure::failed(format!("the image's tables cannot be read: {error}"));
    let unreadable = |offset, error| Failure::source_read(&info.path, offset, info.logical_sector, &error);
    // Where neither has data both read as zeros.
    let data = source.data_extents().map_err(|error| unreadable(0, error))?;
    let mut held: Vec<_> = data.iter().chain(image.allocated().map_err(tables)?.iter()).collect();
    held.sort_by_key(|range| range.start);
    let held: ExtentSet = held.into_iter().collect();
    let compare = intersection(copied, &held.align_outwards(GRAIN, size));

    let progress = Progress::new("Comparing", compare.bytes(), quiet);
    let differing = on_all_cores(
        chunks_of(&compare, CHUNK),
        stop,
        || (Buffer::new(), Buffer::new()),
        |index, (first, second)| {
            let mut differing = ExtentSet::new();
            for range in compare.within(index * CHUNK..(index + 1).saturating_mul(CHUNK)) {
                let length = usize::try_from(range.end - range.start).unwrap_or(0);
                let (ours, theirs) = (&mut first.bytes_mut()[..length], &mut second.bytes_mut()[..length]);
                // Beside a sector that cannot be read, whole pages cannot be read either.
                source
                    .read_bulk(range.start, theirs)
                    .or_else(|_| source.read_sectors(range.start, theirs))
                    .map_err(|error| unreadable(range.start, error))?;
                if image.read_at(range.start, ours).is_err() {
                    differing.insert(range.clone());
                } else if ours != theirs {
                    let grain = usize::try_from(GRAIN).unwrap_or(4096);
                    let pairs = ours
                        .chunks(grain)
                        .zip(theirs.chunks(grain))
                        .zip((range.start..).step_by(grain));
                    let wrong = pairs
                        .filter(|((a, b), _)| a != b)
                        .map(|((a, _), at)| at..at + a.len() as u64);
                    differing.extend(wrong);
                }
                progress.add(length as u64);
            }
            Ok(differing)
        },
    );
    progress.finish();
    differing
}
