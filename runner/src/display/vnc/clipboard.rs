//! What was copied on the client's side, kept until the person asks for it to be typed: cut text in Latin-1
//! (RFC 6143, section 7.5.6), and in UTF-8 by the extended clipboard (the community's rfbproto document). The latter
//! announces texts, and they are fetched when they are needed. Nothing is ever copied from the guest: nobody there
//! would tell.
#![warn(clippy::arithmetic_side_effects, clippy::as_conversions, clippy::indexing_slicing)]

use super::ProtocolError;
use flate2::{Decompress, FlushDecompress, Status};

/// Most bytes of a text, and of what a client sends of it. More would be more characters than are ever typed.
const MAX_BYTES: usize = 64 << 10;

/// Formats and actions of the extended clipboard.
const TEXT: u32 = 1;
const CAPS: u32 = 1 << 24;
const REQUEST: u32 = 1 << 25;
const PEEK: u32 = 1 << 26;
const NOTIFY: u32 = 1 << 27;
const PROVIDE: u32 = 1 << 28;

/// What the server has to say. Each is said once however often there is a reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Remark {
    /// What is understood: announcements of texts, and texts; none is to come unasked for.
    Capabilities,
    /// The text that was announced is wanted.
    Request,
    /// There is nothing here to be copied.
    Nothing,
    /// Something that was asked for cannot be done.
    Bell,
}

impl Remark {
    /// Appends it as a message.
    pub(super) fn put(self, out: &mut Vec<u8>) {
        let mut extended = |len: i32, numbers: &[u32]| {
            out.extend([3, 0, 0, 0]);
            out.extend(len.wrapping_neg().to_be_bytes());
            out.extend(numbers.iter().flat_map(|number| number.to_be_bytes()));
        };
        match self {
            Remark::Capabilities => extended(8, &[CAPS | PEEK | NOTIFY | PROVIDE | TEXT, 0]),
            Remark::Request => extended(4, &[REQUEST | TEXT]),
            Remark::Nothing => extended(4, &[NOTIFY]),
            Remark::Bell => out.push(2),
        }
    }
}

/// The text that was copied last.
#[derive(Debug, Default, PartialEq, Eq)]
enum Copied {
    /// None, or nothing that could be typed.
    #[default]
    Nothing,
    /// The client has one.
    Announced,
    Text(String),
}

/// A message that is coming in.
#[derive(Debug)]
struct Incoming {
    extended: bool,
    /// Bytes still to come.
    left: u32,
    /// Those that came; none of a message that is too long.
    bytes: Vec<u8>,
    too_long: bool,
}

/// One client's clipboard.
#[derive(Debug, Default)]
pub(super) struct Clipboard {
    copied: Copied,
    /// The client knows the extended clipboard, and was told that it is known here.
    extended: bool,
    /// The announced text is to be typed as soon as it comes.
    wanted: bool,
    incoming: Option<Incoming>,
}

/// What a person gets who asks for the clipboard to be typed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Pasted<'a> {
    /// Nothing.
    Nothing,
    /// The text, as soon as it comes.
    Later,
    /// The text.
    Text(&'a str),
}

impl Clipboard {
    /// The client knows the extended clipboard. True if it is to be told what is known here.
    pub(super) fn extend(&mut self) -> bool {
        !std::mem::replace(&mut self.extended, true)
    }

    /// A message of so many bytes begins; negative if it is one of the extended clipboard.
    pub(super) fn begin(&mut self, len: i32) -> Result<(), ProtocolError> {
        let extended = len < 0;
        // An extended message has flags at least.
        if extended && (!self.extended || len > -4) {
            return Err(ProtocolError::Message(6));
        }
        let left = len.unsigned_abs();
        self.incoming = Some(Incoming {
            extended,
            left,
            bytes: Vec::new(),
            too_long: usize::try_from(left).is_ok_and(|len| len > MAX_BYTES),
        });
        Ok(())
    }

