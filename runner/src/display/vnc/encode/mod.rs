//! Encodings of rectangles (RFC 6143, section 7.7; Tight: the community's rfbproto document).

mod palette;
mod tight;
mod zrle;

#[cfg(test)]
mod tests;

use super::messages::{encoding, rect_header};
use super::pixel::PixelFormat;
use crate::display::Rect;
use crate::video::Frame;
use flate2::{Compress, Compression, FlushCompress};

/// Which encoding a client gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Raw,
    Tight,
    Zrle,
}

/// What an encoder keeps between rectangles: compression goes on for the whole session.
pub(super) struct Encoder {
    encoding: Encoding,
    zrle: Stream,
    tight: tight::Streams,
    /// Pixels of one rectangle or tile.
    pixels: Vec<u32>,
}

impl Encoder {
    pub(super) fn new() -> Self {
        Encoder {
            encoding: Encoding::Raw,
            zrle: Stream::default(),
            tight: tight::Streams::default(),
            pixels: Vec::new(),
        }
    }

    /// Takes the first encoding of the client's list that there is here. Raw is understood by all.
    pub(super) fn choose(&mut self, preferences: &[i32]) {
        let known = |number: &i32| match *number {
            encoding::RAW => Some(Encoding::Raw),
            encoding::TIGHT => Some(Encoding::Tight),
            encoding::ZRLE => Some(Encoding::Zrle),
            _ => None,
        };
        self.encoding = preferences.iter().find_map(known).unwrap_or(Encoding::Raw);
    }

    /// Cuts a rectangle into those that the encoding can send.
    pub(super) fn split(&self, rect: &Rect) -> Vec<Rect> {
        match self.encoding {
            Encoding::Raw | Encoding::Zrle => vec![*rect],
            Encoding::Tight => tight::split(rect),
        }
    }

    /// Appends one rectangle of `frame`, which must lie in it.
    pub(super) fn encode(&mut self, frame: &Frame, rect: &Rect, format: &PixelFormat, out: &mut Vec<u8>) {
        match self.encoding {
            Encoding::Raw => {
                rect_header(rect, encoding::RAW, out);
                for row in rows(frame, rect) {
                    format.write(row, out);
                }
            }
            Encoding::Zrle => {
                rect_header(rect, encoding::ZRLE, out);
                let tiles = zrle::tiles(frame, rect, format, &mut self.pixels);
                let length_at = out.len();
                out.extend([0; 4]);
                self.zrle.compress(&tiles, out);
                let len = u32::try_from(out.len() - length_at - 4).unwrap_or(0);
                out[length_at..length_at + 4].copy_from_slice(&len.to_be_bytes());
            }
            Encoding::Tight => {
                rect_header(rect, encoding::TIGHT, out);
                self.pixels.clear();
                self.pixels.extend(rows(frame, rect).flatten());
                self.tight.encode(&self.pixels, rect.width as usize, format, out);
            }
        }
    }
}

/// The rows of pixels of a rectangle that lies in `frame`.
fn rows<'a>(frame: &'a Frame, rect: &Rect) -> impl Iterator<Item = &'a [u32]> {
    let (x, width) = (rect.x as usize, rect.width as usize);
    frame
        .pixels
        .chunks_exact((frame.width as usize).max(1))
        .skip(rect.y as usize)
        .take(rect.height as usize)
        .map(move |row| &row[x..x + width])
}

/// A zlib stream that is flushed after each piece, so that the client can read all that it got.
struct Stream(Compress);

impl Default for Stream {
    fn default() -> Self {
        // The fast levels gain most of what there is to gain on screens.
        Stream(Compress::new(Compression::new(2), true))
    }
}

impl Stream {
    fn compress(&mut self, mut data: &[u8], out: &mut Vec<u8>) {
        loop {
            // More than a flush needs, so that the last round sees room left.
            out.reserve(data.len() / 2 + 64);
            let before = self.0.total_in();
            // Deflate into memory fails only if it is called wrongly.
            let _ = self.0.compress_vec(data, out, FlushCompress::Sync);
            let taken = usize::try_from(self.0.total_in() - before).unwrap_or(0);
            data = data.get(taken..).unwrap_or_default();
            if data.is_empty() && out.len() < out.capacity() {
                return;
            }
        }
    }
}
