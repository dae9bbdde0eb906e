//! Words for guest tests: start a machine, wait for what it prints, type, take a screenshot, switch it off.
//!
//! A machine is `p2v launch` or, for comparison, QEMU on the same disk: both have their serial port on standard input
//! and output and a control socket that speaks QMP. Every wait is for an event; time limits are only there so that a
//! broken guest ends the test, and are generous because the machine may be emulated (`cargo xtask rig`).

mod qmp;
mod screen;
mod serial;

pub use qmp::Qmp;
pub use serial::Serial;

use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How long a guest may take for one step. A hung guest is found by this; nothing is timed by it.
pub const PATIENCE: Duration = Duration::from_secs(900);

/// After which time a key without effect is pressed once more.
const PRESS_AGAIN: Duration = Duration::from_secs(10);

/// A running machine. It is killed when dropped.
pub struct Guest {
    child: Child,
    serial: Serial,
    control: PathBuf,
    patience: Duration,
}

/// What QEMU is to run, for comparison with `p2v launch`.
pub struct Qemu {
    /// Guest memory in MiB.
    pub memory: u32,
    /// The disk: a raw or qcow2 image, whose format is given.
    pub disk: PathBuf,
    /// `raw` or `qcow2`.
    pub format: &'static str,
    /// `kvm` or `tcg`.
    pub accelerator: &'static str,
    /// What the disk hangs on: `ide` or `virtio`.
    pub interface: &'static str,
}

impl Guest {
    /// Starts `p2v launch` headless on a machine folder, with more arguments if wanted.
    ///
    /// # Errors
    /// If `p2v` cannot be started.
    pub fn launch(folder: &Path, arguments: &[&str]) -> Result<Self> {
        let mut command = Command::new(crate::p2v::binary()?);
        command
            .arg("launch")
            .arg(folder)
            .args(["--headless", "--serial", "stdio"])
            .args(arguments);
        if arguments.contains(&"--ephemeral") {
            return Self::start_ephemeral(command, folder);
        }
        Self::start(command, folder.join("run/control.sock"))
    }

    /// Starts a `p2v launch --ephemeral` of the machine in a folder: its socket has its process's number.
    ///
    /// # Errors
    /// As [`Guest::start`].
    pub fn start_ephemeral(command: Command, folder: &Path) -> Result<Self> {
        let mut guest = Self::start(command, PathBuf::new())?;
        guest.control = folder.join(format!("run/control-{}.sock", guest.child.id()));
        Ok(guest)
    }

    /// Starts QEMU with the hardware that `p2v launch` has; what the guest writes is dropped.
    ///
    /// # Errors
    /// If QEMU cannot be started.
    pub fn qemu(machine: &Qemu, control: &Path) -> Result<Self> {
        Self::qemu_with(machine, control, &[])
    }

    /// The same with more arguments.
    ///
    /// # Errors
    /// If QEMU cannot be started.
    pub fn qemu_with(machine: &Qemu, control: &Path, more: &[&str]) -> Result<Self> {
        let mut command = Command::new("qemu-system-x86_64");
        // vmport and the APIC page make QEMU write registers back in mid-run, which the rig's emulated SVM cannot take.
        command
            .args([
                "-M",
                "pc,vmport=off",
                "-accel",
                machine.accelerator,
                "-global",
                "kvm-apic.vapic=off",
                "-m",
            ])
            .arg(machine.memory.to_string())
            .args([
                "-display",
                "none",
                "-monitor",
                "none",
                "-serial",
                "stdio",
                "-net",
                "none",
                "-no-user-config",
            ])
            .arg("-drive")
            .arg(format!(
                "file={},format={},if={},snapshot=on",
                machine.disk.display(),
                machine.format,
                machine.interface
            ))
            .arg("-qmp")
            .arg(format!("unix:{},server=on,wait=off", control.display()));
        if machine.accelerator == "kvm" {
            command.args(["-cpu", "host"]);
        }
        command.args(more);
        Self::start(command, control.to_owned())
    }

