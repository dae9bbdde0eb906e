//! `p2v launcher`: the machine in the desktop's menu.

use crate::cli::LauncherCommand;
use crate::error::{Result, print};
use crate::launcher;
use crate::machine::{self, Library, Machine, library};
use std::path::{Path, PathBuf};

/// Adds or removes the entry.
pub(crate) fn run(command: &LauncherCommand) -> Result<()> {
    match command {
        LauncherCommand::Add(args) => {
            let folder = absolute(&args.folder)?;
            let machine = Machine::load(&folder)?;
            let path = launcher::add(&folder, &machine.name)?;
            print(&format!("{} is in the menu: {}\n", machine.name, path.display()))
        }
        LauncherCommand::Remove(args) => {
            let folder = absolute(&args.folder);
            let place = match &folder {
                Ok(folder) => folder.clone(),
                Err(failure) => former(&args.folder).ok_or_else(|| failure.clone())?,
            };
            if launcher::remove(&place)? {
                return print("The machine is no longer in the menu.\n");
            }
            folder?;
            print("The machine was not in the menu.\n")
        }
    }
}

fn absolute(named: &Path) -> Result<PathBuf> {
    library::whole(&machine::resolve(named)?)
}

/// Where a machine was that is gone from the library: its entry may have stayed.
fn former(named: &Path) -> Option<PathBuf> {
    let library = Library::locate().ok().filter(|_| !library::is_path(named))?;
    Some(library.path().canonicalize().ok()?.join(named))
}
