//! COM1 and COM2: vm-superio's 16550A behind our ports and interrupt line.

use crate::device::{IrqLine, PortDevice};
use crossbeam_channel::Receiver;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::io::Write;
use std::sync::Arc;
use vm_superio::serial::NoEvents;
use vm_superio::{Serial, Trigger};

struct Edge(Arc<dyn IrqLine>);

impl Trigger for Edge {
    type E = Infallible;
    fn trigger(&self) -> Result<(), Infallible> {
        // ISA interrupts are edges: a pulse is latched by the interrupt controller.
        self.0.set(false);
        self.0.set(true);
        Ok(())
    }
}

/// A serial port whose output goes to `W`, byte by byte.
pub struct SerialPort<W: Write + Send> {
    uart: Serial<Edge, NoEvents, W>,
    line: Arc<dyn IrqLine>,
    input: Option<Receiver<Vec<u8>>>,
    pending: VecDeque<u8>,
}

impl<W: Write + Send> SerialPort<W> {
    /// A port that interrupts on `line`.
    pub fn new(line: Arc<dyn IrqLine>, out: W) -> Self {
        SerialPort {
            uart: Serial::new(Edge(line.clone()), out),
            line,
            input: None,
            pending: VecDeque::new(),
        }
    }

    /// Received bytes come from `input`, as fast as the guest reads them.
    pub fn take_input_from(&mut self, input: Receiver<Vec<u8>>) {
        self.input = Some(input);
    }

    /// Moves what has been received into the FIFO, as far as there is room. Call it after sending input.
    pub fn refill(&mut self) {
        while self.uart.fifo_capacity() > 0 {
            if self.pending.is_empty() {
                match self.input.as_ref().and_then(|input| input.try_recv().ok()) {
                    Some(bytes) => self.pending.extend(bytes),
                    None => return,
                }
            }
            let (bytes, _) = self.pending.as_slices();
            match self.uart.enqueue_raw_bytes(bytes) {
                Ok(taken) if taken > 0 => drop(self.pending.drain(..taken)),
                // In loop-back mode nothing is received.
                _ => return,
            }
        }
    }
}

impl<W: Write + Send> PortDevice for SerialPort<W> {
    fn read(&mut self, port: u16, _: u8) -> u32 {
        let value = self.uart.read((port & 7) as u8);
        match port & 7 {
            0 if self.input.is_some() => self.refill(),
            2 => self.line.set(false),
            _ => {}
        }
        value.into()
    }
    fn write(&mut self, port: u16, _: u8, value: u32) {
        let [byte, ..] = value.to_le_bytes();
        // A full disk or a closed pipe must not stop the guest: the byte is lost, as on an unplugged cable.
        let _ = self.uart.write((port & 7) as u8, byte);
    }
}
