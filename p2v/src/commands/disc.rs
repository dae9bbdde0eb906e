//! `p2v disc`: another disc in the CD-ROM drive of a running machine.

use super::control;
use crate::cli::DiscArgs;
use crate::disc;
use crate::error::Result;
use std::os::fd::AsFd;
use std::path::Path;

/// Changes the disc.
pub(crate) fn run(args: &DiscArgs) -> Result<()> {
    let (folder, mut client) = control::connect_in(&args.machine)?;
    let changed = if args.disc == Path::new("none") {
        client.eject_disc(args.force)
    } else {
        let disc = disc::open(&args.disc, &folder)?;
        client.insert_disc(disc.as_fd(), args.force)
    };
    changed.map_err(|error| control::failure(&error))
}