    /// Takes what belongs to the message from the front of `input`: how many bytes, and what there is to be said to
    /// it. `None` if no message is coming in.
    pub(super) fn take(&mut self, input: &[u8]) -> Option<(usize, Option<Remark>)> {
        let incoming = self.incoming.as_mut()?;
        let wanted = usize::try_from(incoming.left).unwrap_or(usize::MAX);
        let (bytes, _) = input.split_at_checked(wanted).unwrap_or((input, &[]));
        incoming.left = incoming
            .left
            .saturating_sub(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
        if !incoming.too_long {
            incoming.bytes.extend(bytes);
        }
        let remark = if incoming.left == 0 { self.complete() } else { None };
        Some((bytes.len(), remark))
    }

    fn complete(&mut self) -> Option<Remark> {
        let message = self.incoming.take()?;
        if !message.extended {
            let text: String = message.bytes.iter().copied().map(char::from).collect();
            self.keep(Some(text));
            return None;
        }
        if message.too_long {
            // Its flags were dropped with the rest, but nothing else is ever this long.
            self.keep(None);
            return None;
        }
        let (flags, data) = message.bytes.split_first_chunk()?;
        let flags = u32::from_be_bytes(*flags);
        let text = flags & TEXT != 0;
        match flags & (CAPS | REQUEST | PEEK | NOTIFY | PROVIDE) {
            NOTIFY => {
                self.keep(None);
                if text {
                    self.copied = Copied::Announced;
                }
            }
            PROVIDE if text => self.keep(inflate(data)),
            PEEK => return Some(Remark::Nothing),
            // What the client is able to do makes no difference; requests are for what was never announced.
            _ => {}
        }
        None
    }

    fn keep(&mut self, text: Option<String>) {
        self.copied = match text {
            Some(text) if !text.is_empty() => Copied::Text(text),
            _ => Copied::Nothing,
        };
    }

    /// A person asks for the text to be typed.
    pub(super) fn paste(&mut self) -> Pasted<'_> {
        self.wanted = self.copied == Copied::Announced;
        match &self.copied {
            Copied::Nothing => Pasted::Nothing,
            Copied::Announced => Pasted::Later,
            Copied::Text(text) => Pasted::Text(text),
        }
    }

    /// What a person asked for that was not there at once, once.
    pub(super) fn pasted_late(&mut self) -> Option<Pasted<'_>> {
        if !self.wanted || self.copied == Copied::Announced {
            return None;
        }
        Some(self.paste())
    }

    /// The person does something else.
    pub(super) fn forget_wish(&mut self) {
        self.wanted = false;
    }
}

