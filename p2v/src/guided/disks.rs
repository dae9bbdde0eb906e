//! A disk that may be copied, as its owner knows it.

use super::health::Health;
use std::path::{Path, PathBuf};

/// One disk of this computer.
#[derive(Clone, Debug)]
pub(super) struct Disk {
    /// Its device.
    pub(super) path: PathBuf,
    /// Vendor and model.
    pub(super) model: String,
    /// Bytes.
    pub(super) size: u64,
    /// `USB`, `built in`.
    pub(super) connection: &'static str,
    /// Why it cannot be copied, as a sentence.
    pub(super) refusal: Option<String>,
    /// What a look into it found; `None` while that goes on.
    pub(super) looked: Option<Result<Looked, String>>,
    /// `None` while it is asked.
    pub(super) health: Option<Health>,
}

/// What is on a disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Looked {
    /// A line each: `Windows XP Professional, called FAMILY-PC`.
    pub(super) systems: Vec<String>,
    /// Names that the machine could have.
    pub(super) names: Vec<String>,
    /// Bytes that a copy reads.
    pub(super) data: u64,
}

impl Disk {
    /// Bytes that a copy reads; the whole disk while nobody knows.
    pub(super) fn data(&self) -> u64 {
        match &self.looked {
            Some(Ok(looked)) => looked.data,
            _ => self.size,
        }
    }

    /// Names that the machine could have, the best first.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let looked = self.looked.as_ref().and_then(|looked| looked.as_ref().ok());
        let found = looked.into_iter().flat_map(|looked| &looked.names);
        found.map(String::as_str).chain([self.model.as_str()])
    }
}

/// How a disk hangs on this computer, by the path of its folder in sysfs. The bus is in it, outermost first.
pub(super) fn connection(sysfs: &Path) -> &'static str {
    let path = sysfs.to_string_lossy();
    let has = |part: &str| path.contains(part);
    if has("/usb") {
        "USB"
    } else if has("/nvme") {
        "built in, NVMe"
    } else if has("/mmc") {
        "memory card"
    } else if has("/ata") {
        "built in, IDE or SATA"
    } else if has("/block/md") {
        "RAID"
    } else if has("/block/loop") {
        "image file"
    } else if has("/virtio") {
        "virtual"
    } else {
        "built in"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bridge_counts_as_what_the_owner_sees() {
        let at = |path: &str| connection(Path::new(path));
        let pci = "/sys/devices/pci0000:00/0000:00:1f.2";
        assert_eq!(
            at(&format!("{pci}/ata1/host0/target0:0:0/0:0:0:0/block/sda")),
            "built in, IDE or SATA"
        );
        assert_eq!(
            at(&format!("{pci}/usb1/1-2/1-2:1.0/host6/target6:0:0/6:0:0:0/block/sdb")),
            "USB"
        );
        assert_eq!(at("/sys/devices/virtual/block/loop0"), "image file");
        assert_eq!(at(&format!("{pci}/nvme/nvme0/nvme0n1")), "built in, NVMe");
    }
}
