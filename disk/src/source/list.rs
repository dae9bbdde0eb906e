//! The disks of this computer.

use super::SourceInfo;
use super::in_use::entries;
use super::sysfs::{System, read_text};
use std::io;
use std::path::Path;

/// Every disk of this computer (not partitions, not loop devices without a file), for `p2v disks`.
///
/// RAID arrays and multipath devices count as disks; optical drives, RAM disks, logical volumes and drives without
/// a medium do not. Nothing is opened, so this needs no permission on the devices.
pub fn list_disks() -> io::Result<Vec<SourceInfo>> {
    let system = System::running();
    std::fs::read_dir(system.sys.join("block"))?;
    Ok(list(&system))
}

fn list(system: &System) -> Vec<SourceInfo> {
    entries(&system.sys.join("block"))
        .iter()
        .filter(|folder| is_disk(folder))
        .map(|folder| {
            let mut info = system.describe_folder(&system.device_path(folder), folder);
            if let Some(Ok(number)) = read_text(&folder.join("dev")).map(|text| text.parse()) {
                info.in_use = system.uses_of_device(number);
            }
            info
        })
        .filter(|info| info.size > 0)
        .collect()
}

fn is_disk(folder: &Path) -> bool {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let kind = name.trim_end_matches(|c: char| c.is_ascii_digit());
    match kind {
        "ram" | "zram" | "sr" | "fd" | "nbd" => false,
        "loop" => folder.join("loop/backing_file").exists(),
        "dm-" => read_text(&folder.join("dm/uuid"))
            .is_some_and(|uuid| uuid.starts_with("DMRAID-") || uuid.starts_with("mpath-")),
        _ => true,
    }
}
