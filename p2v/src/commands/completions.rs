//! `p2v completions`: from the same definitions as the command line.

use crate::cli::{Cli, CompletionsArgs};
use crate::error::{Result, print};
use clap::CommandFactory;

/// Prints the completion script of a shell.
pub(crate) fn run(args: &CompletionsArgs) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "p2v", &mut script);
    print(&String::from_utf8_lossy(&script))
}
