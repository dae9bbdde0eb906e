//! The modules of one kernel version, by the text files that depmod writes.

use super::error::ModuleError;
use crate::linux::initramfs::module_name;
use std::collections::{BTreeMap, BTreeSet};

/// Soft dependencies of soft dependencies that are followed. Real chains have two or three links.
const DEPTH: usize = 32;

/// The modules of one kernel version on the root filesystem.
#[derive(Clone, Debug, Default)]
pub(crate) struct ModuleTree {
    version: String,
    /// `lib/modules/VERSION`, or the same in `usr`.
    folder: String,
    files: BTreeMap<String, ModuleFile>,
    builtin: BTreeSet<String>,
    soft: BTreeMap<String, Soft>,
    /// Modules by aliases without wildcards: soft dependencies name them so.
    aliases: BTreeMap<String, Vec<String>>,
}

/// One line of `modules.dep`: paths in the folder. The one that is loaded first is the last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ModuleFile {
    pub(super) path: String,
    pub(super) needs: Vec<String>,
}

/// What should be loaded before and after a module, if it is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Soft {
    before: Vec<String>,
    after: Vec<String>,
}

/// Where a module is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// In the kernel itself.
    Builtin,
    /// A file, by its path on the root filesystem without `/` in front.
    File(String),
    /// Nowhere.
    Absent,
}

impl ModuleTree {
    /// Reads the tree of a version. `read` gives a file of the root filesystem by its path without `/` in front.
    ///
    /// # Errors
    /// [`ModuleError::NoVersion`] if there is no `modules.dep`.
    pub(crate) fn load(mut read: impl FnMut(&str) -> Option<Vec<u8>>, version: &str) -> Result<Self, ModuleError> {
        let folders = ["lib/modules", "usr/lib/modules"].map(|folder| format!("{folder}/{version}"));
        let found = folders
            .into_iter()
            .find_map(|folder| Some((read(&format!("{folder}/modules.dep"))?, folder)));
        let Some((dep, folder)) = found else {
            return Err(ModuleError::NoVersion(version.to_owned()));
        };
        let mut text = |file: &str| {
            let bytes = read(&format!("{folder}/{file}")).unwrap_or_default();
            String::from_utf8_lossy(&bytes).into_owned()
        };
        let builtin = text("modules.builtin").lines().filter_map(module_name).collect();
        let soft = parse_softdep(&text("modules.softdep"));
        let aliases = parse_aliases(&text("modules.alias"));
        Ok(Self {
            version: version.to_owned(),
            files: parse_dep(&String::from_utf8_lossy(&dep), version),
            folder,
            builtin,
            soft,
            aliases,
        })
    }

    /// The kernel's version, as `uname -r` gives it.
    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    /// The folder of this version on the root filesystem, without `/` in front.
    pub(crate) fn folder(&self) -> &str {
        &self.folder
    }

    /// Adds what is known to be in the kernel itself from elsewhere: kernels before 2.6.33 have no `modules.builtin`.
    pub(crate) fn add_builtin(&mut self, names: impl IntoIterator<Item = String>) {
        self.builtin.extend(names);
    }

    /// Where a module is.
    pub(crate) fn find(&self, name: &str) -> Found {
        let name = name.replace('-', "_");
        match self.files.get(&name) {
            Some(file) => Found::File(self.full(&file.path)),
            None if self.builtin.contains(&name) => Found::Builtin,
            None => Found::Absent,
        }
    }

    /// The files to load for these modules, by their paths on the root filesystem, in the order of loading: what they
    /// need, and what should be loaded with them (`modules.softdep`), if it is there. The order is that of
    /// `modprobe --show-depends`. What is in the kernel itself is left out.
    ///
    /// # Errors
    /// [`ModuleError::Absent`].
    pub(crate) fn closure(&self, names: &[&str]) -> Result<Vec<String>, ModuleError> {
        let mut loading = Loading::default();
        for name in names {
            if self.find(name) == Found::Absent {
                let (version, name) = (self.version.clone(), (*name).to_owned());
                return Err(ModuleError::Absent { version, name });
            }
            self.visit(&name.replace('-', "_"), &mut loading, 0);
        }
        Ok(loading.paths.iter().map(|path| self.full(path)).collect())
    }

