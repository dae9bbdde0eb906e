//! Carrying a plan out: the folder, the pipeline, and the steps that make the result count.

use super::checksums::{ChecksumWriter, add_late};
use super::lost::Lost;
use super::progress::{Progress, Show};
use super::rescue::Kept;
use super::rescue::map::StatusMap;
use super::{Plan, intersection, mapfile, pipeline, rescue};
use crate::error::{Failure, Result};
use crate::machine::{CHECKSUMS, DISK, LOST, MACHINE, MAP, NewFolder, RESCUED, library};
use crate::report;
use crate::signals::Stop;
use crate::source::Input;
use blake3::Hash;
use disk::ExtentSet;
use disk::qcow2::{DEFAULT_CLUSTER_BITS, Summary, Writer, WriterOptions};
use serde::Serialize;
use std::fmt::Write;
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// What a capture came to.
#[derive(Debug, Serialize)]
pub(crate) struct Outcome {
    /// The machine folder.
    pub(crate) folder: PathBuf,
    /// Size of the disk in bytes.
    disk_bytes: u64,
    /// Bytes that the image stands for: used, rounded outwards.
    used_bytes: u64,
    /// Bytes that were read.
    pub(crate) read_bytes: u64,
    /// Size of the image file in bytes.
    pub(crate) image_bytes: u64,
    /// Chunks of the disk that hold anything but zeros.
    chunks_with_data: usize,
    /// What the disk could not read.
    pub(crate) lost: Lost,
    /// Wall time.
    seconds: f64,
    /// The most memory that this process had, as the kernel counted it; 0 if it does not say.
    peak_memory_bytes: u64,
    #[serde(skip)]
    time: Duration,
}

/// Carries `plan` out. On any error, and when `stop` is requested, all that was written is removed.
pub(crate) fn carry_out(plan: &Plan, show: &Show, stop: &Stop) -> Result<Outcome> {
    stop.check()?;
    let mut folder = NewFolder::create(&plan.folder)?;
    let image = folder.start_file(DISK);
    let list = folder.start_file(CHECKSUMS);
    let kept = folder.start_file(RESCUED);
    let late_list = folder.start_file(LATE);
    let progress = Progress::shown("Copying", plan.read.bytes(), show);
    let files = Files {
        image: &image,
        list: &list,
        kept: &kept,
        late_list: &late_list,
    };
    let copied = copy(plan, &files, &progress, stop);
    // A message must not run into the bar.
    let time = progress.finish();
    let (chunks_with_data, summary, map) = copied?;
    let image_bytes = summary.file_size;

    folder.complete_file(DISK)?;
    folder.complete_file(CHECKSUMS)?;
    let text = mapfile::text(plan.info.size, &plan.used, &map);
    folder.write_file(MAP, text.as_bytes())?;
    let lost = Lost::find(&map.lost(), &plan.layout, &plan.folder.join(DISK));
    if !lost.is_empty() {
        folder.write_file(LOST, lost.text().as_bytes())?;
    }
    folder.sync()?;
    check_source(plan)?;
    stop.check()?;
    // Written last: a folder without it is not finished.
    folder.write_file(MACHINE, plan.machine.to_text()?.as_bytes())?;
    folder.sync()?;
    folder.finish();
    Ok(Outcome {
        folder: plan.folder.clone(),
        disk_bytes: plan.info.size,
        used_bytes: plan.used.bytes(),
        read_bytes: intersection(&plan.read, &map.lost().complement(plan.info.size)).bytes(),
        image_bytes,
        chunks_with_data,
        lost,
        seconds: time.as_secs_f64(),
        peak_memory_bytes: peak_memory(),
        time,
    })
}

/// The list of checksums while it is written again.
const LATE: &str = "disk0.blake3.new";

/// The files of a capture in the making.
struct Files<'a> {
    image: &'a Path,
    list: &'a Path,
    /// What was read late.
    kept: &'a Path,
    late_list: &'a Path,
}

