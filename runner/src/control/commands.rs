//! The commands of the control socket: JSON in, a call of [`Control`], JSON out.
//! Names, arguments and answers are those of the QEMU QMP reference manual.

use super::handover::Files;
use super::screendump::{self, Format};
use super::{Control, RunState};
use super::{discs, displays};
use crate::input::{InputEvent, keycodes};
use crossbeam_channel::Receiver;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use std::path::PathBuf;
use std::time::Duration;

/// Longest time `send-key` holds keys down.
const MAX_HOLD: Duration = Duration::from_secs(10);

/// The first line of every connection.
pub(super) fn greeting() -> String {
    json!({ "QMP": { "version": version(), "capabilities": [] } }).to_string()
}

/// The answer to something that is not a JSON object.
pub(super) fn not_json() -> String {
    respond(Err(Failure::generic("JSON parse error, expecting an object")), None)
}

/// A refused command.
pub(super) struct Failure {
    class: &'static str,
    description: String,
}

impl Failure {
    pub(super) fn generic(description: impl Into<String>) -> Self {
        Failure {
            class: "GenericError",
            description: description.into(),
        }
    }

    fn not_found(description: impl Into<String>) -> Self {
        Failure {
            class: "CommandNotFound",
            description: description.into(),
        }
    }
}

pub(super) type Answer = Result<Value, Failure>;

/// What one client has said so far.
pub(super) struct Session<'a> {
    pub(super) control: &'a dyn Control,
    /// Files that came with its messages.
    pub(super) files: Files,
    /// Closes when the server stops; interrupts holding keys.
    stopping: &'a Receiver<()>,
    negotiated: bool,
}