    /// The lines of `modules.dep`, by module name.
    pub(super) fn files(&self) -> &BTreeMap<String, ModuleFile> {
        &self.files
    }

    fn full(&self, path: &str) -> String {
        format!("{}/{path}", self.folder)
    }

    /// A module after what it needs.
    fn visit(&self, name: &str, loading: &mut Loading, depth: usize) {
        let Some(file) = self.files.get(name) else {
            return;
        };
        if depth > DEPTH || !loading.visited.insert(name.to_owned()) {
            return;
        }
        for path in file.needs.iter().rev() {
            self.with_soft(path, loading, depth);
        }
        self.with_soft(&file.path, loading, depth);
    }

    /// A file between what should be loaded before and after it.
    fn with_soft(&self, path: &str, loading: &mut Loading, depth: usize) {
        let name = module_name(path).unwrap_or_default();
        let soft = self.soft.get(&name);
        let next = depth.saturating_add(1);
        for name in soft.iter().flat_map(|soft| &soft.before) {
            self.visit_soft(name, loading, next);
        }
        if loading.known.insert(path.to_owned()) {
            loading.paths.push(path.to_owned());
        }
        for name in soft.iter().flat_map(|soft| &soft.after) {
            self.visit_soft(name, loading, next);
        }
    }

    /// A soft dependency is a module's name or an alias, which several modules may have.
    fn visit_soft(&self, name: &str, loading: &mut Loading, depth: usize) {
        if self.files.contains_key(name) {
            self.visit(name, loading, depth);
            return;
        }
        for name in self.aliases.get(name).into_iter().flatten() {
            self.visit(name, loading, depth);
        }
    }
}

/// What was gone through.
#[derive(Default)]
struct Loading {
    visited: BTreeSet<String>,
    known: BTreeSet<String>,
    paths: Vec<String>,
}

/// `PATH: PATH…`. The paths are relative to the folder; before 2010 they were absolute.
pub(super) fn parse_dep(text: &str, version: &str) -> BTreeMap<String, ModuleFile> {
    let below = format!("lib/modules/{version}/");
    let relative = |path: &str| {
        let path = path.trim_start_matches('/');
        path.strip_prefix(&below).unwrap_or(path).to_owned()
    };
    let mut files = BTreeMap::new();
    for line in text.lines() {
        let Some((path, needs)) = line.split_once(':') else {
            continue;
        };
        let (path, needs) = (relative(path.trim()), needs.split_whitespace().map(relative).collect());
        if let Some(name) = module_name(&path) {
            files.entry(name).or_insert(ModuleFile { path, needs });
        }
    }
    files
}

/// `softdep NAME pre: NAME… post: NAME…`, as in `modprobe.d(5)`.
fn parse_softdep(text: &str) -> BTreeMap<String, Soft> {
    let mut all: BTreeMap<String, Soft> = BTreeMap::new();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let (Some("softdep"), Some(name)) = (words.next(), words.next()) else {
            continue;
        };
        let soft = all.entry(name.replace('-', "_")).or_default();
        let mut list = None;
        for word in words {
            match word {
                "pre:" => list = Some(&mut soft.before),
                "post:" => list = Some(&mut soft.after),
                name => {
                    if let Some(list) = list.as_mut() {
                        list.push(name.replace('-', "_"));
                    }
                }
            }
        }
    }
    all
}

/// `alias PATTERN NAME`; those with wildcards, which are for devices, are left out.
fn parse_aliases(text: &str) -> BTreeMap<String, Vec<String>> {
    let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let (Some("alias"), Some(alias), Some(name)) = (words.next(), words.next(), words.next()) else {
            continue;
        };
        if !alias.contains(['*', '?', '[']) {
            let names = all.entry(alias.replace('-', "_")).or_default();
            names.push(name.replace('-', "_"));
        }
    }
    all
}
