//! Where a copy can go.

use super::words;
use crate::capture::HOPELESS;
use std::path::{Path, PathBuf};

/// The label of the file system that `p2v live-usb --write` makes on the rest of a stick.
const CAPTURES_LABEL: &str = "P2V-CAPTURES";
/// FAT holds no larger files (bytes): 4 GiB less one, and some room for what a qcow2 image has besides the data.
const FAT_HOLDS: u64 = (1 << 32) - (1 << 26);
/// Kinds of file systems that Linux can write to, as `disk` calls them.
const WRITABLE: [&str; 12] = [
    "ext2", "ext3", "ext4", "NTFS", "exFAT", "FAT12", "FAT16", "FAT32", "Btrfs", "XFS", "F2FS", "JFS",
];

/// A kind of target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A file system of this computer.
    Volume(Volume),
    /// Another PC, which is typed.
    Far,
    /// A folder whose path is typed.
    Folder,
}

/// A file system that could take a copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Volume {
    /// Its partition or disk; `None` for a folder of the running system.
    pub(super) device: Option<PathBuf>,
    /// For the owner: label, model.
    pub(super) title: String,
    /// `NTFS`.
    pub(super) kind: String,
    /// Bytes.
    pub(super) size: u64,
    /// Bytes that are free, as far as that is known.
    pub(super) free: Option<u64>,
    /// Where it is mounted.
    pub(super) mounted: Option<PathBuf>,
    /// Whether it is the stick's own place for copies.
    pub(super) is_captures: bool,
    /// Why it cannot be used, and what to do, in sentences.
    pub(super) refusal: Option<String>,
}

impl Volume {
    /// What is said of it in the list.
    pub(super) fn detail(&self) -> String {
        let free = self
            .free
            .map_or(String::new(), |free| format!("{} free of ", words::size(free)));
        let device = self
            .device
            .as_deref()
            .map_or(String::new(), |device| format!(", {}", device.display()));
        let state = match &self.mounted {
            Some(point) if self.device.is_some() => format!(", mounted at {}", point.display()),
            Some(point) => format!(", {}", point.display()),
            None => ", not mounted".to_owned(),
        };
        format!("{free}{}, {}{device}{state}", words::size(self.size), self.kind)
    }
}

/// Whether a copy can be written to file systems of this kind at all.
pub(super) fn can_hold_copies(kind: &str) -> bool {
    WRITABLE.contains(&kind)
}

/// Whether this label is that of the stick's own place.
pub(super) fn is_captures(label: Option<&str>) -> bool {
    label == Some(CAPTURES_LABEL)
}

/// Why a file system of this kind cannot take a copy with `data` bytes.
pub(super) fn refuse_kind(kind: &str, data: u64) -> Option<String> {
    let fat = kind.starts_with("FAT") || kind == "vfat" || kind == "msdos";
    (fat && data > FAT_HOLDS).then(|| {
        "It is formatted as FAT, which holds no file over 4 GB. Use another drive, or format this one as exFAT or NTFS \
         (on another PC; that erases it)."
            .to_owned()
    })
}

/// Why a place with so little room cannot take a copy with `data` bytes.
pub(super) fn refuse_room(free: u64, data: u64) -> Option<String> {
    (free < data / HOPELESS).then(|| {
        format!(
            "There is no room: {} are free, and {} are to be copied. Make room on it, or use a larger drive.",
            words::size(free),
            words::size(data)
        )
    })
}

/// Why nothing can be written to a folder on a file system of this kind, which has no disk behind it.
pub(super) fn refuse_memory(kind: &str, point: &Path) -> Option<String> {
    let memory = matches!(kind, "tmpfs" | "ramfs" | "devtmpfs") || (kind == "overlay" && point == Path::new("/"));
    memory.then(|| {
        "That folder is only in this computer's memory: it is gone when the computer is switched off. Choose a drive.".to_owned()
    })
}

/// What is said of a place that takes no writes.
pub(super) fn read_only() -> String {
    "It can only be read: perhaps it has a lock switch, or it was not shut down properly on its own PC. Use another drive."
        .to_owned()
}

/// What an owner can do if mounting fails, for the error that `mount` printed.
pub(super) fn mount_failed(kind: &str, said: &str) -> String {
    if said.contains("read-only") || said.contains("write-protected") || said.contains("write protected") {
        return read_only();
    }
    let advice = if kind == "NTFS" {
        "Shut its Windows down completely once (not sleep, not fast startup), or use another drive."
    } else {
        "Use another drive."
    };
    format!("It cannot be opened for writing. {advice} ({})", words::clean(said))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fat_is_refused_only_if_the_copy_may_be_too_large() {
        assert!(refuse_kind("FAT32", 5_000_000_000).unwrap().contains("exFAT"));
        assert_eq!(refuse_kind("FAT32", 2_000_000_000), None);
        assert_eq!(refuse_kind("exFAT", 5_000_000_000), None);
    }

    #[test]
    fn no_room_says_how_much_there_is() {
        assert_eq!(refuse_room(10_000_000_000, 20_000_000_000), None);
        let words = refuse_room(100_000_000, 20_000_000_000).unwrap();
        assert!(words.contains("100 MB are free, and 20 GB"), "{words}");
    }

    #[test]
    fn what_is_in_memory_is_no_place() {
        assert!(refuse_memory("tmpfs", Path::new("/tmp")).is_some());
        assert!(refuse_memory("overlay", Path::new("/")).is_some());
        assert_eq!(refuse_memory("ext4", Path::new("/")), None);
    }

    #[test]
    fn a_failed_mount_says_what_to_do() {
        let said = "mount: /run/p2v/sdb1: cannot mount /dev/sdb1 read-only.";
        assert!(mount_failed("ext4", said).contains("lock switch"));
        assert!(mount_failed("NTFS", "wrong fs type").contains("Shut its Windows down"));
    }
}
