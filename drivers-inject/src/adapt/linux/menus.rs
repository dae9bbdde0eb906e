//! The edits of boot menus: names of this disk become UUIDs, and GRUB legacy's numbers count this disk alone.

use super::super::finding::{Effect, Finding, Kind};
use super::Linux;
use super::boot::{Entry, Menus, is_comment};
use super::fstab::WHY_NAME;
use super::kernel_args;
use super::names::Names;
use super::text::TextFile;
use crate::adapt::bench::Bench;
use crate::volumes::{MountedVolume, VolumeId};
use disk::layout::DiskLayout;

const WHY_FIRST: &str = "the disk is the only one, so that the BIOS counts it as the first";
const WHY_SETTING: &str = "the next menu that the system makes would name the disk by its old name again";
/// The fixed size of GRUB's environment block, in bytes (GRUB manual, "GRUB environment block").
const GRUBENV: usize = 1024;

/// Who starts the kernel, as far as it can be told from boot sectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loader {
    /// It reads files by their names.
    ReadsFiles,
    /// LILO: it reads a list of sectors that was written down when it was installed. No file it starts may move or
    /// grow.
    Lilo,
}

impl Loader {
    /// Looks into the disk's boot sector and the system's.
    pub(super) fn of(bench: &Bench, layout: &DiskLayout, root: VolumeId) -> Self {
        let volumes = bench.volumes.iter().filter(|volume| volume.id == root);
        let first = |volume: &MountedVolume| volume.mapping.segments().first().map(|segment| segment.disk);
        let sectors = std::iter::once(0).chain(volumes.filter_map(first));
        // "LILO" stands behind the jump of each of its boot sectors.
        let is_lilo = |offset: u64| {
            let at = offset.checked_add(6).filter(|at| at.saturating_add(4) <= layout.size);
            at.is_some_and(|at| bench.bytes::<4>(at).is_some_and(|bytes| &bytes == b"LILO"))
        };
        match sectors.into_iter().any(is_lilo) {
            true => Loader::Lilo,
            false => Loader::ReadsFiles,
        }
    }
}

/// Edits all menus and what they are made from.
pub(super) fn edit(linux: &mut Linux<'_>, menus: Menus, names: &Names<'_>, loader: &Loader) {
    let Menus {
        files,
        entries,
        sources,
    } = menus;
    if *loader == Loader::Lilo {
        linux.find(Finding::on_disk(
            Kind::BootLoader,
            Effect::Warning,
            0,
            "LILO starts this system: it has the places of kernel and root written down in its own map",
            "Kernel and start files are left as they are. If the system does not find its root, start it with \
             `root=/dev/sda1` (or /dev/hda1) typed at LILO's prompt, then run lilo.",
        ));
    }
    for (number, mut file) in files.into_iter().enumerate() {
        let of_file: Vec<&Entry> = entries.iter().filter(|entry| entry.menu == number).collect();
        edit_arguments(&mut file, &of_file, names);
        if is_grub_legacy(&file) {
            renumber(linux, &mut file);
        }
        linux.finish(file);
    }
    for mut file in sources {
        edit_arguments(&mut file, &[], names);
        if file.name() == "etc/default/grub" {
            file.edit(WHY_SETTING, |line| {
                let off = line.trim_start().starts_with("GRUB_DISABLE_LINUX_UUID=");
                (off && line.contains("true")).then(|| format!("# {line}"))
            });
        }
        if !file.name().ends_with("grubenv") {
            linux.finish(file);
            continue;
        }
        match grubenv_len(&file) {
            GRUBENV.. => linux.find(Finding::on_disk(
                Kind::BootLoader,
                Effect::Warning,
                0,
                "GRUB's environment block has no room for longer names of the disk",
                "It is left as it is.",
            )),
            _ => {
                let (system, partition) = (linux.system, linux.system.partition);
                file.finish_with(system, partition, &mut linux.edited, padded);
            }
        }
    }
}

fn edit_arguments(file: &mut TextFile, entries: &[&Entry], names: &Names<'_>) {
    let lines: Vec<(usize, String)> = file.lines().map(|(number, line)| (number, line.to_owned())).collect();
    for (number, line) in lines {
        if is_comment(&line) {
            continue;
        }
        // A line of no entry that was understood is one of a setting, which systems with an initramfs have.
        let entry = entries.iter().find(|entry| entry.args == Some(number));
        let has_initramfs = entry.is_none_or(|entry| !entry.initrds.is_empty());
        if let Some(changed) = kernel_args::rewrite(&line, names, has_initramfs) {
            file.replace(number, &changed, WHY_NAME);
        }
    }
}

fn is_grub_legacy(file: &TextFile) -> bool {
    file.name().ends_with("menu.lst") || file.name().ends_with("grub.conf")
}

/// Makes `(hdN,…)` the first disk, if all entries name the same other one.
fn renumber(linux: &mut Linux<'_>, file: &mut TextFile) {
    let mut numbers: Vec<String> = Vec::new();
    for (_, line) in file.lines().filter(|(_, line)| !is_comment(line)) {
        for (at, word) in line.match_indices("(hd") {
            let rest = line.get(at.saturating_add(word.len())..).unwrap_or_default();
            let number: String = rest.chars().take_while(char::is_ascii_digit).collect();
            if !number.is_empty() && !numbers.contains(&number) {
                numbers.push(number);
            }
        }
    }
    match numbers.as_slice() {
        [] => {}
        [number] if number == "0" => {}
        [number] => {
            let (from, from_whole) = (format!("(hd{number},"), format!("(hd{number})"));
            file.edit(WHY_FIRST, |line| {
                let changed = line.replace(&from, "(hd0,").replace(&from_whole, "(hd0)");
                (changed != line && !is_comment(line)).then_some(changed)
            });
        }
        _ => linux.find(Finding::on_disk(
            Kind::BootLoader,
            Effect::Warning,
            0,
            format!(
                "The menu in /{} starts systems from several disks, of which this is one",
                file.name()
            ),
            "The numbers of disks in it are left as they are; entries of (hd0) lead to this disk.",
        )),
    }
}

/// The length of the environment without its padding.
fn grubenv_len(file: &TextFile) -> usize {
    let lines = file.lines().map(|(_, line)| match line.trim_start_matches('#') {
        "" => 0,
        _ => line.len().saturating_add(1),
    });
    lines.fold(0, usize::saturating_add)
}

/// An environment block of the size that GRUB wants.
fn padded(bytes: Vec<u8>) -> Vec<u8> {
    let mut bytes = bytes;
    while bytes.last() == Some(&b'#') {
        bytes.pop();
    }
    bytes.resize(GRUBENV, b'#');
    bytes
}
