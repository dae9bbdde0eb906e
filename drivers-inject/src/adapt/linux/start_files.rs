//! Kernel and initramfs of each boot entry: they must find their disk at a controller that the machine has.
//!
//! In this order: nothing, if the drivers are there; the fallback image of the same kernel; the missing modules appended
//! to the image, from the system's own `/lib/modules`; the rescue kernel with its image.

use super::super::edited::{Action, FileChange};
use super::super::finding::{Effect, Finding, Kind};
use super::boot::{Entry, Menus};
use super::menus::Loader;
use super::names::{self, Names};
use super::{Linux, kernel_args, kernel_version, marks};
use crate::linux::initramfs::{self, Initramfs, Limits, NewEntry};
use crate::linux::modules::{Controller, Found, Injection, ModuleTree, builtin_of_config, controllers_of, injection};
use crate::volumes::{MountedVolume, VolumeId};
use std::collections::BTreeSet;

/// The controllers that the machine can have its disk at, the preferred one first.
const OFFERED: [Controller; 1] = [Controller::Ide];
/// An initramfs of more than this many bytes is not read.
const IMAGE_LIMIT: u64 = 512 << 20;
/// A module of more than this many bytes is none.
const MODULE_LIMIT: u64 = 64 << 20;
const CONFIG_LIMIT: u64 = 4 << 20;
const WHY_MODULES: &str =
    "the image has no driver for the machine's IDE controller: the system would not find its disk";
const WHY_NAMES: &str = "the image looks for disks by names that depend on the controller and on the other disks";
const WHY_FALLBACK: &str = "this image has a driver for the machine's IDE controller, the other has none";
const WHY_RESCUE: &str =
    "the rescue kernel's image has a driver for the machine's IDE controller, the other has none and can get none";

/// One way to start: a kernel and the last of its images, which is the one with the drivers.
struct Start<'e> {
    entry: &'e Entry,
    version: String,
    /// Volume and path of the image.
    image: Option<(usize, String)>,
}

/// How an entry stands.
enum State {
    Fine,
    /// It cannot be made fine by its files alone; the sentence says why.
    Lacking(String),
}

/// Looks at every boot entry of the system, and mends what can be mended.
pub(super) fn edit(linux: &mut Linux<'_>, menus: &mut Menus, names: &Names<'_>, loader: &Loader) {
    if *loader == Loader::Lilo {
        return;
    }
    let entries = menus.entries.clone();
    let starts = starts(linux, names, &entries);
    if starts.is_empty() {
        linux.find(Finding::on_disk(
            Kind::BootLoader,
            Effect::Note,
            0,
            "No boot menu was found that p2v reads: which kernel starts is not known",
            "Kernels and their start files are left as they are.",
        ));
        return;
    }
    let mut seen: Vec<(&str, &Option<(usize, String)>)> = Vec::new();
    let mut lacking: Vec<(&Start<'_>, String)> = Vec::new();
    for start in &starts {
        let key = (start.version.as_str(), &start.image);
        if seen.contains(&key) {
            continue;
        }
        seen.push(key);
        if let State::Lacking(why) = check(linux, menus, names, start) {
            lacking.push((start, why));
        }
    }
    if lacking.is_empty() {
        return;
    }
    let rescue = starts.iter().find(|start| {
        let named = start.entry.kernel.contains("rescue");
        named && !lacking.iter().any(|(other, _)| std::ptr::eq(*other, *start))
    });
    for (place, (start, why)) in lacking.iter().enumerate() {
        let default = match rescue {
            // One that starts is enough to mend the others from inside.
            Some(rescue) if place == 0 && use_rescue(menus, start.entry, rescue.entry) => {
                "Its entry starts the rescue kernel now. Make its own start files anew from there (`dracut --force \
                 --regenerate-all`, `update-initramfs -u`)."
            }
            _ => {
                "It is left as it is, and will not find its disk. Another virtual machine, whose controller it knows, \
                 can start it; or add the driver `ata_piix` to its initramfs on the old computer, and capture again."
            }
        };
        linux.find(Finding::on_disk(
            Kind::StartFiles,
            Effect::Warning,
            0,
            format!(
                "Linux {} will not find its disk at the machine's IDE controller: {why}",
                start.version
            ),
            default,
        ));
    }
}

/// The entries that start this system, as far as their kernels can be found.
fn starts<'e>(linux: &mut Linux<'_>, names: &Names<'_>, entries: &'e [Entry]) -> Vec<Start<'e>> {
    let mut starts = Vec::new();
    for entry in entries {
        if !is_own(linux, names, entry) {
            continue;
        }
        let Some(kernel) = linux.tree.find_for_loader(linux.volumes, &entry.kernel) else {
            continue;
        };
        let Some(version) = kernel_version::of(linux.volumes, &kernel) else {
            continue;
        };
        let image = entry.initrds.last();
        let image = image.and_then(|path| linux.tree.find_for_loader(linux.volumes, path));
        starts.push(Start { entry, version, image });
    }
    starts
}

