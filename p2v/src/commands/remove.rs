//! `p2v remove`: a machine with all that belongs to it, and nothing else.

use super::confirm::confirm;
use crate::cli::RemoveArgs;
use crate::error::{Failure, Result, print};
use crate::launcher;
use crate::machine::{self, DISK, FolderLock, MACHINE, NOW, Survey, firmware, names, sessions};
use crate::report;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

/// Removes the files that p2v made, then the folder.
pub(crate) fn run(args: &RemoveArgs) -> Result<()> {
    let folder = machine::resolve_place(&args.folder)?;
    let lock = FolderLock::exclusive(&folder)?;
    sessions::forget(&folder)?;
    machine::check_independent(&folder)?;
    let files = files(&folder)?;
    confirm(&loss(&folder), &format!("Remove {}?", folder.display()), args.yes)?;
    // The menu's entry is no reason to stop: it can be removed without the machine.
    let _ = launcher::remove(&folder);
    for path in &files {
        fs::remove_file(path).map_err(|error| Failure::target_write(path, &error))?;
    }
    firmware::remove_all(&folder)?;
    fs::remove_dir(&folder).map_err(|error| Failure::target_write(&folder, &error))?;
    drop(lock);
    print(&format!("{} is removed.\n", folder.display()))
}

/// The files to remove, in their order: without `machine.toml` nothing starts that is half gone. The folder with what the
/// old PC's firmware said is looked into, too.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let failed = |error| Failure::failed(format!("cannot read the folder {}: {error}", folder.display()));
    let (mut ours, mut others) = (Vec::new(), Vec::new());
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let is_folder = entry.file_type().map_err(failed)?.is_dir();
        if names::is_ours(&entry.file_name()) && !is_folder {
            ours.push(entry.path());
            continue;
        }
        let name = entry.file_name().to_string_lossy().into_owned();
        if is_folder && firmware::folders().contains(&name) {
            let inside = firmware::names(&entry.path()).map_err(failed)?;
            let foreign = inside.iter().filter(|file| !firmware::is_ours(file));
            others.extend(foreign.map(|file| format!("{name}/{file}")));
        } else {
            others.push(name);
        }
    }
    others.sort();
    if !others.is_empty() {
        let what = format!(
            "{} holds what p2v did not make: {}",
            folder.display(),
            others.join(", ")
        );
        return Err(Failure::refused(what).advice("Nothing was removed. Move that away first."));
    }
    ours.sort_by_key(|path| !path.ends_with(MACHINE));
    Ok(ours)
}

fn loss(folder: &Path) -> String {
    let machine = Survey::of(folder);
    let size = report::size(machine.size_bytes);
    let mut text = format!("This removes {} ({size}) for ever.", folder.display());
    if folder.join(DISK).exists() {
        text.push_str("\nThe capture goes with it: it may be the only copy of the old disk.");
    }
    if folder.join(NOW).exists() {
        text.push_str("\nSo does everything that was done in the machine since.");
    }
    if !machine.snapshots.is_empty() {
        let count = report::count(machine.snapshots.len(), "snapshot");
        let _ = write!(text, "\nSo do {count}: {}.", machine.snapshots.join(", "));
    }
    text
}
