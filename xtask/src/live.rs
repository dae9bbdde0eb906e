//! `cargo xtask live`: the live system is made and started in QEMU.

use crate::test::cargo;
use crate::{packages, process};
use anyhow::{Result, ensure};
use p2v_tests::fixtures::live;
use p2v_tests::p2v;
use std::fs;
use std::process::Command;

/// What docs/specification.md promises of the image, in bytes.
const LARGEST: u64 = 500_000_000;

/// Make the live system, start it by BIOS and by UEFI, and prove that it leaves the PC's disk alone.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Also make the image twice from nothing, and compare: it must be the same
    #[arg(long)]
    twice: bool,
}

/// Carries out `cargo xtask live`.
pub(crate) fn run(args: &Args) -> Result<()> {
    packages::ensure()?;
    let size = fs::metadata(live::image()?)?.len();
    ensure!(size < LARGEST, "the image has {size} bytes, more than {LARGEST}");
    eprintln!("the image: {size} bytes");
    process::run(&mut cargo(&[
        "test",
        "--package",
        "p2v-tests",
        "--test",
        "live",
        "--",
        "--test-threads=1",
        "--nocapture",
    ]))?;
    if args.twice {
        twice()?;
    }
    Ok(())
}

/// Makes the image twice and compares every byte.
fn twice() -> Result<()> {
    let folder = process::target_dir().join("live");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder)?;
    let images = ["first.iso", "second.iso"].map(|name| folder.join(name));
    for image in &images {
        process::run(Command::new(p2v::binary()?).args(["live-usb", "-o"]).arg(image))?;
    }
    let [first, second] = &images;
    process::run(Command::new("cmp").args([first, second]))?;
    eprintln!("both images are the same");
    Ok(fs::remove_dir_all(folder)?)
}
