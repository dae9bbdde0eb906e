//! `p2v snapshot`: states of a stopped machine to come back to.

use super::confirm::confirm;
use crate::cli::{SnapshotCommand, SnapshotNameArgs};
use crate::error::{Failure, Result, print, print_json};
use crate::machine::{self, ADAPTED, FolderLock, Machine, NOW, Snapshots};
use crate::report::{self, Table};
use crate::signals::Stop;
use std::path::{Path, PathBuf};

/// Carries out one of them.
pub(crate) fn run(command: &SnapshotCommand) -> Result<()> {
    match command {
        SnapshotCommand::Create(args) => create(args),
        SnapshotCommand::List(args) => {
            let snapshots = Snapshots::of(&folder(&args.folder)?).list()?;
            if args.json {
                return print_json(&snapshots);
            }
            if snapshots.is_empty() {
                return print("The machine has no snapshots.\n");
            }
            let mut table = Table::new(&["name", "created", "size", "on the disk as"], &[2]);
            for snapshot in snapshots {
                let on = match snapshot.on.as_deref() {
                    Some(ADAPTED) => "adapted",
                    Some(_) => "captured",
                    None => "unreadable",
                };
                let size = report::size(snapshot.size_bytes);
                table.row(vec![snapshot.name, snapshot.created, size, on.to_owned()]);
            }
            print(&table.text())
        }
        SnapshotCommand::Restore(args) => {
            let folder = folder(&args.name.folder)?;
            let lock = FolderLock::exclusive(&folder)?;
            let snapshots = Snapshots::of(&folder);
            let name = &args.name.snapshot;
            snapshots.existing(name)?;
            if folder.join(NOW).exists() {
                let loss = format!(
                    "What was done in the machine and is in no snapshot is lost ({}).",
                    folder.join(NOW).display()
                );
                confirm(&loss, &format!("Put the machine back to {name}?"), args.yes)?;
            }
            snapshots.restore(name, args.name.quiet, &Stop::on_signals()?, &lock)?;
            print(&format!("The machine is as it was in the snapshot {name}.\n"))
        }
        SnapshotCommand::Delete(args) => {
            let folder = folder(&args.name.folder)?;
            let lock = FolderLock::exclusive(&folder)?;
            let snapshots = Snapshots::of(&folder);
            let name = &args.name.snapshot;
            snapshots.existing(name)?;
            let loss = format!("The state of the machine that the snapshot {name} keeps is lost.");
            confirm(&loss, &format!("Delete {name}?"), args.yes)?;
            snapshots.delete(name, &lock)?;
            print(&format!("The snapshot {name} is deleted.\n"))
        }
    }
}

fn create(args: &SnapshotNameArgs) -> Result<()> {
    let folder = folder(&args.folder)?;
    let lock = FolderLock::exclusive(&folder)?;
    Snapshots::of(&folder).create(&args.snapshot, args.quiet, &Stop::on_signals()?, &lock)?;
    print(&format!(
        "The snapshot {} keeps the machine as it is now.\n",
        args.snapshot
    ))
}

/// The folder of a machine that has one disk.
fn folder(named: &Path) -> Result<PathBuf> {
    let folder = machine::resolve(named)?;
    if Machine::load(&folder)?.disks.len() > 1 {
        return Err(Failure::refused(
            "machines with several disks cannot have snapshots yet",
        ));
    }
    Ok(folder)
}
