//! `cargo xtask i386`: p2v for the live system of 32-bit PCs.

use crate::{packages, process};
use anyhow::{Context, Result};
use p2v_tests::i386;
use std::fs;

/// Build the p2v for 32-bit PCs, beside the one for this computer: `p2v live-usb --arch i386` takes it from there.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Optimised, as people get it
    #[arg(long)]
    release: bool,
}

/// Carries out `cargo xtask i386`.
pub(crate) fn run(args: &Args) -> Result<()> {
    packages::ensure()?;
    let built = i386::program(args.release)?;
    let folder = process::target_dir().join(if args.release { "release" } else { "debug" });
    let program = folder.join("p2v-i386");
    fs::create_dir_all(&folder)
        .and_then(|()| fs::copy(&built, &program))
        .with_context(|| format!("cannot write {}", program.display()))?;
    println!("{}", program.display());
    Ok(())
}
