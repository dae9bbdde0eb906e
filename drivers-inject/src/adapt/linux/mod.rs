//! Linux: names of disks become UUIDs, start files get the drivers of the machine's disk, and what was set up for the
//! old computer's hardware alone is put aside.
//!
//! [`preconditions`] → journals replayed → [`tree`] of volumes → [`boot`] menus and [`fstab`] → [`names`]: what means
//! this disk → edits of [`menus`], [`fstab`], [`start_files`], [`hardware`].

mod boot;
mod fstab;
mod guest;
mod hardware;
mod kernel_args;
mod kernel_version;
mod marks;
mod menus;
mod names;
pub(super) mod preconditions;
mod start_files;
mod text;
mod tree;

use super::bench::Bench;
use super::edited::{Edited, FileChange};
use super::finding::{Effect, Finding, Kind};
use super::plan::{Edit, Plan};
use super::take;
use crate::System;
use crate::linux::Place;
use crate::volumes::{MountedVolume, VolumeId};
use boot::Menus;
use disk::layout::DiskLayout;
use disk::usedmap::VolumeKind;
use names::{Mention, Names};
use text::TextFile;
use tree::Tree;

/// One Linux that is being adapted.
struct Linux<'a> {
    volumes: &'a mut [MountedVolume],
    layout: &'a DiskLayout,
    system: &'a System,
    /// The volume of its root.
    root: VolumeId,
    tree: Tree,
    edited: Edited,
}

impl Linux<'_> {
    /// A configuration file of the system.
    fn text(&mut self, name: &str) -> Option<TextFile> {
        TextFile::open(self.volumes, &self.tree, name)
    }

    /// Takes over what was changed in a file.
    fn finish(&mut self, file: TextFile) {
        file.finish(self.system, self.system.partition, &mut self.edited);
    }

    /// Notes a finding about this system.
    fn find(&mut self, finding: Finding) {
        let finding = Finding {
            system: Some(self.system.name.clone()),
            partition: self.system.partition,
            ..finding
        };
        if !self.edited.findings.contains(&finding) {
            self.edited.findings.push(finding);
        }
    }

    /// Notes a change of a whole file.
    fn change(&mut self, change: FileChange, edit: Edit) {
        self.edited.files.push(change);
        self.edited.edits.push(edit);
    }

    /// An edit of this system, to be filled in.
    fn edit(&self, file: &str, place: &str, before: Option<&str>, after: Option<&str>, why: &str) -> Edit {
        Edit {
            system: self.system.name.clone(),
            partition: self.system.partition,
            file: file.to_owned(),
            place: place.to_owned(),
            before: before.map(str::to_owned),
            after: after.map(str::to_owned),
            why: why.to_owned(),
        }
    }
}

/// Plans one Linux and carries it out on the bench.
pub(super) fn plan(bench: &mut Bench, layout: &DiskLayout, place: &Place, system: &System, plan: &mut Plan) {
    let before = bench.snapshot();
    let mut journals = Journals::default();
    journals.replay(bench, place.root);
    let tree = build_tree(&mut bench.volumes, layout, place);
    for volume in tree.volumes() {
        journals.replay(bench, volume);
    }
    let volumes = tree.volumes();
    if guest::is_guest(&mut bench.volumes, &tree) {
        bench.restore(before, &volumes);
        plan.findings.push(guest::finding(system));
        return;
    }
    let mut edited = look(bench, layout, tree, system);
    let changes = !edited.is_empty();
    edited
        .findings
        .extend(journals.findings(&bench.volumes, system, changes));
    if changes {
        journals.edits(&bench.volumes, system, &mut edited);
    } else {
        // What is not changed is left to Linux, its journal too.
        bench.restore(before.clone(), &volumes);
    }
    if !take(bench, system, edited, plan) {
        bench.restore(before, &volumes);
    }
}

