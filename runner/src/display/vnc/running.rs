//! A client that has passed the handshake: what it asked for, what it says, what it is to be told.

use super::ProtocolError;
use super::clipboard::{Clipboard, Pasted, Remark};
use super::cursor;
use super::encode::Encoder;
use super::keys::{Keyboard, Meaning};
use super::messages::{self, Message, encoding, put16, rect_header};
use super::pixel::PixelFormat;
use crate::display::input::place;
use crate::display::{Damage, Rect, Viewer};
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

/// What a client that passed the handshake has asked for.
pub(super) struct Running {
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
    /// Places are movements: the client knows QEMU's extension, and the pointer is relative.
    relative: bool,
    signs: Signs,
    clipboard: Clipboard,
    /// Messages that go as soon as they can.
    remarks: Vec<Remark>,
}

/// What the client is told of beside the picture, if it asked for it, and what it was told last.
#[derive(Debug, Default)]
struct Signs {
    /// Whether its own pointer is to be hidden.
    cursor: Option<bool>,
    /// Whether movements are to be sent instead of places.
    motion: Option<bool>,
    /// The keyboard's lamps.
    leds: Option<u8>,
    /// How often the speaker has begun to sound.
    beeps: u64,
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
    /// The client's own pointer is visible, or not.
    Cursor,
    /// The keyboard's lamps.
    Leds,
    /// The layout of screens: reason and status.
    Layout(u32, u32),
}

impl Running {
    pub(super) fn new(viewer: Viewer, damage: Damage) -> Self {
        let signs = Signs {
            beeps: viewer.beeps(),
            ..Signs::default()
        };
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
            signs,
            clipboard: Clipboard::default(),
            remarks: Vec::new(),
        }
    }

    /// Does what the client says.
    pub(super) fn obey(&mut self, message: Message) -> Result<(), ProtocolError> {
        match message {
            Message::PixelFormat(format) => self.format = format,
            Message::Encodings(numbers) => self.take_encodings(&numbers),
            Message::Request { incremental, area } => {
                if !incremental {
                    self.damage.add_rect(&area);
                    // By this the client learns what there is, and that wishes are answered.
                    if self.resizable == Some(Resizable::Extended) {
                        self.notice(Notice::Layout(0, 0));
                    }
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
                // Who does not know the answer's form gets none.
                let answered = self.resizable == Some(Resizable::Extended);
                if !self.viewer.resize(width.into(), height.into()) && answered {
                    self.notice(Notice::Layout(1, PROHIBITED));
                }
            }
            Message::CutText(len) => self.clipboard.begin(len)?,
        }
        Ok(())
    }

    /// Takes bytes of a text that the client has announced; `None` if none are to come.
    pub(super) fn take_text(&mut self, input: &[u8]) -> Option<usize> {
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
        let asked = |number| numbers.contains(&number);
        if asked(encoding::POINTER_MOTION) && self.signs.motion.is_none() {
            self.relative = !self.viewer.has_absolute_pointer();
            self.signs.motion = Some(self.relative);
            self.notice(Notice::PointerMotion);
        }
        if asked(encoding::CURSOR) {
            // Clients draw something of their own until they are told otherwise.
            self.signs.cursor.get_or_insert(false);
        }
        if asked(encoding::LED_STATE) && self.signs.leds.is_none() {
            self.signs.leds = Some(self.viewer.leds());
            self.notice(Notice::Leds);
        }
    }

    /// Notes what has changed beside the picture.
    fn look_at_signs(&mut self) {
        let (absolute, leds) = (self.viewer.has_absolute_pointer(), self.viewer.leds());
        let relative = self.signs.motion.map(|_| !absolute);
        if relative != std::mem::replace(&mut self.signs.motion, relative) {
            self.relative = !absolute;
            self.notice(Notice::PointerMotion);
        }
        let hidden = self.signs.cursor.map(|_| absolute);
        if hidden != std::mem::replace(&mut self.signs.cursor, hidden) {
            self.notice(Notice::Cursor);
        }
        let beeps = self.viewer.beeps();
        if beeps != std::mem::replace(&mut self.signs.beeps, beeps) {
            self.remark(Some(Remark::Bell));
        }
        let lamps = self.signs.leds.map(|_| leds);
        if lamps != std::mem::replace(&mut self.signs.leds, lamps) {
            self.notice(Notice::Leds);
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

    /// Appends what the client is to be sent now.
    pub(super) fn produce(&mut self, out: &mut Vec<u8>) {
        if let Some(update) = self.viewer.take() {
            self.damage.merge(&update.damage);
        }
        self.look_at_signs();
        for remark in self.remarks.drain(..) {
            remark.put(out);
        }
        self.update(out);
    }

    /// Appends the answer to the client's requests, if there is one and anything to say.
    fn update(&mut self, out: &mut Vec<u8>) {
        // A wish is answered at once, whether or not the client waits for a picture.
        if self.request.is_some() || self.notices.iter().any(|notice| matches!(notice, Notice::Layout(1, _))) {
            self.put_notices(out);
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
            messages::update_header(1, out);
            match self.resizable {
                Some(Resizable::Extended) => self.put_notice(Notice::Layout(0, 0), out),
                _ => rect_header(&Rect::all(width, height), encoding::DESKTOP_SIZE, out),
            }
            return;
        }
        let (frame, changed) = self.visible(frame, &area);
        let rects: Vec<Rect> = changed.iter().flat_map(|rect| self.encoder.split(rect)).collect();
        if rects.is_empty() {
            return;
        }
        self.request = None;
        messages::update_header(rects.len(), out);
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

    /// Appends what is to be said beside the picture, as an update without pixels: a layout of screens must not be
    /// together with any. The client's request stays.
    fn put_notices(&mut self, out: &mut Vec<u8>) {
        let mut notices = std::mem::take(&mut self.notices);
        if self.size != self.damage.size() {
            // A layout that is no longer true is followed by the new one.
            notices.retain(|notice| !matches!(notice, Notice::Layout(0, _)));
        }
        if notices.is_empty() {
            return;
        }
        messages::update_header(notices.len(), out);
        for notice in notices {
            self.put_notice(notice, out);
        }
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
            Notice::Cursor => cursor::put(self.signs.cursor == Some(true), &self.format, out),
            Notice::Leds => {
                rect_header(&Rect::all(1, 1), encoding::LED_STATE, out);
                out.push(self.signs.leds.unwrap_or(0));
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
