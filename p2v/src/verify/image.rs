//! The image against `disk0.blake3`.

use super::{chunks_of, on_all_cores};
use crate::capture::checksums::Checksums;
use crate::capture::progress::Progress;
use crate::error::{Failure, Result};
use crate::signals::Stop;
use blake3::Hash;
use disk::qcow2::Image;
use disk::{ExtentSet, ReadAt};
use std::path::Path;

/// Reads every chunk that is listed or that the image has data for, and returns those whose contents differ from
/// the list; a chunk that is not listed must be zeros.
pub(crate) fn check_image(
    image: &Image,
    path: &Path,
    checksums: &Checksums,
    quiet: bool,
    stop: &Stop,
) -> Result<ExtentSet> {
    // qcow2 counts in sectors of 512 bytes.
    if Some(image.size()) != checksums.size.checked_next_multiple_of(512) {
        let what = format!(
            "{} has {} bytes, its checksums are of {}",
            path.display(),
            image.size(),
            checksums.size
        );
        return Err(Failure::failed(what).advice("They do not belong together; were files of two captures mixed up?"));
    }
    let allocated = image
        .allocated()
        .map_err(|error| Failure::failed(format!("the tables of {} cannot be read: {error}", path.display())))?;
    let chunk = checksums.chunk;
    let listed = checksums
        .sums
        .iter()
        .map(|(index, _)| index * chunk..index * chunk + checksums.length(*index));
    let mut held: Vec<_> = allocated.within(0..checksums.size).chain(listed).collect();
    held.sort_by_key(|range| range.start);
    let held: ExtentSet = held.into_iter().collect();

    let chunks = chunks_of(&held, chunk).map(|index| (index, expected(checksums, index)));
    let total = chunks_of(&held, chunk).map(|index| checksums.length(index)).sum();
    let progress = Progress::new("Checking", total, quiet);
    let size = usize::try_from(chunk).unwrap_or(usize::MAX);
    let wrong = on_all_cores(
        chunks,
        stop,
        || vec![0; size],
        |(index, expected), memory: &mut Vec<u8>| {
            let length = checksums.length(*index);
            let bytes = &mut memory[..usize::try_from(length).unwrap_or(0)];
            let offset = index * chunk;
            progress.add(length);
            let good = match image.read_at(offset, bytes) {
                Ok(()) => match expected {
                    Some(hash) => blake3::hash(bytes) == *hash,
                    None => bytes.iter().all(|byte| *byte == 0),
                },
                // Damaged compressed data cannot be read at all: that is a difference, not the end of the check.
                Err(_) => false,
            };
            Ok(if good {
                ExtentSet::new()
            } else {
                ExtentSet::from_range(offset..offset + length)
            })
        },
    );
    progress.finish();
    wrong
}

fn expected(checksums: &Checksums, index: u64) -> Option<Hash> {
    let at = checksums.sums.binary_search_by_key(&index, |(index, _)| *index).ok()?;
    checksums.sums.get(at).map(|(_, hash)| *hash)
}
