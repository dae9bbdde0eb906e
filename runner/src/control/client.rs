//! The other end of the socket: what `p2v status`, `screenshot`, `type` and `shutdown` do.

use super::framing::{Framer, Piece};
use super::{ClientError, RunState, handover, screendump, socket};
use crate::input::Layout;
use serde_json::{Map, Value, json};
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long a command may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// How long typed keys are held, and the pause after each: slow enough for a BIOS with its buffer of 15 keys.
const TYPING_HOLD: Duration = Duration::from_millis(20);
/// Events kept until somebody asks for them; older ones are dropped.
const MAX_EVENTS: usize = 1024;

/// How long a guest has to open a tray that it has locked, and how often is looked. Linux looks every two seconds.
const EJECT_TIMEOUT: Duration = Duration::from_secs(15);
const EJECT_LOOK: Duration = Duration::from_millis(200);

/// A connection to a running machine, ours or QEMU's.
#[derive(Debug)]
pub struct Client {
    path: PathBuf,
    stream: UnixStream,
    framer: Framer,
    /// Bytes read but not cut yet.
    unread: VecDeque<u8>,
    events: VecDeque<Value>,
}

impl Client {
    /// Connects to the control socket at `path` and negotiates.
    ///
    /// [`ClientError::NotRunning`] tells whether there is no socket or a stale one.
    pub fn connect(path: &Path) -> Result<Self, ClientError> {
        let stream = socket::connect(path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => ClientError::NotRunning {
                path: path.to_owned(),
                stale: false,
            },
            io::ErrorKind::ConnectionRefused => ClientError::NotRunning {
                path: path.to_owned(),
                stale: true,
            },
            _ => ClientError::System {
                path: path.to_owned(),
                source,
            },
        })?;
        let mut client = Client {
            path: path.to_owned(),
            stream,
            framer: Framer::default(),
            unread: VecDeque::new(),
            events: VecDeque::new(),
        };
        let greeting = client.read_object(Instant::now() + ANSWER_TIMEOUT, "greeting", ANSWER_TIMEOUT)?;
        if !greeting.contains_key("QMP") {
            return Err(client.protocol("the greeting is not one of QMP"));
        }
        client.execute("qmp_capabilities", &json!({}))?;
        Ok(client)
    }

    /// Carries out any QMP command and gives what it returned.
    pub fn execute(&mut self, command: &str, arguments: &Value) -> Result<Value, ClientError> {
        let mut line = json!({ "execute": command, "arguments": arguments }).to_string();
        line.push('\n');
        self.stream
            .write_all(line.as_bytes())
            .map_err(|source| self.failed(source))?;
        self.answer(command)
    }

    /// Waits for what a command returns.
    fn answer(&mut self, command: &str) -> Result<Value, ClientError> {
        let deadline = Instant::now() + ANSWER_TIMEOUT;
        loop {
            let mut message = self.read_object(deadline, &format!("answer to `{command}`"), ANSWER_TIMEOUT)?;
            if let Some(value) = message.remove("return") {
                return Ok(value);
            }
            if let Some(error) = message.get("error") {
                let word = |name: &str| error[name].as_str().unwrap_or("?").to_owned();
                return Err(ClientError::Refused {
                    command: command.to_owned(),
                    class: word("class"),
                    description: word("desc"),
                });
            }
            self.keep_event(message)?;
        }
    }

    /// Whether the machine runs.
    pub fn status(&mut self) -> Result<RunState, ClientError> {
        let answer = self.execute("query-status", &json!({}))?;
        match answer["status"].as_str() {
            Some("running") => Ok(RunState::Running),
            Some("shutdown") => Ok(RunState::Shutdown),
            Some(_) => Ok(RunState::Paused),
            None => Err(self.protocol("query-status returned no status")),
        }
    }

    /// Where its remote screens are: `HOST:PORT`, `unix:PATH`, or a page for browsers.
    pub fn displays(&mut self) -> Result<Vec<String>, ClientError> {
        let answer = self.execute("query-vnc-servers", &json!({}))?;
        let servers = answer.as_array().map(Vec::as_slice).unwrap_or_default();
        let one = |server: &Value| {
            let place = &server["server"][0];
            let word = |name: &str| place[name].as_str().unwrap_or("?");
            match (server["url"].as_str(), word("family")) {
                (Some(url), _) => url.to_owned(),
                (None, "unix") => format!("unix:{}", word("host")),
                (None, "ipv6") => format!("[{}]:{}", word("host"), word("service")),
                (None, _) => format!("{}:{}", word("host"), word("service")),
            }
        };
        Ok(servers.iter().map(one).collect())
    }

    /// Saves a PNG of the machine's screen as `path`, whole or not at all. This process opens the file: the machine may
    /// have no right to.
    pub fn screenshot(&mut self, path: &Path) -> Result<(), ClientError> {
        screendump::replace(path, |file| {
            let number = self.hand_over(file.as_fd())?;
            let filename = format!("/dev/fdset/{number}");
            self.execute("screendump", &json!({ "filename": filename, "format": "png" }))
                .map(drop)
        })
        .map_err(|source| ClientError::Save {
            path: path.to_owned(),
            source,
        })?
    }

    /// Puts a disc into the CD-ROM drive: an open image or block device. What is in the drive comes out first, see
    /// [`eject_disc`](Self::eject_disc).
    pub fn insert_disc(&mut self, disc: BorrowedFd<'_>, force: bool) -> Result<(), ClientError> {
        self.eject_disc(force)?;
        let file = self.hand_over(disc)?;
        let filename = format!("/dev/fdset/{file}");
        let arguments = json!({ "device": "ide1-cd0", "filename": filename, "force": force });
        self.execute("blockdev-change-medium", &arguments).map(drop)
    }

    /// Takes the disc out of the CD-ROM drive. A guest that has locked the tray is told, and has some seconds to open it;
    /// with `force` it is not asked.
    pub fn eject_disc(&mut self, force: bool) -> Result<(), ClientError> {
        let arguments = json!({ "device": "ide1-cd0", "force": force });
        let deadline = Instant::now() + EJECT_TIMEOUT;
        let Err(refused) = self.execute("eject", &arguments) else {
            return Ok(());
        };
        while self.disc_is_locked()? {
            if Instant::now() > deadline {
                return Err(refused);
            }
            // The guest opens the tray without an event.
            std::thread::sleep(EJECT_LOOK);
        }
        self.execute("eject", &arguments).map(drop)
    }

    /// Whether there is a disc that the guest has locked in.
    fn disc_is_locked(&mut self) -> Result<bool, ClientError> {
        let drives = self.execute("query-block", &json!({}))?;
        let drives = drives.as_array().map(Vec::as_slice).unwrap_or_default();
        let drive = drives.iter().find(|drive| drive["device"] == "ide1-cd0");
        Ok(drive.is_some_and(|drive| drive["locked"] == true && !drive["inserted"].is_null()))
    }

    /// Hands an open file over; the number by which the machine knows it.
    fn hand_over(&mut self, file: BorrowedFd<'_>) -> Result<u64, ClientError> {
        let message = json!({ "execute": "add-fd" }).to_string() + "\n";
        handover::send(&self.stream, message.as_bytes(), file).map_err(|source| self.failed(source))?;
        let answer = self.answer("add-fd")?;
        let number = answer["fdset-id"].as_u64();
        number.ok_or_else(|| self.protocol("add-fd returned no number"))
    }

    /// Presses the keys (QKeyCode names) together, holds them and releases them.
    pub fn send_keys(&mut self, keys: &[&str], hold: Duration) -> Result<(), ClientError> {
        let keys: Vec<Value> = keys.iter().map(|key| json!({ "type": "qcode", "data": key })).collect();
        let hold = u64::try_from(hold.as_millis()).unwrap_or(u64::MAX);
        self.execute("send-key", &json!({ "keys": keys, "hold-time": hold }))?;
        Ok(())
    }

    /// Types a text on a keyboard with this layout, at about 25 characters a second. Nothing is typed if a character
    /// has no key.
    pub fn type_text(&mut self, layout: &Layout, text: &str) -> Result<(), ClientError> {
        for stroke in layout.keystrokes(text)? {
            self.send_keys(&stroke.keys(), TYPING_HOLD)?;
            std::thread::sleep(TYPING_HOLD);
        }
        Ok(())
    }

    /// Presses the power button.
    pub fn shutdown(&mut self) -> Result<(), ClientError> {
        self.execute("system_powerdown", &json!({})).map(drop)
    }

    /// Presses the reset button.
    pub fn reset(&mut self) -> Result<(), ClientError> {
        self.execute("system_reset", &json!({})).map(drop)
    }

    /// Halts the virtual processors.
    pub fn stop(&mut self) -> Result<(), ClientError> {
        self.execute("stop", &json!({})).map(drop)
    }

    /// Lets the virtual processors run again.
    pub fn cont(&mut self) -> Result<(), ClientError> {
        self.execute("cont", &json!({})).map(drop)
    }

    /// Ends the machine without asking the guest.
    pub fn quit(&mut self) -> Result<(), ClientError> {
        match self.execute("quit", &json!({})) {
            // It may be gone before the answer arrives.
            Ok(_) | Err(ClientError::Closed(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Waits until the event `name` (`SHUTDOWN`, `RESET`, …) comes, or takes it from those that came since the
    /// connection was made. Gives the whole event.
    pub fn wait_for_event(&mut self, name: &str, timeout: Duration) -> Result<Value, ClientError> {
        let deadline = Instant::now() + timeout;
        loop {
            if let Some(at) = self.events.iter().position(|event| event["event"] == name) {
                return Ok(self.events.remove(at).unwrap_or_default());
            }
            let message = self.read_object(deadline, &format!("{name} event"), timeout)?;
            self.keep_event(message)?;
        }
    }

    /// Waits until the machine closes the connection, as it does when it ends.
    pub fn wait_for_end(&mut self, timeout: Duration) -> Result<(), ClientError> {
        let deadline = Instant::now() + timeout;
        loop {
            match self.read_object(deadline, "end", timeout) {
                Ok(_) => {}
                Err(ClientError::Closed(_)) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    fn keep_event(&mut self, message: Map<String, Value>) -> Result<(), ClientError> {
        if !message.contains_key("event") {
            return Err(self.protocol("a message is neither answer nor event"));
        }
        if self.events.len() >= MAX_EVENTS {
            self.events.pop_front();
        }
        self.events.push_back(Value::Object(message));
        Ok(())
    }

    /// The next message, whatever it is.
    fn read_object(
        &mut self,
        deadline: Instant,
        what: &str,
        timeout: Duration,
    ) -> Result<Map<String, Value>, ClientError> {
        loop {
            while let Some(byte) = self.unread.pop_front() {
                match self.framer.push(byte) {
                    Ok(None) => {}
                    Ok(Some(Piece::Object(object))) => {
                        return serde_json::from_slice(&object).map_err(|error| self.protocol(&error.to_string()));
                    }
                    Ok(Some(Piece::Garbage)) => return Err(self.protocol("a line is not JSON")),
                    Err(_) => return Err(self.protocol("a message is too long")),
                }
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let timed_out = || ClientError::Timeout {
                path: self.path.clone(),
                what: what.to_owned(),
                after: timeout,
            };
            if left.is_zero() {
                return Err(timed_out());
            }
            self.stream
                .set_read_timeout(Some(left))
                .map_err(|source| self.failed(source))?;
            let mut buffer = [0; 4096];
            match self.stream.read(&mut buffer) {
                Ok(0) => return Err(ClientError::Closed(self.path.clone())),
                Ok(count) => self.unread.extend(&buffer[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(timed_out()),
                Err(source) => return Err(self.failed(source)),
            }
        }
    }

    fn failed(&self, source: io::Error) -> ClientError {
        match source.kind() {
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => ClientError::Closed(self.path.clone()),
            _ => ClientError::System {
                path: self.path.clone(),
                source,
            },
        }
    }

    fn protocol(&self, detail: &str) -> ClientError {
        ClientError::Protocol {
            path: self.path.clone(),
            detail: detail.to_owned(),
        }
    }
}
