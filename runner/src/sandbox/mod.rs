//! The sandbox around a running machine: a guest that breaks out of a device model finds no files, no network and no
//! programs to start. What it is meant to stop, and what not, is in docs/threat-model.md.
//!
//! Two fences, both for good. [`paths`] (Landlock) comes early: what the machine needs was opened before, and threads
//! that are started later inherit it. [`calls`] (seccomp) comes last, just before the guest runs, for all threads.

mod calls;
mod paths;

pub use calls::forbid_calls;
pub use paths::{Paths, Strength, forbid_paths};

/// Why there is no sandbox.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The kernel refused the rules for files.
    #[error("cannot keep the machine away from files: {0}")]
    Landlock(#[from] landlock::RulesetError),
    /// The kernel refused the list of system calls.
    #[error("cannot limit the machine's system calls: {0}")]
    Seccomp(#[from] seccompiler::Error),
    /// The list of system calls is wrong.
    #[error("cannot limit the machine's system calls: {0}")]
    Filter(#[from] seccompiler::BackendError),
}