/// The text in what a client provides: compressed, length and bytes of each format, of which text is the first; it
/// ends with a zero.
fn inflate(data: &[u8]) -> Option<String> {
    let mut out = vec![0; MAX_BYTES.saturating_add(4)];
    let mut zlib = Decompress::new(true);
    loop {
        let taken = usize::try_from(zlib.total_in()).ok()?;
        let made = usize::try_from(zlib.total_out()).ok()?;
        let (input, room) = (data.get(taken..)?, out.get_mut(made..)?);
        let full = room.is_empty();
        let status = zlib.decompress(input, room, FlushDecompress::Sync).ok()?;
        let stuck = usize::try_from(zlib.total_in()).ok()? == taken && usize::try_from(zlib.total_out()).ok()? == made;
        if status == Status::StreamEnd || stuck || full {
            break;
        }
    }
    out.truncate(usize::try_from(zlib.total_out()).ok()?);
    let (len, rest) = out.split_first_chunk()?;
    let text = rest.get(..usize::try_from(u32::from_be_bytes(*len)).ok()?)?;
    let text = text.strip_suffix(&[0]).unwrap_or(text);
    String::from_utf8(text.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::ZlibEncoder;
    use proptest::prelude::*;
    use std::io::Write;

    /// Puts a whole message in.
    fn say(clipboard: &mut Clipboard, flags: u32, data: &[u8]) -> Option<Remark> {
        let mut message = flags.to_be_bytes().to_vec();
        message.extend(data);
        let len = i32::try_from(message.len()).unwrap();
        clipboard.begin(len.wrapping_neg()).unwrap();
        let (taken, remark) = clipboard.take(&message).unwrap();
        assert_eq!(taken, message.len());
        assert_eq!(clipboard.take(b"more"), None);
        remark
    }

    fn provided(text: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        encoder
            .write_all(&u32::try_from(text.len()).unwrap().to_be_bytes())
            .unwrap();
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn extended() -> Clipboard {
        let mut clipboard = Clipboard::default();
        assert!(clipboard.extend());
        assert!(!clipboard.extend());
        clipboard
    }

    #[test]
    fn latin_1_is_kept_and_nothing_is_pasted_by_itself() {
        let mut clipboard = Clipboard::default();
        assert_eq!(clipboard.paste(), Pasted::Nothing);
        clipboard.begin(3).unwrap();
        assert_eq!(clipboard.take(b"\xFCb"), Some((2, None)));
        assert_eq!(clipboard.take(b"er"), Some((1, None)));
        assert_eq!(clipboard.pasted_late(), None);
        assert_eq!(clipboard.paste(), Pasted::Text("übe"));
    }

    #[test]
    fn an_announced_text_is_fetched_when_it_is_wanted() {
        let mut clipboard = extended();
        assert_eq!(say(&mut clipboard, NOTIFY | TEXT, &[]), None);
        assert_eq!(clipboard.pasted_late(), None);
        assert_eq!(clipboard.paste(), Pasted::Later);
        assert_eq!(clipboard.pasted_late(), None);
        say(&mut clipboard, PROVIDE | TEXT, &provided("Größe €\r\n\0".as_bytes()));
        assert_eq!(clipboard.pasted_late(), Some(Pasted::Text("Größe €\r\n")));
        assert_eq!(clipboard.pasted_late(), None, "once");
        // A wish that was given up.
        say(&mut clipboard, NOTIFY | TEXT, &[]);
        assert_eq!(clipboard.paste(), Pasted::Later);
        clipboard.forget_wish();
        say(&mut clipboard, PROVIDE | TEXT, &provided(b"b\0"));
        assert_eq!(clipboard.pasted_late(), None);
        // What is no longer there.
        say(&mut clipboard, NOTIFY, &[]);
        assert_eq!(clipboard.paste(), Pasted::Nothing);
        assert_eq!(say(&mut clipboard, PEEK, &[]), Some(Remark::Nothing));
    }

    #[test]
    fn long_texts_are_not_kept() {
        let mut clipboard = extended();
        let limit = "a".repeat(MAX_BYTES);
        say(&mut clipboard, PROVIDE | TEXT, &provided(limit.as_bytes()));
        assert_eq!(clipboard.paste(), Pasted::Text(&limit));
        say(&mut clipboard, PROVIDE | TEXT, &provided(&vec![b'a'; 50 << 20]));
        assert_eq!(clipboard.paste(), Pasted::Nothing);
        clipboard.begin(i32::MAX).unwrap();
        for _ in 0..100 {
            assert_eq!(clipboard.take(&[0; 4096]), Some((4096, None)));
        }
        assert!(clipboard.incoming.unwrap().bytes.is_empty());
    }

    #[test]
    fn the_extended_clipboard_is_for_those_who_know_it() {
        let mut clipboard = Clipboard::default();
        assert_eq!(clipboard.begin(-8), Err(ProtocolError::Message(6)));
        assert!(clipboard.extend());
        assert_eq!(clipboard.begin(-3), Err(ProtocolError::Message(6)));
        assert_eq!(clipboard.begin(i32::MIN), Ok(()));
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_odd(flags: u32, data in proptest::collection::vec(any::<u8>(), 0..200), cut in 0..300usize) {
            let mut clipboard = extended();
            say(&mut clipboard, flags, &data);
            clipboard.paste();
            let mut whole = provided(&data);
            whole.truncate(cut);
            say(&mut clipboard, PROVIDE | TEXT, &whole);
            clipboard.pasted_late();
        }
    }
}
