//! Where serial ports and logs go: files, and this process's terminal.

use super::requests::{Request, Requests};
use crate::bus::{Bus, Shared, lock};
use crate::chipset::serial::SerialPort;
use crate::config::{RunError, SerialConfig};
use crate::device::IrqLine;
use crossbeam_channel::bounded;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Read, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};

/// Opens a file to append to.
pub(super) fn append(path: &Path) -> Result<File, RunError> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .map_err(|source| RunError::System {
            what: format!("open {} for writing", path.display()),
            source,
        })
}

/// Puts a serial port at `base`.
pub(super) fn connect(
    bus: &Bus,
    base: u16,
    irq: Arc<dyn IrqLine>,
    config: &SerialConfig,
    requests: &Requests,
) -> Result<(), RunError> {
    let out: Box<dyn Write + Send> = match config {
        SerialConfig::Null => Box::new(io::sink()),
        SerialConfig::Stdio => Box::new(io::stdout()),
        SerialConfig::File(path) => Box::new(append(path)?),
    };
    let port = Arc::new(Mutex::new(SerialPort::new(irq, out)));
    bus.add_ports(base..base + 8, 1, port.clone());
    if matches!(config, SerialConfig::Stdio) {
        read_stdin(port, requests.clone())?;
    }
    Ok(())
}

/// Starts the thread that hands standard input to the port. It is left alone at the end of the machine: nothing
/// but more input can wake it.
fn read_stdin(port: Shared<SerialPort<Box<dyn Write + Send>>>, requests: Requests) -> Result<(), RunError> {
    let (sender, receiver) = bounded::<Vec<u8>>(16);
    lock(&port).take_input_from(receiver);
    let mut escape = io::stdin().is_terminal().then(Escape::default);
    let body = move || {
        let mut buffer = [0; 256];
        loop {
            match io::stdin().lock().read(&mut buffer) {
                Ok(0) => return,
                Ok(len) => {
                    let mut bytes = buffer.get(..len).unwrap_or_default().to_vec();
                    if let Some(escape) = &mut escape
                        && escape.filter(&mut bytes)
                    {
                        requests.ask(Request::Quit);
                    }
                    if sender.send(bytes).is_err() {
                        return;
                    }
                    lock(&port).refill();
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    };
    std::thread::Builder::new()
        .name("serial-input".into())
        .spawn(body)
        .map(drop)
        .map_err(|source| RunError::System {
            what: "start the thread that reads standard input".into(),
            source,
        })
}

/// The way out of a raw terminal: Ctrl-A, then x ends the machine; Ctrl-A twice sends one.
#[derive(Default)]
struct Escape {
    armed: bool,
}

const CTRL_A: u8 = 1;

impl Escape {
    /// Takes the escape sequences out of `bytes`; true if one of them ends the machine.
    fn filter(&mut self, bytes: &mut Vec<u8>) -> bool {
        let mut quit = false;
        bytes.retain(|byte| {
            if !std::mem::take(&mut self.armed) {
                self.armed = *byte == CTRL_A;
                return !self.armed;
            }
            quit |= matches!(byte, b'x' | b'X');
            *byte == CTRL_A
        });
        quit
    }
}

/// The terminal in raw mode, until this is dropped: every key goes to the guest.
pub(super) struct RawTerminal(Option<Termios>);

impl RawTerminal {
    /// Does nothing if standard input is no terminal.
    pub(super) fn enter(config: &SerialConfig) -> Self {
        if !matches!(config, SerialConfig::Stdio) {
            return RawTerminal(None);
        }
        let stdin = io::stdin();
        let Ok(before) = tcgetattr(&stdin) else {
            return RawTerminal(None);
        };
        let mut raw = before.clone();
        raw.make_raw();
        // Newlines of this process's own messages still return the carriage.
        raw.output_modes = before.output_modes;
        let entered = tcsetattr(&stdin, OptionalActions::Now, &raw).is_ok();
        RawTerminal(entered.then_some(before))
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, before);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ctrl_a_x_ends_even_in_two_pieces() {
        let mut escape = Escape::default();
        let mut bytes = b"ab\x01\x01c\x01".to_vec();
        assert!(!escape.filter(&mut bytes));
        assert_eq!(bytes, b"ab\x01c");
        let mut bytes = b"xy".to_vec();
        assert!(escape.filter(&mut bytes));
        assert_eq!(bytes, b"y");
    }
}