/// Writes image and checksums and syncs both. The answer is how many chunks hold data, what the image holds, and what
/// became of the places where the disk failed.
fn copy(plan: &Plan, files: &Files<'_>, progress: &Progress, stop: &Stop) -> Result<(usize, Summary, StatusMap)> {
    let failed = |error| pipeline::write_failure(files.image, error);
    let list_failed = |error| Failure::target_write(files.list, &error);
    let options = WriterOptions {
        virtual_size: plan.info.size,
        cluster_bits: DEFAULT_CLUSTER_BITS,
        compression: plan.compression,
    };
    let mut writer = Writer::create(files.image, options).map_err(failed)?;
    let file = File::create_new(files.list).map_err(list_failed)?;
    let mut checksums = ChecksumWriter::new(BufWriter::new(file), plan.info.size).map_err(list_failed)?;
    let target = pipeline::Target {
        writer: &mut writer,
        image: files.image,
        cluster_bits: DEFAULT_CLUSTER_BITS,
        checksum: &mut |index, hash| checksums.push(index, hash).map_err(list_failed),
    };
    let left = pipeline::run(&plan.input, &plan.read, target, progress, stop)?;
    let mut chunks = checksums.count();
    let file = checksums.finish().map_err(list_failed)?;
    file.get_ref().sync_all().map_err(list_failed)?;

    let mut map = plan.lost.clone();
    if !left.is_empty() {
        let (late, kept) = rescue::run(&plan.input, &left, files.kept, plan.retries, progress, stop)?;
        map.extend(late);
        progress.note("compressing what was read late");
        let late = append_late(kept, files, &mut writer, &left, stop)?;
        chunks = add_late(files.list, files.late_list, &late)?;
        let _ = std::fs::remove_file(files.kept);
    }
    progress.note("writing it out");
    let summary = writer.finish().map_err(failed)?;
    Ok((chunks, summary, map))
}

/// Appends what was read late to the image; the answer is the checksums of its chunks.
fn append_late(
    kept: Arc<Kept>,
    files: &Files<'_>,
    writer: &mut Writer,
    left: &ExtentSet,
    stop: &Stop,
) -> Result<Vec<(u64, Hash)>> {
    let kept = Input::Kept(kept);
    let mut late = Vec::new();
    let target = pipeline::Target {
        writer,
        image: files.image,
        cluster_bits: DEFAULT_CLUSTER_BITS,
        checksum: &mut |index, hash| {
            late.push((index, hash));
            Ok(())
        },
    };
    let counted = Progress::new("", 0, true);
    // The target's own errors are no errors of the disk: they end the capture.
    let left = pipeline::run(&kept, left, target, &counted, stop)?;
    debug_assert!(left.is_empty(), "only disks are read later");
    Ok(late)
}

/// Notices an image file that changed its size while it was read.
fn check_source(plan: &Plan) -> Result<()> {
    let now = std::fs::metadata(&plan.info.path).map(|meta| meta.len());
    match now {
        Ok(size) if plan.info.path.is_file() && matches!(plan.input, Input::Disk(_)) && size != plan.info.size => {
            let what = format!(
                "{} changed while it was copied: it had {} bytes and has {size} now",
                plan.info.path.display(),
                plan.info.size
            );
            Err(Failure::failed(what).advice("Make sure that nothing writes to it, then start again."))
        }
        _ => Ok(()),
    }
}

/// proc(5): `VmHWM` in KiB.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0).saturating_mul(1024)
}

impl Outcome {
    /// The result for people, with what to do next.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        let folder = self.folder.display();
        let (read, image) = (self.read_bytes, self.image_bytes);
        let _ = writeln!(
            text,
            "Read     {} of {} in {} ({})",
            report::size(read),
            report::size(self.disk_bytes),
            report::duration(self.time),
            report::rate(read, self.time)
        );
        let ratio = read as f64 / image.max(1) as f64;
        let _ = writeln!(text, "Written  {} ({ratio:.2} : 1)", report::size(image));
        if !self.lost.is_empty() {
            text.push_str(&self.lost.text());
            let _ = writeln!(text, "This list is in {folder}/{LOST} too.");
        }
        let machine = library::word(&self.folder);
        let _ = writeln!(text, "The machine is in {folder}. Next:");
        let _ = writeln!(text, "  p2v verify {machine}    check it");
        let _ = writeln!(text, "  p2v launch {machine}    run it");
        text
    }
}
