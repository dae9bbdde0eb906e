//! Another computer: this one, behind a real ssh client and server, which need no port.

use crate::tool;
use anyhow::{Context, Result};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// An ssh server that is started for each connection, and what a client needs to reach it as `newpc`. As `locked` it is
/// reached with a key that it does not know.
pub struct OtherPc {
    folder: PathBuf,
    p2v: PathBuf,
}

impl OtherPc {
    /// Makes keys and configurations in a new folder inside `folder`; `p2v` is installed there.
    ///
    /// # Errors
    /// If a tool is missing or a file cannot be written.
    pub fn new(folder: &Path, p2v: &Path) -> Result<Self> {
        let folder = folder.join("ssh");
        fs::create_dir(&folder)?;
        for key in ["host", "user", "stranger"] {
            let mut keygen = Command::new("ssh-keygen");
            keygen.args(["-q", "-t", "ed25519", "-N", "", "-f"]);
            tool::run(keygen.arg(folder.join(key)))?;
        }
        // The server insists on it.
        fs::create_dir_all("/run/sshd").context("an ssh server needs root")?;
        let place = folder.display();
        let server = format!(
            "HostKey {place}/host\nAuthorizedKeysFile {place}/user.pub\nStrictModes no\nUsePAM no\nPermitRootLogin yes\n\
             SetEnv XDG_DATA_HOME={place}/data\n"
        );
        fs::write(folder.join("sshd_config"), server)?;
        let client = format!(
            "Host newpc\nIdentityFile {place}/user\nHost locked\nIdentityFile {place}/stranger\nBatchMode yes\n\
             Host *\nProxyCommand /usr/sbin/sshd -i -f {place}/sshd_config -E {place}/sshd.log\nIdentitiesOnly yes\n\
             UserKnownHostsFile {place}/known\nStrictHostKeyChecking accept-new\nLogLevel ERROR\n"
        );
        fs::write(folder.join("config"), client)?;
        let there = folder.join("p2v-there");
        std::os::unix::fs::symlink(std::path::absolute(p2v)?, &there)?;
        Ok(OtherPc { folder, p2v: there })
    }

    /// The client, as a shell would split it.
    #[must_use]
    pub fn ssh(&self) -> String {
        format!("ssh -F {}", self.folder.join("config").display())
    }

    /// p2v there, by a name of its own.
    #[must_use]
    pub fn p2v(&self) -> &Path {
        &self.p2v
    }

    /// Arguments of `p2v capture` with which it goes there.
    #[must_use]
    pub fn arguments(&self) -> [OsString; 4] {
        let p2v = self.p2v.clone().into_os_string();
        ["--ssh".into(), self.ssh().into(), "--remote-p2v".into(), p2v]
    }

    /// The library there.
    #[must_use]
    pub fn library(&self) -> PathBuf {
        self.folder.join("data/p2v/machines")
    }
}
