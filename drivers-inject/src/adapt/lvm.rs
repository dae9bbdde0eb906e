//! What of LVM p2v cannot look into.

use super::finding::{Effect, Finding, Kind};
use disk::layout::DiskLayout;

/// A note for each physical volume that cannot be read as a whole.
pub(super) fn findings(layout: &DiskLayout) -> Vec<Finding> {
    let volumes = layout.physical.iter().filter(|volume| !volume.problems.is_empty());
    let finding = |volume: &disk::lvm::PhysicalVolume| {
        let group = volume.group.as_ref();
        let group = group.map_or(String::new(), |group| format!(" of the volume group {group}"));
        Finding::on_disk(
            Kind::Lvm,
            Effect::Note,
            volume.partition,
            format!(
                "p2v cannot look into all of this physical volume of LVM{group}: {}",
                volume.problems.join("; ")
            ),
            "Nothing is changed there. A system on what cannot be read is neither named nor adapted.",
        )
    };
    volumes.map(finding).collect()
}
