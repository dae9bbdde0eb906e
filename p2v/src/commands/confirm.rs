//! Asking before something is lost.

use crate::error::{Failure, Result};
use std::io::{IsTerminal, Write};

/// Goes on if `yes`, or if a person at the terminal says so. `loss` says in whole sentences what is lost.
pub(super) fn confirm(loss: &str, question: &str, yes: bool) -> Result<()> {
    if yes {
        return Ok(());
    }
    let refused = |what: &str| Failure::refused(format!("{what}; nothing was changed"));
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Err(refused("this must be confirmed").advice(format!("{loss}\n`--yes` does it without a question.")));
    }
    eprint!("{loss}\n{question} Type yes to go on: ");
    let _ = std::io::stderr().flush();
    let mut answer = String::new();
    let read = std::io::stdin().read_line(&mut answer);
    read.map_err(|error| Failure::failed(format!("cannot read the answer: {error}")))?;
    match answer.trim() {
        "yes" => Ok(()),
        _ => Err(refused("not confirmed")),
    }
}
