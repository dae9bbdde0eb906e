//! Carrying a plan out: the folder, the pipeline, and the steps that make the result count.

use super::checksums::ChecksumWriter;
use super::progress::Progress;
use super::{Plan, mapfile, pipeline};
use crate::error::{Failure, Result};
use crate::machine::{CHECKSUMS, DISK, MACHINE, MAP, NewFolder, library};
use crate::report;
use crate::signals::Stop;
use disk::qcow2::{DEFAULT_CLUSTER_BITS, Summary, Writer, WriterOptions};
use serde::Serialize;
use std::fmt::Write;
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
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
    read_bytes: u64,
    /// Size of the image file in bytes.
    image_bytes: u64,
    /// Chunks of the disk that hold anything but zeros.
    chunks_with_data: usize,
    /// Wall time.
    seconds: f64,
    /// The most memory that this process had, as the kernel counted it; 0 if it does not say.
    peak_memory_bytes: u64,
    #[serde(skip)]
    time: Duration,
}

/// Carries `plan` out. On any error, and when `stop` is requested, all that was written is removed.
pub(crate) fn carry_out(plan: &Plan, quiet: bool, stop: &Stop) -> Result<Outcome> {
    stop.check()?;
    let mut folder = NewFolder::create(&plan.folder)?;
    let image = folder.start_file(DISK);
    let list = folder.start_file(CHECKSUMS);
    let progress = Progress::new("Copying", plan.read.bytes(), quiet);
    let copied = copy(plan, &image, &list, &progress, stop);
    // A message must not run into the bar.
    let time = progress.finish();
    let (chunks_with_data, summary) = copied?;
    let image_bytes = summary.file_size;

    folder.complete_file(DISK)?;
    folder.complete_file(CHECKSUMS)?;
    folder.write_file(MAP, mapfile::text(plan.info.size, &plan.used).as_bytes())?;
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
        read_bytes: plan.read.bytes(),
        image_bytes,
        chunks_with_data,
        seconds: time.as_secs_f64(),
        peak_memory_bytes: peak_memory(),
        time,
    })
}

/// Writes image and checksums and syncs both. The answer is how many chunks hold data, and what the image holds.
fn copy(plan: &Plan, image: &Path, list: &Path, progress: &Progress, stop: &Stop) -> Result<(usize, Summary)> {
    let failed = |error| pipeline::write_failure(image, error);
    let list_failed = |error| Failure::target_write(list, &error);
    let options = WriterOptions {
        virtual_size: plan.info.size,
        cluster_bits: DEFAULT_CLUSTER_BITS,
        compression: plan.compression,
    };
    let mut writer = Writer::create(image, options).map_err(failed)?;
    let file = File::create_new(list).map_err(list_failed)?;
    let mut checksums = ChecksumWriter::new(BufWriter::new(file), plan.info.size).map_err(list_failed)?;
    pipeline::run(
        &plan.input,
        &plan.read,
        pipeline::Target {
            writer: &mut writer,
            image,
            cluster_bits: DEFAULT_CLUSTER_BITS,
            checksum: &mut |index, hash| checksums.push(index, hash).map_err(list_failed),
        },
        progress,
        stop,
    )?;
    progress.note("writing it out");
    let summary = writer.finish().map_err(failed)?;
    let chunks = checksums.count();
    let file = checksums.finish().map_err(list_failed)?;
    file.get_ref().sync_all().map_err(list_failed)?;
    Ok((chunks, summary))
}

/// Notices an image file that changed its size while it was read.
fn check_source(plan: &Plan) -> Result<()> {
    let now = std::fs::metadata(&plan.info.path).map(|meta| meta.len());
    match now {
        Ok(size)
            if plan.info.path.is_file()
                && matches!(plan.input, crate::source::Input::Disk(_))
                && size != plan.info.size =>
        {
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
        let machine = library::word(&self.folder);
        let _ = writeln!(text, "The machine is in {folder}. Next:");
        let _ = writeln!(text, "  p2v verify {machine}    check it");
        let _ = writeln!(text, "  p2v launch {machine}    run it");
        text
    }
}
