//! Port 402h: the firmware's debug output, as QEMU has it.

use crate::device::PortDevice;
use std::io::Write;

/// What the port reads back, by which the firmware knows that somebody listens.
const PRESENT: u32 = 0xe9;

/// The port, writing to `W` line by line: a write a byte would cost more than the exit that brings it.
pub struct DebugPort<W: Write + Send> {
    out: W,
    line: Vec<u8>,
}

impl<W: Write + Send> DebugPort<W> {
    /// A port that writes to `out`.
    pub fn new(out: W) -> Self {
        DebugPort {
            out,
            line: Vec::with_capacity(128),
        }
    }

    /// Writes what is there, even if the line is not complete.
    pub fn flush(&mut self) {
        // The guest must run on even when the log's disk is full.
        let _ = self.out.write_all(&self.line).and_then(|()| self.out.flush());
        self.line.clear();
    }
}

impl<W: Write + Send> PortDevice for DebugPort<W> {
    fn read(&mut self, _: u16, _: u8) -> u32 {
        PRESENT
    }
    fn write(&mut self, _: u16, _: u8, value: u32) {
        let [byte, ..] = value.to_le_bytes();
        self.line.push(byte);
        if byte == b'\n' || self.line.len() >= 4096 {
            self.flush();
        }
    }
}

impl<W: Write + Send> Drop for DebugPort<W> {
    fn drop(&mut self) {
        self.flush();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_whole_and_the_rest_at_the_end() {
        let mut out = Vec::new();
        let mut port = DebugPort::new(&mut out);
        assert_eq!(port.read(0x402, 1), 0xe9);
        port.write_string(0x402, 1, b"one\ntwo");
        drop(port);
        assert_eq!(out, b"one\ntwo");
    }
}