    /// Starts any command whose standard input and output are a guest's serial port.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start(mut command: Command, control: PathBuf) -> Result<Self> {
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit());
        let mut child = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
        let (output, input) = (
            child.stdout.take().context("no output pipe")?,
            child.stdin.take().context("no input pipe")?,
        );
        Ok(Self {
            child,
            serial: Serial::new(output, input),
            control,
            patience: PATIENCE,
        })
    }

    /// Waits at most this long for each thing that the guest is to print, in the place of [`PATIENCE`].
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// The serial port.
    pub fn serial(&mut self) -> &mut Serial {
        &mut self.serial
    }

    /// Waits until the guest has printed `text` on its serial port, after what was waited for before. Returns
    /// everything up to and with it.
    ///
    /// # Errors
    /// If the machine ends or its patience runs out; the message shows the last lines that it printed.
    pub fn wait_for(&mut self, text: &str) -> Result<String> {
        self.serial.wait_for(text, self.patience)
    }

    /// Types a line on the serial port.
    ///
    /// # Errors
    /// If the machine has ended.
    pub fn type_line(&mut self, line: &str) -> Result<()> {
        self.serial.send(&format!("{line}\r"))
    }

    /// Logs in over the serial port and sets a prompt that no other output looks like.
    ///
    /// # Errors
    /// As [`Guest::wait_for`].
    pub fn login(&mut self, user: &str, password: &str) -> Result<()> {
        self.wait_for("login: ")?;
        self.type_line(user)?;
        self.wait_for("Password: ")?;
        self.type_line(password)?;
        self.prompt()
    }

    /// Sets a prompt that no other output looks like, once root's shell has shown its own.
    ///
    /// # Errors
    /// As [`Guest::wait_for`].
    pub fn prompt(&mut self) -> Result<()> {
        // What is typed before is dropped by login.
        self.wait_for(":~# ")?;
        // The plain shell, whose line editor draws nothing. In two parts, so that the echo is not taken for the prompt.
        self.type_line("dmesg -n 1; PS1='p2v''-prompt> ' exec sh")?;
        self.wait_for("p2v-prompt> ").map(|_| ())
    }

    /// Logs in at the screen's first console, with the keyboard.
    ///
    /// # Errors
    /// As [`Guest::wait_for_screen`].
    pub fn login_at_screen(&mut self, user: &str, password: &str) -> Result<()> {
        self.wait_for_screen("login:")?;
        self.type_keys(&format!("{user}\n"))?;
        // Only letters that Linux's console font draws as the BIOS does.
        self.wait_for_screen("Pass")?;
        self.type_keys(&format!("{password}\n"))?;
        self.wait_for_screen("oldpc:").map(|_| ())
    }

    /// Runs a shell command after [`Guest::login`] and returns what it printed.
    ///
    /// # Errors
    /// If the command fails, and as [`Guest::wait_for`].
    pub fn shell(&mut self, command: &str) -> Result<String> {
        self.type_line(&format!("{command}; echo p2v-stat''us=$?"))?;
        let output = self.wait_for("p2v-status=")?;
        let rest = self.wait_for("p2v-prompt> ")?;
        let status = rest.split_whitespace().next().unwrap_or_default();
        let output = output.replace('\r', "");
        // The first line is the echo of the command.
        let printed = output
            .split_once('\n')
            .map_or("", |(_, printed)| printed)
            .trim_end_matches("p2v-status=");
        if status != "0" {
            bail!("in the guest, `{command}` failed with status {status}:\n{printed}");
        }
        Ok(printed.to_owned())
    }

    /// A connection to the control socket.
    ///
    /// # Errors
    /// If the machine ends before there is one, or it does not speak QMP.
    pub fn control(&mut self) -> Result<Qmp> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match Qmp::connect(&self.control) {
                Ok(qmp) => return Ok(qmp),
                Err(error) if self.child.try_wait()?.is_some() || Instant::now() > deadline => {
                    return Err(error).context("no control socket");
                }
                // The socket is made while the machine starts: there is no event to wait for.
                Err(_) => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    }

    /// Types text on the keyboard, through the control socket; `\n` is the Enter key.
    ///
    /// # Errors
    /// If a character has no key, or the control socket refuses.
    pub fn type_keys(&mut self, text: &str) -> Result<()> {
        let mut control = self.control()?;
        for stroke in runner::input::Layout::default().keystrokes(text)? {
            control.send_key(&stroke.keys())?;
        }
        Ok(())
    }

    /// Writes the screen to a PNG file.
    ///
    /// # Errors
    /// If the control socket refuses.
    pub fn screenshot(&mut self, file: &Path) -> Result<()> {
        // The machine may not open the file itself.
        self.control()?;
        runner::control::Client::connect(&self.control)?.screenshot(file)?;
        // For a look from outside the rig: see also P2V_SERIAL_LOG.
        if let Some(copy) = std::env::var_os("P2V_SCREEN_COPY") {
            std::fs::copy(file, copy)?;
        }
        Ok(())
    }

    /// The text on the screen, which must be in a text mode with the VGA BIOS's font.
    ///
    /// # Errors
    /// If the control socket refuses, or the picture cannot be read.
    pub fn screen_text(&mut self) -> Result<String> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("screen.png");
        self.screenshot(&file)?;
        screen::text(&file)
    }

    /// Waits until the screen shows `text`, and returns all that it shows then.
    ///
    /// # Errors
    /// If the machine ends or [`PATIENCE`] runs out; the message shows the screen.
    pub fn wait_for_screen(&mut self, text: &str) -> Result<String> {
        self.watch_screen(&format!("{text:?} to appear"), |screen| screen.contains(text))
    }

    /// Types a line on the keyboard a few keys at a time, waiting for them to appear on the screen: a slow firmware's
    /// keyboard buffer holds 15 keys.
    ///
    /// # Errors
    /// As [`Guest::wait_for_screen`] and [`Guest::type_keys`].
    pub fn type_at_screen(&mut self, line: &str) -> Result<()> {
        let mut typed = String::new();
        for part in line.split_inclusive(' ').flat_map(|word| word.as_bytes().chunks(8)) {
            let part = std::str::from_utf8(part)?;
            self.type_keys(part)?;
            typed.push_str(part);
            self.wait_for_screen(typed.trim_end())?;
        }
        self.type_keys("\n")
    }

    /// Presses keys together, again and again, until the screen shows `text`: for a guest that may not listen yet, or
    /// that takes the first press for something else.
    ///
    /// # Errors
    /// As [`Guest::wait_for_screen`].
    pub fn press_until_screen(&mut self, keys: &[&str], text: &str) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.control()?.send_key(keys)?;
            let (screen, reached) = self.look(PRESS_AGAIN, |screen| screen.contains(text))?;
            if reached {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!(
                    "pressed {keys:?} for {} s, but {text:?} did not appear on the screen, which shows:\n{screen}",
                    PATIENCE.as_secs()
                );
            }
        }
    }

    /// Waits until the text on the screen is as `reached` says, and returns it; `what` is for the message.
    ///
    /// # Errors
    /// As [`Guest::wait_for_screen`].
    pub fn watch_screen(&mut self, what: &str, reached: impl Fn(&str) -> bool) -> Result<String> {
        let patience = self.patience;
        match self.look(patience, reached)? {
            (screen, true) => Ok(screen),
            (screen, false) => bail!(
                "waited {} s for {what} on the screen, which shows:\n{screen}",
                patience.as_secs()
            ),
        }
    }

    /// Looks at the screen until it is as wanted or the time is over. Returns what it showed last, and which it was.
    fn look(&mut self, time: Duration, reached: impl Fn(&str) -> bool) -> Result<(String, bool)> {
        let deadline = Instant::now() + time;
        loop {
            let screen = self.screen_text()?;
            let reached = reached(&screen);
            if reached || Instant::now() > deadline {
                return Ok((screen, reached));
            }
            // A screen sends no event when it changes: it is looked at again and again.
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Presses the power button.
    ///
    /// # Errors
    /// If the control socket refuses.
    pub fn power_button(&mut self) -> Result<()> {
        self.control()?.execute("system_powerdown", None).map(|_| ())
    }

    /// Waits until the machine's process has ended by itself.
    ///
    /// # Errors
    /// If [`PATIENCE`] runs out.
    pub fn wait_for_end(&mut self) -> Result<ExitStatus> {
        // The serial port's pipe closes when the process ends.
        self.serial.wait_for_close(PATIENCE)?;
        self.child.wait().context("cannot wait for the machine")
    }

    /// Waits until the machine's process has ended, and fails unless it ended well.
    ///
    /// # Errors
    /// As [`Guest::wait_for_end`], or if it reports failure.
    pub fn expect_end(&mut self) -> Result<()> {
        let status = self.wait_for_end()?;
        if !status.success() {
            bail!(
                "the machine ended with {status}; it last printed:\n{}",
                self.serial.tail()
            );
        }
        Ok(())
    }

    /// Kills the process as a power cut would (SIGKILL).
    ///
    /// # Errors
    /// If it cannot be killed.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// The process's id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}