/// Whether an entry's root is this system's. One whose root is not understood may be.
fn is_own(linux: &Linux<'_>, names: &Names<'_>, entry: &Entry) -> bool {
    let Some(root) = entry.root.as_deref() else {
        return true;
    };
    match names::parse(root).filter(|_| names.knows_own()) {
        Some(name) => names.is_own(&name) && VolumeId::Partition(name.partition) == linux.root,
        None => marks::volume(linux.layout, root).is_none_or(|volume| volume == linux.root),
    }
}

fn check(linux: &mut Linux<'_>, menus: &mut Menus, names: &Names<'_>, start: &Start<'_>) -> State {
    let mut tree = read_tree(linux, &start.version);
    if let Ok(tree) = &mut tree
        && let Some(config) = linux
            .tree
            .read(linux.volumes, &format!("boot/config-{}", start.version), CONFIG_LIMIT)
    {
        tree.add_builtin(builtin_of_config(&String::from_utf8_lossy(&config)));
    }
    let builtin: BTreeSet<String> = match &tree {
        Ok(tree) => Controller::drivers()
            .filter(|driver| tree.find(driver) == Found::Builtin)
            .map(str::to_owned)
            .collect(),
        Err(_) => BTreeSet::new(),
    };
    let Some(place) = &start.image else {
        if !start.entry.initrds.is_empty() {
            return State::Lacking("its initramfs is not where the boot menu says".to_owned());
        }
        let controllers = controllers_of(&start.version, &BTreeSet::new(), &builtin);
        return match OFFERED.iter().any(|controller| controllers.contains(controller)) {
            true => State::Fine,
            false => State::Lacking("it starts without an initramfs, and has no driver for it built in".to_owned()),
        };
    };
    let (bytes, image) = match read_image(linux.volumes, place) {
        Ok(read) => read,
        Err(why) => return State::Lacking(format!("its initramfs /{} cannot be read: {why}", place.1)),
    };
    let has_drivers = starts_from(&image, &start.version, &builtin);
    if !has_drivers && use_fallback(linux, menus, start, place, &builtin) {
        return State::Fine;
    }
    let found = match (has_drivers, &tree) {
        (true, _) => Ok(None),
        (false, Err(why)) => Err(why.clone()),
        (false, Ok(tree)) => drivers(tree, &image).map(Some),
    };
    let (injected, why) = match found {
        Ok(injected) => (injected, None),
        Err(why) => (None, Some(why)),
    };
    if let Err(problem) = append(linux, place, &bytes, &image, injected.as_ref(), names) {
        return State::Lacking(problem);
    }
    why.map_or(State::Fine, State::Lacking)
}

fn read_tree(linux: &mut Linux<'_>, version: &str) -> Result<ModuleTree, String> {
    let read = |path: &str| linux.tree.read(linux.volumes, path, MODULE_LIMIT);
    ModuleTree::load(read, version).map_err(|error| error.to_string())
}

fn read_image(volumes: &mut [MountedVolume], place: &(usize, String)) -> Result<(Vec<u8>, Initramfs), String> {
    let volume = volumes.get_mut(place.0).ok_or("there is no such volume")?;
    let bytes = volume
        .fs
        .read(&place.1, IMAGE_LIMIT)
        .map_err(|error| error.to_string())?;
    let image = Initramfs::parse(&bytes, &Limits::default()).map_err(|error| error.to_string())?;
    Ok((bytes, image))
}

/// Whether the machine's disk is found with this image.
fn starts_from(image: &Initramfs, version: &str, builtin: &BTreeSet<String>) -> bool {
    let modules = image.modules();
    let of_version = modules
        .get(version)
        .or_else(|| modules.get(""))
        .cloned()
        .unwrap_or_default();
    let builtin = builtin.union(&of_version.builtin).cloned().collect();
    let controllers = controllers_of(version, &of_version.files, &builtin);
    OFFERED.iter().any(|controller| controllers.contains(controller))
}

