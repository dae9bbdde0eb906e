//! `p2v adapt`: what the captured system needs to start on other hardware, in an overlay on the capture.

use crate::cli::AdaptArgs;
use crate::error::{Failure, Result, print, print_json};
use crate::machine::settings::{self, Setting};
use crate::machine::{self, ADAPTED, ADAPTED_RECORD, Adapted, FolderLock, Machine, rfc3339};
use crate::report;
use disk::ReadAt;
use disk::qcow2::{Image, Overlay};
use drivers_inject::adapt::{self, Effect, Options, Plan};
use serde::Serialize;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Status {
    /// The overlay was made.
    Adapted,
    /// An overlay is there and has everything.
    AdaptedAlready,
    /// No system needs a change.
    NothingToDo,
    /// Only looked.
    DryRun,
    /// A finding forbids it.
    Refused,
    /// The overlay was removed.
    Undone,
    /// There was none.
    NothingToUndo,
}

#[derive(Serialize)]
struct Report<'a> {
    status: Status,
    /// What is changed in `machine.toml`.
    machine: &'a [Setting],
    #[serde(flatten)]
    plan: &'a Plan,
}

/// What is written beside the overlay.
#[derive(Serialize)]
struct Record<'a> {
    /// Version of p2v that made it.
    p2v: &'a str,
    /// When, RFC 3339, UTC.
    created: String,
    /// The file that it is an overlay on.
    capture: &'a str,
    /// What was changed in `machine.toml`.
    machine: &'a [Setting],
    #[serde(flatten)]
    plan: &'a Plan,
}

/// Adapts, or takes it back.
pub(crate) fn run(args: &AdaptArgs) -> Result<()> {
    let folder = machine::resolve(&args.folder)?;
    let machine = Machine::load(&folder)?;
    let capture = machine.capture_path(&folder)?;
    let adapted = Adapted::of(&folder);
    let _lock = if args.dry_run {
        None
    } else {
        let lock = FolderLock::exclusive(&folder)?;
        adapted.refuse_after_run()?;
        Some(lock)
    };
    if args.undo {
        adapted.refuse_with_snapshots()?;
        return undo(args, &folder, &adapted);
    }
    let sector = machine.disks.first().map_or(512, |disk| disk.logical_sector);
    let options = Options {
        discard_hibernation: args.discard_hibernation,
        virtio_win: args.virtio_win.as_deref(),
    };
    let there = adapted.exists();
    let looked_at = if there { adapted.path() } else { capture.clone() };
    let disk: Arc<dyn ReadAt> = Arc::new(Image::open(&looked_at)?);
    let plan = look(&disk, &looked_at, sector, options)?;
    let settings = settings::of_addresses(&machine, &plan.addresses);
    let skipped = plan.findings.iter().any(|finding| finding.effect == Effect::Skip);
    let status = if plan.refusals().next().is_some() || skipped && plan.edits.is_empty() && !there {
        Status::Refused
    } else if plan.edits.is_empty() && there {
        Status::AdaptedAlready
    } else if plan.edits.is_empty() {
        Status::NothingToDo
    } else if args.dry_run {
        Status::DryRun
    } else if there {
        return Err(again(args, &plan));
    } else {
        make(&adapted, &capture, &machine, &settings, &plan, sector, options)?;
        settings::apply(&folder, &settings)?;
        Status::Adapted
    };
    tell(args, status, &settings, &plan)?;
    match status {
        Status::Refused => Err(Failure::refused("nothing was changed, for the reasons above")),
        _ => Ok(()),
    }
}

/// What `disk` needs.
fn look(disk: &Arc<dyn ReadAt>, path: &Path, sector: u32, options: Options<'_>) -> Result<Plan> {
    let layout = disk::layout::scan(&**disk, sector).map_err(|error| Failure::source_read(path, 0, sector, &error))?;
    Ok(adapt::plan(disk, &layout, options))
}

