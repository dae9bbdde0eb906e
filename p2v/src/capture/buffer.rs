//! Buffers whose first byte lies on a page, as reads past the page cache want it.

use super::CHUNK;

const ALIGNMENT: usize = 4096;

/// Room for one chunk.
pub(crate) struct Buffer {
    memory: Vec<u8>,
    start: usize,
}

impl Buffer {
    /// A new one, all zeros.
    pub(crate) fn new() -> Self {
        let size = usize::try_from(CHUNK).unwrap_or(usize::MAX);
        let memory = vec![0; size + ALIGNMENT];
        // The allocation never moves: the vector is never resized.
        let start = memory.as_ptr().align_offset(ALIGNMENT).min(ALIGNMENT);
        Buffer { memory, start }
    }

    /// The chunk's bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.memory[self.start..][..self.memory.len() - ALIGNMENT]
    }

    /// The chunk's bytes, to be filled.
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        let size = self.memory.len() - ALIGNMENT;
        &mut self.memory[self.start..][..size]
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
}
