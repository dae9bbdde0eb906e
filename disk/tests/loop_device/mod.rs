//! Loop devices: files as disks. Used by the tests of more than one crate.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A loop device on a file; detached when dropped. Needs root.
pub(crate) struct Loop(pub(crate) PathBuf);

impl Loop {
    /// A loop device on `file`, with more options for `losetup`; writable unless they ask for a read-only one.
    pub(crate) fn attach(file: &Path, options: &[&str]) -> Self {
        let output = administer(
            Command::new("losetup")
                .args(["--find", "--show"])
                .args(options)
                .arg(file),
        );
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "loop devices need root: {error}");
        let device = Loop(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
        // A device that was made read-only stays so when it is detached, and whoever was killed could not take that back.
        if !options.iter().any(|option| matches!(*option, "-r" | "--read-only")) {
            device.make_writable();
        }
        device
    }

    /// Its name: `/dev/loop0`.
    pub(crate) fn name(&self) -> &str {
        self.0.to_str().unwrap()
    }

    fn make_writable(&self) {
        let output = administer(Command::new("blockdev").arg("--setrw").arg(&self.0));
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {error}", self.name());
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        // Nothing is asserted here: a test may be failing already.
        for arguments in [["blockdev", "--setrw"], ["losetup", "--detach"]] {
            let _ = administer(Command::new(arguments[0]).arg(arguments[1]).arg(&self.0));
        }
    }
}

fn administer(command: &mut Command) -> Output {
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    command.env("PATH", path).env("LC_ALL", "C.UTF-8").stdin(Stdio::null());
    command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}; it is in the Debian packages mount and util-linux"))
}
