//! Reaching a running machine from another terminal.

use crate::error::{Failure, Result};
use crate::machine::{CONTROL_SOCKET, Machine};
use runner::control::{Client, ClientError};
use std::path::Path;

/// Connects to the machine of `folder`; `None` if it does not run.
pub(super) fn connect(folder: &Path) -> Result<Option<Client>> {
    Machine::load(folder)?;
    match Client::connect(&folder.join(CONTROL_SOCKET)) {
        Ok(client) => Ok(Some(client)),
        Err(ClientError::NotRunning { .. }) => Ok(None),
        Err(error) => Err(failure(&error)),
    }
}

/// Connects to the machine of `folder`, which must run.
pub(super) fn connect_running(folder: &Path) -> Result<Client> {
    connect(folder)?.ok_or_else(|| {
        Failure::refused(format!("the machine in {} is not running", folder.display()))
            .advice(format!("Start it with `p2v launch {}`.", folder.display()))
    })
}

/// A control error with an exit code.
pub(super) fn failure(error: &ClientError) -> Failure {
    Failure::failed(error.to_string())
}
