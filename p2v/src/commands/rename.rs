//! `p2v rename`: another name for a machine.

use crate::cli::RenameArgs;
use crate::error::{Failure, Result, print};
use crate::launcher;
use crate::machine::{self, FolderLock, library, names};
use std::path::Path;

/// Renames the folder, and the name in `machine.toml`.
pub(crate) fn run(args: &RenameArgs) -> Result<()> {
    names::check(&args.new).map_err(|why| library::bad_name(&args.new, why))?;
    let from = machine::resolve_place(&args.folder)?;
    let lock = FolderLock::exclusive(&from)?;
    machine::check_independent(&from)?;
    let to = from.parent().unwrap_or(Path::new("/")).join(&args.new);
    if to.symlink_metadata().is_ok() {
        return Err(Failure::refused(format!("{} is there already", to.display()))
            .advice("Choose another name; `p2v list` shows those that are taken."));
    }
    machine::rename::rename(&from, &to, &args.new, &lock)?;
    // The menu follows.
    if launcher::remove(&from).unwrap_or(false) {
        launcher::add(&to, &args.new)?;
    }
    print(&format!("The machine is called {} now.\n", library::called(&to)))
}
