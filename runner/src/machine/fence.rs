//! Which files and system calls a machine needs while it runs: the rules for its sandbox.

use super::serial_io;
use crate::config::{MachineConfig, RunError, SerialConfig};
use crate::display::DisplayKind;
use crate::sandbox::{self, Paths, SandboxError, Strength};
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// A folder for sockets while the machine runs.
pub(super) struct SocketFolder(PathBuf);

impl SocketFolder {
    /// Makes it for this user alone, or finds it.
    pub(super) fn make(folder: &Path) -> Result<Self, RunError> {
        let made = DirBuilder::new().mode(0o700).create(folder);
        match made {
            Err(source) if source.kind() != io::ErrorKind::AlreadyExists => Err(RunError::System {
                what: format!("make the folder {} for the machine's sockets", folder.display()),
                source,
            }),
            _ => Ok(SocketFolder(folder.to_owned())),
        }
    }
}

impl Drop for SocketFolder {
    fn drop(&mut self) {
        // Other sessions may have sockets in it.
        let _ = std::fs::remove_dir(&self.0);
    }
}

/// Files from now on: only what the machine still opens by name. Everything else is open already.
pub(super) fn close_paths(config: &MachineConfig) -> Result<(), RunError> {
    if !config.sandbox {
        return Ok(());
    }
    let mut paths = Paths {
        sockets: config.sockets.clone(),
        desktop: config.window.is_some(),
        ..Paths::default()
    };
    for display in &config.displays {
        if let DisplayKind::Web { files } = &display.kind {
            paths.read.push(files.clone());
        }
    }
    if config.window.is_some() {
        paths.read.extend(desktop_files());
    }
    let mut written: Vec<&PathBuf> = config.firmware_log.iter().collect();
    if let SerialConfig::File(path) = &config.serial {
        written.push(path);
    }
    for path in written {
        // There must be something to have rights on.
        serial_io::append(path)?;
        paths.write.push(path.clone());
    }
    match sandbox::forbid_paths(&paths).map_err(no_sandbox)? {
        Strength::Full => {}
        Strength::Partial => eprintln!(
            "warning: this computer's kernel has an older Landlock: the machine cannot open files that are not its own, \
             but is not kept from the network"
        ),
        Strength::None => eprintln!(
            "warning: this computer's kernel has no Landlock (Linux 5.13, switched on): the machine runs with a part of \
             its sandbox only"
        ),
    }
    Ok(())
}

/// System calls from now on.
pub(super) fn close_calls(config: &MachineConfig) -> Result<(), RunError> {
    if !config.sandbox {
        return Ok(());
    }
    sandbox::forbid_calls(config.window.is_some()).map_err(no_sandbox)
}

/// What the libraries of a desktop read when they need it: pointers, fonts, keyboard layouts, the right to connect.
fn desktop_files() -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = ["/usr/share", "/usr/lib", "/usr/local/share", "/lib", "/lib64", "/etc"]
        .map(PathBuf::from)
        .to_vec();
    if let Some(home) = std::env::home_dir() {
        let own = [
            ".Xauthority",
            ".XCompose",
            ".icons",
            ".local/share/icons",
            ".config/fontconfig",
        ];
        files.extend(own.map(|name| home.join(name)));
    }
    files.extend(std::env::var_os("XAUTHORITY").map(PathBuf::from));
    files
}

#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
fn no_sandbox(error: SandboxError) -> RunError {
    RunError::Sandbox {
        problem: error.to_string(),
    }
}
