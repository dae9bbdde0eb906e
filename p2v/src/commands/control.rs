//! Reaching a running machine from another terminal.

use crate::cli::SessionArgs;
use crate::error::{Failure, Result};
use crate::machine::sessions::{self, Session};
use crate::machine::{self, Machine};
use runner::control::{Client, ClientError};
use std::path::{Path, PathBuf};

/// The folder of the machine that was named, and those of its sessions that run and are meant.
pub(super) fn sessions(args: &SessionArgs) -> Result<(PathBuf, Vec<Session>)> {
    let folder = machine::resolve(&args.folder)?;
    Machine::load(&folder)?;
    let mut running = sessions::running(&folder)?;
    running.retain(|session| args.session.is_none_or(|wanted| wanted == *session));
    Ok((folder, running))
}

/// Connects to a session; `None` if it has just ended.
pub(super) fn connect(folder: &Path, session: Session) -> Result<Option<Client>> {
    match Client::connect(&session.socket(folder)) {
        Ok(client) => Ok(Some(client)),
        Err(ClientError::NotRunning { .. }) => Ok(None),
        Err(error) => Err(failure(&error)),
    }
}

/// Connects to the one session that is meant, which must run.
pub(super) fn connect_running(args: &SessionArgs) -> Result<Client> {
    connect_in(args).map(|(_, client)| client)
}

/// The same, with the machine's folder.
pub(super) fn connect_in(args: &SessionArgs) -> Result<(PathBuf, Client)> {
    let (folder, running) = sessions(args)?;
    let named = args.folder.display();
    let off = || {
        let failure = match args.session {
            Some(session) => Failure::refused(format!("the machine {named} is not running in a session {session}")),
            None => Failure::refused(format!("the machine {named} is not running")),
        };
        failure.advice(format!(
            "`p2v status {named}` shows what runs; `p2v launch {named}` starts it."
        ))
    };
    match running[..] {
        [] => Err(off()),
        [session] => match connect(&folder, session)? {
            Some(client) => Ok((folder, client)),
            None => Err(off()),
        },
        _ => {
            let names: Vec<_> = running.iter().map(Session::to_string).collect();
            let what = format!(
                "{} sessions of {named} are running: {}",
                running.len(),
                names.join(", ")
            );
            Err(Failure::refused(what).advice("Say with `--session` which is meant."))
        }
    }
}

/// A control error with an exit code.
pub(super) fn failure(error: &ClientError) -> Failure {
    Failure::failed(error.to_string())
}
