//! What a system needs to start on the machine's hardware: an IDE controller of the PIIX3, a PC without the old one's
//! chipset, no AGP, another processor.
//!
//! Data flows one way: disk and layout → each system's findings and changes (`Edited`) → carried out in memory
//! (`Bench`) → [`Plan`]: findings, edits in words, and the same edits as bytes; nothing is written → [`apply`] on an
//! overlay.
//!
//! Changes of the same length are made in place, in the clusters that a file has already: no structure of a filesystem
//! is touched. What needs more goes through the filesystem's own library (`fs_edit`).
#![warn(clippy::arithmetic_side_effects, clippy::as_conversions, clippy::indexing_slicing)]

mod bench;
mod edited;
mod file;
mod finding;
mod linux;
mod lvm;
mod plan;
mod preconditions;
mod windows;

pub use finding::{Effect, Finding, Kind};
pub use plan::{ApplyError, Edit, Plan, apply};

use crate::{System, dos};
use bench::{Bench, CarryError};
use disk::ReadAt;
use disk::layout::DiskLayout;
use edited::Edited;
use std::path::Path;
use std::sync::Arc;

/// Choices that a person made.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options<'a> {
    /// Throw away the session that a hibernated system, or one shut down with Fast Startup, has saved. What was open
    /// and not saved in it is lost.
    pub discard_hibernation: bool,
    /// Give Windows drivers for virtio devices from here: the virtio-win disc (an ISO image), or a folder like it.
    pub virtio_win: Option<&'a Path>,
}

/// Looks at a disk: which systems are on it, what stands in the way of adapting them, and the edits. Only reads.
pub fn plan(disk: &Arc<dyn ReadAt>, layout: &DiskLayout, options: Options<'_>) -> Plan {
    let mut bench = Bench::new(disk, layout);
    let windows = crate::windows::locate(&mut bench.volumes);
    let linux = crate::linux::locate(&mut bench.volumes);
    let windows_systems = crate::windows::describe_all(&mut bench.volumes, &windows);
    let linux_systems = crate::linux::describe_all(&mut bench.volumes, &linux);
    let dos: Vec<System> = bench.volumes.iter_mut().filter_map(dos::find).collect();

    let mut plan = Plan {
        findings: preconditions::of_disk(&**disk, layout, !linux_systems.is_empty()),
        unreadable: std::mem::take(&mut bench.unreadable),
        ..Plan::default()
    };
    plan.findings.extend(preconditions::efi_loaders(&mut bench.volumes));
    plan.findings.extend(lvm::findings(layout));
    let mut virtio = match options.virtio_win {
        Some(path) if !windows.is_empty() => windows::VirtioSource::open(path, &mut plan.findings),
        Some(_) => {
            let what = "There is no Windows on the disk that could get drivers for virtio disks";
            let finding = Finding::on_disk(Kind::NotAdapted, Effect::Note, 0, what, "--virtio-win does nothing.");
            plan.findings.push(finding);
            None
        }
        None => None,
    };
    for (place, system) in windows.iter().zip(&windows_systems) {
        plan.findings.extend(preconditions::of_new_computer(system));
        let session = windows::session(&mut bench.volumes, place, system, options);
        take(&mut bench, system, session, &mut plan);
        let edited = windows::plan(&mut bench.volumes, place, system, virtio.as_mut());
        match bench.carry(&edited) {
            // Without the drivers it may be possible: they need room.
            Err(error) if virtio.is_some() => {
                let mut edited = windows::plan(&mut bench.volumes, place, system, None);
                edited
                    .findings
                    .push(windows::without_virtio(system, &error.to_string()));
                take(&mut bench, system, edited, &mut plan);
            }
            carried => {
                note(system, edited, &carried, &mut plan);
            }
        }
    }
    if let Some(system) = windows_systems.first() {
        let edited = windows::boot_ini::plan(&mut bench.volumes, &windows_systems);
        take(&mut bench, system, edited, &mut plan);
    }
    if let Some(system) = linux_systems.first() {
        let edited = linux::preconditions::sessions(&bench, layout, system, options);
        take(&mut bench, system, edited, &mut plan);
    }
    for (place, system) in linux.iter().zip(&linux_systems) {
        linux::plan(&mut bench, layout, place, system, &mut plan);
    }
    plan.systems = dos;
    plan.systems.extend(windows_systems);
    plan.systems.extend(linux_systems);
    plan.systems.sort_by_key(|system| system.partition);
    plan.findings.extend(preconditions::of_several(&plan.systems));
    match bench.changes() {
        Ok(changes) => plan.writes = changes,
        Err(error) => plan.findings.push(Finding::on_disk(
            Kind::Unreadable,
            Effect::Refusal,
            0,
            format!("The disk cannot be read where it would be changed: {error}"),
            "Nothing is changed.",
        )),
    }
    // The worst first; those of the same weight stay in their order.
    plan.findings.sort_by_key(|finding| std::cmp::Reverse(finding.effect));
    plan
}

/// Carries out on the bench what a system needs, and puts it into the plan; what cannot be carried out becomes a
/// finding. Whether all went well.
fn take(bench: &mut Bench, system: &System, edited: Edited, plan: &mut Plan) -> bool {
    let carried = bench.carry(&edited);
    note(system, edited, &carried, plan)
}

/// Puts into the plan what was, or was not, carried out. Whether it was.
fn note(system: &System, edited: Edited, carried: &Result<(), CarryError>, plan: &mut Plan) -> bool {
    plan.findings.extend(edited.findings);
    plan.addresses.extend(edited.addresses);
    match carried {
        Ok(()) => plan.edits.extend(edited.edits),
        Err(error) => plan.findings.push(Finding {
            system: Some(system.name.clone()),
            ..Finding::on_disk(
                Kind::CannotBeChanged,
                Effect::Skip,
                system.partition,
                sentence(&error.to_string()),
                "This system is left as it is.",
            )
        }),
    }
    carried.is_ok()
}

/// With a capital letter.
fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(char::to_uppercase);
    first.into_iter().flatten().chain(chars).collect()
}
