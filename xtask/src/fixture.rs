//! `cargo xtask fixture`: makes a disk by recipe, for use by hand.

use anyhow::{Context, Result};
use p2v_tests::fixtures::debian;

/// Make a disk by its recipe, or find the one that was made before, and print its path.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// debian-i386 or debian-amd64
    name: String,
}

/// Carries out `cargo xtask fixture`.
pub(crate) fn run(args: &Args) -> Result<()> {
    crate::packages::ensure()?;
    let recipe = debian::by_name(&args.name).context("no disk of that name: debian-i386, debian-amd64")?;
    println!("{}", recipe.disk()?.image.display());
    Ok(())
}
