//! `cargo xtask live`: the live systems are made and started in QEMU.

use crate::test::cargo;
use crate::{packages, process};
use anyhow::{Result, ensure};
use p2v_tests::fixtures::live;
use std::fs;
use std::process::Command;

/// What docs/specification.md promises of the image, in bytes.
const LARGEST: u64 = 500_000_000;

/// Make the live systems for 64-bit and 32-bit PCs, start them by BIOS and UEFI, and prove that they leave the PC's disk
/// alone.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Also make the images twice from nothing, and compare: they must be the same
    #[arg(long)]
    twice: bool,
}

/// Carries out `cargo xtask live`.
pub(crate) fn run(args: &Args) -> Result<()> {
    packages::ensure()?;
    for image in [live::image()?, live::image_i386()?] {
        let size = fs::metadata(&image)?.len();
        ensure!(
            size < LARGEST,
            "{} has {size} bytes, more than {LARGEST}",
            image.display()
        );
        eprintln!("{}: {size} bytes", image.display());
    }
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

/// Makes both images twice and compares every byte.
fn twice() -> Result<()> {
    let folder = process::target_dir().join("live");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder)?;
    for make in [live::command, live::command_i386] {
        let images = ["first.iso", "second.iso"].map(|name| folder.join(name));
        for image in &images {
            process::run(make()?.arg("-o").arg(image))?;
        }
        let [first, second] = &images;
        process::run(Command::new("cmp").args([first, second]))?;
        eprintln!("both images are the same");
        for image in &images {
            fs::remove_file(image)?;
        }
    }
    Ok(fs::remove_dir(folder)?)
}
