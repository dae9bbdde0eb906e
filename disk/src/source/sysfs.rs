//! What the kernel knows of a block device, from sysfs.
//!
//! Source: Linux `Documentation/ABI/stable/sysfs-block`, `Documentation/ABI/testing/sysfs-block`.

use super::{SourceInfo, SourceKind};
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Major and minor number of a block device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct DeviceNumber {
    pub(super) major: u32,
    pub(super) minor: u32,
}

impl DeviceNumber {
    /// From `st_rdev`.
    pub(super) fn of(rdev: u64) -> Self {
        DeviceNumber {
            major: rustix::fs::major(rdev),
            minor: rustix::fs::minor(rdev),
        }
    }
}

impl FromStr for DeviceNumber {
    type Err = ();
    /// `8:1`, as sysfs and mountinfo write it.
    fn from_str(text: &str) -> Result<Self, ()> {
        let (major, minor) = text.trim().split_once(':').ok_or(())?;
        Ok(DeviceNumber {
            major: major.parse().map_err(drop)?,
            minor: minor.parse().map_err(drop)?,
        })
    }
}

/// Where the kernel's tables are: `/sys`, `/proc` and `/dev`, or copies of them in tests.
#[derive(Clone, Debug)]
pub(super) struct System {
    pub(super) sys: PathBuf,
    pub(super) proc: PathBuf,
    pub(super) dev: PathBuf,
}

impl System {
    /// The system that runs.
    pub(super) fn running() -> Self {
        System {
            sys: "/sys".into(),
            proc: "/proc".into(),
            dev: "/dev".into(),
        }
    }

    /// The sysfs folder of a device, with links resolved: `/sys/devices/…/block/sda/sda1`.
    pub(super) fn folder(&self, number: DeviceNumber) -> Option<PathBuf> {
        let link = self
            .sys
            .join("dev/block")
            .join(format!("{}:{}", number.major, number.minor));
        fs::canonicalize(link).ok()
    }

    /// Everything but the size of the opened device. A partition has the identity of its disk.
    pub(super) fn describe(&self, path: &Path, number: DeviceNumber) -> SourceInfo {
        let mut info = match self.folder(number) {
            Some(folder) => self.describe_folder(path, &folder),
            None => unknown(path),
        };
        info.in_use = self.uses_of_device(number);
        info
    }

    /// Size, sector sizes and identity of the device in `folder`.
    pub(super) fn describe_folder(&self, path: &Path, folder: &Path) -> SourceInfo {
        let disk = disk_folder(folder);
        let flag = |name: &str| read_text(&disk.join(name)).map(|text| text != "0");
        let sector = |name: &str| {
            read_number::<u32>(&disk.join(name)).filter(|size| size.is_power_of_two() && (512..=65536).contains(size))
        };
        let logical_sector = sector("queue/logical_block_size").unwrap_or(512);
        SourceInfo {
            // sysfs counts in units of 512 bytes whatever the sector size is.
            size: read_number::<u64>(&folder.join("size")).map_or(0, |units| units.saturating_mul(512)),
            logical_sector,
            physical_sector: sector("queue/physical_block_size")
                .map_or(logical_sector, |size| size.max(logical_sector)),
            model: model(disk),
            serial: serial(disk),
            wwn: wwn(disk),
            rotational: flag("queue/rotational"),
            removable: flag("removable").unwrap_or(false),
            ..unknown(path)
        }
    }
}

fn unknown(path: &Path) -> SourceInfo {
    SourceInfo::new(path.to_owned(), SourceKind::BlockDevice, 0)
}

/// The folder of the disk that a partition belongs to; the folder itself if it is no partition.
pub(super) fn disk_folder(folder: &Path) -> &Path {
    match folder.parent() {
        Some(parent) if folder.join("partition").exists() => parent,
        _ => folder,
    }
}

/// The text of a sysfs attribute without blanks around it; `None` if it is absent or empty.
pub(super) fn read_text(path: &Path) -> Option<String> {
    let bytes = fs::read(path).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\0');
    (!text.is_empty()).then(|| text.to_owned())
}

fn read_number<T: FromStr>(path: &Path) -> Option<T> {
    read_text(path)?.parse().ok()
}

/// Vendor and model. SATA disks all have the vendor `ATA`, which says nothing.
fn model(disk: &Path) -> Option<String> {
    let model = read_text(&disk.join("device/model")).or_else(|| read_text(&disk.join("device/name")))?;
    match read_text(&disk.join("device/vendor")) {
        // Virtio and NVMe have a PCI number here instead of a name.
        Some(vendor) if vendor != "ATA" && !vendor.starts_with("0x") && !model.starts_with(&vendor) => {
            Some(format!("{vendor} {model}"))
        }
        _ => Some(model),
    }
}

/// NVMe and MMC have it as text, virtio on the disk itself, SCSI, SATA and USB in page 0x80 of their vital product data
/// (SPC-5 §7.7.5: four bytes of header, then text).
fn serial(disk: &Path) -> Option<String> {
    read_text(&disk.join("device/serial"))
        .or_else(|| read_text(&disk.join("serial")))
        .or_else(|| {
            let page = fs::read(disk.join("device/vpd_pg80")).ok()?;
            let text = String::from_utf8_lossy(page.get(4..)?);
            let text = text.trim_matches(|c: char| c.is_whitespace() || c.is_control());
            (!text.is_empty()).then(|| text.to_owned())
        })
}

fn wwn(disk: &Path) -> Option<String> {
    read_text(&disk.join("wwid")).or_else(|| read_text(&disk.join("device/wwid")))
}
