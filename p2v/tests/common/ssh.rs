//! Another computer: this one, behind a real ssh client and server, which need no port.

use super::*;
use std::ffi::OsString;

/// An ssh server that is started for each connection, and what a client needs to reach it.
pub(crate) struct OtherPc {
    folder: PathBuf,
    /// p2v there, by a name of its own.
    pub(crate) p2v: PathBuf,
}

impl OtherPc {
    pub(crate) fn new(folder: &Path) -> Self {
        let folder = folder.join("ssh");
        fs::create_dir(&folder).unwrap();
        for key in ["host", "user"] {
            run(Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-f"])
                .arg(folder.join(key)));
        }
        // The server insists on it.
        let _ = fs::create_dir_all("/run/sshd");
        let place = folder.display();
        let server = format!(
            "HostKey {place}/host\nAuthorizedKeysFile {place}/user.pub\nStrictModes no\nUsePAM no\nPermitRootLogin yes\n\
             SetEnv XDG_DATA_HOME={place}/data\n"
        );
        fs::write(folder.join("sshd_config"), server).unwrap();
        let client = format!(
            "Host newpc\nProxyCommand /usr/sbin/sshd -i -f {place}/sshd_config -E {place}/sshd.log\n\
             IdentityFile {place}/user\nIdentitiesOnly yes\nUserKnownHostsFile {place}/known\n\
             StrictHostKeyChecking accept-new\nLogLevel ERROR\n\
             Host locked\nProxyCommand /usr/sbin/sshd -i -f {place}/sshd_config\nIdentityFile {place}/host\n\
             IdentitiesOnly yes\nUserKnownHostsFile {place}/known\nStrictHostKeyChecking accept-new\n\
             BatchMode yes\n"
        );
        fs::write(folder.join("config"), client).unwrap();
        let p2v = folder.join("p2v-there");
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_p2v"), &p2v).unwrap();
        OtherPc { folder, p2v }
    }

    /// Arguments of `p2v capture` with which it goes there.
    pub(crate) fn arguments(&self) -> [OsString; 4] {
        let ssh = format!("ssh -F {}", self.folder.join("config").display());
        let p2v = self.p2v.clone().into_os_string();
        ["--ssh".into(), ssh.into(), "--remote-p2v".into(), p2v]
    }

    /// The library there.
    pub(crate) fn library(&self) -> PathBuf {
        self.folder.join("data/p2v/machines")
    }
}
