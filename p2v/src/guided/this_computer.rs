//! The computer that p2v runs on: sysfs, mounts, and looks into disks.

use super::computer::{Answer, Computer};
use super::disks::{Disk, Looked, connection};
use super::health::{self, Health};
use super::places::{self, Place, Volume};
use super::{mounts, words};
use crate::capture;
use crate::error::Failure;
use crate::machine::{Library, names};
use crate::report;
use crate::source::Input;
use disk::source::{Source, SourceInfo, SourceKind};
use disk::usedmap::map_volume;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// Disks and image files (separated by colons) that stand for all disks of this computer: for tests and demonstrations.
const DISKS: &str = "P2V_GUIDED_DISKS";
/// Where live systems have the medium that they run from.
const LIVE_MEDIA: [&str; 6] = [
    "/run/live/",
    "/lib/live/",
    "/usr/lib/live/",
    "/cdrom",
    "/run/initramfs/live",
    "/run/archiso",
];

/// The real one.
pub(super) struct ThisComputer {
    /// `None` for all that there are.
    named: Option<Vec<PathBuf>>,
}

impl ThisComputer {
    pub(super) fn new() -> Self {
        let list = env::var_os(DISKS);
        ThisComputer {
            named: list.map(|list| {
                env::split_paths(&list)
                    .filter(|path| !path.as_os_str().is_empty())
                    .collect()
            }),
        }
    }

    fn infos(&self) -> Answer<Vec<SourceInfo>> {
        let Some(named) = &self.named else {
            let all = disk::source::list_disks().map_err(|error| format!("The disks cannot be listed: {error}"))?;
            // A live system itself is in a loop device.
            return Ok(all.into_iter().filter(|info| !is_loop(&info.path)).collect());
        };
        let open = |path: &PathBuf| Source::open(path).map(|source| source.info().clone());
        named
            .iter()
            .map(|path| open(path).map_err(|error| error.to_string()))
            .collect()
    }
}

impl Computer for ThisComputer {
    fn disks(&self) -> Answer<Vec<Disk>> {
        let disks = self.infos()?.into_iter().map(|info| Disk {
            model: words::clean(info.model.as_deref().unwrap_or(match info.kind {
                SourceKind::ImageFile => "Image file",
                SourceKind::BlockDevice => "Disk",
            })),
            size: info.size,
            connection: connection_of(&info),
            refusal: refusal(&info),
            looked: None,
            health: None,
            path: info.path,
        });
        Ok(disks.collect())
    }

    fn look(&self, disk: &Path) -> Answer<Looked> {
        let failed = |failure: &Failure| match words::advice(failure) {
            Some(advice) => format!("{}. {advice}", failure.what()),
            None => failure.what().to_owned(),
        };
        let input = Input::open(disk).map_err(|failure| failed(&failure))?;
        let info = input.info();
        let reader = input.reader();
        let layout =
            disk::layout::scan(&*reader, info.logical_sector).map_err(|error| format!("it cannot be read: {error}"))?;
        let found = drivers_inject::inspect(&reader, &layout);
        let hosts = found.systems.iter().filter_map(|system| system.hostname.as_deref());
        Ok(Looked {
            names: hosts
                .chain(info.model.as_deref())
                .filter_map(names::made_safe)
                .collect(),
            systems: found
                .systems
                .iter()
                .map(|system| {
                    let text = report::system_text(system);
                    words::clean(text.lines().next().unwrap_or_default())
                })
                .collect(),
            data: layout.used.bytes(),
        })
    }

    fn health(&self, disk: &Path) -> Health {
        if disk.is_file() {
            Health::Unknown
        } else {
            health::ask(disk)
        }
    }

