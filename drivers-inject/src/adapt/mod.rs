//! What a system needs to start on the machine's hardware: an IDE controller of the PIIX3, a PC without the old one's
//! chipset, no AGP, another processor.
//!
//! Data flows one way: disk and layout → [`plan`]: findings and edits, nothing is written → [`apply`] on an overlay.
//! Every change is of the same length and in place, in the clusters that a file has already: no structure of a
//! filesystem is touched.
#![warn(clippy::arithmetic_side_effects, clippy::as_conversions, clippy::indexing_slicing)]

mod file;
mod finding;
mod plan;
mod preconditions;
mod windows;

pub use finding::{Effect, Finding, Kind};
pub use plan::{ApplyError, Edit, Plan, apply};

use crate::{Family, dos, linux, volumes};
use disk::ReadAt;
use disk::layout::DiskLayout;
use std::sync::Arc;

/// Choices that a person made.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Throw away the session that a hibernated system, or one shut down with Fast Startup, has saved. What was open
    /// and not saved in it is lost.
    pub discard_hibernation: bool,
}

/// Looks at a disk: which systems are on it, what stands in the way of adapting them, and the edits. Only reads.
pub fn plan(disk: &Arc<dyn ReadAt>, layout: &DiskLayout, options: Options) -> Plan {
    let (mut volumes, unreadable) = volumes::open_all(disk, layout);
    let places = crate::windows::locate(&mut volumes);
    let windows = crate::windows::describe_all(&mut volumes, &places);
    let mut others = linux::find(&mut volumes);
    others.extend(volumes.iter_mut().filter_map(dos::find));

    let mut plan = Plan {
        findings: preconditions::of_disk(layout),
        unreadable,
        ..Plan::default()
    };
    for (place, system) in places.iter().zip(&windows) {
        windows::plan(&mut volumes, place, system, options, &mut plan);
    }
    windows::boot_ini::plan(&mut volumes, &windows, &mut plan);
    plan.findings
        .extend(others.iter().filter_map(|system| match system.family {
            Family::Linux => Some(Finding {
                system: Some(system.name.clone()),
                ..Finding::on_disk(
                    Kind::NotAdapted,
                    Effect::Note,
                    system.partition,
                    "Linux is not adapted by this version; most systems start as they are",
                    "Nothing is changed in it.",
                )
            }),
            _ => None,
        }));
    plan.systems = others;
    plan.systems.extend(windows);
    plan.systems.sort_by_key(|system| system.partition);
    plan.findings.extend(preconditions::of_several(&plan.systems));
    // The worst first; those of the same weight stay in their order.
    plan.findings.sort_by_key(|finding| std::cmp::Reverse(finding.effect));
    plan
}
