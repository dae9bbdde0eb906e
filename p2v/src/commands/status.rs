//! `p2v status`: does the machine run, and where can its screen be seen?

use super::control;
use crate::cli::StatusArgs;
use crate::error::{Result, print, print_json};
use runner::control::RunState;
use serde::Serialize;

#[derive(Serialize)]
struct Status {
    /// `running`, `paused`, `shutting-down` or `off`.
    state: &'static str,
    /// Remote screens: `127.0.0.1:5900`, `unix:PATH`, or a page for browsers.
    displays: Vec<String>,
}

/// Asks the machine.
pub(crate) fn run(args: &StatusArgs) -> Result<()> {
    let mut displays = Vec::new();
    let state = match control::connect(&args.folder)? {
        None => "off",
        Some(mut client) => {
            let state = client.status().map_err(|error| control::failure(&error))?;
            displays = client.displays().map_err(|error| control::failure(&error))?;
            match state {
                RunState::Running => "running",
                RunState::Paused => "paused",
                RunState::Shutdown => "shutting-down",
            }
        }
    };
    if args.json {
        print_json(&Status { state, displays })
    } else {
        let mut text = format!("{state}\n");
        for display in displays {
            text.push_str(&format!("screen: {display}\n"));
        }
        print(&text)
    }
}
