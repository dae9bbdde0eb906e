//! Linux systems.

pub(crate) mod initramfs;
pub(crate) mod modules;
mod release;

use crate::volumes::MountedVolume;
use crate::{Family, System, executable};
use disk::usedmap::VolumeKind;
use release::Release;

/// Programs that every system has, to tell the architecture. A statically linked or foreign one may come first in
/// no distribution that we know.
const PROGRAMS: [&str; 5] = ["bin/sh", "sbin/init", "bin/bash", "lib/systemd/systemd", "bin/busybox"];

/// Where a Linux is: indexes into the volumes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// The volume with its root folder.
    pub(crate) root: usize,
    /// The volume with its `/usr`, if that is another one.
    pub(crate) usr: Option<usize>,
}

/// The Linux systems on these volumes. A system may be spread over several: what its root lacks is looked for on
/// a volume that looks like its `/usr`.
pub(crate) fn locate(volumes: &mut [MountedVolume]) -> Vec<Place> {
    let roots: Vec<bool> = volumes.iter_mut().map(is_root).collect();
    let usr = volumes.iter_mut().position(is_usr);
    let mut places = Vec::new();
    for (root, _) in roots.iter().enumerate().filter(|(_, is_root)| **is_root) {
        let whole = volumes.get_mut(root).is_some_and(|volume| volume.fs.exists("usr/bin"));
        let usr = usr.filter(|_| !whole);
        places.push(Place { root, usr });
    }
    places
}

/// What the systems at these places are.
pub(crate) fn describe_all(volumes: &mut [MountedVolume], places: &[Place]) -> Vec<System> {
    let mut systems = Vec::new();
    for place in places {
        let (root, usr) = match place.usr {
            Some(usr) => match volumes.get_disjoint_mut([place.root, usr]) {
                Ok([root, usr]) => (root, Some(usr)),
                Err(_) => continue,
            },
            None => match volumes.get_mut(place.root) {
                Some(root) => (root, None),
                None => continue,
            },
        };
        systems.push(describe(root, usr));
    }
    systems
}

/// The Linux systems on these volumes.
pub(crate) fn find(volumes: &mut [MountedVolume]) -> Vec<System> {
    let places = locate(volumes);
    describe_all(volumes, &places)
}

/// Whether this is the root of a Linux system: it has `/etc` with accounts or mounts, or a release file.
fn is_root(volume: &mut MountedVolume) -> bool {
    volume.kind == VolumeKind::Ext
        && (["etc/passwd", "etc/fstab", "etc/os-release", "usr/lib/os-release"].iter())
            .any(|path| volume.fs.exists(path))
}

/// Whether this is the `/usr` of a system that keeps it on a volume of its own.
fn is_usr(volume: &mut MountedVolume) -> bool {
    volume.kind == VolumeKind::Ext
        && !volume.fs.exists("etc/passwd")
        && volume.fs.exists("bin")
        && volume.fs.exists("lib")
        && volume.fs.exists("share")
}

fn describe(root: &mut MountedVolume, mut usr: Option<&mut MountedVolume>) -> System {
    let mut notes = Vec::new();
    let release = Release::read(root, "").or_else(|| Release::of_usr(usr.as_deref_mut()?));
    let architecture = executable::architecture(&mut *root.fs, &PROGRAMS)
        .or_else(|| executable::architecture(&mut *root.fs, &["usr/bin/sh", "usr/sbin/init"]))
        .or_else(|| executable::architecture(&mut *usr?.fs, &PROGRAMS));
    if release.is_none() {
        notes.push("the distribution could not be told: no os-release or other release file".to_owned());
    }
    let release = release.unwrap_or_default();
    System {
        family: Family::Linux,
        name: release.name.unwrap_or_else(|| "Linux".to_owned()),
        version: release.version,
        edition: release.variant,
        architecture: architecture.map(str::to_owned),
        hostname: hostname(root),
        rtc_utc: rtc_utc(root),
        partition: root.partition,
        volume: root.name.clone(),
        notes,
    }
}

/// The host name: `hostname(5)`, or where older distributions keep it.
fn hostname(root: &mut MountedVolume) -> Option<String> {
    for path in ["etc/hostname", "etc/HOSTNAME"] {
        let text = root.text(path).unwrap_or_default();
        let name = text
            .lines()
            .map(str::trim)
            .find(|line| !line.is_empty() && !line.starts_with('#'));
        if let Some(name) = name {
            return Some(name.to_owned());
        }
    }
    for (path, key) in [
        ("etc/sysconfig/network", "HOSTNAME"),
        ("etc/conf.d/hostname", "hostname"),
    ] {
        let text = root.text(path).unwrap_or_default();
        if let Some(name) = release::assignment(&text, key) {
            return Some(name);
        }
    }
    None
}

/// Whether the hardware clock holds UTC: the third line of `/etc/adjtime` (`hwclock(8)`), or the settings that
/// older distributions had.
fn rtc_utc(root: &mut MountedVolume) -> Option<bool> {
    let adjtime = root.text("etc/adjtime").unwrap_or_default();
    match adjtime.lines().nth(2).map(str::trim) {
        Some("UTC") => return Some(true),
        Some("LOCAL") => return Some(false),
        _ => {}
    }
    for (path, key) in [
        ("etc/default/rcS", "UTC"),
        ("etc/sysconfig/clock", "UTC"),
        ("etc/conf.d/hwclock", "clock"),
    ] {
        let text = root.text(path).unwrap_or_default();
        match release::assignment(&text, key)
            .map(|value| value.to_lowercase())
            .as_deref()
        {
            Some("yes" | "true" | "utc") => return Some(true),
            Some("no" | "false" | "local") => return Some(false),
            _ => {}
        }
    }
    None
}
