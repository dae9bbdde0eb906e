//! The system's ssh: how it is started, who answers what it asks, and what it said when it ended.

use super::address::Address;
use super::ssh_words::{self, Ended};
use crate::error::{Failure, Result};
use crate::machine::library::shell_word;
use crossbeam_channel::{Receiver, bounded};
use std::ffi::OsString;
use std::io::Read;
use std::path::PathBuf;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// So much of what ssh said last is kept (bytes). A warning of a changed key has about 1 KB.
const KEPT: usize = 8 << 10;
/// How long its last words are waited for: another process may hold its standard error open.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// How the other computer is reached.
#[derive(Clone, Debug)]
pub(crate) struct Way {
    /// The program and its first arguments, as a shell would split them.
    pub(crate) ssh: String,
    /// p2v there.
    pub(crate) p2v: String,
}

/// Who answers ssh's questions, and hears what it says.
#[derive(Clone, Debug)]
pub(crate) enum Asks {
    /// The terminal, past p2v.
    Terminal,
    /// A program that ssh starts for each question (ssh(1), `SSH_ASKPASS`). What ssh says is kept for messages.
    Program(PathBuf),
}

impl Asks {
    /// What ssh's environment and arguments must say for it. `SSH_ASKPASS_REQUIRE` is known to OpenSSH 8.4 and later.
    fn prepare(&self, command: &mut Command) {
        let Asks::Program(program) = self else { return };
        let set: [(&str, OsString); 2] = [
            ("SSH_ASKPASS", program.clone().into_os_string()),
            ("SSH_ASKPASS_REQUIRE", "force".into()),
        ];
        command.envs(set);
        // Somebody looks at a page that says nothing but "connecting".
        command.args(["-o", "ConnectTimeout=20"]);
        command.stderr(Stdio::piped());
    }
}

/// A running ssh.
pub(super) struct Ssh {
    host: String,
    known_as: String,
    child: Child,
    said: Option<Said>,
}

impl Ssh {
    /// Starts p2v there. What it reads and what it says come back with it.
    pub(super) fn start(address: &Address, way: &Way, asks: &Asks) -> Result<(Self, ChildStdin, ChildStdout)> {
        let mut words = way.ssh.split_whitespace();
        let program = words.next().unwrap_or("ssh");
        let mut command = Command::new(program);
        command.args(words);
        asks.prepare(&mut command);
        // The network may be cut without a word; the keys and the rest are the person's own configuration.
        command.args(["-T", "-o", "ServerAliveInterval=15", "-o", "ServerAliveCountMax=4"]);
        command.args(address.arguments());
        command.arg(format!("{} receive", shell_word(&way.p2v)));
        let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = spawned.map_err(|error| {
            Failure::failed(format!("cannot start {program}: {error}")).advice("Install the package openssh-client.")
        })?;
        let said = child.stderr.take().map(Said::listen);
        let (Some(to), Some(from)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(Failure::failed("ssh has no input or output: this is a bug in p2v"));
        };
        let ssh = Ssh {
            host: address.host().to_owned(),
            known_as: address.known_as(),
            child,
            said,
        };
        Ok((ssh, to, from))
    }

    /// Whether it still runs.
    pub(super) fn is_there(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits for its end, and explains that.
    pub(super) fn ended(&mut self) -> Failure {
        let code = self.child.wait().ok().and_then(|status| status.code());
        let said = self.said.as_ref().map(Said::last_words);
        ssh_words::explain(&Ended {
            host: &self.host,
            known_as: &self.known_as,
            code,
            said: said.as_deref(),
        })
    }
}

impl Drop for Ssh {
    fn drop(&mut self) {
        // Without the connection there is nothing to wait for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What ssh prints, the last of it.
struct Said {
    text: Arc<Mutex<Vec<u8>>>,
    /// Closed when there is no more.
    ends: Receiver<()>,
}

impl Said {
    fn listen(mut from: ChildStderr) -> Self {
        let text = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&text);
        let (end, ends) = bounded(0);
        thread::spawn(move || {
            let _end = end;
            let mut part = [0; 1024];
            while let Ok(length @ 1..) = from.read(&mut part) {
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                kept.extend_from_slice(&part[..length]);
                let surplus = kept.len().saturating_sub(KEPT);
                kept.drain(..surplus);
            }
        });
        Said { text, ends }
    }

    fn last_words(&self) -> String {
        let _ = self.ends.recv_timeout(LAST_WORDS);
        let text = self.text.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&text).into_owned()
    }
}
