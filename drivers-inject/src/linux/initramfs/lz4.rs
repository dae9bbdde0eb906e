//! The legacy format of lz4: a magic number, then blocks of at most 8 MiB, each with its compressed length in front
//! (32 bits, little-endian). No length of the whole and no end mark: the kernel (lib/decompress_unlz4.c) reads blocks
//! until the file ends or a length is zero, and takes the magic number in place of a length for a further frame.

use super::compression::Source;
use std::io::{self, BufRead, Read};

/// The magic number, little-endian.
pub(super) const MAGIC: [u8; 4] = 0x184C_2102_u32.to_le_bytes();
/// Bytes of a block, unpacked.
const BLOCK: usize = 8 << 20;
/// The most that a block takes when packed (`LZ4_compressBound`): the kernel refuses more.
const PACKED: usize = BLOCK + BLOCK / 255 + 16;

/// Reads frames up to the end of the file or to a length that is zero.
pub(super) struct Frames<'b> {
    source: Source<'b>,
    block: Vec<u8>,
    len: usize,
    at: usize,
}

impl<'b> Frames<'b> {
    pub(super) fn new(source: Source<'b>) -> Self {
        Self {
            source,
            block: Vec::new(),
            len: 0,
            at: 0,
        }
    }

    /// Unpacks the next block; leaves `len` zero at the end.
    fn next_block(&mut self) -> io::Result<()> {
        (self.len, self.at) = (0, 0);
        loop {
            let Some((word, rest)) = self.source.rest().split_first_chunk::<4>() else {
                return Ok(());
            };
            if *word == MAGIC {
                self.source.consume(word.len());
                continue;
            }
            let Some(size) = usize::try_from(u32::from_le_bytes(*word)).ok().filter(|size| *size > 0) else {
                return Ok(());
            };
            if size > PACKED {
                return Err(damaged(format!(
                    "a block of {size} bytes; at most {PACKED} are possible"
                )));
            }
            let Some(packed) = rest.get(..size) else {
                let left = rest.len();
                return Err(damaged(format!(
                    "it ends inside a block: {left} of {size} bytes are there"
                )));
            };
            // Grown once, to what a block may need, however long the lengths say that it is.
            self.block.resize(BLOCK, 0);
            self.len = lz4_flex::block::decompress_into(packed, &mut self.block)
                .map_err(|error| damaged(error.to_string()))?;
            self.source.consume(word.len());
            self.source.consume(size);
            if self.len > 0 {
                return Ok(());
            }
        }
    }
}

fn damaged(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

impl Read for Frames<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut ready = self.fill_buf()?;
        let count = ready.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for Frames<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.at >= self.len {
            self.next_block()?;
        }
        Ok(self.block.get(self.at..self.len).unwrap_or_default())
    }

    fn consume(&mut self, count: usize) {
        self.at = self.at.saturating_add(count).min(self.len);
    }
}

/// Packs into one frame.
pub(super) fn frame(unpacked: &[u8]) -> Vec<u8> {
    let mut frame = MAGIC.to_vec();
    for block in unpacked.chunks(BLOCK) {
        let packed = lz4_flex::block::compress(block);
        let size = u32::try_from(packed.len()).unwrap_or(u32::MAX);
        frame.extend(size.to_le_bytes());
        frame.extend(packed);
    }
    frame
}