    fn places(&self, source: &Path, data: u64) -> Vec<Place> {
        let mounts = mounts::all();
        let infos = self.infos().unwrap_or_default();
        let others = infos
            .iter()
            .filter(|info| info.kind == SourceKind::BlockDevice && !capture::device_lies_on(&info.path, source));
        let mut volumes: Vec<Volume> = others
            .flat_map(|info| devices(&info.path).into_iter().map(move |device| (info, device)))
            .filter_map(|(info, device)| volume(info, &device, &mounts, data))
            .collect();
        // The stick's own place first, then those that can be used at once.
        volumes.sort_by_key(|volume| (!volume.is_captures, volume.refusal.is_some(), volume.mounted.is_none()));
        volumes.extend(library(&mounts, data));
        let places = volumes.into_iter().map(Place::Volume);
        places.chain([Place::Far, Place::Folder]).collect()
    }

    fn mount(&self, volume: &Volume, source: &Path, data: u64) -> Answer<PathBuf> {
        let device = volume.device.as_deref().ok_or("It has no device.")?;
        // Asked again: nothing of the source is ever mounted for writing, whatever the list said.
        if capture::device_lies_on(device, source) {
            return Err("It is on the disk that is to be copied, which is never written.".to_owned());
        }
        let point = mounts::mount(device).map_err(|said| places::mount_failed(&volume.kind, &said))?;
        let room = mounts::free(&point);
        if let Some(why) = room.map_or_else(Some, |free| places::refuse_room(free, data)) {
            self.unmount(&point)?;
            return Err(why);
        }
        Ok(point)
    }

    fn unmount(&self, point: &Path) -> Answer<()> {
        mounts::unmount(point)
    }

    fn check_folder(&self, folder: &Path, source: &Path, data: u64) -> Answer<()> {
        if !folder.is_absolute() {
            return Err("Type the whole path, with a slash at its beginning.".to_owned());
        }
        let Ok(folder) = folder.canonicalize() else {
            return Err("There is no such folder.".to_owned());
        };
        if !folder.is_dir() {
            return Err("That is a file, not a folder.".to_owned());
        }
        let source = Source::open(source).map_err(|error| words::sentence(&error.to_string()))?;
        if capture::check_not_on_source(source.info(), &folder).is_err() {
            return Err(
                "That folder is on the disk that is to be copied, which is never written. Choose another one."
                    .to_owned(),
            );
        }
        check_room_at(&folder, data)
    }
}

/// Whether a copy with `data` bytes can go where `folder` is.
fn check_room_at(folder: &Path, data: u64) -> Answer<()> {
    let mount = mounts::of_path(&mounts::all(), folder);
    let refusal = mount.and_then(|mount| {
        let refusal =
            places::refuse_memory(&mount.kind, &mount.point).or_else(|| places::refuse_kind(&mount.kind, data));
        refusal.or_else(|| (!mount.writable).then(places::read_only))
    });
    let refusal = match refusal {
        None => places::refuse_room(mounts::free(folder)?, data),
        refusal => refusal,
    };
    refusal.map_or(Ok(()), Err)
}

/// Why a disk cannot be copied now.
fn refusal(info: &SourceInfo) -> Option<String> {
    let of_live = info.in_use.iter().find(|used| {
        let point = used.how.strip_prefix("mounted at ");
        point.is_some_and(|point| point.starts_with("/ (") || LIVE_MEDIA.iter().any(|live| point.starts_with(live)))
    });
    if of_live.is_some() {
        return Some("The system that runs now was started from it: it cannot be copied.".to_owned());
    }
    let used = info.in_use.iter().find(|used| used.writable)?;
    Some(format!(
        "It is in use and can change: {} is {}. Unmount it, then press R.",
        used.device.display(),
        words::clean(&used.how)
    ))
}

fn connection_of(info: &SourceInfo) -> &'static str {
    if info.kind == SourceKind::ImageFile {
        return "image file";
    }
    sysfs(&info.path).map_or("", |folder| connection(&folder))
}

/// The folder of a block device in sysfs.
fn sysfs(device: &Path) -> Option<PathBuf> {
    let device = device.canonicalize().ok()?;
    // sysfs writes `!` where the name has a slash (`cciss!c0d0`).
    let name = device.strip_prefix("/dev").ok()?.to_string_lossy().replace('/', "!");
    Path::new("/sys/class/block").join(name).canonicalize().ok()
}

