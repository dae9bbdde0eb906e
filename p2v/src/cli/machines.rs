//! What can be typed about machines beside each other: the library, snapshots, the menu.

use clap::{Args, Subcommand};
use std::path::PathBuf;

pub(super) const REMOVE_HELP: &str = "\
Only files that p2v made are removed. If anything else is in the folder, nothing is removed.
The capture may be the only copy of the old disk: make sure that you do not need it any more.";

pub(super) const SNAPSHOT_EXAMPLES: &str = "\
Examples:
  p2v snapshot create oldpc before-update
  p2v snapshot list oldpc
  p2v snapshot restore oldpc before-update

A snapshot is a copy of what the machine wrote since it was captured (disk0.now.qcow2), and takes as much room unless
the file system can share blocks (btrfs, XFS). Snapshots do not depend on each other. The machine must be off.";

/// `p2v list`
#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Print JSON for scripts
    #[arg(long)]
    pub(crate) json: bool,
}

/// `p2v rename`
#[derive(Debug, Args)]
pub(crate) struct RenameArgs {
    /// The machine: its name or its folder
    #[arg(value_name = "MACHINE")]
    pub(crate) folder: PathBuf,
    /// The new name; the folder stays where it is, and is called so
    #[arg(value_name = "NEW")]
    pub(crate) new: String,
}

/// `p2v remove`
#[derive(Debug, Args)]
pub(crate) struct RemoveArgs {
    /// The machine: its name or its folder
    #[arg(value_name = "MACHINE")]
    pub(crate) folder: PathBuf,
    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
}

/// `p2v reset`
#[derive(Debug, Args)]
pub(crate) struct ResetArgs {
    /// The machine: its name or its folder
    #[arg(value_name = "MACHINE")]
    pub(crate) folder: PathBuf,
    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
}

/// `p2v snapshot`
#[derive(Debug, Subcommand)]
pub(crate) enum SnapshotCommand {
    /// Keep the state that the machine has now
    Create(SnapshotNameArgs),
    /// List a machine's snapshots
    List(SnapshotListArgs),
    /// Go back to a snapshot; the state that the machine has now is lost
    Restore(SnapshotChangeArgs),
    /// Remove a snapshot
    Delete(SnapshotChangeArgs),
}

/// `p2v snapshot create`
#[derive(Debug, Args)]
pub(crate) struct SnapshotNameArgs {
    /// The machine: its name or its folder
    #[arg(value_name = "MACHINE")]
    pub(crate) folder: PathBuf,
    /// The snapshot's name
    pub(crate) snapshot: String,
    /// Show no progress
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

/// `p2v snapshot list`
#[derive(Debug, Args)]
pub(crate) struct SnapshotListArgs {
    /// The machine: its name or its folder
    #[arg(value_name = "MACHINE")]
    pub(crate) folder: PathBuf,
    /// Print JSON for scripts
    #[arg(long)]
    pub(crate) json: bool,
}

/// `p2v snapshot restore` and `delete`
#[derive(Debug, Args)]
pub(crate) struct SnapshotChangeArgs {
    #[command(flatten)]
    pub(crate) name: SnapshotNameArgs,
    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
}

/// `p2v launcher`
#[derive(Debug, Subcommand)]
pub(crate) enum LauncherCommand {
    /// Put a machine into the menu
    Add(LauncherArgs),
    /// Take a machine out of the menu
    Remove(LauncherArgs),
}

/// `p2v launcher add` and `remove`
#[derive(Debug, Args)]
pub(crate) struct LauncherArgs {
    /// The machine: its name or its folder
    #[arg(value_name = "MACHINE")]
    pub(crate) folder: PathBuf,
}
