//! The rig: a place with a hardware-like KVM.
//!
//! Where `/dev/kvm` is backed by VMX or SVM, a command simply runs. Elsewhere (cloud machines, containers, software
//! KVM) it runs in a Debian kernel under QEMU's emulator, which has SVM with nested paging: the whole file system of
//! this machine is there, and what the command writes is dropped, except in `target/rig-out`.

mod image;
mod nested;

pub(crate) use nested::out_dir;

use anyhow::{Result, bail};
use std::ffi::OsString;
use std::process::{Command, ExitCode};
use std::time::Duration;

/// Run a command where a hardware-like KVM is.
#[derive(clap::Args, Clone)]
pub(crate) struct Args {
    /// Seconds until the command is given up
    #[arg(long, default_value_t = 3600)]
    timeout: u64,
    /// Memory of the emulated machine, in MiB
    #[arg(long, default_value_t = 3072)]
    memory: u32,
    /// Use the emulated machine even if this one has a hardware KVM
    #[arg(long)]
    nested: bool,
    /// The command and its arguments
    #[arg(last = true, required = true)]
    command: Vec<OsString>,
}

/// Runs the command and passes its output and exit status on.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    if !args.nested && hardware_kvm() {
        std::fs::create_dir_all(out_dir())?;
        let mut command = Command::new("timeout");
        command.arg(args.timeout.to_string()).args(&args.command);
        let status = command.status()?;
        return Ok(ExitCode::from(u8::try_from(status.code().unwrap_or(1)).unwrap_or(1)));
    }
    crate::packages::ensure()?;
    nested::run(args)
}

/// Runs a command as [`run`] does, and fails unless it succeeds.
pub(crate) fn execute(command: &Command, limit: Duration) -> Result<()> {
    let words = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(OsString::from)
        .collect();
    let place = if hardware_kvm() { "" } else { "in the rig: " };
    eprintln!("+ {place}{}", crate::process::display(command));
    let status = run(&Args {
        timeout: limit.as_secs(),
        memory: 3072,
        nested: false,
        command: words,
    })?;
    if status != ExitCode::SUCCESS {
        bail!("{} failed", crate::process::display(command));
    }
    Ok(())
}

/// Whether there is a KVM that runs any guest, not only firmware.
pub(crate) fn hardware_kvm() -> bool {
    runner::kvm::probe() == runner::kvm::KvmStatus::Hardware
}
