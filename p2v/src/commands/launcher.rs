//! `p2v launcher`: the machine in the desktop's menu.

use crate::cli::LauncherCommand;
use crate::error::{Failure, Result, print};
use crate::launcher;
use crate::machine::{self, Machine};
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
            let folder = absolute(&args.folder)?;
            print(if launcher::remove(&folder)? {
                "The machine is no longer in the menu.\n"
            } else {
                "The machine was not in the menu.\n"
            })
        }
    }
}

fn absolute(named: &Path) -> Result<PathBuf> {
    let folder = machine::resolve(named)?;
    folder
        .canonicalize()
        .map_err(|error| Failure::failed(format!("cannot find {}: {error}", folder.display())))
}
