//! The steps that make an image and a journal a capture: what was read late goes into the image, the image gets its header,
//! the journal becomes the list of checksums.

use super::base::Base;
use super::journal::{Record, Records};
use super::local::{Local, append};
use super::{Concluded, Conclusion, Packed, Sink};
use crate::capture::checksums::ChecksumWriter;
use crate::capture::lost::Lost;
use crate::capture::mapfile;
use crate::capture::pipeline::{self, write_failure};
use crate::capture::progress::Progress;
use crate::error::{Failure, Result};
use crate::machine::{CHECKSUMS, DISK, LOST, MAP};
use crate::signals::Stop;
use crate::source::Input;
use blake3::Hash;
use disk::qcow2::{Image, Writer};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufWriter};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// Makes all files but machine.toml.
pub(super) fn files(local: &mut Local, conclusion: &Conclusion, progress: &Progress, stop: &Stop) -> Result<Concluded> {
    let late = append_late(local, progress, stop)?;
    hide_what_is_gone(local, &late.seen)?;
    progress.note("writing it out");
    let list = local.folder.start_file(CHECKSUMS);
    let chunks_with_data = list_checksums(&local.journal, &list, local.size, &late.sums)
        .map_err(|error| Failure::target_write(&list, &error))?;
    let writer = local.writer.take();
    let writer = writer.ok_or_else(|| Failure::failed("the image is finished already: this is a bug in p2v"))?;
    let summary = writer.finish().map_err(|error| write_failure(&local.image, error))?;

    local.folder.complete_file(DISK)?;
    local.folder.complete_file(CHECKSUMS)?;
    let text = mapfile::text(local.size, &conclusion.used, &conclusion.map);
    local.folder.write_file(MAP, text.as_bytes())?;
    let lost = find_lost(local, conclusion)?;
    if !lost.is_empty() {
        local.folder.write_file(LOST, lost.text().as_bytes())?;
    }
    local.folder.sync()?;
    stop.check()?;
    Ok(Concluded {
        image_bytes: summary.file_size,
        chunks_with_data,
        lost,
    })
}

/// Whose the lost bytes are, by the finished image.
fn find_lost(local: &Local, conclusion: &Conclusion) -> Result<Lost> {
    let lost = conclusion.map.lost();
    if lost.is_empty() {
        return Ok(Lost::default());
    }
    let path = local.folder.path().join(DISK);
    let image = Arc::new(Image::open(&path)?);
    let failed = |error| Failure::failed(format!("cannot read back {}: {error}", path.display()));
    let layout = disk::layout::scan(&*image, conclusion.sector).map_err(failed)?;
    Ok(Lost::find(&lost, &layout, image))
}

/// Chunks that were read late: all, and the checksums of those that hold data.
#[derive(Default)]
struct LateChunks {
    seen: Vec<u64>,
    sums: Vec<(u64, Hash)>,
}

/// Chunks that were read late go into the image; their checksums are collected.
struct Late<'a> {
    writer: &'a mut Writer,
    image: &'a Path,
    base: Option<&'a Base>,
    size: u64,
    seen: Vec<u64>,
    sums: Vec<(u64, Hash)>,
}

impl Sink for Late<'_> {
    fn append(&mut self, chunk: Packed) -> Result<()> {
        self.seen.push(chunk.index);
        self.sums.extend(chunk.hash.map(|hash| (chunk.index, hash)));
        let appended = append(self.writer, self.base, self.size, chunk);
        appended.map(drop).map_err(|error| write_failure(self.image, error))
    }

    fn leave(&mut self, _: &[Range<u64>]) -> Result<()> {
        // The target's own errors are no errors of the disk: they end the capture.
        Err(Failure::failed("only disks are read later: this is a bug in p2v"))
    }
}

/// Appends what was read late to the image; the answer is the checksums of its chunks. Nothing of it is in the journal: a
/// run that goes on does it again.
fn append_late(local: &mut Local, progress: &Progress, stop: &Stop) -> Result<LateChunks> {
    let Some(kept) = local.kept.clone() else {
        return Ok(LateChunks::default());
    };
    progress.note("compressing what was read late");
    let (image, left, base, size) = (local.image.clone(), local.left.clone(), local.base.clone(), local.size);
    let writer = local.writer()?;
    let encoding = pipeline::Encoding::of(writer);
    let mut late = Late {
        writer,
        image: &image,
        base: base.as_deref(),
        size,
        seen: Vec::new(),
        sums: Vec::new(),
    };
    let counted = Progress::new("", 0, true);
    pipeline::run(&Input::Kept(kept), &left, &encoding, &mut late, &counted, stop)?;
    Ok(LateChunks {
        seen: late.seen,
        sums: late.sums,
    })
}

/// Chunks of an earlier capture that the disk has nothing of any more are zeros in the new one.
fn hide_what_is_gone(local: &mut Local, late: &[u64]) -> Result<()> {
    let Some(base) = local.base.clone() else { return Ok(()) };
    let mut gone: BTreeSet<u64> = base.chunks().collect();
    let failed = |error| Failure::target_write(&local.journal, &error);
    for record in Records::open(&local.journal, u64::MAX).map_err(failed)? {
        if let (Record::Copied(copied), _) = record.map_err(failed)? {
            for (index, _) in &copied.chunks {
                gone.remove(index);
            }
        }
    }
    for index in late {
        gone.remove(index);
    }
    let (image, size) = (local.image.clone(), local.size);
    for index in gone {
        let nothing = Packed {
            index,
            read: 0,
            hash: None,
            clusters: Vec::new(),
        };
        let appended = append(local.writer()?, Some(&base), size, nothing);
        appended.map_err(|error| write_failure(&image, error))?;
    }
    Ok(())
}

/// Writes the list of checksums to the new file `list`: those in the journal, and `late`. Both ascend. The answer is how
/// many there are.
fn list_checksums(journal: &Path, list: &Path, size: u64, late: &[(u64, Hash)]) -> io::Result<u64> {
    let mut writer = ChecksumWriter::new(BufWriter::new(File::create_new(list)?), size)?;
    let mut late = late.iter().copied().peekable();
    let mut last = None;
    for record in Records::open(journal, u64::MAX)? {
        let (Record::Copied(copied), _) = record? else { continue };
        for (index, hash) in copied.chunks {
            if last.replace(index).is_some_and(|last| last >= index) {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "the journal is out of order",
                ));
            }
            let Some(hash) = hash else { continue };
            while let Some((index, hash)) = late.next_if(|(late, _)| *late < index) {
                writer.push(index, hash)?;
            }
            writer.push(index, Hash::from_bytes(hash))?;
        }
    }
    for (index, hash) in late {
        writer.push(index, hash)?;
    }
    let count = writer.count();
    writer.finish()?.get_ref().sync_all()?;
    Ok(count)
}