/// What the system needs, on volumes whose journals have been replayed.
fn look(bench: &mut Bench, layout: &DiskLayout, tree: Tree, system: &System) -> Edited {
    let root = tree.root(&bench.volumes);
    let loader = menus::Loader::of(bench, layout, root);
    let mut linux = Linux {
        volumes: &mut bench.volumes,
        layout,
        system,
        root,
        tree,
        edited: Edited::default(),
    };
    let mut menus = Menus::read(linux.volumes, &linux.tree);
    let names = names_of(&mut linux, &menus);
    let systemd = ["lib/systemd/systemd", "usr/lib/systemd/systemd"]
        .iter()
        .any(|path| linux.tree.find(linux.volumes, path).is_some());
    fstab::edit(&mut linux, &names, systemd);
    fstab::edit_crypttab(&mut linux, &names);
    start_files::edit(&mut linux, &mut menus, &names, &loader);
    menus::edit(&mut linux, menus, &names, &loader);
    hardware::edit(&mut linux);
    linux.edited
}

/// The volumes of a system: its root, and what its fstab mounts at `/boot` and `/usr`.
fn build_tree(volumes: &mut [MountedVolume], layout: &DiskLayout, place: &Place) -> Tree {
    let mut tree = Tree::new(place);
    let Some(file) = TextFile::open(volumes, &tree, fstab::FSTAB) else {
        return tree;
    };
    let mut mounts = fstab::mounted(&file, layout);
    let named: Vec<VolumeId> = mounts.iter().map(|(_, volume)| *volume).collect();
    let boots = boots(volumes, &tree);
    let root = tree.root(volumes);
    let names = Names::new(layout, root, &named, &boots, &fstab::mentions(&file));
    mounts.extend(fstab::mounted_by_name(&file, &names));
    for (point, id) in mounts {
        let volume = volumes.iter().position(|volume| volume.id == id);
        let wanted = matches!(point.as_str(), "/boot" | "/usr");
        if let Some(volume) = volume.filter(|_| wanted) {
            tree.mount(&point, volume);
        }
    }
    tree
}

/// By which names the system knows this disk.
fn names_of<'l>(linux: &mut Linux<'l>, menus: &Menus) -> Names<'l> {
    let mut mentions: Vec<Mention> = menus.argument_lines().flat_map(kernel_args::mentions).collect();
    let fstab = linux.text(fstab::FSTAB);
    let in_fstab = fstab.as_ref().map(fstab::mentions).unwrap_or_default();
    if !menus_name_the_root(linux, menus, &mentions, &in_fstab) {
        mentions.iter_mut().for_each(|mention| mention.is_root = false);
    }
    mentions.extend(in_fstab);
    let mut named = vec![linux.root];
    if let Some(file) = fstab {
        named.extend(
            fstab::mounted(&file, linux.layout)
                .into_iter()
                .map(|(_, volume)| volume),
        );
        if fstab::mentions(&file).iter().any(|mention| mention.is_root) {
            named.retain(|volume| *volume != linux.root);
        }
    }
    let boots = boots(linux.volumes, &linux.tree);
    Names::new(linux.layout, linux.root, &named, &boots, &mentions)
}

/// Whether a root that the menus name by device may be taken for this system's. Menus start systems on other disks,
/// too: what fstab says of the root comes first, a root that the menus name by its own mark is not named by a device
/// as well, and of several disks none can be told to be this one.
fn menus_name_the_root(linux: &Linux<'_>, menus: &Menus, in_menus: &[Mention], in_fstab: &[Mention]) -> bool {
    let mut roots = menus.argument_lines().filter_map(kernel_args::root_of);
    let by_mark = roots.any(|root| marks::volume(linux.layout, root) == Some(linux.root));
    let named = in_menus.iter().filter(|mention| mention.is_root);
    let mut disks: Vec<&str> = named.map(|mention| mention.name.disk.as_str()).collect();
    disks.sort_unstable();
    disks.dedup();
    !by_mark && disks.len() == 1 && !in_fstab.iter().any(|mention| mention.is_root)
}

