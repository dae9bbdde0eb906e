//! Carrying a plan out: the folder, the pipeline, and the steps that make the result count.

use super::lost::Lost;
use super::progress::{Progress, Show};
use super::rescue::map::{Status, StatusMap};
use super::resume::Before;
use super::store::{Concluded, Conclusion, Local, Place, Store};
use super::{Plan, intersection, pipeline, rescue};
use crate::error::{Failure, Result};
use crate::machine::{DISK, LOST, NewFolder, library};
use crate::report;
use crate::signals::Stop;
use crate::source::Input;
use disk::ExtentSet;
use serde::Serialize;
use std::fmt::Write;
use std::path::PathBuf;
use std::time::Duration;

/// What a capture came to.
#[derive(Debug, Serialize)]
pub(crate) struct Outcome {
    /// The machine folder.
    pub(crate) folder: PathBuf,
    /// The other computer that it is on.
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<String>,
    /// Size of the disk in bytes.
    disk_bytes: u64,
    /// Bytes that the image stands for: used, rounded outwards.
    used_bytes: u64,
    /// Bytes that were read.
    pub(crate) read_bytes: u64,
    /// How many of them by earlier runs.
    copied_before_bytes: u64,
    /// Size of the image file in bytes.
    pub(crate) image_bytes: u64,
    /// Chunks of the disk that hold anything but zeros.
    chunks_with_data: u64,
    /// What the disk could not read.
    pub(crate) lost: Lost,
    /// What of the PC's firmware could not be saved.
    firmware_missing: Vec<String>,
    /// Wall time.
    seconds: f64,
    /// The most memory that this process had, as the kernel counted it; 0 if it does not say.
    peak_memory_bytes: u64,
    #[serde(skip)]
    time: Duration,
}

/// Carries `plan` out. On an error, and when `stop` is requested, what was stored stays if another run can go on with it.
pub(crate) fn carry_out(plan: &Plan, show: &Show, stop: &Stop) -> Result<Outcome> {
    stop.check()?;
    let mut store = open(plan)?;
    store
        .keep_firmware(&plan.firmware.files)
        .map_err(|failure| failure.of_capture(&plan.folder, plan.host(), store.is_worth()))?;
    let progress = Progress::shown("Copying", plan.read.bytes(), show);
    progress.did_before(plan.copied_before());
    let copied = copy(plan, &mut *store, &progress, stop);
    // A message must not run into the bar.
    let time = progress.finish();
    let (map, concluded) = copied.map_err(|failure| {
        // If this fails too, what was safe before is.
        let stays = store.suspend().unwrap_or_else(|_| store.is_worth());
        failure.of_capture(&plan.folder, plan.host(), stays)
    })?;
    Ok(Outcome {
        folder: plan.folder.clone(),
        host: plan.host().map(str::to_owned),
        disk_bytes: plan.info.size,
        used_bytes: plan.used.bytes(),
        read_bytes: intersection(&plan.read, &map.lost().complement(plan.info.size)).bytes(),
        copied_before_bytes: plan.copied_before(),
        image_bytes: concluded.image_bytes,
        chunks_with_data: concluded.chunks_with_data,
        lost: concluded.lost,
        firmware_missing: plan.firmware.missing.clone(),
        seconds: time.as_secs_f64(),
        peak_memory_bytes: peak_memory(),
        time,
    })
}

/// The place where it is stored, and what an earlier run stored there.
fn open(plan: &Plan) -> Result<Box<dyn Store>> {
    if let Some(line) = &plan.there {
        let mut remote = line.take()?;
        let disk = plan.fingerprint.clone();
        remote.begin(
            &plan.before,
            plan.info.size,
            plan.cluster_bits(),
            plan.compression,
            disk,
            &plan.used,
        )?;
        return Ok(Box::new(remote));
    }
    let place = Place {
        folder: &plan.folder,
        size: plan.info.size,
        cluster_bits: plan.cluster_bits(),
        compression: plan.compression,
        base: plan.base.as_ref(),
    };
    if let Before::ThrowAway = plan.before {
        NewFolder::discard(&plan.folder)?;
    }
    Ok(Box::new(match &plan.before {
        Before::Past(past) => Local::resume(&place, past)?,
        Before::Nothing | Before::ThrowAway => Local::create(&place, plan.fingerprint.clone(), &plan.used)?,
    }))
}

/// Copies what is not there yet, first what the disk gives willingly, and makes it a machine. The answer is also what became
/// of the places where the disk failed.
fn copy(plan: &Plan, store: &mut dyn Store, progress: &Progress, stop: &Stop) -> Result<(StatusMap, Concluded)> {
    let encoding = pipeline::Encoding {
        image: plan.folder.join(DISK),
        cluster_bits: plan.cluster_bits(),
        compression: plan.compression,
    };
    let size = plan.info.size;
    let (mut map, mut late) = (plan.lost.clone(), StatusMap::default());
    let mut left = ExtentSet::new();
    let mut read = plan.read.clone();
    if let Before::Past(past) = &plan.before {
        left.extend(past.left.iter());
        late = past.statuses().clone();
        read = intersection(&read, &past.done.complement(size));
        read = intersection(&read, &past.left.complement(size));
    }
    left.extend(pipeline::run(&plan.input, &read, &encoding, store, progress, stop)?.iter());
    let known: ExtentSet = late.iter().map(|(range, _)| range).collect();
    let new = intersection(&left, &known.complement(size));
    if !new.is_empty() {
        store.begin_late(&new)?;
        new.iter().for_each(|range| late.add(range, Status::NonTried));
    }
    if !left.is_empty() {
        rescue::run(&plan.input, &mut late, store, plan.retries, progress, stop)?;
        map.extend(late);
    }
    check_source(plan)?;
    let conclusion = Conclusion {
        sector: plan.info.logical_sector,
        used: plan.used.clone(),
        map: map.clone(),
        machine: plan.machine.to_text()?,
    };
    let concluded = store.conclude(&conclusion, progress, stop)?;
    Ok((map, concluded))
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
            report::rate(read.saturating_sub(self.copied_before_bytes), self.time)
        );
        if self.copied_before_bytes > 0 {
            let _ = writeln!(text, "         {} of it before", report::size(self.copied_before_bytes));
        }
        let ratio = read as f64 / image.max(1) as f64;
        let _ = writeln!(text, "Written  {} ({ratio:.2} : 1)", report::size(image));
        if !self.lost.is_empty() {
            text.push_str(&self.lost.text());
            let _ = writeln!(text, "This list is in {folder}/{LOST} too.");
        }
        for what in &self.firmware_missing {
            let _ = writeln!(text, "Missing  of the PC's firmware: {what}");
        }
        let machine = library::word(&self.folder);
        let _ = match &self.host {
            Some(host) => writeln!(text, "The machine is in {host}:{folder}. Next, there:"),
            None => writeln!(text, "The machine is in {folder}. Next:"),
        };
        let _ = writeln!(text, "  p2v verify {machine}    check it");
        let _ = writeln!(text, "  p2v launch {machine}    run it");
        text
    }
}
