//! `cargo xtask bench`: measures what docs/specification.md promises, each side by side with the program that it is
//! compared with, in the same run, on the same disk, in turn.

mod capture;
mod guest;
mod launch;
mod measure;
mod remote;
mod report;
mod screen;
mod sparse;
mod viewer;

use crate::{packages, process, test};
use anyhow::Result;
use report::Report;
use std::path::PathBuf;

/// Measure speed and memory, and compare with qemu-img, partclone and QEMU.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// How often each measurement is made; the median counts
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Only this part
    #[arg(long, value_enum)]
    only: Option<Part>,
    /// Measure this p2v instead of building one (in the rig, where building takes too long)
    #[arg(long, value_name = "P2V")]
    program: Option<PathBuf>,
    /// Write the table into docs/specification.md
    #[arg(long)]
    write: bool,
    /// The part that runs where the KVM is: a machine folder
    #[arg(long, hide = true)]
    guest: Option<PathBuf>,
}

/// What can be measured apart.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// Capture against qemu-img and partclone
    Capture,
    /// Peak memory of captures
    Memory,
    /// Capture to another computer through ssh, against one to a folder and against ssh itself
    Remote,
    /// A huge sparse disk against a small one with the same contents
    Sparse,
    /// Time to the firmware's first output, and memory of the runner
    Launch,
    /// Frames that reach viewers of the screen, and what that costs the guest
    Screen,
    /// Time to the guest's login, and its disk reads, against QEMU
    Guest,
}

/// Carries out `cargo xtask bench`.
pub(crate) fn run(args: &Args) -> Result<()> {
    if let Some(machine) = &args.guest {
        return guest::inside(machine, args.rounds);
    }
    let program = match &args.program {
        Some(program) => program.clone(),
        None => {
            packages::ensure()?;
            process::run(&mut test::cargo(&["build", "--release", "--package", "p2v"]))?;
            process::target_dir().join("release/p2v")
        }
    };
    let mut report = Report::new()?;
    let wanted = |part: Part| args.only.is_none_or(|only| only == part);
    if wanted(Part::Capture) {
        capture::compare(&program, args.rounds, &mut report)?;
    }
    if wanted(Part::Memory) {
        capture::memory(&program, &mut report)?;
    }
    if wanted(Part::Remote) {
        remote::compare(&program, args.rounds, &mut report)?;
    }
    if wanted(Part::Sparse) {
        sparse::compare(&program, args.rounds, &mut report)?;
    }
    if wanted(Part::Launch) {
        launch::measure(&program, args.rounds, &mut report)?;
    }
    if wanted(Part::Screen) {
        screen::remote(&program, args.rounds, &mut report)?;
        screen::window(&program, args.rounds, &mut report)?;
    }
    if wanted(Part::Guest) {
        guest::compare(&program, args.rounds, &mut report)?;
    }
    println!("{}", report.markdown());
    if args.write {
        report.write(&process::project_root().join("docs/specification.md"))?;
    }
    Ok(())
}
