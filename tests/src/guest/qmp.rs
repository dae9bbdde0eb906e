//! A client of QEMU's machine protocol, spoken by QEMU and by `p2v launch`.

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

/// A connection after its greeting.
pub struct Qmp {
    reader: BufReader<UnixStream>,
}

impl Qmp {
    /// Connects and leaves negotiation mode.
    ///
    /// # Errors
    /// If nobody listens, or what listens does not greet as QMP does.
    pub fn connect(socket: &Path) -> Result<Self> {
        let stream = UnixStream::connect(socket).with_context(|| format!("cannot connect to {}", socket.display()))?;
        stream.set_read_timeout(Some(super::PATIENCE))?;
        let mut qmp = Self {
            reader: BufReader::new(stream),
        };
        let greeting = qmp.receive()?;
        if greeting.get("QMP").is_none() {
            bail!("{} greets with {greeting}, not as QMP", socket.display());
        }
        qmp.execute("qmp_capabilities", None)?;
        Ok(qmp)
    }

    /// Executes a command and returns what it returned; events in between are dropped.
    ///
    /// # Errors
    /// If the command fails: the message holds QMP's.
    pub fn execute(&mut self, command: &str, arguments: Option<Value>) -> Result<Value> {
        let mut request = json!({ "execute": command });
        if let (Some(arguments), Some(object)) = (arguments, request.as_object_mut()) {
            object.insert("arguments".into(), arguments);
        }
        let mut line = request.to_string();
        line.push('\n');
        self.reader.get_mut().write_all(line.as_bytes())?;
        loop {
            let mut answer = self.receive()?;
            if let Some(error) = answer.get("error") {
                bail!("{command} failed: {error}");
            }
            if let Some(value) = answer.get_mut("return") {
                return Ok(value.take());
            }
        }
    }

    /// Presses keys together, named by QMP's key codes, and lets them go.
    ///
    /// # Errors
    /// As [`Qmp::execute`].
    pub fn send_key(&mut self, keys: &[&str]) -> Result<()> {
        let keys: Vec<Value> = keys.iter().map(|key| json!({ "type": "qcode", "data": key })).collect();
        self.execute("send-key", Some(json!({ "keys": keys, "hold-time": 20 })))
            .map(|_| ())
    }

    fn receive(&mut self) -> Result<Value> {
        let mut line = String::new();
        if self.reader.read_line(&mut line)? == 0 {
            bail!("the control socket was closed");
        }
        serde_json::from_str(&line).with_context(|| format!("not JSON: {line}"))
    }
}
