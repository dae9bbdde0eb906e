//! Files: what the process may still open by name (Landlock).
//! Source: the kernel's Documentation/userspace-api/landlock.rst.

use super::SandboxError;
use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreated, RulesetCreatedAttr, RulesetStatus, Scope,
};
use std::path::PathBuf;

/// The newest rules that are made; an older kernel keeps those that it knows.
const NEWEST: ABI = ABI::V6;

/// What may be opened. All else is out of reach, by any name.
#[derive(Clone, Debug, Default)]
pub struct Paths {
    /// Folders and files to read.
    pub read: Vec<PathBuf>,
    /// Files to read and write; they exist.
    pub write: Vec<PathBuf>,
    /// A folder in which sockets are made and removed. It may be removed itself when it is empty.
    pub sockets: Option<PathBuf>,
    /// Programs on the desktop are reached by sockets without a place in the file system, too.
    pub desktop: bool,
}

/// How much of it the kernel keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strength {
    /// All of it.
    Full,
    /// An older kernel: files, but not the network or signals.
    Partial,
    /// The kernel has no Landlock.
    None,
}

/// From now on this thread, and those that it starts, open nothing but this by name, and neither connect to nor listen
/// at TCP ports. Paths that do not exist are left out.
pub fn forbid_paths(paths: &Paths) -> Result<Strength, SandboxError> {
    let mut rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(NEWEST))?
        .handle_access(AccessNet::from_all(NEWEST))?
        .scope(Scope::Signal)?;
    if !paths.desktop {
        rules = rules.scope(Scope::AbstractUnixSocket)?;
    }
    let mut rules = rules.create()?;
    for path in &paths.read {
        rules = allow(rules, path, AccessFs::ReadFile | AccessFs::ReadDir)?;
    }
    for path in &paths.write {
        rules = allow(
            rules,
            path,
            AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::Truncate,
        )?;
    }
    if let Some(folder) = &paths.sockets {
        rules = allow(rules, folder, AccessFs::MakeSock | AccessFs::RemoveFile)?;
        if let Some(parent) = folder.parent() {
            // Of a folder with anything in it, the kernel removes nothing by this right.
            rules = allow(rules, &parent.to_owned(), AccessFs::RemoveDir.into())?;
        }
    }
    let status = rules.restrict_self()?;
    Ok(match status.ruleset {
        RulesetStatus::FullyEnforced => Strength::Full,
        RulesetStatus::PartiallyEnforced => Strength::Partial,
        RulesetStatus::NotEnforced => Strength::None,
    })
}

fn allow(rules: RulesetCreated, path: &PathBuf, access: BitFlags<AccessFs>) -> Result<RulesetCreated, SandboxError> {
    let Ok(opened) = PathFd::new(path) else {
        return Ok(rules);
    };
    // A file has no rights of folders.
    let access = if path.is_dir() {
        access
    } else {
        access & AccessFs::from_file(NEWEST)
    };
    Ok(rules.add_rule(PathBeneath::new(opened, access))?)
}
