//! Cuts a byte stream into JSON objects. QMP clients may or may not end a message with a newline, so an object ends
//! where its braces balance; anything else on a line is handed on as garbage, to be answered with an error.

/// Longest message taken, in bytes. The longest useful one, a batch of input events, is far below.
pub(super) const MAX_MESSAGE: usize = 256 * 1024;

/// What came off the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// Balanced braces: probably a JSON object.
    Object(Vec<u8>),
    /// Something else, up to the end of its line.
    Garbage,
}

/// The stream holds more than [`MAX_MESSAGE`] bytes without an end of message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooLong;

/// Collects bytes until a message is complete.
#[derive(Debug, Default)]
pub(super) struct Framer {
    bytes: Vec<u8>,
    /// The closing brackets that are due, innermost last.
    closing: Vec<u8>,
    in_string: bool,
    escaped: bool,
    garbage: bool,
}

impl Framer {
    /// Takes one byte; a piece comes out when it is complete.
    pub(super) fn push(&mut self, byte: u8) -> Result<Option<Piece>, TooLong> {
        // QMP: a client that lost track sends 0xFF, which no JSON holds, to start afresh.
        if byte == 0xFF {
            let piece = (!self.bytes.is_empty() || self.garbage).then_some(Piece::Garbage);
            *self = Framer::default();
            return Ok(piece);
        }
        if self.garbage {
            if byte == b'\n' {
                *self = Framer::default();
                return Ok(Some(Piece::Garbage));
            }
            return Ok(None);
        }
        if self.closing.is_empty() {
            match byte {
                b'{' => {}
                b' ' | b'\t' | b'\r' | b'\n' => return Ok(None),
                _ => {
                    self.garbage = true;
                    return Ok(None);
                }
            }
        }
        if self.bytes.len() >= MAX_MESSAGE {
            return Err(TooLong);
        }
        self.bytes.push(byte);
        if self.in_string {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => self.in_string = false,
                _ => {}
            }
            return Ok(None);
        }
        match byte {
            b'"' => self.in_string = true,
            b'{' => self.closing.push(b'}'),
            b'[' => self.closing.push(b']'),
            b'}' | b']' if self.closing.pop() != Some(byte) => {
                *self = Framer::default();
                self.garbage = true;
            }
            _ => {}
        }
        if self.garbage || !self.closing.is_empty() {
            return Ok(None);
        }
        let object = std::mem::take(&mut self.bytes);
        Ok(Some(Piece::Object(object)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(bytes: &[u8]) -> Vec<Piece> {
        let mut framer = Framer::default();
        bytes
            .iter()
            .filter_map(|byte| framer.push(*byte).expect("short"))
            .collect()
    }

    #[test]
    fn objects_need_no_newline() {
        let object = |text: &str| Piece::Object(text.as_bytes().to_vec());
        assert_eq!(
            pieces(br#"{"a":1}{"b":"}\"{"} {"c":[{}]}"#),
            [object(r#"{"a":1}"#), object(r#"{"b":"}\"{"}"#), object(r#"{"c":[{}]}"#)]
        );
    }

    #[test]
    fn garbage_ends_with_its_line_and_ff_starts_afresh() {
        assert_eq!(pieces(b"hello {}\n{}"), [Piece::Garbage, Piece::Object(b"{}".to_vec())]);
        assert_eq!(
            pieces(b"{\"a\":[1}\n{}"),
            [Piece::Garbage, Piece::Object(b"{}".to_vec())]
        );
        assert_eq!(
            pieces(b"{\"half\xFF{}"),
            [Piece::Garbage, Piece::Object(b"{}".to_vec())]
        );
    }

    #[test]
    fn a_message_without_end_is_refused() {
        let mut framer = Framer::default();
        let mut bytes = std::iter::repeat_n(b'{', MAX_MESSAGE + 1);
        assert!(bytes.any(|byte| framer.push(byte).is_err()));
    }
}
