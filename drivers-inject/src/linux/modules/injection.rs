//! Which files an initramfs needs to find its disk at another controller.

use super::error::ModuleError;
use super::hardware::{Controller, Way, ways_of};
use super::tree::{Found, ModuleFile, ModuleTree, parse_dep};
use super::{index, request};
use crate::linux::initramfs::{Initramfs, NewEntry, module_name};
use std::collections::BTreeMap;

/// What depmod writes beside `modules.dep`: none of it has paths of files in it, so it is true of any set of modules.
const INDICES: [&str; 11] = [
    "modules.alias",
    "modules.alias.bin",
    "modules.symbols",
    "modules.symbols.bin",
    "modules.builtin",
    "modules.builtin.bin",
    "modules.builtin.alias.bin",
    "modules.builtin.modinfo",
    "modules.softdep",
    "modules.order",
    "modules.devname",
];
/// These name files.
const DEPENDENCIES: [&str; 2] = ["modules.dep", "modules.dep.bin"];

/// A file to copy from the root filesystem into the image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Copy {
    /// On the root filesystem, without `/` in front.
    pub(crate) from: String,
    /// In the image, without `/` in front.
    pub(crate) to: String,
    /// Whether it must be there; an index that this version of depmod did not write may be missing.
    pub(crate) required: bool,
}

/// What an initramfs needs to find its disk at another controller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Injection {
    /// The drivers: which controller, and the name that the disk will have.
    pub(crate) way: &'static Way,
    /// The modules that are added, by name, in the order of loading.
    pub(crate) modules: Vec<String>,
    /// Files to copy.
    pub(crate) copy: Vec<Copy>,
    /// Files that are made, or made anew.
    pub(crate) write: Vec<NewEntry>,
}

impl Injection {
    /// Whether the image has everything already.
    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.copy.is_empty() && self.write.is_empty()
    }

    /// The files with their contents, ready for [`append`](crate::linux::initramfs::append).
    ///
    /// # Errors
    /// [`ModuleError::MissingFile`].
    pub(crate) fn entries(&self, mut read: impl FnMut(&str) -> Option<Vec<u8>>) -> Result<Vec<NewEntry>, ModuleError> {
        let mut entries = self.write.clone();
        for copy in &self.copy {
            match read(&copy.from) {
                Some(contents) => entries.push(NewEntry {
                    path: copy.to.clone(),
                    mode: 0o644,
                    contents,
                }),
                None if copy.required => return Err(ModuleError::MissingFile(copy.from.clone())),
                None => {}
            }
        }
        Ok(entries)
    }
}

/// What `image` needs to find its disk at `controller` with the kernel of `tree`. Modules are copied as they are,
/// compressed or not; those that the image has are left alone.
///
/// # Errors
/// If the kernel has no drivers for it, or the image cannot be told to load them.
pub(crate) fn injection(
    tree: &ModuleTree,
    image: &Initramfs,
    controller: Controller,
) -> Result<Injection, ModuleError> {
    let version = tree.version();
    let ways = ways_of(version, |name| tree.find(name) != Found::Absent);
    let way = ways.into_iter().find(|way| way.controller == controller);
    let way = way.ok_or_else(|| ModuleError::NoDriver {
        version: version.to_owned(),
        controller,
    })?;
    let present = present(tree, image);
    let mut modules = Vec::new();
    let mut copy = Vec::new();
    let mut together = present.clone();
    for from in tree.closure(way.drivers)? {
        let name = module_name(&from).unwrap_or_default();
        if present.contains_key(&name) {
            continue;
        }
        let path = from.strip_prefix(tree.folder()).unwrap_or_default();
        let path = path.trim_start_matches('/').to_owned();
        copy.push(Copy {
            to: in_image(tree, &path),
            from,
            required: true,
        });
        together.insert(name.clone(), path);
        modules.push(name);
    }
    let mut write = Vec::new();
    if !copy.is_empty() {
        let files = |name: &&&str| matches!(tree.find(name), Found::File(_));
        let drivers: Vec<String> = way
            .drivers
            .iter()
            .filter(files)
            .map(|name| (*name).to_owned())
            .collect();
        write = request::files(image, &drivers)?;
        let same = together.iter().all(|(name, path)| {
            let file = tree.files().get(name);
            file.is_some_and(|file| file.path == *path)
        });
        let mut indices = INDICES.to_vec();
        if same {
            indices.extend(DEPENDENCIES);
        } else {
            write.extend(dependencies(tree, image, &together));
        }
        copy.extend(indices.into_iter().map(|index| Copy {
            from: format!("{}/{index}", tree.folder()),
            to: in_image(tree, index),
            required: false,
        }));
    }
    Ok(Injection {
        way,
        modules,
        copy,
        write,
    })
}

fn in_image(tree: &ModuleTree, path: &str) -> String {
    format!("lib/modules/{}/{path}", tree.version())
}

/// The image's modules of this version: by name, their paths in the version's folder.
fn present(tree: &ModuleTree, image: &Initramfs) -> BTreeMap<String, String> {
    let folder = image.module_folder(tree.version()).unwrap_or_default();
    let below = format!("{folder}/");
    let paths = image.entries().filter_map(|(path, _)| path.strip_prefix(&below));
    paths
        .filter_map(|path| Some((module_name(path)?, path.to_owned())))
        .collect()
}

/// `modules.dep` and its binary form for an image whose files have other names than those of the root filesystem: some
/// generators unpack compressed modules. With the root's own list, none of them would be found.
fn dependencies(tree: &ModuleTree, image: &Initramfs, modules: &BTreeMap<String, String>) -> Vec<NewEntry> {
    let own = image.contents(&in_image(tree, "modules.dep")).unwrap_or_default();
    let own = parse_dep(&String::from_utf8_lossy(own), tree.version());
    let mut text = String::new();
    let mut values = BTreeMap::new();
    for ((name, path), priority) in modules.iter().zip(0_u32..) {
        let file: Option<&ModuleFile> = tree.files().get(name).or_else(|| own.get(name));
        let needs = file.map(|file| file.needs.as_slice()).unwrap_or_default();
        let mut line = format!("{path}:");
        for need in needs {
            if let Some(path) = module_name(need).and_then(|name| modules.get(&name)) {
                line.push(' ');
                line.push_str(path);
            }
        }
        text.push_str(&line);
        text.push('\n');
        values.insert(name.clone(), (priority, line));
    }
    let file = |name: &str, contents| NewEntry {
        path: in_image(tree, name),
        mode: 0o644,
        contents,
    };
    let mut files = vec![file("modules.dep", text.into_bytes())];
    files.extend(index::write(&values).map(|bytes| file("modules.dep.bin", bytes)));
    files
}