/// Makes the overlay.
fn make(
    adapted: &Adapted,
    capture: &Path,
    machine: &Machine,
    settings: &[Setting],
    plan: &Plan,
    sector: u32,
    options: Options<'_>,
) -> Result<()> {
    let record = Record {
        p2v: env!("CARGO_PKG_VERSION"),
        created: rfc3339(SystemTime::now()),
        capture: machine.disks.first().map_or("", |disk| &disk.file),
        machine: settings,
        plan,
    };
    let record = serde_json::to_vec_pretty(&record).map_err(|error| Failure::failed(error.to_string()))?;
    let overlay = Arc::new(adapted.start(capture)?);
    let written = write(&overlay, plan, sector, options);
    let overlay =
        Arc::into_inner(overlay).ok_or_else(|| Failure::failed(format!("{ADAPTED} is still in use by p2v itself")))?;
    match written {
        Ok(()) => adapted.finish(overlay, &record),
        Err(failure) => {
            adapted.give_up(overlay);
            Err(failure)
        }
    }
}

/// Carries the plan out, and looks again: nothing may be left to do.
fn write(overlay: &Arc<Overlay>, plan: &Plan, sector: u32, options: Options<'_>) -> Result<()> {
    adapt::apply(plan, &**overlay).map_err(|error| {
        Failure::failed(format!("cannot write {ADAPTED}: {error}")).advice("The capture is untouched.")
    })?;
    let disk: Arc<dyn ReadAt> = Arc::clone(overlay) as Arc<dyn ReadAt>;
    let left = look(&disk, overlay.path(), sector, options)?;
    let refusal = left.refusals().next().map(|finding| finding.what.as_str());
    let edit = left.edits.first().map(|edit| edit.place.as_str());
    match refusal.or(edit) {
        None => Ok(()),
        Some(what) => Err(Failure::failed(format!(
            "the adapted disk was looked at again and is not as it should be ({what}); it was removed"
        ))
        .advice("The capture is untouched. This is a mistake in p2v: please report it.")),
    }
}

fn undo(args: &AdaptArgs, folder: &Path, adapted: &Adapted) -> Result<()> {
    settings::revert(folder, &adapted.settings())?;
    let there = adapted.remove()?;
    let status = if there { Status::Undone } else { Status::NothingToUndo };
    if args.json {
        return print_json(&serde_json::json!({ "status": status }));
    }
    print(if there {
        "The changes are removed: the machine starts from the capture again.\n"
    } else {
        "There is nothing to undo: the machine was not adapted.\n"
    })
}

fn tell(args: &AdaptArgs, status: Status, settings: &[Setting], plan: &Plan) -> Result<()> {
    if args.json {
        let machine = settings;
        return print_json(&Report { status, machine, plan });
    }
    let folder = args.folder.display();
    let mut text = String::new();
    for system in &plan.systems {
        text.push_str(&format!("System   {}\n", report::system_text(system)));
    }
    for volume in &plan.unreadable {
        text.push_str(&format!("Warning  Partition {}: {}\n", volume.partition, volume.reason));
    }
    text.push_str(&report::findings_text(&plan.findings));
    text.push_str(&report::edits_text(&plan.edits, &plan.systems));
    for setting in settings
        .iter()
        .filter(|_| matches!(status, Status::Adapted | Status::DryRun))
    {
        text.push_str(&format!("{}\n", setting.text()));
    }
    let changes = report::count(plan.edits.len(), "change");
    text.push_str(&match status {
        Status::Adapted => format!(
            "{changes} made in {ADAPTED} (recorded in {ADAPTED_RECORD}). The capture is as it was.\n\
             Take them back with: p2v adapt {folder} --undo\n"
        ),
        Status::AdaptedAlready => "Adapted already: there is nothing more to change.\n".to_owned(),
        Status::NothingToDo if plan.systems.is_empty() => {
            "No system was found that p2v knows. Nothing was changed.\n".to_owned()
        }
        Status::NothingToDo => "There is nothing to change.\n".to_owned(),
        Status::DryRun => format!("{changes} would be made in {ADAPTED}. Nothing was written.\n"),
        _ => String::new(),
    });
    print(&text)
}

/// An overlay is there, but this run would change more.
fn again(args: &AdaptArgs, plan: &Plan) -> Failure {
    let folder = args.folder.display();
    Failure::refused(format!(
        "{folder} is adapted already, and {} more would be made now",
        report::count(plan.edits.len(), "change")
    ))
    .advice(format!(
        "Take the earlier ones back first with `p2v adapt {folder} --undo`, then repeat this command."
    ))
}
