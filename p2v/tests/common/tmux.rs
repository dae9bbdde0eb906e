//! The guided interface in a terminal of 80x25 characters, made by tmux: keys in, characters out.

use super::run;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// No screen of a test takes so long.
const LIMIT: Duration = Duration::from_secs(180);

/// What the shell in the terminal does: something that the screen is full of, as after the start of a system, p2v, then what
/// it left behind. Programs of a test stand before those of the system.
const SCRIPT: &str = "PATH=$PROGRAMS:$PATH; seq -s' INIT: ' 400
before=$(stty -g); \"$P2V\"; status=$?
[ \"$before\" = \"$(stty -g)\" ] && echo \"left with $status, the terminal as before\"
exec sleep 1000000\n";

/// A terminal in which p2v runs. It is closed when dropped.
pub(crate) struct Tmux {
    socket: PathBuf,
}

impl Tmux {
    /// Starts p2v without arguments; `disks` are all that the computer has.
    pub(crate) fn start(folder: &Path, disks: &[&Path]) -> Self {
        Self::start_with(folder, disks, &[])
    }

    /// The same, with more in its environment.
    pub(crate) fn start_with(folder: &Path, disks: &[&Path], environment: &[(&str, &Path)]) -> Self {
        // Each has a server of its own: the last one may still be about to end.
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let tmux = Tmux {
            socket: folder.join(format!("tmux-{number}")),
        };
        let script = folder.join("session.sh");
        fs::write(&script, SCRIPT).unwrap();
        let config = folder.join("tmux.conf");
        fs::write(
            &config,
            // Linux's console, on which the stick starts, has no alternate screen.
            "set -g status off\nset -g escape-time 0\nset -g history-limit 1000\nsetw -g alternate-screen off\n",
        )
        .unwrap();
        let set = |name: &str, value: OsString| {
            let mut text = OsString::from(name);
            text.push("=");
            text.push(value);
            text
        };
        let disks = std::env::join_paths(disks).unwrap();
        let more = environment
            .iter()
            .flat_map(|(name, value)| ["-e".into(), set(name, value.into())]);
        run(tmux
            .command()
            .arg("-f")
            .arg(config)
            .args(["new-session", "-d", "-x", "80", "-y", "25"])
            .arg("-e")
            .arg(set("P2V", env!("CARGO_BIN_EXE_p2v").into()))
            .arg("-e")
            .arg(set("P2V_GUIDED_DISKS", disks))
            .arg("-e")
            .arg(set("PROGRAMS", folder.join("bin").into()))
            .arg("-e")
            .arg(set("P2V_MACHINES", folder.join("library").into()))
            .args(more)
            .arg("sh")
            .arg(&script));
        tmux
    }

    fn command(&self) -> Command {
        let mut command = Command::new("tmux");
        command.arg("-u").arg("-S").arg(&self.socket);
        command
    }

    /// What is on the screen.
    pub(crate) fn screen(&self) -> String {
        run(self.command().args(["capture-pane", "-p"]))
    }

    /// Waits until the screen holds `words`, in which blanks stand for any gap, and returns it.
    pub(crate) fn wait_for(&self, words: &str) -> String {
        self.wait_until(words, |screen| squeezed(screen).contains(&squeezed(words)))
    }

    /// Waits until the screen is as `right` says.
    pub(crate) fn wait_until(&self, what: &str, right: impl Fn(&str) -> bool) -> String {
        let begun = Instant::now();
        loop {
            let screen = self.screen();
            if right(&screen) {
                return screen;
            }
            assert!(begun.elapsed() < LIMIT, "no `{what}` on the screen:\n{screen}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Presses keys, by tmux's names: `Enter`, `Down`, `q`.
    pub(crate) fn press(&self, keys: &[&str]) {
        run(self.command().arg("send-keys").args(keys));
    }

    /// Presses keys and waits for what they lead to.
    pub(crate) fn go(&self, keys: &[&str], words: &str) -> String {
        self.press(keys);
        self.wait_for(words)
    }

    /// Types text.
    pub(crate) fn type_text(&self, text: &str) {
        run(self.command().args(["send-keys", "-l", "--", text]));
    }

    /// Moves the choice in a list down until `words` stand in its line.
    pub(crate) fn choose(&self, words: &str) {
        let chosen = |screen: &str| {
            let line = screen.lines().find(|line| line.starts_with(" > "));
            line.map(str::to_owned)
        };
        for _ in 0..20 {
            let now = chosen(&self.screen()).unwrap();
            if now.contains(words) {
                return;
            }
            self.press(&["Down"]);
            self.wait_until("another choice", |screen| chosen(screen).as_ref() != Some(&now));
        }
        panic!("no `{words}` in the list:\n{}", self.screen());
    }

    /// Waits until p2v has left with `status`, and the terminal is as it was before.
    pub(crate) fn wait_for_end(&self, status: i32) -> String {
        let screen = self.wait_for(&format!("left with {status}, the terminal as before"));
        assert!(!screen.contains("INIT") && !screen.contains("Q: leave"), "{screen}");
        screen
    }

    /// The process IDs of the p2v in the terminal.
    pub(crate) fn pid(&self) -> String {
        let shell = run(self.command().args(["display-message", "-p", "#{pane_pid}"]));
        run(Command::new("ps").args(["-o", "pid=", "--ppid", shell.trim()]))
            .trim()
            .to_owned()
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        let _ = super::start(self.command().arg("kill-server"));
    }
}

/// Without line ends and gaps: a sentence may be cut anywhere.
fn squeezed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
