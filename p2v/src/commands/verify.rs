//! `p2v verify`: a capture against its checksums, and on request against the disk.

use crate::capture::checksums::Checksums;
use crate::capture::mapfile;
use crate::capture::rescue::map::Status;
use crate::cli::VerifyArgs;
use crate::error::{Failure, Result, print, print_json};
use crate::machine::{self, CHECKSUMS, MAP, Machine};
use crate::report;
use crate::signals::Stop;
use crate::source::Input;
use crate::verify::{Mismatch, check_image, compare_with_source, explain};
use disk::qcow2::Image;
use serde::Serialize;
use std::fmt::Write;
use std::time::Instant;

/// More lines than this help nobody.
const MOST_LINES: usize = 20;

#[derive(Serialize)]
struct Verdict {
    ok: bool,
    disk_bytes: u64,
    /// Chunks that hold data.
    chunks: usize,
    /// Where the image differs from its checksums.
    image_differs: Vec<Mismatch>,
    /// Where it differs from the source, if that was asked for.
    source_differs: Option<Vec<Mismatch>>,
    seconds: f64,
}

/// Verifies; differences are exit code 1.
pub(crate) fn run(args: &VerifyArgs) -> Result<()> {
    let started = Instant::now();
    let folder = machine::resolve(&args.folder)?;
    let machine = Machine::load(&folder)?;
    let path = machine.capture_path(&folder)?;
    let checksums = Checksums::load(&folder.join(CHECKSUMS))?;
    let source = args.against.as_deref().map(Input::open_or_folder).transpose()?;
    let image = Image::open(&path)?;
    let quiet = args.quiet || args.json;
    let stop = Stop::on_signals()?;
    let wrong = check_image(&image, &path, &checksums, quiet, &stop)?;
    let differing = match &source {
        Some(source) => {
            let copied = mapfile::load(&folder.join(MAP), checksums.size)?.having(Status::Finished);
            let found = compare_with_source(&image, &copied, checksums.size, source, quiet, &stop);
            Some(found?)
        }
        None => None,
    };
    // A damaged image may have a damaged table: then the places are not named.
    let sector = machine.disks.first().map_or(512, |disk| disk.logical_sector);
    let all_good = wrong.is_empty() && differing.as_ref().is_none_or(disk::ExtentSet::is_empty);
    let layout = if all_good {
        None
    } else {
        disk::layout::scan(&image, sector).ok()
    };
    let verdict = Verdict {
        ok: all_good,
        disk_bytes: checksums.size,
        chunks: checksums.sums.len(),
        image_differs: explain(&wrong, layout.as_ref()),
        source_differs: differing.map(|differing| explain(&differing, layout.as_ref())),
        seconds: started.elapsed().as_secs_f64(),
    };
    if args.json {
        print_json(&verdict)?;
    } else {
        print(&text(&verdict, started))?;
    }
    if verdict.ok {
        Ok(())
    } else {
        Err(advice(args, &verdict))
    }
}

fn text(verdict: &Verdict, started: Instant) -> String {
    let mut text = String::new();
    let mut section = |heading: &str, mismatches: &[Mismatch]| {
        if mismatches.is_empty() {
            return;
        }
        let _ = writeln!(text, "{heading}:");
        for mismatch in mismatches.iter().take(MOST_LINES) {
            let _ = writeln!(text, "  {mismatch}");
        }
        if mismatches.len() > MOST_LINES {
            let _ = writeln!(
                text,
                "  … and {} more (all of them with --json)",
                mismatches.len() - MOST_LINES
            );
        }
    };
    section("The image differs from its checksums", &verdict.image_differs);
    section(
        "The image differs from the source",
        verdict.source_differs.as_deref().unwrap_or_default(),
    );
    if verdict.ok {
        let what = if verdict.source_differs.is_some() {
            "all that was copied is on the source just so"
        } else {
            "all checksums match"
        };
        let _ = writeln!(
            text,
            "Good: {what} ({} of {}, {})",
            report::count(verdict.chunks, "chunk"),
            report::size(verdict.disk_bytes),
            report::duration(started.elapsed())
        );
    }
    text
}

fn advice(args: &VerifyArgs, verdict: &Verdict) -> Failure {
    let folder = args.folder.display();
    if !verdict.image_differs.is_empty() {
        return Failure::failed(format!("the capture in {folder} is damaged")).advice(
            "The medium it lies on, its cable or the computer's memory may be failing. If the old disk is still there, \
             capture it again to another medium. Do not erase the old disk.",
        );
    }
    Failure::failed(format!(
        "the capture in {folder} is good, but the source has changed since"
    ))
    .advice(
        "If the old system was started after the capture, that is why: capture again to have its last state. \
         If it was not, the old disk or its cable may be failing.",
    )
}
