//! Checks of the place where a capture goes: not on the disk that is captured, and with room.

use crate::error::{Failure, Result};
use crate::report;
use disk::source::{SourceInfo, SourceKind};
use rustix::fs::{Access, AtFlags, CWD, accessat, major, minor};
use std::collections::HashSet;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Nothing real is compressed to less than this part of its size.
pub(crate) const HOPELESS: u64 = 20;

/// The folder itself or the nearest one above it that exists.
fn nearest_existing(folder: &Path) -> PathBuf {
    let absolute = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let found = absolute.ancestors().find(|path| path.exists());
    found.unwrap_or(Path::new("/")).to_owned()
}

/// How many bytes are free for `folder`.
pub(super) fn room(folder: &Path) -> Result<u64> {
    let place = nearest_existing(folder);
    let stat = rustix::fs::statvfs(&place).map_err(|error| Failure::target_write(&place, &error.into()))?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// Refuses a place where this user may not write, or nobody can.
pub(super) fn check_writable(folder: &Path) -> Result<()> {
    let place = nearest_existing(folder);
    let access = Access::WRITE_OK | Access::EXEC_OK;
    accessat(CWD, &place, access, AtFlags::EACCESS).map_err(|error| Failure::target_write(&place, &error.into()))
}

/// Refuses where `needed` bytes cannot fit into the `free` ones at `place`, warns where they may not.
pub(super) fn check_room(place: &str, free: u64, needed: u64, ignore: bool, warnings: &mut Vec<String>) -> Result<()> {
    let have = format!(
        "{} has {} free, the disk holds {} of data",
        place,
        report::size(free),
        report::size(needed)
    );
    if free < needed / HOPELESS && !ignore {
        return Err(Failure::refused(format!("{have}: even compressed it cannot fit"))
            .advice("Choose another target with `-o`. `--ignore-free-space` tries all the same."));
    }
    if free < needed {
        warnings.push(format!("{have}: it fits only if it compresses well"));
    }
    Ok(())
}

/// Refuses a folder that lies on the disk that is to be captured: the capture would change its own source.
pub(crate) fn check_not_on_source(info: &SourceInfo, folder: &Path) -> Result<()> {
    let place = nearest_existing(folder);
    let below = devices_below(&place);
    let same = match info.kind {
        SourceKind::BlockDevice => {
            let Ok(meta) = std::fs::metadata(&info.path) else {
                return Ok(());
            };
            let id = (major(meta.rdev()), minor(meta.rdev()));
            let disk = sysfs_of(id).and_then(|path| whole_disk(&path));
            disk.is_some_and(|disk| below.contains(&disk))
        }
        // An image that is mounted through a loop device, and the folder inside it.
        SourceKind::ImageFile => {
            let image = info.path.canonicalize().ok();
            below.iter().any(|device| {
                let file = std::fs::read_to_string(device.join("loop/backing_file")).ok();
                image.is_some() && file.map(|file| PathBuf::from(file.trim_end())) == image
            })
        }
    };
    if !same {
        return Ok(());
    }
    let what = format!(
        "{} lies on {}, the disk that is to be captured",
        place.display(),
        info.path.display()
    );
    Err(Failure::refused(what)
        .advice("The source is never written. Choose a folder on another disk with `-o`, a USB disk for example."))
}

/// Whole disks (sysfs folders) that the file system at `place` is made of, through partitions, RAID and LVM.
fn devices_below(place: &Path) -> HashSet<PathBuf> {
    let Ok(meta) = std::fs::metadata(place) else {
        return HashSet::new();
    };
    let mut id = (major(meta.dev()), minor(meta.dev()));
    if id.0 == 0 {
        // btrfs and overlays have device numbers of their own: ask the mount table what they were mounted from.
        match mounted_device(place).and_then(|device| std::fs::metadata(device).ok()) {
            Some(meta) => id = (major(meta.rdev()), minor(meta.rdev())),
            None => return HashSet::new(),
        }
    }
    disks_below(id)
}

/// Whether the device `device` is `disk`, a part of it, or made of such.
pub(crate) fn device_lies_on(device: &Path, disk: &Path) -> bool {
    let number = |path: &Path| {
        let meta = std::fs::metadata(path).ok()?;
        let is_device = meta.file_type().is_block_device();
        is_device.then(|| (major(meta.rdev()), minor(meta.rdev())))
    };
    let disk = number(disk).and_then(sysfs_of).and_then(|path| whole_disk(&path));
    let below = number(device).map(disks_below).unwrap_or_default();
    disk.is_some_and(|disk| below.contains(&disk))
}

/// Whole disks (sysfs folders) that a block device is on, through partitions, RAID and LVM.
fn disks_below(id: (u32, u32)) -> HashSet<PathBuf> {
    let mut found = HashSet::new();
    let mut open: Vec<PathBuf> = sysfs_of(id).into_iter().collect();
    while let Some(device) = open.pop() {
        let slaves = std::fs::read_dir(device.join("slaves")).into_iter().flatten().flatten();
        let slaves = slaves.filter_map(|entry| entry.path().canonicalize().ok());
        let new: Vec<_> = slaves.collect();
        if let Some(disk) = whole_disk(&device) {
            if !found.insert(disk.clone()) && new.is_empty() {
                continue;
            }
            // A partitioned RAID: the partition has no slaves, its disk has.
            if disk != device {
                open.push(disk);
            }
        }
        open.extend(new);
    }
    found
}

/// The sysfs folder of a block device.
fn sysfs_of((major, minor): (u32, u32)) -> Option<PathBuf> {
    Path::new(&format!("/sys/dev/block/{major}:{minor}"))
        .canonicalize()
        .ok()
}

/// The disk a partition belongs to; a disk is its own.
fn whole_disk(device: &Path) -> Option<PathBuf> {
    if device.join("partition").exists() {
        device.parent().map(Path::to_owned)
    } else {
        Some(device.to_owned())
    }
}

/// What the mount table says that `place` was mounted from (proc(5), mountinfo: mount point is field 5, the source
/// follows the file system's type after the separator `-`).
fn mounted_device(place: &Path) -> Option<PathBuf> {
    let place = place.canonicalize().ok()?;
    let table = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
    let mounts = table.lines().filter_map(|line| {
        let (before, after) = line.split_once(" - ")?;
        let point = PathBuf::from(before.split(' ').nth(4)?.replace("\\040", " "));
        let device = after.split(' ').nth(1)?;
        place
            .starts_with(&point)
            .then(|| (point.components().count(), PathBuf::from(device)))
    });
    mounts
        .max_by_key(|(depth, _)| *depth)
        .map(|(_, device)| device)
        .filter(|device| device.is_absolute())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_existing_folder_is_found() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(nearest_existing(&folder.path().join("a/b")), folder.path());
        assert_eq!(nearest_existing(folder.path()), folder.path());
    }

    #[test]
    fn too_little_room_is_refused_and_scarce_room_warned_of() {
        let folder = tempfile::tempdir().unwrap();
        let mut warnings = Vec::new();
        let free = room(folder.path()).unwrap();
        let mut check = |needed, ignore| {
            let checked = check_room("/target", free, needed, ignore, &mut warnings);
            (checked.is_ok(), std::mem::take(&mut warnings).len())
        };
        assert_eq!(check(1, false), (true, 0));
        assert_eq!(check(free.saturating_mul(2), false), (true, 1));
        assert!(!check(u64::MAX, false).0 && check(u64::MAX, true).0);
    }
}
