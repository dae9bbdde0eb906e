//! The rig: a place with a hardware-like KVM.
//!
//! Where `/dev/kvm` is backed by VMX or SVM, a command simply runs. Elsewhere (cloud machines, containers, software
//! KVM) it runs in a Debian kernel under QEMU's emulator, which has SVM with nested paging: the whole file system of
//! this machine is there, and what the command writes is dropped, except in `target/rig-out`.

mod image;
mod nested;

use anyhow::Result;
use std::ffi::OsString;
use std::process::{Command, ExitCode};

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
        std::fs::create_dir_all(nested::out_dir())?;
        let mut command = Command::new("timeout");
        command.arg(args.timeout.to_string()).args(&args.command);
        let status = command.status()?;
        return Ok(ExitCode::from(u8::try_from(status.code().unwrap_or(1)).unwrap_or(1)));
    }
    crate::packages::ensure()?;
    nested::run(args)
}

/// Whether `/dev/kvm` opens and the processor has the hardware for it. A software KVM opens too, but runs no
/// Linux or Windows kernel.
pub(crate) fn hardware_kvm() -> bool {
    let has_hardware = std::fs::read_to_string("/proc/cpuinfo").is_ok_and(|text| {
        let flags = text.lines().find(|line| line.starts_with("flags")).unwrap_or_default();
        flags.split_whitespace().any(|flag| flag == "vmx" || flag == "svm")
    });
    has_hardware
        && std::fs::OpenOptions::new()
            .read(true)
            .write(true)
            .open("/dev/kvm")
            .is_ok()
}
