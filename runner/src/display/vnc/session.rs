//! One client, from its first byte to its last: bytes in, bytes out.

use super::ProtocolError;
use super::auth::{Challenge, Password};
use super::handshake::Handshake;
use super::messages;
use super::pixel::PixelFormat;
use super::running::Running;
use crate::display::{Hub, Viewer, Waker};

enum Phase {
    Handshake(Handshake),
    /// ServerInit needs the size of a picture.
    Greeting(Viewer),
    Running(Box<Running>),
}

/// A session. [`receive`](Session::receive) takes what the client sends, [`produce`](Session::produce) gives what it
/// is to be sent; call that whenever the waker was called or something was received, and everything produced before
/// has been sent.
pub struct Session {
    hub: Hub,
    name: String,
    waker: Waker,
    phase: Phase,
    /// Not understood yet: less than one message.
    input: Vec<u8>,
    output: Vec<u8>,
}

impl Session {
    /// A session with a client that has just connected. `waker` is called when there may be something to
    /// [`produce`](Self::produce).
    pub fn new(hub: Hub, name: &str, password: Option<Password>, challenge: Challenge, waker: Waker) -> Self {
        let mut output = Vec::new();
        let handshake = Handshake::new(password, challenge, &mut output);
        Session {
            hub,
            name: name.to_owned(),
            waker,
            phase: Phase::Handshake(handshake),
            input: Vec::new(),
            output,
        }
    }

    /// Whether the client has got everything that belongs to a handshake.
    pub fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Running(_))
    }

    /// Whether the client is to send its password now: a person may be typing it.
    pub fn waits_for_password(&self) -> bool {
        matches!(&self.phase, Phase::Handshake(handshake) if handshake.waits_for_password())
    }

    /// Takes bytes of the client. After an error the session is over; [`last_words`](Self::last_words) has
    /// the reason for the client.
    pub fn receive(&mut self, bytes: &[u8]) -> Result<(), ProtocolError> {
        self.input.extend(bytes);
        let input = std::mem::take(&mut self.input);
        let mut at = 0;
        while let Some(taken) = self.next(input.get(at..).unwrap_or_default())? {
            at += taken;
        }
        // What is left is less than one message, and messages are short.
        self.input = input.get(at..).unwrap_or_default().to_vec();
        Ok(())
    }

    /// Understands the first message of `input` and gives its length; `None` if there is none yet.
    fn next(&mut self, input: &[u8]) -> Result<Option<usize>, ProtocolError> {
        if input.is_empty() {
            return Ok(None);
        }
        match &mut self.phase {
            Phase::Handshake(handshake) => {
                let Some((taken, over)) = handshake.advance(input, &mut self.output)? else {
                    return Ok(None);
                };
                if over {
                    self.phase = Phase::Greeting(self.hub.subscribe(self.waker.clone()));
                }
                Ok(Some(taken))
            }
            // Nobody has anything to say before ServerInit. The few bytes of one read may wait.
            Phase::Greeting(_) => Ok(None),
            Phase::Running(running) => {
                if let Some(taken) = running.take_text(input) {
                    return Ok(Some(taken));
                }
                let Some((message, taken)) = messages::parse(input)? else {
                    return Ok(None);
                };
                running.obey(message)?;
                Ok(Some(taken))
            }
        }
    }

    /// Whether bytes of the client are to be read: not while it talks out of turn.
    pub fn wants_input(&self) -> bool {
        !matches!(self.phase, Phase::Greeting(_))
    }

    /// Appends what an error has left to be said, and nothing else.
    pub fn last_words(&mut self, out: &mut Vec<u8>) {
        out.append(&mut self.output);
    }

    /// Appends what the client is to be sent now. The length is bounded by the size of a picture.
    pub fn produce(&mut self, out: &mut Vec<u8>) {
        out.append(&mut self.output);
        if let Phase::Greeting(viewer) = &self.phase
            && let Some(update) = viewer.take()
        {
            let (width, height) = update.damage.size();
            messages::server_init(width, height, &PixelFormat::NATIVE, &self.name, out);
            let before = std::mem::replace(
                &mut self.phase,
                Phase::Handshake(Handshake::new(None, [0; 16], &mut Vec::new())),
            );
            if let Phase::Greeting(viewer) = before {
                self.phase = Phase::Running(Box::new(Running::new(viewer, update.damage)));
            }
        }
        if let Phase::Running(running) = &mut self.phase {
            running.produce(out);
        }
    }
}
