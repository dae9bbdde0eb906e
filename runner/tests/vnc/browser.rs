//! Headless Chromium, driven by its DevTools protocol.

use super::common::PATIENCE;
use super::viewers::Running;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use tempfile::TempDir;
use tungstenite::{Message, WebSocket};

/// A browser with one page.
pub(crate) struct Browser {
    socket: WebSocket<TcpStream>,
    session: String,
    next_id: u64,
    _process: Running,
    _profile: TempDir,
}

impl Browser {
    pub(crate) fn start() -> Self {
        let profile = TempDir::new().unwrap();
        let mut process = Command::new("chromium")
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--no-first-run",
            ])
            .args([
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
            ])
            .args(["--no-proxy-server", "--remote-debugging-port=0"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("chromium must be installed (Debian package chromium)");
        let mut errors = BufReader::new(process.stderr.take().unwrap()).lines();
        let process = Running(process);
        let url = loop {
            let line = errors.next().expect("chromium says where its DevTools are").unwrap();
            if let Some(url) = line.strip_prefix("DevTools listening on ") {
                break url.to_owned();
            }
        };
        // It must not find its standard error closed or full.
        std::thread::spawn(move || errors.for_each(drop));
        let address = url.strip_prefix("ws://").unwrap().split('/').next().unwrap();
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let (socket, _) = tungstenite::client(url.as_str(), stream).unwrap();
        let mut browser = Browser {
            socket,
            session: String::new(),
            next_id: 0,
            _process: process,
            _profile: profile,
        };
        let target = browser.ask("Target.createTarget", json!({ "url": "about:blank" }));
        let attached = browser.ask(
            "Target.attachToTarget",
            json!({ "targetId": target["targetId"], "flatten": true }),
        );
        browser.session = attached["sessionId"].as_str().unwrap().to_owned();
        browser
    }

    #[allow(clippy::needless_pass_by_value, reason = "callers write the value down")]
    fn ask(&mut self, method: &str, parameters: Value) -> Value {
        self.next_id += 1;
        let mut message = json!({ "id": self.next_id, "method": method, "params": parameters });
        if !self.session.is_empty() {
            message["sessionId"] = json!(self.session);
        }
        self.socket.send(Message::text(message.to_string())).unwrap();
        loop {
            let Message::Text(answer) = self.socket.read().unwrap() else {
                continue;
            };
            let answer: Value = serde_json::from_str(&answer).unwrap();
            if answer["id"] == self.next_id {
                assert!(answer["error"].is_null(), "{method}: {answer}");
                return answer["result"].clone();
            }
        }
    }

    pub(crate) fn open(&mut self, url: &str) {
        let result = self.ask("Page.navigate", json!({ "url": url }));
        assert!(result["errorText"].is_null(), "{result}");
    }

    /// The value of an expression in the page.
    pub(crate) fn evaluate(&mut self, expression: &str) -> Value {
        let parameters = json!({ "expression": expression, "returnByValue": true });
        self.ask("Runtime.evaluate", parameters)["result"]["value"].clone()
    }

    /// Presses a key of a US keyboard: its code and what it types.
    pub(crate) fn press(&mut self, code: &str, key: &str, number: u32) {
        for (kind, text) in [("keyDown", key), ("keyUp", "")] {
            let parameters = json!({
                "type": kind, "code": code, "key": key, "text": text,
                "windowsVirtualKeyCode": number, "nativeVirtualKeyCode": number,
            });
            self.ask("Input.dispatchKeyEvent", parameters);
        }
    }

    /// Presses or releases a key that types nothing.
    pub(crate) fn key(&mut self, code: &str, key: &str, number: u32, down: bool) {
        let parameters = json!({
            "type": if down { "rawKeyDown" } else { "keyUp" }, "code": code, "key": key,
            "windowsVirtualKeyCode": number, "nativeVirtualKeyCode": number,
        });
        self.ask("Input.dispatchKeyEvent", parameters);
    }
}
