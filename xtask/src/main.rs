//! Developer commands: `cargo xtask help` lists them.
#![forbid(unsafe_code)]

mod bench;
mod demo;
mod deny;
mod fixture;
mod fuzz;
mod i386;
mod journey;
mod live;
mod packages;
mod process;
mod rig;
mod test;

use anyhow::Result;
use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Developer commands of p2v.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make a legacy Linux PC's disk, capture it, and run it until its login
    Demo(demo::Args),
    /// Check format and lints, run all tests, build the fuzz targets, run the guest tests in the rig
    Test(test::Args),
    /// Measure speed and memory, and compare with qemu-img, partclone and QEMU
    Bench(bench::Args),
    /// Check licences and sources of all dependencies (installs cargo-deny if it is not there)
    Deny,
    /// Run the fuzz targets, one after the other
    Fuzz(fuzz::Args),
    /// Build the p2v for 32-bit PCs, beside the one for this computer: `p2v live-usb --arch i386` takes it from there
    I386(i386::Args),
    /// Move an old PC as its owner would: from the stick, with keys typed into the guided interface, to the window
    Journey(journey::Args),
    /// Make the live systems, start them by BIOS and UEFI, and prove that they leave the PC's disk alone
    Live(live::Args),
    /// Install the Debian packages that building, running and testing need
    Packages(packages::Args),
    /// Make a disk by its recipe, or find the one that was made before, and print its path
    Fixture(fixture::Args),
    /// Run a command where a hardware-like KVM is: here, or in an emulated machine that has one
    Rig(rig::Args),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Demo(args) => demo::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Test(args) => test::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Bench(args) => bench::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Deny => deny::run().map(|()| ExitCode::SUCCESS),
        Command::Fuzz(args) => fuzz::run(&args).map(|()| ExitCode::SUCCESS),
        Command::I386(args) => i386::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Journey(args) => journey::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Live(args) => live::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Packages(args) => packages::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Fixture(args) => fixture::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Rig(args) => rig::run(&args),
    };
    finish(result)
}

/// Prints an error with its causes, one a line; a message should say what to do next.
fn finish(result: Result<ExitCode>) -> ExitCode {
    result.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}
