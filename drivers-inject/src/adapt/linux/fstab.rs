//! `/etc/fstab` and `/etc/crypttab`: names of this disk become UUIDs; what lies on other computers' disks is no
//! longer waited for.

use super::names::{self, Mention, Names};
use super::text::{TextFile, with_word, words};
use super::{Linux, device_finding, marks};
use crate::volumes::VolumeId;
use disk::layout::DiskLayout;
use std::ops::Range;

pub(super) const FSTAB: &str = "etc/fstab";
pub(super) const CRYPTTAB: &str = "etc/crypttab";
pub(super) const WHY_NAME: &str = "the name depends on the controller and on the other disks, the UUID does not";
const WHY_OTHER: &str = "in the virtual machine this name would mean a partition of the captured disk, not of the other \
                         disk that it meant";
const WHY_ABSENT: &str = "no partition of the captured disk is this one: the system would wait for it, and stop";

/// An entry of fstab: where its fields are in the line.
struct Entry<'l> {
    spec: (Range<usize>, &'l str),
    point: &'l str,
    kind: &'l str,
    options: Option<(Range<usize>, &'l str)>,
}

impl<'l> Entry<'l> {
    fn parse(line: &'l str) -> Option<Self> {
        let mut words = words(line).into_iter();
        let spec = words.next().filter(|(_, word)| !word.starts_with('#'))?;
        Some(Entry {
            spec,
            point: words.next()?.1,
            kind: words.next()?.1,
            options: words.next(),
        })
    }

    fn has_option(&self, option: &str) -> bool {
        self.options
            .as_ref()
            .is_some_and(|(_, options)| options.split(',').any(|other| other == option))
    }

    fn is_root(&self) -> bool {
        self.point == "/"
    }
}

/// The names of disks in fstab.
pub(super) fn mentions(fstab: &TextFile) -> Vec<Mention> {
    let mention = |line| {
        let entry = Entry::parse(line)?;
        Some(Mention {
            name: names::parse(entry.spec.1)?,
            is_root: entry.is_root(),
            is_boot: entry.point == "/boot",
            kind: Some(entry.kind.to_owned()),
            point: Some(entry.point.to_owned()),
        })
    };
    fstab.lines().filter_map(|(_, line)| mention(line)).collect()
}

/// The volumes that fstab names by something that they carry themselves, and their mount points.
pub(super) fn mounted(fstab: &TextFile, layout: &DiskLayout) -> Vec<(String, VolumeId)> {
    let mount = |line| {
        let entry = Entry::parse(line)?;
        Some((entry.point.to_owned(), marks::volume(layout, entry.spec.1)?))
    };
    fstab.lines().filter_map(|(_, line)| mount(line)).collect()
}

/// Mount points of partitions that fstab names by device.
pub(super) fn mounted_by_name(fstab: &TextFile, names: &Names<'_>) -> Vec<(String, VolumeId)> {
    let mount = |line| {
        let entry = Entry::parse(line)?;
        let name = names::parse(entry.spec.1).filter(|name| names.is_own(name))?;
        Some((entry.point.to_owned(), VolumeId::Partition(name.partition)))
    };
    fstab.lines().filter_map(|(_, line)| mount(line)).collect()
}

/// The edits of fstab.
pub(super) fn edit(linux: &mut Linux<'_>, names: &Names<'_>, systemd: bool) {
    let Some(mut fstab) = linux.text(FSTAB) else {
        return;
    };
    let everything_known = marks::is_known(linux.layout);
    let lines: Vec<(usize, String)> = fstab.lines().map(|(number, line)| (number, line.to_owned())).collect();
    for (number, line) in lines {
        let Some(entry) = Entry::parse(&line) else { continue };
        let spec = entry.spec.1;
        let name = names::parse(spec);
        let waits = !entry.has_option("noauto") && !entry.has_option("nofail");
        match &name {
            Some(name) if names.is_own(name) => match names.uuid(name).or_else(|| names.part_uuid(name)) {
                Some(uuid) => fstab.replace(number, &with_word(&line, &entry.spec.0, &uuid), WHY_NAME),
                None => linux.find(device_finding(FSTAB, spec, "it has no UUID of its own")),
            },
            Some(_) if !names.knows_own() => {
                linux.find(device_finding(FSTAB, spec, "it cannot be told which disk that was"));
            }
            Some(name) if name.counts() && waits && !entry.is_root() => {
                fstab.replace(number, &format!("# {line}"), WHY_OTHER);
            }
            // Its name is its own: it can be waited for no longer, but stays what it was.
            Some(_) if waits && !entry.is_root() => {
                fstab.replace(number, &not_waited_for(&line, &entry, systemd), WHY_ABSENT);
            }
            None if waits
                && !entry.is_root()
                && everything_known
                && marks::is_mark(spec)
                && marks::volume(linux.layout, spec).is_none() =>
            {
                fstab.replace(number, &not_waited_for(&line, &entry, systemd), WHY_ABSENT);
            }
            _ => {}
        }
    }
    linux.finish(fstab);
}

/// The edits of crypttab.
pub(super) fn edit_crypttab(linux: &mut Linux<'_>, names: &Names<'_>) {
    let Some(mut crypttab) = linux.text(CRYPTTAB) else {
        return;
    };
    let lines: Vec<(usize, String)> = (crypttab.lines())
        .map(|(number, line)| (number, line.to_owned()))
        .collect();
    for (number, line) in lines {
        let fields = words(&line);
        let (Some((_, first)), Some((range, device))) = (fields.first(), fields.get(1)) else {
            continue;
        };
        let Some(name) = names::parse(device).filter(|_| !first.starts_with('#')) else {
            continue;
        };
        if names.is_own(&name) {
            // A volume with a random key has no header, and so no UUID: only its partition has one.
            let by_partition = || {
                let id = names.part_uuid(&name)?;
                Some(format!("/dev/disk/by-partuuid/{}", id.trim_start_matches("PARTUUID=")))
            };
            let luks = names::contents_of(linux.layout, name.partition)
                .is_some_and(|contents| contents.volume.label_of_kind == "LUKS");
            match names.uuid(&name).filter(|_| luks).or_else(by_partition) {
                Some(stable) => crypttab.replace(number, &with_word(&line, range, &stable), WHY_NAME),
                None => linux.find(device_finding(CRYPTTAB, device, "it has no UUID of its own")),
            }
        } else if names.knows_own() && name.counts() {
            crypttab.replace(number, &format!("# {line}"), WHY_OTHER);
        }
    }
    linux.finish(crypttab);
}

/// The entry with `nofail`: mounted if it is there.
fn not_waited_for(line: &str, entry: &Entry<'_>, systemd: bool) -> String {
    let add = if systemd {
        "nofail,x-systemd.device-timeout=10"
    } else {
        "nofail"
    };
    match &entry.options {
        Some((range, options)) => with_word(line, range, &format!("{options},{add}")),
        None => format!("{} defaults,{add} 0 0", line.trim_end()),
    }
}
