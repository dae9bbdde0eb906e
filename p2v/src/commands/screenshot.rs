//! `p2v screenshot`: the running machine writes a PNG of its screen.

use super::control;
use crate::cli::ScreenshotArgs;
use crate::error::Result;

/// Saves the screen.
pub(crate) fn run(args: &ScreenshotArgs) -> Result<()> {
    let mut client = control::connect_running(&args.machine)?;
    client
        .screenshot(&args.output)
        .map_err(|error| control::failure(&error))
}
