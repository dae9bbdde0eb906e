//! `p2v status`: does the machine run?

use super::control;
use crate::cli::StatusArgs;
use crate::error::{Result, print, print_json};
use runner::control::RunState;
use serde::Serialize;

#[derive(Serialize)]
struct Status {
    /// `running`, `paused`, `shutting-down` or `off`.
    state: &'static str,
}

/// Asks the machine.
pub(crate) fn run(args: &StatusArgs) -> Result<()> {
    let state = match control::connect(&args.folder)? {
        None => "off",
        Some(mut client) => match client.status().map_err(|error| control::failure(&error))? {
            RunState::Running => "running",
            RunState::Paused => "paused",
            RunState::Shutdown => "shutting-down",
        },
    };
    if args.json {
        print_json(&Status { state })
    } else {
        print(&format!("{state}\n"))
    }
}