/// Lets the entry start from the image that mkinitcpio makes with all drivers, if there is one that has them.
fn use_fallback(
    linux: &mut Linux<'_>,
    menus: &mut Menus,
    start: &Start<'_>,
    place: &(usize, String),
    builtin: &BTreeSet<String>,
) -> bool {
    let (Some(old), Some(line)) = (start.entry.initrds.last(), start.entry.initrd_line) else {
        return false;
    };
    let fallback = |path: &str| Some(format!("{}-fallback.img", path.strip_suffix(".img")?));
    let (Some(new), Some(inside)) = (fallback(old), fallback(&place.1)) else {
        return false;
    };
    let place = (place.0, inside);
    let fits = read_image(linux.volumes, &place).is_ok_and(|(_, image)| starts_from(&image, &start.version, builtin));
    let Some(file) = menus.files.get_mut(start.entry.menu).filter(|_| fits) else {
        return false;
    };
    file.replace_in_line(line, old, &new, WHY_FALLBACK);
    true
}

/// Lets one entry start what another starts.
fn use_rescue(menus: &mut Menus, entry: &Entry, rescue: &Entry) -> bool {
    let Some(file) = menus.files.get_mut(entry.menu) else {
        return false;
    };
    let (Some(kernel), Some(old), Some(new), Some(line)) = (
        entry.kernel_line,
        entry.initrds.last(),
        rescue.initrds.last(),
        entry.initrd_line,
    ) else {
        return false;
    };
    file.replace_in_line(kernel, &entry.kernel, &rescue.kernel, WHY_RESCUE);
    file.replace_in_line(line, old, new, WHY_RESCUE);
    true
}

/// What the image needs for the first of the machine's controllers that it can be made to find.
fn drivers(tree: &ModuleTree, image: &Initramfs) -> Result<Injection, String> {
    let mut why = String::new();
    for controller in OFFERED {
        match injection(tree, image, controller) {
            Ok(injection) => return Ok(injection),
            Err(error) => why = error.to_string(),
        }
    }
    Err(why)
}

/// Appends drivers and files with stable names to an image.
fn append(
    linux: &mut Linux<'_>,
    place: &(usize, String),
    bytes: &[u8],
    image: &Initramfs,
    injected: Option<&Injection>,
    names: &Names<'_>,
) -> Result<(), String> {
    let mut entries = with_stable_names(image, names);
    let renamed: Vec<String> = entries.iter().map(|entry| entry.path.clone()).collect();
    if let Some(injected) = injected {
        let read = |path: &str| linux.tree.read(linux.volumes, path, MODULE_LIMIT);
        let more = injected.entries(read).map_err(|error| error.to_string())?;
        entries.extend(more);
    }
    if image.missing(&entries).is_empty() {
        return Ok(());
    }
    let appended = initramfs::append(image, &entries).map_err(|error| error.to_string())?;
    let mut whole = bytes.to_vec();
    whole.extend(&appended);
    initramfs::check(image, &whole, &entries).map_err(|error| error.to_string())?;
    let partition = linux.volumes.get(place.0).map_or(0, |volume| volume.partition);
    let edits = [
        injected.map(|injected| (injected.modules.join(", "), WHY_MODULES)),
        (!renamed.is_empty()).then(|| (renamed.join(", "), WHY_NAMES)),
    ];
    for (what, why) in edits.into_iter().flatten() {
        let mut edit = linux.edit(&place.1, "appended", None, Some(&what), why);
        edit.partition = partition;
        linux.edited.edits.push(edit);
    }
    linux.edited.files.push(FileChange {
        volume: place.0,
        path: place.1.clone(),
        action: Action::Append(appended),
    });
    Ok(())
}

/// Settings in the image that name this disk in a way that may not stay true, with UUIDs in their place.
fn with_stable_names(image: &Initramfs, names: &Names<'_>) -> Vec<NewEntry> {
    let is_setting = |path: &str| path == "conf/conf.d/resume" || path.starts_with("etc/cmdline.d/");
    let mut entries = Vec::new();
    for (path, entry) in image.entries().filter(|(path, _)| is_setting(path)) {
        let Some(text) = entry
            .contents
            .as_deref()
            .and_then(|bytes| std::str::from_utf8(bytes).ok())
        else {
            continue;
        };
        let lines = text.split_inclusive('\n');
        let changed: String = lines
            .map(|line| kernel_args::rewrite(line, names, true).unwrap_or_else(|| line.to_owned()))
            .collect();
        if changed != text {
            entries.push(NewEntry {
                path: path.to_owned(),
                mode: 0o644,
                contents: changed.into_bytes(),
            });
        }
    }
    entries
}
