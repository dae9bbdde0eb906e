//! `p2v`: move a whole old PC into a window on the new one.
//!
//! Data flows one way: what was typed ([`cli`]) → a plan → the work ([`capture`], [`commands`]) → a report.
#![forbid(unsafe_code)]
// What only running machines need is there all the same.
#![cfg_attr(not(feature = "launch"), allow(dead_code, unused_imports))]

mod askpass;
mod capture;
mod cli;
mod commands;
mod disc;
mod error;
mod guided;
mod launcher;
mod live;
mod machine;
mod report;
mod signals;
mod source;
mod verify;

use clap::Parser;
use cli::Command;
use std::process::ExitCode;

fn main() -> ExitCode {
    if let Some(socket) = askpass::is_meant() {
        return askpass::run(&socket);
    }
    let nothing_typed = std::env::args_os().len() <= 1;
    let result = if nothing_typed && guided::is_there() {
        guided::run()
    } else {
        carry_out(&cli::Cli::parse().command)
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::from(failure.exit as u8)
        }
    }
}

fn carry_out(command: &Command) -> error::Result<()> {
    match command {
        Command::Disks(args) => commands::disks::run(args),
        Command::Inspect(args) => commands::inspect::run(args),
        Command::Capture(args) => commands::capture::run(args),
        Command::Verify(args) => commands::verify::run(args),
        Command::Adapt(args) => commands::adapt::run(args),
        #[cfg(feature = "launch")]
        Command::Launch(args) => commands::launch::run(args),
        Command::List(args) => commands::list::run(args),
        Command::Rename(args) => commands::rename::run(args),
        Command::Remove(args) => commands::remove::run(args),
        Command::Snapshot(command) => commands::snapshot::run(command),
        Command::Reset(args) => commands::reset::run(args),
        Command::Launcher(command) => commands::launcher::run(command),
        #[cfg(feature = "launch")]
        Command::Status(args) => commands::status::run(args),
        #[cfg(feature = "launch")]
        Command::Screenshot(args) => commands::screenshot::run(args),
        #[cfg(feature = "launch")]
        Command::Disc(args) => commands::disc::run(args),
        #[cfg(feature = "launch")]
        Command::Type(args) => commands::type_::run(args),
        #[cfg(feature = "launch")]
        Command::Shutdown(args) => commands::shutdown::run(args),
        Command::LiveUsb(args) => commands::live_usb::run(args),
        Command::Receive => commands::receive::run(),
        Command::Completions(args) => commands::completions::run(args),
        Command::Man => commands::man::run(),
    }
}
