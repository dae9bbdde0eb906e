//! What clients say (RFC 6143, section 7.5; the community's rfbproto document for extensions), and headers of what
//! they are told.
#![warn(clippy::arithmetic_side_effects, clippy::as_conversions, clippy::indexing_slicing)]

use super::ProtocolError;
use super::pixel::PixelFormat;
use crate::display::Rect;

/// Encodings and pseudo-encodings by number.
pub(super) mod encoding {
    pub(crate) const RAW: i32 = 0;
    pub(crate) const TIGHT: i32 = 7;
    pub(crate) const ZRLE: i32 = 16;
    pub(crate) const DESKTOP_SIZE: i32 = -223;
    pub(crate) const CURSOR: i32 = -239;
    pub(crate) const POINTER_MOTION: i32 = -257;
    pub(crate) const EXTENDED_KEY: i32 = -258;
    pub(crate) const LED_STATE: i32 = -261;
    pub(crate) const EXTENDED_DESKTOP_SIZE: i32 = -308;
    pub(crate) const EXTENDED_CLIPBOARD: i32 = 0xC0A1_E5CE_u32.cast_signed();
}

/// Encodings a client may name; known clients name about 30.
const MAX_ENCODINGS: u16 = 1024;

/// One message of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Message {
    PixelFormat(PixelFormat),
    /// By preference.
    Encodings(Vec<i32>),
    /// The client wants to see this area: what changed in it, or all of it.
    Request {
        incremental: bool,
        area: Rect,
    },
    /// A key by X keysym; with QEMU's extension also by scan code (set 1, 0x80 added to those behind E0).
    Key {
        down: bool,
        keysym: u32,
        code: Option<u16>,
    },
    Pointer {
        buttons: u8,
        x: u16,
        y: u16,
    },
    /// Text that was copied on the client's side, of so many bytes, which follow; a negative number stands for the
    /// extended clipboard.
    CutText(i32),
    /// The client would like the screen to have this size.
    Resize {
        width: u16,
        height: u16,
    },
}

/// Reads big-endian numbers; `None` where bytes are missing.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn bytes<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*bytes)
    }
    fn u8(&mut self) -> Option<u8> {
        self.bytes().map(u8::from_be_bytes)
    }
    fn u16(&mut self) -> Option<u16> {
        self.bytes().map(u16::from_be_bytes)
    }
    fn u32(&mut self) -> Option<u32> {
        self.bytes().map(u32::from_be_bytes)
    }
    fn skip(&mut self, len: usize) -> Option<&'a [u8]> {
        let (skipped, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(skipped)
    }
}

/// The first message in `input` and its length in bytes; `None` if it is not complete yet. No message that is not
/// refused is longer than 4100 bytes.
pub(super) fn parse(input: &[u8]) -> Result<Option<(Message, usize)>, ProtocolError> {
    let mut reader = Reader(input);
    let message = read(&mut reader)?;
    Ok(message.map(|message| (message, input.len().saturating_sub(reader.0.len()))))
}

/// Leaves the function with "not complete yet".
macro_rules! need {
    ($read:expr) => {
        match $read {
            Some(value) => value,
            None => return Ok(None),
        }
    };
}

fn read(reader: &mut Reader<'_>) -> Result<Option<Message>, ProtocolError> {
    let kind = need!(reader.u8());
    Ok(Some(match kind {
        0 => {
            need!(reader.skip(3));
            Message::PixelFormat(PixelFormat::parse(&need!(reader.bytes()))?)
        }
        2 => {
            need!(reader.skip(1));
            let count = need!(reader.u16());
            if count > MAX_ENCODINGS {
                return Err(ProtocolError::Encodings(count));
            }
            let bytes = need!(reader.skip(usize::from(count).saturating_mul(4)));
            let (numbers, _) = bytes.as_chunks();
            Message::Encodings(numbers.iter().map(|number| i32::from_be_bytes(*number)).collect())
        }
        3 => {
            let incremental = need!(reader.u8()) != 0;
            let mut next = || reader.u16().map(u32::from);
            let area = Rect {
                x: need!(next()),
                y: need!(next()),
                width: need!(next()),
                height: need!(next()),
            };
            Message::Request { incremental, area }
        }
        4 => {
            let down = need!(reader.u8()) != 0;
            need!(reader.skip(2));
            let keysym = need!(reader.u32());
            Message::Key {
                down,
                keysym,
                code: None,
            }
        }
        5 => Message::Pointer {
            buttons: need!(reader.u8()),
            x: need!(reader.u16()),
            y: need!(reader.u16()),
        },
        6 => {
            need!(reader.skip(3));
            Message::CutText(need!(reader.u32()).cast_signed())
        }
        251 => {
            need!(reader.skip(1));
            let (width, height) = (need!(reader.u16()), need!(reader.u16()));
            let screens = need!(reader.u8());
            need!(reader.skip(1));
            need!(reader.skip(usize::from(screens).saturating_mul(16)));
            Message::Resize { width, height }
        }
        255 => {
            let kind = need!(reader.u8());
            if kind != 0 {
                return Err(ProtocolError::Message(255));
            }
            let down = need!(reader.u16()) != 0;
            let keysym = need!(reader.u32());
            let code = need!(reader.u32());
            Message::Key {
                down,
                keysym,
                code: Some(u16::try_from(code).unwrap_or(0)),
            }
        }
        other => return Err(ProtocolError::Message(other)),
    }))
}

/// Appends a number as 16 bits; sizes of pictures always fit.
pub(super) fn put16(out: &mut Vec<u8>, number: u32) {
    out.extend(u16::try_from(number).unwrap_or(u16::MAX).to_be_bytes());
}

/// Appends the head of a FramebufferUpdate with `count` rectangles.
pub(super) fn update_header(count: usize, out: &mut Vec<u8>) {
    out.extend([0, 0]);
    put16(out, u32::try_from(count).unwrap_or(u32::MAX));
}

/// Appends the head of a rectangle.
pub(super) fn rect_header(rect: &Rect, encoding: i32, out: &mut Vec<u8>) {
    for number in [rect.x, rect.y, rect.width, rect.height] {
        put16(out, number);
    }
    out.extend(encoding.to_be_bytes());
}

/// Appends ServerInit.
pub(super) fn server_init(width: u32, height: u32, format: &PixelFormat, name: &str, out: &mut Vec<u8>) {
    put16(out, width);
    put16(out, height);
    out.extend(format.bytes());
    out.extend(u32::try_from(name.len()).unwrap_or(0).to_be_bytes());
    out.extend(name.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn messages_are_cut_where_they_end() {
        let message = [255, 0, 0, 1, 0, 0, 0, 0x61, 0, 0, 0, 0x1E, 5];
        let key = Message::Key {
            down: true,
            keysym: 0x61,
            code: Some(0x1E),
        };
        assert_eq!(parse(&message), Ok(Some((key, 12))));
        for len in 0..12 {
            assert_eq!(parse(message.get(..len).unwrap()), Ok(None));
        }
        assert_eq!(parse(&[2, 0, 0xFF, 0xFF]), Err(ProtocolError::Encodings(0xFFFF)));
        assert_eq!(
            parse(&[6, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFC]),
            Ok(Some((Message::CutText(-4), 8)))
        );
        assert_eq!(parse(&[99]), Err(ProtocolError::Message(99)));
    }

    proptest! {
        #[test]
        fn nothing_waits_for_ever(input in proptest::collection::vec(any::<u8>(), 4100)) {
            prop_assert_ne!(parse(&input), Ok(None));
        }
    }
}
