//! `p2v receive`: stores what another computer copies. `p2v capture -o ssh://…` starts it through ssh there.

use crate::capture::store;
use crate::error::{Exit, Failure, Result};
use std::io::{IsTerminal, stdin, stdout};

/// Serves one capture on standard input and output.
pub(crate) fn run() -> Result<()> {
    if stdin().is_terminal() {
        return Err(
            Failure::refused("`p2v receive` is started by `p2v capture` on another computer")
                .advice("There: p2v capture /dev/sda -o ssh://me@this-computer/~/oldpc"),
        );
    }
    // What went wrong is told to the other computer, whose p2v prints it.
    store::serve(stdin(), stdout().lock()).map_err(|failure| Failure::new(Exit::Failed, failure.what()))
}
