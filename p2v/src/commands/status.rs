//! `p2v status`: does the machine run, and where can its screen be seen?

use super::control;
use crate::cli::StatusArgs;
use crate::error::{Result, print, print_json};
use crate::machine::sessions::Session;
use runner::control::RunState;
use serde::Serialize;
use std::fmt::Write;

#[derive(Serialize)]
struct Status {
    /// `running`, `paused`, `shutting-down` or `off`: that of the first session.
    state: &'static str,
    sessions: Vec<SessionStatus>,
}

#[derive(Serialize)]
struct SessionStatus {
    /// `main`, or the process ID of an ephemeral session.
    session: Session,
    ephemeral: bool,
    state: &'static str,
    /// Remote screens: `127.0.0.1:5900`, `unix:PATH`, or a page for browsers.
    displays: Vec<String>,
}

/// Asks every session.
pub(crate) fn run(args: &StatusArgs) -> Result<()> {
    let (folder, running) = control::sessions(&args.machine)?;
    let mut sessions = Vec::new();
    for session in running {
        let Some(mut client) = control::connect(&folder, session)? else {
            continue;
        };
        let state = match client.status().map_err(|error| control::failure(&error))? {
            RunState::Running => "running",
            RunState::Paused => "paused",
            RunState::Shutdown => "shutting-down",
        };
        let displays = client.displays().map_err(|error| control::failure(&error))?;
        let ephemeral = session != Session::Main;
        sessions.push(SessionStatus {
            session,
            ephemeral,
            state,
            displays,
        });
    }
    let state = sessions.first().map_or("off", |session| session.state);
    if args.json {
        return print_json(&Status { state, sessions });
    }
    print(&text(state, &sessions))
}

/// One word, or one line a session if there are several; and the screens of each.
fn text(state: &str, sessions: &[SessionStatus]) -> String {
    let mut text = String::new();
    if sessions.len() < 2 {
        let _ = writeln!(text, "{state}");
    }
    for session in sessions {
        if sessions.len() > 1 {
            let kind = if session.ephemeral { "  ephemeral" } else { "" };
            let _ = writeln!(text, "{}  {}{kind}", session.session, session.state);
        }
        for display in &session.displays {
            let _ = writeln!(text, "screen: {display}");
        }
    }
    text
}
