//! Buffers whose first byte lies on a page, as reads past the page cache want it.

use super::CHUNK;
use std::ops::Range;

const ALIGNMENT: usize = 4096;

/// Room for one chunk.
pub(crate) struct Buffer {
    memory: Vec<u8>,
    start: usize,
    /// All around this part of the chunk's bytes are zeros.
    filled: Range<usize>,
}

impl Buffer {
    /// A new one, all zeros.
    pub(crate) fn new() -> Self {
        let size = usize::try_from(CHUNK).unwrap_or(usize::MAX);
        let memory = vec![0; size + ALIGNMENT];
        // The allocation never moves: the vector is never resized.
        let start = memory.as_ptr().align_offset(ALIGNMENT).min(ALIGNMENT);
        Buffer {
            memory,
            start,
            filled: 0..0,
        }
    }

    /// The chunk's bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.memory[self.start..][..self.memory.len() - ALIGNMENT]
    }

    /// The chunk's bytes, to be filled.
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        let size = self.memory.len() - ALIGNMENT;
        self.zeros_but(0..size)
    }

    /// The chunk's bytes, of which `part` is to be filled: all others are zeros. Little is cleared for that if little was
    /// filled before.
    pub(crate) fn zeros_but(&mut self, part: Range<usize>) -> &mut [u8] {
        let size = self.memory.len() - ALIGNMENT;
        let bytes = &mut self.memory[self.start..][..size];
        let before = std::mem::replace(&mut self.filled, part.clone());
        for around in [0..part.start, part.end..size] {
            let old = before.start.max(around.start)..before.end.min(around.end);
            if !old.is_empty() {
                bytes[old].fill(0);
            }
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_lies_on_a_page_and_holds_a_chunk() {
        let mut buffer = Buffer::new();
        assert_eq!(buffer.bytes().as_ptr().align_offset(ALIGNMENT), 0);
        assert_eq!(buffer.bytes_mut().len() as u64, CHUNK);
    }

    #[test]
    fn around_what_is_filled_are_zeros() {
        let mut buffer = Buffer::new();
        for part in [
            5..9,
            0..3,
            8..12,
            2..20,
            0..20,
            7..7,
            100..200,
            150..160,
            0..CHUNK as usize,
            1..2,
        ] {
            buffer.zeros_but(part.clone())[part.clone()].fill(1);
            for (at, byte) in buffer.bytes().iter().enumerate() {
                assert_eq!(*byte, u8::from(part.contains(&at)), "{at}, {part:?}");
            }
        }
    }
}
