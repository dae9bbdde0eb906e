//! The tree that the kernel makes from all entries.

use super::entry::{Entry, Kind, parts};
use std::collections::BTreeMap;

/// Symbolic links that are followed for one path. The kernel follows 40; no real initramfs comes near this.
const LINKS: usize = 16;

/// Where an entry is: its member and its place there.
pub(super) type Place = (usize, usize);

/// The tree that the kernel makes from all entries.
#[derive(Debug, Default)]
pub(super) struct Tree {
    nodes: BTreeMap<String, Node>,
}

#[derive(Debug)]
struct Node {
    place: Place,
    kind: Kind,
    target: Option<String>,
}

impl Tree {
    /// Adds an entry as the kernel does (init/initramfs.c, `do_name`): symbolic links in the folders above it are
    /// followed; what is there is replaced, if it is of another type even a link by a folder; an entry whose folder
    /// does not exist, or that would replace a folder with something in it, is lost.
    pub(super) fn add(&mut self, entry: &Entry, place: Place) {
        let Some(path) = self.landing(&entry.path) else {
            return;
        };
        let kind = entry.kind();
        let old = self.nodes.get(&path);
        if old.is_some_and(|old| old.kind == Kind::Folder && kind != Kind::Folder) && self.has_children(&path) {
            return;
        }
        let target = entry.target.clone();
        self.nodes.insert(path, Node { place, kind, target });
    }

    /// Where an entry of this name ends up, if its folder exists.
    fn landing(&self, path: &str) -> Option<String> {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        if matches!(name, "" | "..") {
            return None;
        }
        let folder = self.resolve(folder, true)?;
        if folder.is_empty() {
            return Some(name.to_owned());
        }
        (self.kind(&folder)? == Kind::Folder).then(|| format!("{folder}/{name}"))
    }

    fn has_children(&self, path: &str) -> bool {
        let below = format!("{path}/");
        self.nodes
            .range(below.clone()..)
            .next()
            .is_some_and(|(next, _)| next.starts_with(&below))
    }

    /// The path without symbolic links, `.` and `..`; parts that do not exist stay as they are. The last part's link
    /// is followed if `last` says so. `None` if a part is something other than a folder, or links lead too far.
    pub(super) fn resolve(&self, path: &str, last: bool) -> Option<String> {
        let mut todo: Vec<&str> = parts(path).rev().collect();
        let mut done: Vec<&str> = Vec::new();
        let mut links = 0_usize;
        while let Some(part) = todo.pop() {
            if part == ".." {
                done.pop();
                continue;
            }
            done.push(part);
            let follow = last || !todo.is_empty();
            match self.nodes.get(&done.join("/")) {
                Some(node) if node.kind == Kind::Symlink && follow => {
                    links = links.checked_add(1).filter(|links| *links <= LINKS)?;
                    let target = node.target.as_deref().unwrap_or_default();
                    done.pop();
                    if target.starts_with('/') {
                        done.clear();
                    }
                    todo.extend(parts(target).rev());
                }
                Some(node) if node.kind != Kind::Folder && !todo.is_empty() => return None,
                _ => {}
            }
        }
        Some(done.join("/"))
    }

    /// What is at this path, without links followed.
    pub(super) fn kind(&self, path: &str) -> Option<Kind> {
        self.nodes.get(path).map(|node| node.kind)
    }

    pub(super) fn place(&self, path: &str) -> Option<Place> {
        self.nodes.get(path).map(|node| node.place)
    }

    pub(super) fn places(&self) -> impl Iterator<Item = (&str, Place)> {
        self.nodes.iter().map(|(path, node)| (path.as_str(), node.place))
    }

    /// Whether there is something at a path, or below it.
    pub(super) fn has(&self, path: &str) -> bool {
        self.resolve(path, true)
            .is_some_and(|path| self.nodes.contains_key(&path))
    }

    /// Whether a folder has something whose name begins like this; `path` is both.
    pub(super) fn has_beginning(&self, path: &str) -> bool {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let Some(folder) = self.resolve(folder, true) else {
            return false;
        };
        let path = if folder.is_empty() {
            name.to_owned()
        } else {
            format!("{folder}/{name}")
        };
        self.nodes
            .range(path.clone()..)
            .next()
            .is_some_and(|(next, _)| next.starts_with(&path))
    }
}
