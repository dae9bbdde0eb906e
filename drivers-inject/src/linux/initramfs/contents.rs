//! What an initramfs can load, and the files in it that are worth reading.

use super::Initramfs;
use super::entry::Kind;
use std::collections::{BTreeMap, BTreeSet};

/// The modules of one kernel version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Modules {
    /// Names of the module files, normalised.
    pub(crate) files: BTreeSet<String>,
    /// Names of what is in the kernel itself, by the image's `modules.builtin`; empty where it has none.
    pub(crate) builtin: BTreeSet<String>,
}

impl Initramfs {
    /// The modules by kernel version. Files outside of `lib/modules/VERSION` (Red Hat until 2010 had them in `/lib`)
    /// are under the empty version.
    pub(crate) fn modules(&self) -> BTreeMap<String, Modules> {
        let mut versions: BTreeMap<String, Modules> = BTreeMap::new();
        for (path, entry) in self.entries() {
            if !matches!(entry.kind(), Kind::File | Kind::Symlink) {
                continue;
            }
            let (version, rest) = split_version(path).unwrap_or(("", path));
            if let Some(name) = module_name(rest) {
                versions.entry(version.to_owned()).or_default().files.insert(name);
            } else if rest == "modules.builtin" {
                let text = entry.contents.as_deref().unwrap_or_default();
                let text = String::from_utf8_lossy(text);
                let names = text.lines().filter_map(module_name);
                versions.entry(version.to_owned()).or_default().builtin.extend(names);
            }
        }
        versions
    }

    /// Where the modules of a version are in the image: `lib/modules/VERSION`, without links in it.
    pub(crate) fn module_folder(&self, version: &str) -> Option<String> {
        self.tree.resolve(&format!("lib/modules/{version}"), true)
    }
}

/// Splits `lib/modules/VERSION/REST`, in `/` or `/usr`.
fn split_version(path: &str) -> Option<(&str, &str)> {
    let path = path.strip_prefix("usr/").unwrap_or(path);
    path.strip_prefix("lib/modules/")?.split_once('/')
}

/// The normalised name of a module file, `None` if the path is not one: `kernel/drivers/ata/pata-x.ko.xz` is `pata_x`.
pub(crate) fn module_name(path: &str) -> Option<String> {
    let file = path.rsplit('/').next()?;
    let file = [".xz", ".gz", ".zst"]
        .iter()
        .find_map(|end| file.strip_suffix(end))
        .unwrap_or(file);
    let name = file.strip_suffix(".ko").filter(|name| !name.is_empty())?;
    Some(name.replace('-', "_"))
}

/// Whether a file's contents matter for the adaptation: small texts that name disks or modules.
pub(crate) fn wanted(path: &str) -> bool {
    const FILES: [&str; 8] = [
        "conf/conf.d/resume",
        "conf/modules",
        "config",
        "etc/cmdline",
        "etc/crypttab",
        "etc/fstab",
        "cryptroot/crypttab",
        "conf/param.conf",
    ];
    const FOLDERS: [&str; 4] = [
        "etc/modprobe.d/",
        "etc/cmdline.d/",
        "etc/modules-load.d/",
        "conf/conf.d/",
    ];
    if FILES.contains(&path) || FOLDERS.iter().any(|folder| path.starts_with(folder)) {
        return true;
    }
    split_version(path).is_some_and(|(_, file)| matches!(file, "modules.dep" | "modules.builtin"))
}
