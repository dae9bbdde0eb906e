//! The guest's serial port: everything it printed, and waiting for more.

use anyhow::{Result, bail};
use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A serial port at the end of two pipes.
pub struct Serial {
    input: Box<dyn Write + Send>,
    shared: Arc<Shared>,
    /// How far into the output earlier waits have come.
    seen: usize,
}

#[derive(Default)]
struct Shared {
    output: Mutex<Output>,
    changed: Condvar,
}

#[derive(Default)]
struct Output {
    bytes: Vec<u8>,
    closed: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Output> {
        self.output.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Serial {
    /// Follows `output` on a thread; `input` is what the guest receives.
    pub fn new(mut output: impl Read + Send + 'static, input: impl Write + Send + 'static) -> Self {
        let shared = Arc::new(Shared::default());
        let follower = Arc::clone(&shared);
        // A hung guest in the rig can be looked at from outside: its output is also written here as it comes.
        let log = std::env::var_os("P2V_SERIAL_LOG");
        let mut log = log.and_then(|path| OpenOptions::new().create(true).append(true).open(path).ok());
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            loop {
                let length = output.read(&mut buffer).unwrap_or(0);
                let new = buffer.get(..length).unwrap_or_default();
                if let Some(log) = &mut log {
                    let _ = log.write_all(new);
                }
                let mut output = follower.lock();
                output.bytes.extend_from_slice(new);
                output.closed = length == 0;
                follower.changed.notify_all();
                if length == 0 {
                    break;
                }
            }
        });
        Self {
            input: Box::new(input),
            shared,
            seen: 0,
        }
    }

    /// Sends text as typed on a terminal.
    ///
    /// # Errors
    /// If nobody reads any more.
    pub fn send(&mut self, text: &str) -> Result<()> {
        self.input.write_all(text.as_bytes())?;
        Ok(self.input.flush()?)
    }

    /// Waits until `text` was printed after what earlier waits found; returns what came up to and with it.
    ///
    /// # Errors
    /// If the output ends or `limit` passes before; the message shows the last lines.
    pub fn wait_for(&mut self, text: &str, limit: Duration) -> Result<String> {
        let deadline = Instant::now() + limit;
        let mut output = self.shared.lock();
        loop {
            let new = output.bytes.get(self.seen..).unwrap_or_default();
            if let Some(at) = new.windows(text.len()).position(|window| window == text.as_bytes()) {
                let found = String::from_utf8_lossy(new.get(..at + text.len()).unwrap_or_default()).into_owned();
                self.seen += at + text.len();
                return Ok(found);
            }
            if output.closed {
                bail!(
                    "the machine ended before it printed {text:?}; its last lines:\n{}",
                    last_lines(&output.bytes)
                );
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                bail!(
                    "{} s without {text:?}; the last lines:\n{}",
                    limit.as_secs(),
                    last_lines(&output.bytes)
                );
            }
            let (guard, _) = self
                .shared
                .changed
                .wait_timeout(output, left)
                .unwrap_or_else(PoisonError::into_inner);
            output = guard;
        }
    }

    /// Waits until the output has ended, which it does when the machine's process does.
    ///
    /// # Errors
    /// If `limit` passes before.
    pub fn wait_for_close(&mut self, limit: Duration) -> Result<()> {
        let output = self.shared.lock();
        let wait = self
            .shared
            .changed
            .wait_timeout_while(output, limit, |output| !output.closed);
        let (output, time) = wait.unwrap_or_else(PoisonError::into_inner);
        if time.timed_out() {
            bail!(
                "the machine runs on after {} s; its last lines:\n{}",
                limit.as_secs(),
                last_lines(&output.bytes)
            );
        }
        Ok(())
    }

    /// Everything printed so far.
    pub fn output(&self) -> Vec<u8> {
        self.shared.lock().bytes.clone()
    }

    /// The last lines printed.
    pub fn tail(&self) -> String {
        last_lines(&self.shared.lock().bytes)
    }
}

fn last_lines(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes).replace('\r', "");
    let lines: Vec<&str> = text.lines().collect();
    lines
        .get(lines.len().saturating_sub(25)..)
        .unwrap_or_default()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn waits_find_texts_in_order_and_across_reads() {
        let (reader, mut writer) = std::io::pipe().unwrap();
        let mut serial = Serial::new(reader, std::io::sink());
        let printer = std::thread::spawn(move || {
            for part in ["boot", "ing\nlog", "in: and login: again"] {
                writer.write_all(part.as_bytes()).unwrap();
            }
        });
        assert_eq!(serial.wait_for("login: ", LONG).unwrap(), "booting\nlogin: ");
        assert_eq!(serial.wait_for("login: ", LONG).unwrap(), "and login: ");
        printer.join().unwrap();
        let error = serial.wait_for("login: ", LONG).unwrap_err().to_string();
        assert!(error.contains("ended before"), "{error}");
    }

    #[test]
    fn a_silent_guest_is_given_up() {
        let (reader, _writer) = std::io::pipe().unwrap();
        let mut serial = Serial::new(reader, std::io::sink());
        assert!(serial.wait_for("x", Duration::from_millis(10)).is_err());
    }
}
