//! One client, from its first byte to its last: bytes in, bytes out.

use super::ProtocolError;
use super::auth::{Challenge, Password};
use super::clipboard::{Clipboard, Pasted, Remark};
use super::encode::Encoder;
use super::handshake::Handshake;
use super::keys::{Keyboard, Meaning};
use super::messages::{self, Message, encoding, put16, rect_header};
use super::pixel::PixelFormat;
use crate::display::input::place;
use crate::display::{Damage, Hub, Rect, Viewer, Waker};
use crate::video::Frame;
use std::sync::Arc;

/// Bit of the pointer message, and the button. Bits 5 and 6 are horizontal wheels, which no guest here has.
const BUTTONS: [(u8, &str); 6] = [
    (0x01, "left"),
    (0x02, "middle"),
    (0x04, "right"),
    (0x08, "wheel-up"),
    (0x10, "wheel-down"),
    (0x80, "side"),
];
/// What a client in relative mode sends for "not moved".
const NOT_MOVED: i32 = 0x7FFF;
/// Answer to a wish for another size: prohibited by the server.
const PROHIBITED: u32 = 1;

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

/// What a client that passed the handshake has asked for.
struct Running {
    viewer: Viewer,
    format: PixelFormat,
    encoder: Encoder,
    keyboard: Keyboard,
    buttons: u8,
    /// The size of the picture that the client knows.
    size: (u32, u32),
    /// What the client has not got yet.
    damage: Damage,
    /// The area of requests that are not answered yet.
    request: Option<Rect>,
    resizable: Option<Resizable>,
    /// Rectangles without pixels that go with the next update.
    notices: Vec<Notice>,
    relative: bool,
    clipboard: Clipboard,
    /// Messages that go as soon as they can.
    remarks: Vec<Remark>,
}

/// How a client learns of a new size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Resizable {
    Plain,
    Extended,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Notice {
    /// Scan codes are understood.
    ExtendedKey,
    /// Whether the pointer is absolute.
    PointerMotion,
    /// The layout of screens: reason and status.
    Layout(u32, u32),
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
            for remark in running.remarks.drain(..) {
                remark.put(out);
            }
            running.update(out);
        }
    }
}

impl Running {
    fn new(viewer: Viewer, damage: Damage) -> Self {
        Running {
            viewer,
            format: PixelFormat::NATIVE,
            encoder: Encoder::new(),
            keyboard: Keyboard::default(),
            buttons: 0,
            size: damage.size(),
            damage,
            request: None,
            resizable: None,
            notices: Vec::new(),
            relative: false,
            clipboard: Clipboard::default(),
            remarks: Vec::new(),
        }
    }

    fn obey(&mut self, message: Message) -> Result<(), ProtocolError> {
        match message {
            Message::PixelFormat(format) => self.format = format,
            Message::Encodings(numbers) => self.take_encodings(&numbers),
            Message::Request { incremental, area } => {
                if !incremental {
                    self.damage.add_rect(&area);
                }
                self.request = Some(self.request.map_or(area, |before| before.union(&area)));
            }
            Message::Key { down, keysym, code } => {
                let meaning = self.keyboard.meaning(keysym, code, down, &mut self.viewer);
                match meaning {
                    Meaning::Key => {
                        if down {
                            self.clipboard.forget_wish();
                        }
                        let known = code.is_some_and(|code| self.keyboard.code(code, down, &mut self.viewer));
                        if !known {
                            self.keyboard.keysym(keysym, down, &mut self.viewer);
                        }
                    }
                    Meaning::Paste => {
                        let pasted = self.clipboard.paste();
                        let remark = type_text(&pasted, &mut self.viewer);
                        self.remark(remark);
                    }
                    Meaning::Rest => {}
                }
            }
            Message::Pointer { buttons, x, y } => self.point(buttons, x, y),
            Message::Resize { width, height } => {
                if !self.viewer.resize(width.into(), height.into()) {
                    self.notice(Notice::Layout(1, PROHIBITED));
                }
            }
            Message::CutText(len) => self.clipboard.begin(len)?,
        }
        Ok(())
    }

    /// Takes bytes of a text that the client has announced; `None` if none are to come.
    fn take_text(&mut self, input: &[u8]) -> Option<usize> {
        let (taken, remark) = self.clipboard.take(input)?;
        self.remark(remark);
        if let Some(pasted) = self.clipboard.pasted_late() {
            let remark = type_text(&pasted, &mut self.viewer);
            self.remark(remark);
        }
        Some(taken)
    }

    fn remark(&mut self, remark: Option<Remark>) {
        if let Some(remark) = remark.filter(|remark| !self.remarks.contains(remark)) {
            self.remarks.push(remark);
        }
    }