/// The partitions with kernels whose modules this system has: one of them is its `/boot`.
fn boots(volumes: &mut [MountedVolume], tree: &Tree) -> Vec<u32> {
    let versions = tree.list(volumes, "lib/modules");
    let is_own = |name: &String| {
        let version = name.strip_prefix("vmlinuz-").or_else(|| name.strip_prefix("kernel-"));
        version.is_some_and(|version| versions.iter().any(|other| other == version))
    };
    let mut boots = Vec::new();
    for volume in volumes {
        let names = volume.fs.list("").unwrap_or_default();
        if matches!(volume.id, VolumeId::Partition(_)) && names.iter().any(is_own) {
            boots.push(volume.partition);
        }
    }
    boots
}

/// A finding about a name that stays.
fn device_finding(file: &str, name: &str, reason: &str) -> Finding {
    Finding::on_disk(
        Kind::DeviceName,
        Effect::Warning,
        0,
        format!("/{file} names {name}, and {reason}"),
        "It is left as it is; if the virtual machine's disk has another name, the system will not find it.",
    )
}

/// The journals that were replayed for one system.
#[derive(Default)]
struct Journals {
    /// Index of the volume, blocks written.
    replayed: Vec<(usize, u64)>,
    /// Index of the volume, why it could not be.
    failed: Vec<(usize, String)>,
}

impl Journals {
    fn replay(&mut self, bench: &mut Bench, volume: usize) {
        let seen = self.replayed.iter().any(|(other, _)| *other == volume)
            || self.failed.iter().any(|(other, _)| *other == volume);
        let ext = (bench.volumes.get(volume)).is_some_and(|volume| volume.kind == VolumeKind::Ext);
        if seen || !ext {
            return;
        }
        match bench.replay_journal(volume) {
            Ok(Some(blocks)) => self.replayed.push((volume, blocks)),
            Ok(None) => {}
            Err(error) => self.failed.push((volume, error.to_string())),
        }
    }

    fn findings(&self, volumes: &[MountedVolume], system: &System, changes: bool) -> Vec<Finding> {
        let partition = |volume: usize| volumes.get(volume).map_or(0, |volume| volume.partition);
        let unmounted = |volume: usize| {
            let name = volumes.get(volume).and_then(|volume| volume.name.as_ref());
            let name = name.map_or(String::new(), |name| format!(" on the logical volume {name}"));
            format!("The filesystem{name} was not unmounted: the system crashed, or was captured while it ran")
        };
        let finding = |volume, what: String, default: &str| Finding {
            system: Some(system.name.clone()),
            ..Finding::on_disk(Kind::Journal, Effect::Warning, partition(volume), what, default)
        };
        let replayed = self.replayed.iter().map(|(volume, _)| {
            let default = match changes {
                true => "Its journal is replayed in the adapted disk first, as Linux does it when it starts.",
                false => "It is left as it is; Linux replays its journal when it starts.",
            };
            finding(*volume, unmounted(*volume), default)
        });
        let failed = self.failed.iter().map(|(volume, error)| {
            let unmounted = unmounted(*volume);
            let what = format!("{unmounted}, and its journal cannot be replayed by p2v: {error}");
            finding(
                *volume,
                what,
                "Nothing is changed on it. Start the system once more on the old computer, shut it down, and capture \
                 again; or let it start in the virtual machine as it is.",
            )
        });
        replayed.chain(failed).collect()
    }

    fn edits(&self, volumes: &[MountedVolume], system: &System, edited: &mut Edited) {
        let edits = self.replayed.iter().map(|(volume, blocks)| Edit {
            system: system.name.clone(),
            partition: volumes.get(*volume).map_or(0, |volume| volume.partition),
            file: "the filesystem's journal".to_owned(),
            place: format!("{blocks} blocks"),
            before: Some("waiting".to_owned()),
            after: Some("replayed".to_owned()),
            why: "Linux would do this when it starts; a change made before it could be undone by it".to_owned(),
        });
        let rest = std::mem::take(&mut edited.edits);
        edited.edits = edits.chain(rest).collect();
    }
}
