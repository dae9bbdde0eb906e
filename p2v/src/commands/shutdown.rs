//! `p2v shutdown`: the power button, or the plug.

use super::control;
use crate::cli::ShutdownArgs;
use crate::error::{Failure, Result};
use crate::machine::FolderLock;
use runner::control::ClientError;
use std::time::Duration;

/// Asks the guest to shut down, or with `--force` ends the machine.
pub(crate) fn run(args: &ShutdownArgs) -> Result<()> {
    let (place, mut client) = control::connect_in(&args.machine)?;
    let folder = args.machine.folder.display();
    let asked = if args.force { client.quit() } else { client.shutdown() };
    asked.map_err(|error| control::failure(&error))?;
    if !args.wait {
        return Ok(());
    }
    match client.wait_for_end(Duration::from_secs(args.timeout)) {
        Ok(()) => {
            // It hangs up a moment before it is gone. If other sessions run, that moment cannot be told.
            drop(FolderLock::exclusive(&place));
            Ok(())
        }
        Err(ClientError::Timeout { .. }) => {
            let what = format!("the machine in {folder} still runs after {} s", args.timeout);
            Err(Failure::failed(what).advice(format!(
                "The guest may be asking something (look: `p2v screenshot {folder} -o screen.png`) or not know the \
                 power button. Shut it down from inside, or cut its power with `p2v shutdown {folder} --force`."
            )))
        }
        Err(error) => Err(control::failure(&error)),
    }
}
