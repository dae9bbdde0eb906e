//! The disk that is to be overwritten, and whether it may be.

use crate::error::{Failure, Result};
use disk::source::{Source, SourceInfo, SourceKind};
use rustix::fs::OFlags;
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// A disk, or a file that stands for one.
pub(crate) struct Target {
    info: SourceInfo,
}

impl Target {
    /// Looks at it without changing anything. Refused: partitions, what is in use, and disks that are not meant to be
    /// carried around, unless `even_if_not_removable`.
    pub(crate) fn find(path: &Path, even_if_not_removable: bool) -> Result<Self> {
        let info = Source::open(path)?.info().clone();
        let refused = |what: &str| Failure::refused(format!("{} {what}; nothing was written", path.display()));
        if let Some(used) = info.in_use.first() {
            return Err(
                refused(&format!("is in use: {} is {}", used.device.display(), used.how))
                    .advice("Unmount it first. If it is the disk that this computer runs from, it is the wrong one."),
            );
        }
        if info.kind == SourceKind::BlockDevice {
            let folder = sysfs(path);
            if folder.as_ref().is_some_and(|folder| folder.join("partition").exists()) {
                return Err(
                    refused("is a partition, not a whole disk").advice("Name the disk: /dev/sdb, not /dev/sdb1.")
                );
            }
            let carried = info.removable || folder.as_deref().is_some_and(is_carried_around);
            if !carried && !even_if_not_removable {
                return Err(refused("is not a removable disk").advice(
                    "`p2v disks` lists the disks. If it is the right one all the same: `--even-if-not-removable`.",
                ));
            }
            if info.logical_sector != 512 {
                return Err(refused(&format!("has sectors of {} bytes", info.logical_sector))
                    .advice("Old PCs start from sticks with sectors of 512 bytes only. Take another one."));
            }
        }
        Ok(Target { info })
    }

    /// Its path.
    pub(crate) fn path(&self) -> &Path {
        &self.info.path
    }

    /// Its size in bytes.
    pub(crate) fn size(&self) -> u64 {
        self.info.size
    }

    /// What it says that it is.
    pub(crate) fn model(&self) -> Option<&str> {
        self.info.model.as_deref()
    }

    /// Opens it for writing; a disk so that nobody else can have it for writing or mount it meanwhile.
    pub(super) fn open(&self) -> Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).write(true);
        if self.info.kind == SourceKind::BlockDevice {
            options.custom_flags(OFlags::EXCL.bits().cast_signed());
        }
        options.open(self.path()).map_err(|error| match error.raw_os_error() {
            Some(code) if code == rustix::io::Errno::BUSY.raw_os_error() => Failure::refused(format!(
                "{} is in use by now; it was not written to any more",
                self.path().display()
            ))
            .advice("Unmount it, then start again."),
            _ => Failure::target_write(self.path(), &error),
        })
    }
}

/// Its folder in sysfs.
fn sysfs(path: &Path) -> Option<PathBuf> {
    let number = fs::metadata(path).ok()?.rdev();
    let (major, minor) = (rustix::fs::major(number), rustix::fs::minor(number));
    fs::canonicalize(format!("/sys/dev/block/{major}:{minor}")).ok()
}

/// Whether a disk hangs on a bus whose devices come and go: USB (whose hard disks do not say that they are removable),
/// FireWire, card readers.
fn is_carried_around(folder: &Path) -> bool {
    let mut parts = folder.components().filter_map(|part| part.as_os_str().to_str());
    parts.any(|part| {
        let bus = part.trim_end_matches(|c: char| c.is_ascii_digit());
        ["usb", "fw", "mmc_host"].contains(&bus) && bus != part || part == "mmc_host"
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usb_and_cards_are_carried_around() {
        for folder in [
            "/sys/devices/pci0000:00/0000:00:14.0/usb2/2-1/2-1:1.0/host6/target6:0:0/6:0:0:0/block/sdb",
            "/sys/devices/pci0000:00/0000:00:1e.6/mmc_host/mmc0/mmc0:aaaa/block/mmcblk0",
        ] {
            assert!(is_carried_around(Path::new(folder)), "{folder}");
        }
        for folder in [
            "/sys/devices/pci0000:00/0000:00:1f.2/ata1/host0/target0:0:0/0:0:0:0/block/sda",
            "/sys/devices/virtual/block/loop0",
            "/sys/devices/pci0000:00/0000:00:1d.0/0000:02:00.0/nvme/nvme0/nvme0n1",
        ] {
            assert!(!is_carried_around(Path::new(folder)), "{folder}");
        }
    }
}