/// The partitions of a disk; the disk itself if it has none.
fn devices(disk: &Path) -> Vec<PathBuf> {
    let entries = sysfs(disk).and_then(|folder| fs::read_dir(folder).ok());
    let partitions = entries
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.path().join("partition").exists());
    let name = |name: std::ffi::OsString| Path::new("/dev").join(name.to_string_lossy().replace('!', "/"));
    let mut partitions: Vec<PathBuf> = partitions.map(|entry| name(entry.file_name())).collect();
    partitions.sort();
    if partitions.is_empty() {
        partitions.push(disk.to_owned());
    }
    partitions
}

fn is_loop(path: &Path) -> bool {
    path.file_name()
        .is_some_and(|name| name.to_string_lossy().starts_with("loop"))
}

/// A file system on a disk, if a copy could be written to its kind.
fn volume(info: &SourceInfo, device: &Path, mounts: &[mounts::Mount], data: u64) -> Option<Volume> {
    let source = Source::open(device).ok()?;
    let found = map_volume(&source).ok()?;
    if !places::can_hold_copies(&found.label_of_kind) {
        return None;
    }
    let mount = mounts::of_device(mounts, device);
    // Of the running system only its own place for copies is offered: what else is on it belongs to that system.
    let is_captures = places::is_captures(found.label.as_deref());
    if refusal(info).is_some_and(|why| why.contains("was started from it")) && !is_captures {
        return None;
    }
    let size = source.info().size;
    let unused = found.mapped.then(|| size.saturating_sub(found.used.bytes()));
    let free = mount.as_ref().map_or(unused, |mount| mounts::free(&mount.point).ok());
    // On the live stick all are, until one is chosen.
    let protected = !mounts::is_live_stick()
        && sysfs(device).is_some_and(|folder| fs::read_to_string(folder.join("ro")).is_ok_and(|ro| ro.trim() == "1"));
    let read_only = protected || mount.as_ref().is_some_and(|mount| !mount.writable);
    let used_otherwise = source
        .info()
        .in_use
        .iter()
        .find(|used| !used.how.starts_with("mounted"));
    let refusal = if read_only {
        Some(places::read_only())
    } else if let Some(used) = used_otherwise {
        Some(format!("It is in use: {}.", used.how))
    } else {
        let room = free.and_then(|free| places::refuse_room(free, data));
        places::refuse_kind(&found.label_of_kind, data).or(room)
    };
    let model = info.model.as_deref().unwrap_or("Drive");
    let title = match found.label.as_deref() {
        _ if is_captures => "This stick (its place for copies)".to_owned(),
        Some(label) => format!("{} ({model}, {})", label.trim(), connection_of(info)),
        None => format!("{model}, {}", connection_of(info)),
    };
    Some(Volume {
        device: Some(device.to_owned()),
        title: words::clean(&title),
        kind: found.label_of_kind,
        size,
        free,
        mounted: mount.map(|mount| mount.point),
        is_captures,
        refusal,
    })
}

/// The library of the running system, unless that is only in memory.
fn library(mounts: &[mounts::Mount], data: u64) -> Option<Volume> {
    let path = Library::locate().ok()?.path().to_owned();
    let there = path.ancestors().find(|path| path.is_dir())?;
    let mount = mounts::of_path(mounts, &there.canonicalize().ok()?)?;
    if places::refuse_memory(&mount.kind, &mount.point).is_some() {
        return None;
    }
    let stat = rustix::fs::statvfs(there).ok()?;
    Some(Volume {
        device: None,
        title: "This computer, among p2v's machines".to_owned(),
        kind: mount.kind,
        size: stat.f_blocks.saturating_mul(stat.f_frsize),
        free: mounts::free(there).ok(),
        refusal: check_room_at(&there.canonicalize().ok()?, data).err(),
        mounted: Some(path),
        is_captures: false,
    })
}