    fn take_encodings(&mut self, numbers: &[i32]) {
        self.encoder.choose(numbers);
        let extended = numbers.contains(&encoding::EXTENDED_DESKTOP_SIZE);
        self.resizable = match numbers.contains(&encoding::DESKTOP_SIZE) {
            _ if extended => Some(Resizable::Extended),
            true => Some(Resizable::Plain),
            false => None,
        };
        if extended {
            self.notice(Notice::Layout(0, 0));
        }
        if numbers.contains(&encoding::EXTENDED_KEY) {
            self.notice(Notice::ExtendedKey);
        }
        if numbers.contains(&encoding::EXTENDED_CLIPBOARD) && self.clipboard.extend() {
            self.remark(Some(Remark::Capabilities));
        }
        if numbers.contains(&encoding::POINTER_MOTION) {
            self.relative = !self.viewer.has_absolute_pointer();
            self.notice(Notice::PointerMotion);
        }
    }

    fn notice(&mut self, notice: Notice) {
        if !self.notices.contains(&notice) {
            self.notices.push(notice);
        }
    }

    /// The pointer first, then the buttons: they were pressed where it is now.
    fn point(&mut self, buttons: u8, x: u16, y: u16) {
        if self.relative {
            self.viewer.shift(i32::from(x) - NOT_MOVED, i32::from(y) - NOT_MOVED);
        } else {
            // A client that does not know the size sees the upper left part.
            let (width, height) = self.damage.size();
            self.viewer.point(place(x.into(), width), place(y.into(), height));
        }
        let changed = self.buttons ^ buttons;
        self.buttons = buttons;
        for (bit, name) in BUTTONS {
            if changed & bit != 0 {
                self.viewer.button(name, buttons & bit != 0);
            }
        }
    }

    /// Appends the answer to the client's requests, if there is one and anything to say.
    fn update(&mut self, out: &mut Vec<u8>) {
        if let Some(update) = self.viewer.take() {
            self.damage.merge(&update.damage);
        }
        let Some(area) = self.request else { return };
        let frame = self.viewer.picture();
        if (frame.width, frame.height) != self.damage.size() {
            // It changed just now: there is another update to take, and the waker has been called for it.
            return;
        }
        if self.size != self.damage.size() && self.resizable.is_some() {
            self.size = self.damage.size();
            let (width, height) = self.size;
            self.damage = Damage::all(width, height);
            self.request = None;
            self.notices.retain(|notice| !matches!(notice, Notice::Layout(0, _)));
            messages::update_header(1, out);
            match self.resizable {
                Some(Resizable::Extended) => self.put_notice(Notice::Layout(0, 0), out),
                _ => rect_header(&Rect::all(width, height), encoding::DESKTOP_SIZE, out),
            }
            return;
        }
        let (frame, changed) = self.visible(frame, &area);
        let rects: Vec<Rect> = changed.iter().flat_map(|rect| self.encoder.split(rect)).collect();
        if rects.is_empty() && self.notices.is_empty() {
            return;
        }
        self.request = None;
        messages::update_header(rects.len() + self.notices.len(), out);
        for notice in std::mem::take(&mut self.notices) {
            self.put_notice(notice, out);
        }
        for rect in &rects {
            self.encoder.encode(&frame, rect, &self.format, out);
        }
    }

    /// The picture as large as the client thinks it is, and what has changed of it in `area`.
    fn visible(&mut self, frame: Arc<Frame>, area: &Rect) -> (Arc<Frame>, Vec<Rect>) {
        let (width, height) = self.size;
        if self.size == self.damage.size() {
            return (frame, self.damage.take(area).rects());
        }
        // It cannot be told: it sees the upper left part, with black around it.
        let changed = self.damage.take(&Rect::all(frame.width, frame.height));
        if changed.is_empty() {
            return (frame, Vec::new());
        }
        let mut cut = Frame::black(width, height);
        let from = frame.pixels.chunks_exact((frame.width as usize).max(1));
        for (to, from) in cut.pixels.chunks_exact_mut((width as usize).max(1)).zip(from) {
            let common = to.len().min(from.len());
            to[..common].copy_from_slice(&from[..common]);
        }
        (Arc::new(cut), Damage::all(width, height).rects())
    }

    fn put_notice(&self, notice: Notice, out: &mut Vec<u8>) {
        let (width, height) = self.size;
        let rect = |x, y| Rect { x, y, width, height };
        match notice {
            Notice::ExtendedKey => rect_header(&Rect::all(0, 0), encoding::EXTENDED_KEY, out),
            Notice::PointerMotion => {
                let absolute = u32::from(!self.relative);
                rect_header(&rect(absolute, 0), encoding::POINTER_MOTION, out);
            }
            Notice::Layout(reason, status) => {
                rect_header(&rect(reason, status), encoding::EXTENDED_DESKTOP_SIZE, out);
                // One screen, number 0, at the origin, without flags.
                out.extend([1, 0, 0, 0]);
                out.extend([0; 8]);
                put16(out, width);
                put16(out, height);
                out.extend([0; 4]);
            }
        }
    }
}

/// Types what was pasted; what the client is to be told if that cannot be done at once.
fn type_text(pasted: &Pasted<'_>, viewer: &mut Viewer) -> Option<Remark> {
    match pasted {
        Pasted::Nothing => Some(Remark::Bell),
        Pasted::Later => Some(Remark::Request),
        Pasted::Text(text) => viewer.type_text(text).is_err().then_some(Remark::Bell),
    }
}
