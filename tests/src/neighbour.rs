//! Another computer as its owner knows it: a name in the network, a user, a password. It is this one, behind a real ssh
//! client and server, in a namespace of its own: nothing of this computer changes.

use crate::tool;
use anyhow::{Context, Result};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The user there who may do everything, and another one who may do little.
pub const USERS: [&str; 2] = ["me", "guest"];
/// Their password.
pub const PASSWORD: &str = "correct horse";
/// The same as crypt(5) stores it (`openssl passwd -6`).
const STORED: &str =
    "$6$p2vtests$v6IKBpQ/352CJpwydn218aqwQt5KVnSxTbcoAsnMrSkalL6R5LlP/E71f463pkQjRwpyqokpkcfR/PX7OaTIo/";

/// What a client finds:
///
/// | name | |
/// |---|---|
/// | `newpc` | asks for the password |
/// | `keyed` | the same, and takes only a key, whose passphrase is the [`PASSWORD`] |
/// | `nopasswords` | the same, and takes only a key, of which the client has none |
/// | `bare` | has no p2v |
/// | `noserver` | has no ssh server |
/// | `silent` | never answers |
///
/// Other names are looked for in the network. `newpc` has two folders: `full`, where there is no room, and `locked`, which
/// can only be read.
pub struct Neighbour {
    folder: PathBuf,
}

impl Neighbour {
    /// Makes it in a new folder inside `folder`, and an `ssh` that knows the way to it in `programs`.
    ///
    /// # Errors
    /// If a tool is missing, or this process is not root's.
    pub fn new(folder: &Path, p2v: &Path, programs: &Path) -> Result<Self> {
        let folder = folder.join("neighbour");
        for part in ["", "home", "full", "locked"] {
            fs::create_dir(folder.join(part))?;
        }
        for (key, passphrase) in [("host", ""), ("stranger", ""), ("user", PASSWORD)] {
            let mut keygen = Command::new("ssh-keygen");
            keygen.args(["-q", "-t", "ed25519", "-N", passphrase, "-f"]);
            tool::run(keygen.arg(folder.join(key)))?;
        }
        // The server insists on it.
        fs::create_dir_all("/run/sshd").context("an ssh server needs root")?;
        let place = folder.display();
        let users = fs::read_to_string("/etc/passwd")?;
        let [me, guest] = USERS;
        fs::write(
            folder.join("passwd"),
            format!("{users}{me}:{STORED}:0:0::{place}/home:/bin/sh\n{guest}:{STORED}:65534:65534::/:/bin/sh\n"),
        )?;
        let server = format!(
            "HostKey {place}/host\nAuthorizedKeysFile {place}/user.pub\nStrictModes no\nUsePAM no\nPermitRootLogin yes\n\
             PasswordAuthentication yes\nKbdInteractiveAuthentication no\n"
        );
        fs::write(folder.join("sshd_config"), server)?;
        let p2v = std::path::absolute(p2v)?;
        let p2v = p2v.display();
        let script = format!(
            "set -e\nmount --make-rprivate /\nmount --bind {place}/passwd /etc/passwd\n\
             mount -t tmpfs -o mode=755 none /usr/local/bin\n\
             mount -t tmpfs -o size=64k none {place}/full\nmount -t tmpfs -o ro none {place}/locked\n\
             if [ $1 != bare ]; then touch /usr/local/bin/p2v; mount --bind {p2v} /usr/local/bin/p2v; fi\n\
             shift\nexec /usr/sbin/sshd -i -f {place}/sshd_config -E {place}/sshd.log \"$@\"\n"
        );
        fs::write(folder.join("server"), script)?;
        let client = format!(
            "Host newpc\nPubkeyAuthentication no\nHost keyed\nIdentityFile {place}/user\n\
             Host silent\nProxyCommand sh -c 'cat > /dev/null; :'\nHost noserver\nHostName 127.0.0.1\nPort 1\n\
             Host newpc bare\nProxyCommand unshare -m sh {place}/server %n\n\
             Host keyed nopasswords\nProxyCommand unshare -m sh {place}/server %n -o PasswordAuthentication=no\n\
             Host *\nIdentityFile {place}/none\nIdentitiesOnly yes\nIdentityAgent none\n\
             UserKnownHostsFile {place}/known\nGlobalKnownHostsFile /dev/null\n"
        );
        fs::write(folder.join("config"), client)?;
        fs::create_dir_all(programs)?;
        let ssh = programs.join("ssh");
        fs::write(&ssh, format!("#!/bin/sh\nexec /usr/bin/ssh -F {place}/config \"$@\"\n"))?;
        fs::set_permissions(&ssh, Permissions::from_mode(0o755))?;
        Ok(Neighbour { folder })
    }

    /// A command whose standard input and output are a connection to `newpc`: for computers that have no [`programs`](Self::new).
    #[must_use]
    pub fn connection(&self) -> String {
        format!("unshare -m sh {}/server newpc", self.folder.display())
    }

    /// The user's home folder there.
    #[must_use]
    pub fn home(&self) -> PathBuf {
        self.folder.join("home")
    }

    /// A folder where there is no room.
    #[must_use]
    pub fn full(&self) -> PathBuf {
        self.folder.join("full")
    }

    /// A folder that can only be read.
    #[must_use]
    pub fn locked(&self) -> PathBuf {
        self.folder.join("locked")
    }

    /// The fingerprint of its key, as `ssh-keygen` says it.
    ///
    /// # Errors
    /// If it cannot be asked.
    pub fn fingerprint(&self) -> Result<String> {
        let text = tool::text(Command::new("ssh-keygen").arg("-lf").arg(self.folder.join("host.pub")))?;
        Ok(text.split_whitespace().nth(1).unwrap_or_default().to_owned())
    }

    /// From now on the client knows it already, by its own key or by another one.
    ///
    /// # Errors
    /// If files cannot be read or written.
    pub fn is_known_by(&self, own_key: bool) -> Result<()> {
        let key = fs::read_to_string(self.folder.join(if own_key { "host.pub" } else { "stranger.pub" }))?;
        let names = "newpc,keyed,nopasswords,bare";
        fs::write(self.folder.join("known"), format!("{names} {key}"))?;
        Ok(())
    }
}
