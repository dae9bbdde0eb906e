//! What stands in the way of a capture, or should be known before it.

use super::intersection;
use crate::capture::mapfile;
use crate::capture::rescue::map::{Status, StatusMap};
use crate::error::{Failure, Result};
use disk::ExtentSet;
use disk::source::{SourceInfo, SourceKind};
use std::path::Path;

/// What a rescue left out of the image that is read, as far as it is `used`. Every status but `+` means lost here.
pub(super) fn lost_before(map: Option<&Path>, info: &SourceInfo, used: &ExtentSet) -> Result<StatusMap> {
    let Some(path) = map else {
        return Ok(StatusMap::default());
    };
    if info.kind != SourceKind::ImageFile {
        return Err(Failure::refused(format!(
            "--map goes with an image that was rescued, and {} is a disk",
            info.path.display()
        ))
        .advice("Capture the disk itself without `--map`, or the image that ddrescue made with it."));
    }
    let lost = mapfile::load(path, info.size)?.lost();
    Ok(StatusMap::new(&intersection(&lost, used), Status::Bad))
}

/// Refuses a source that changes while it is read; warns of one that is in use but quiet.
pub(super) fn check_use(info: &SourceInfo, allow: bool) -> Result<Vec<String>> {
    let lines: Vec<String> = info
        .in_use
        .iter()
        .map(|u| format!("{} is {}", u.device.display(), u.how))
        .collect();
    if info.in_use.iter().any(|u| u.writable) && !allow {
        let what = format!(
            "{} is in use and can change while it is copied:\n  {}",
            info.path.display(),
            lines.join("\n  ")
        );
        return Err(Failure::refused(what).advice(
            "Unmount it first (`umount`, `swapoff`). The disk of a running system is best copied after starting that \
             computer from a USB stick. `--allow-in-use` copies it all the same: files that change meanwhile may be damaged \
             in the copy.",
        ));
    }
    Ok(lines
        .into_iter()
        .map(|line| format!("in use: {line}; what changes while it is copied may be damaged in the copy"))
        .collect())
}

pub(super) fn is_partition(path: &Path) -> bool {
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    path.starts_with("/dev")
        && path
            .file_name()
            .is_some_and(|name| Path::new("/sys/class/block").join(name).join("partition").exists())
}
