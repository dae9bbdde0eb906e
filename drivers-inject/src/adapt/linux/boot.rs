//! Boot menus: GRUB 2, GRUB legacy, Boot Loader Specification entries, extlinux.
//!
//! All of them are lines of a keyword and its words, so that one reader serves.

use super::kernel_args;
use super::text::{TextFile, words};
use super::tree::Tree;
use crate::volumes::MountedVolume;

/// Menus at fixed places.
const MENUS: [&str; 8] = [
    "boot/grub/grub.cfg",
    "boot/grub2/grub.cfg",
    "boot/grub/grub.conf",
    "boot/grub/menu.lst",
    "boot/extlinux/extlinux.conf",
    "boot/syslinux/syslinux.cfg",
    "boot/extlinux.conf",
    "boot/syslinux.cfg",
];
/// Entries of the Boot Loader Specification, type 1: a file each.
const ENTRIES: &str = "boot/loader/entries";
/// Files that boot menus are made from when the next kernel is installed, and GRUB's environment.
const SOURCES: [&str; 6] = [
    "etc/default/grub",
    "etc/initramfs-tools/conf.d/resume",
    "etc/kernel/cmdline",
    "etc/default/extlinux",
    "boot/grub/grubenv",
    "boot/grub2/grubenv",
];
const MOST_ENTRIES: usize = 200;

/// One entry of a menu.
#[derive(Clone, Debug, Default)]
pub(super) struct Entry {
    /// Index of the menu.
    pub(super) menu: usize,
    /// The kernel's path as the loader reads it.
    pub(super) kernel: String,
    /// Its line.
    pub(super) kernel_line: Option<usize>,
    /// The line with its arguments.
    pub(super) args: Option<usize>,
    /// The paths of its initramfs images, and the line of the last one.
    pub(super) initrds: Vec<String>,
    pub(super) initrd_line: Option<usize>,
    /// The value of its `root=`.
    pub(super) root: Option<String>,
}

/// The menus of a system.
#[derive(Default)]
pub(super) struct Menus {
    pub(super) files: Vec<TextFile>,
    pub(super) entries: Vec<Entry>,
    /// Files that menus are made from.
    pub(super) sources: Vec<TextFile>,
}

impl Menus {
    /// Reads all that are there.
    pub(super) fn read(volumes: &mut [MountedVolume], tree: &Tree) -> Self {
        let mut menus = Menus::default();
        let mut names: Vec<String> = MENUS.iter().map(|name| (*name).to_owned()).collect();
        let entries = tree.list(volumes, ENTRIES).into_iter();
        let entries = entries.filter(|name| name.ends_with(".conf")).take(MOST_ENTRIES);
        names.extend(entries.map(|name| format!("{ENTRIES}/{name}")));
        for name in names {
            let Some(file) = TextFile::open(volumes, tree, &name) else {
                continue;
            };
            // Red Hat has `menu.lst` as a link to `grub.conf`.
            let same = |other: &TextFile| other.lines().eq(file.lines());
            if menus.files.iter().any(same) {
                continue;
            }
            let number = menus.files.len();
            menus.entries.extend(read_entries(&file, number));
            menus.files.push(file);
        }
        let sources = SOURCES.iter().filter_map(|name| TextFile::open(volumes, tree, name));
        menus.sources = sources.collect();
        menus
    }

    /// Every line that may name disks in arguments.
    pub(super) fn argument_lines(&self) -> impl Iterator<Item = &str> {
        let files = self.files.iter().chain(&self.sources);
        files.flat_map(|file| file.lines().map(|(_, line)| line).filter(|line| !is_comment(line)))
    }
}

/// Whether a line is only for people. Debian's `update-grub` of GRUB legacy keeps its settings in comments.
pub(super) fn is_comment(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with('#') && !line.starts_with("# kopt=") && !line.starts_with("# xenkopt=")
}

fn read_entries(file: &TextFile, menu: usize) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut current = Entry {
        menu,
        ..Entry::default()
    };
    for (number, line) in file.lines() {
        let words: Vec<&str> = words(line).into_iter().map(|(_, word)| word).collect();
        let Some((keyword, rest)) = words.split_first() else {
            continue;
        };
        match keyword.to_ascii_lowercase().as_str() {
            "menuentry" | "title" | "label" | "submenu" if !is_loader_spec(file) => {
                close(&mut current, &mut entries);
            }
            "linux" | "linux16" | "linuxefi" | "kernel" => {
                // A second kernel without a heading between them.
                if !current.kernel.is_empty() {
                    close(&mut current, &mut entries);
                }
                let path = rest.iter().find(|word| !word.starts_with("--"));
                current.kernel = path.map(|path| (*path).to_owned()).unwrap_or_default();
                current.kernel_line = Some(number);
                if kernel_args::root_of(line).is_some() || current.args.is_none() {
                    current.args = Some(number);
                }
                current.root = kernel_args::root_of(line).map(str::to_owned).or(current.root.take());
            }
            "initrd" | "initrd16" | "initrdefi" => {
                let paths = rest.iter().flat_map(|word| word.split(','));
                let paths = paths.filter(|path| !path.is_empty() && !path.starts_with('$') && !path.starts_with("--"));
                current.initrds.extend(paths.map(str::to_owned));
                current.initrd_line = Some(number);
            }
            "append" | "options" => {
                current.args = Some(number);
                current.root = kernel_args::root_of(line).map(str::to_owned).or(current.root.take());
                let images = rest.iter().filter_map(|word| word.strip_prefix("initrd="));
                for image in images.flat_map(|images| images.split(',')) {
                    current.initrds.push(image.to_owned());
                    current.initrd_line = Some(number);
                }
            }
            _ => {}
        }
    }
    close(&mut current, &mut entries);
    entries
}

/// In the Boot Loader Specification `title` is a line like any other.
fn is_loader_spec(file: &TextFile) -> bool {
    file.name().starts_with(ENTRIES)
}

fn close(current: &mut Entry, entries: &mut Vec<Entry>) {
    let next = Entry {
        menu: current.menu,
        ..Entry::default()
    };
    let entry = std::mem::replace(current, next);
    if !entry.kernel.is_empty() && entries.len() < MOST_ENTRIES {
        entries.push(entry);
    }
}