type Handler = fn(&mut Session<'_>, Value) -> Answer;

/// Every command after negotiation; `query-commands` lists them.
const COMMANDS: &[(&str, Handler)] = &[
    ("query-version", |_, _| Ok(version())),
    ("query-commands", |_, _| Ok(query_commands())),
    ("query-status", |session, _| Ok(session.query_status())),
    ("query-name", |_, _| Ok(json!({}))),
    ("query-vnc", |session, _| Ok(displays::vnc(&session.control.displays()))),
    ("query-vnc-servers", |session, _| {
        Ok(displays::servers(&session.control.displays()))
    }),
    ("query-block", |session, _| {
        Ok(discs::query(session.control.disc().as_ref()))
    }),
    ("add-fd", |session, arguments| session.add_fd(arguments)),
    ("remove-fd", |session, arguments| session.remove_fd(arguments)),
    ("blockdev-change-medium", |session, arguments| {
        session.change_medium(arguments)
    }),
    ("eject", |session, arguments| session.eject(arguments)),
    ("screendump", |session, arguments| session.screendump(arguments)),
    ("send-key", |session, arguments| session.send_key(arguments)),
    ("input-send-event", |session, arguments| {
        session.input_send_event(arguments)
    }),
    ("system_powerdown", |session, _| {
        session.control.power_button();
        Ok(json!({}))
    }),
    ("system_reset", |session, _| {
        session.control.reset();
        Ok(json!({}))
    }),
    ("stop", |session, _| {
        session.control.pause();
        Ok(json!({}))
    }),
    ("cont", |session, _| {
        session.control.resume();
        Ok(json!({}))
    }),
    ("quit", |session, _| {
        session.control.quit();
        Ok(json!({}))
    }),
    ("qmp_capabilities", |_, _| {
        Err(Failure::not_found(
            "Capabilities negotiation is already complete, command ignored",
        ))
    }),
];

impl<'a> Session<'a> {
    pub(super) fn new(control: &'a dyn Control, stopping: &'a Receiver<()>) -> Self {
        Session {
            control,
            files: Files::default(),
            stopping,
            negotiated: false,
        }
    }

    /// Whether the client negotiated: events go to such clients only.
    pub(super) fn negotiated(&self) -> bool {
        self.negotiated
    }

    /// Carries out one message and gives the line to answer.
    pub(super) fn handle(&mut self, message: &[u8]) -> String {
        let Ok(Value::Object(mut message)) = serde_json::from_slice(message) else {
            return not_json();
        };
        let id = message.remove("id");
        respond(self.execute(message), id)
    }

    fn execute(&mut self, mut message: Map<String, Value>) -> Answer {
        let name = match message.remove("execute") {
            Some(Value::String(name)) => name,
            Some(_) => return Err(Failure::generic("QMP input member 'execute' must be a string")),
            None => return Err(Failure::generic("QMP input lacks member 'execute'")),
        };
        let arguments = match message.remove("arguments") {
            None => json!({}),
            Some(Value::Object(arguments)) => Value::Object(arguments),
            Some(_) => return Err(Failure::generic("QMP input member 'arguments' must be an object")),
        };
        if let Some(key) = message.keys().next() {
            return Err(Failure::generic(format!("QMP input member '{key}' is unexpected")));
        }
        if !self.negotiated {
            if name != "qmp_capabilities" {
                return Err(Failure::not_found(
                    "Expecting capabilities negotiation with 'qmp_capabilities'",
                ));
            }
            self.negotiated = true;
            return Ok(json!({}));
        }
        let handler = COMMANDS.iter().find(|(known, _)| *known == name);
        let (_, handler) =
            handler.ok_or_else(|| Failure::not_found(format!("The command {name} has not been found")))?;
        handler(self, arguments)
    }

    fn query_status(&self) -> Value {
        let state = self.control.state();
        let status = match state {
            RunState::Running => "running",
            RunState::Paused => "paused",
            RunState::Shutdown => "shutdown",
        };
        json!({ "running": state == RunState::Running, "status": status })
    }

    fn screendump(&mut self, arguments: Value) -> Answer {
        /// `device` and `head` choose a screen; there is one.
        #[derive(Deserialize)]
        struct Arguments {
            filename: PathBuf,
            format: Option<String>,
        }
        let arguments: Arguments = parse(arguments)?;
        let format = match arguments.format.as_deref() {
            None | Some("png") => Format::Png,
            Some("ppm") => Format::Ppm,
            Some(other) => {
                return Err(Failure::generic(format!(
                    "Parameter 'format' does not accept value '{other}'"
                )));
            }
        };
        let frame = self.control.screenshot();
        let handed = arguments.filename.to_str().and_then(Files::number);
        let written = match handed {
            Some(number) => {
                screendump::write_to(&frame, format, &self.files.take(number).ok_or_else(|| no_set(number))?)
            }
            None => screendump::write(&frame, format, &arguments.filename),
        };
        written
            .map_err(|error| Failure::generic(format!("failed to write {}: {error}", arguments.filename.display())))?;
        Ok(json!({}))
    }

    fn send_key(&self, arguments: Value) -> Answer {
        #[derive(Deserialize)]
        #[serde(rename_all = "kebab-case")]
        struct Arguments {
            keys: Vec<KeyValue>,
            hold_time: Option<u64>,
        }
        let arguments: Arguments = parse(arguments)?;
        let hold = Duration::from_millis(arguments.hold_time.unwrap_or(100)).min(MAX_HOLD);
        let codes: Vec<String> = arguments
            .keys
            .into_iter()
            .map(KeyValue::code)
            .collect::<Result<_, _>>()?;
        let press: Vec<_> = codes.iter().map(|code| key(code, true)).collect();
        let release: Vec<_> = codes.iter().rev().map(|code| key(code, false)).collect();
        self.control.input(&press);
        let _ = self.stopping.recv_timeout(hold);
        self.control.input(&release);
        Ok(json!({}))
    }

    fn input_send_event(&self, arguments: Value) -> Answer {
        #[derive(Deserialize)]
        struct Arguments {
            events: Vec<Event>,
        }
        let arguments: Arguments = parse(arguments)?;
        let events: Vec<InputEvent> = arguments
            .events
            .into_iter()
            .map(Event::into_input)
            .collect::<Result<_, _>>()?;
        let places = events.iter().any(|event| matches!(event, InputEvent::Point { .. }));
        if places && !self.control.has_absolute_pointer() {
            return Err(Failure::generic(
                "the guest has no driver for the tablet running: send 'rel' events",
            ));
        }
        self.control.input(&events);
        Ok(json!({}))
    }
}

fn key(code: &str, down: bool) -> InputEvent {
    InputEvent::Key {
        code: code.to_owned(),
        down,
    }
}

/// There is no file of this number.
pub(super) fn no_set(number: u64) -> Failure {
    Failure::generic(format!("File descriptor set {number} not found"))
}

/// QMP's `KeyValue`.
#[derive(Deserialize)]
#[serde(tag = "type", content = "data", rename_all = "lowercase")]
enum KeyValue {
    Qcode(String),
    Number(u16),
}

impl KeyValue {
    fn code(self) -> Result<String, Failure> {
        let code = match &self {
            KeyValue::Qcode(name) => keycodes::find(name),
            KeyValue::Number(number) => keycodes::find_number(*number),
        };
        code.map(str::to_owned).ok_or_else(|| {
            Failure::generic(match self {
                KeyValue::Qcode(name) => format!("Parameter 'data' does not accept value '{name}'"),
                KeyValue::Number(number) => format!("no key has the number {number}"),
            })
        })
    }
}

/// QMP's `InputEvent`.
#[derive(Deserialize)]
#[serde(tag = "type", content = "data", rename_all = "lowercase")]
enum Event {
    Key { key: KeyValue, down: bool },
    Btn { button: String, down: bool },
    Rel { axis: String, value: i32 },
    Abs { axis: String, value: u16 },
}

/// Largest value of an absolute axis.
const LAST: u16 = 0x7FFF;

impl Event {
    fn into_input(self) -> Result<InputEvent, Failure> {
        match self {
            Event::Key { key, down } => Ok(InputEvent::Key {
                code: key.code()?,
                down,
            }),
            Event::Btn { button, down } => match button.as_str() {
                "left" | "middle" | "right" | "wheel-up" | "wheel-down" | "side" | "extra" => {
                    Ok(InputEvent::Button { name: button, down })
                }
                _ => Err(Failure::generic(format!(
                    "Parameter 'button' does not accept value '{button}'"
                ))),
            },
            Event::Rel { axis, value } => match axis.as_str() {
                "x" => Ok(InputEvent::Move { dx: value, dy: 0 }),
                "y" => Ok(InputEvent::Move { dx: 0, dy: value }),
                _ => Err(no_axis(&axis)),
            },
            Event::Abs { axis, value } => {
                let place = u32::from(value.min(LAST)) * 65535 / u32::from(LAST);
                let place = u16::try_from(place).ok();
                match axis.as_str() {
                    "x" => Ok(InputEvent::Point { x: place, y: None }),
                    "y" => Ok(InputEvent::Point { x: None, y: place }),
                    _ => Err(no_axis(&axis)),
                }
            }
        }
    }
}

fn no_axis(axis: &str) -> Failure {
    Failure::generic(format!("Parameter 'axis' does not accept value '{axis}'"))
}

pub(super) fn parse<T: DeserializeOwned>(arguments: Value) -> Result<T, Failure> {
    serde_json::from_value(arguments).map_err(|error| Failure::generic(error.to_string()))
}

fn query_commands() -> Value {
    COMMANDS.iter().map(|(name, _)| json!({ "name": name })).collect()
}

fn version() -> Value {
    let number = |text: &str| text.parse::<u32>().unwrap_or_default();
    json!({
        "qemu": {
            "major": number(env!("CARGO_PKG_VERSION_MAJOR")),
            "minor": number(env!("CARGO_PKG_VERSION_MINOR")),
            "micro": number(env!("CARGO_PKG_VERSION_PATCH")),
        },
        "package": concat!("p2v ", env!("CARGO_PKG_VERSION")),
    })
}

fn respond(answer: Answer, id: Option<Value>) -> String {
    let mut message = match answer {
        Ok(value) => json!({ "return": value }),
        Err(failure) => json!({ "error": { "class": failure.class, "desc": failure.description } }),
    };
    if let Some(id) = id {
        message["id"] = id;
    }
    message.to_string()
}
