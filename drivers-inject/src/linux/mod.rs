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

/// The Linux systems on these volumes. A system may be spread over several: what its root lacks is looked for on
/// a volume that looks like its `/usr`.
pub(crate) fn find(volumes: &mut [MountedVolume]) -> Vec<System> {
    let mut systems = Vec::new();
    for place in 0..volumes.len() {
        let (before, rest) = volumes.split_at_mut(place);
        let Some((root, after)) = rest.split_first_mut() else {
            continue;
        };
        if !is_root(root) {
            continue;
        }
        let mut others = before.iter_mut().chain(after);
        let usr = others.find_map(|other| is_usr(other).then_some(other));
        systems.push(describe(root, usr));
    }
    systems
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

fn describe(root: &mut MountedVolume, usr: Option<&mut MountedVolume>) -> System {
    let mut notes = Vec::new();
    let mut usr = usr.filter(|_| !root.fs.exists("usr/bin"));
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
