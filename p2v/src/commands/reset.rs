//! `p2v reset`: back to the machine as it was captured and adapted.

use super::confirm::confirm;
use crate::cli::ResetArgs;
use crate::error::{Result, print};
use crate::machine::{self, ADAPTED, FolderLock, Machine, NOW, Snapshots};

/// Removes what the machine wrote.
pub(crate) fn run(args: &ResetArgs) -> Result<()> {
    let folder = machine::resolve(&args.folder)?;
    Machine::load(&folder)?;
    let lock = FolderLock::exclusive(&folder)?;
    let state = if folder.join(ADAPTED).exists() {
        "adapted"
    } else {
        "captured"
    };
    if folder.join(NOW).exists() {
        let loss = format!(
            "Everything that was done in the machine since it was {state} is lost ({}). Snapshots stay; \
             `p2v snapshot create` makes one.",
            folder.join(NOW).display()
        );
        confirm(&loss, "Reset the machine?", args.yes)?;
    }
    print(&if Snapshots::of(&folder).reset(&lock)? {
        format!("The machine is as it was {state}.\n")
    } else {
        format!("There is nothing to reset: the machine is as it was {state}.\n")
    })
}
