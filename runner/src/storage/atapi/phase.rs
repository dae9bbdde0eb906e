//! The phases of a packet command: packet, data, status (ATA/ATAPI-6, 9.7 and 9.8).

use super::super::device::Interface;
use super::super::registers::status;
use super::super::worker::Work;
use super::Cdrom;
use super::packet::Answer;
use super::read::{Format, Span};
use super::sense::Sense;

/// Interrupt reason (the count register): a command or status, not data.
const COMMAND: u8 = 0x01;
/// Interrupt reason: towards the host.
const TO_HOST: u8 = 0x02;
/// The features register of PACKET: data move by DMA.
const DMA: u8 = 0x01;
/// The most that one READ CD of raw sectors moves by DMA, in bytes: it is put together in memory first.
const MAX_RAW_DMA: u64 = 1024 * 1024;

/// Where a packet command is.
pub(super) enum Phase {
    /// None is running.
    Idle,
    /// The packet is coming.
    Packet {
        dma: bool,
        /// The most bytes of a DRQ block.
        limit: usize,
    },
    /// Data go to the host by PIO.
    Data(Reply),
    /// Parameters are coming.
    Parameters,
}

/// Data on their way to the host by PIO.
pub(super) struct Reply {
    /// Bytes at hand, the next one at `taken`.
    loaded: Vec<u8>,
    taken: usize,
    /// Sectors that are still to be read.
    rest: Option<Span>,
    limit: usize,
}

impl Cdrom {
    /// PACKET: asks for the 12 bytes, without an interrupt.
    pub(super) fn await_packet(&mut self, interface: &mut Interface) {
        let limit = usize::from(u16::from_le_bytes([interface.task.mid.now, interface.task.high.now]));
        // An odd limit is rounded down; FFFFh and 0 mean as much as possible.
        let limit = if limit < 2 { 0xFFFE } else { limit & !1 };
        self.phase = Phase::Packet {
            dma: interface.task.features.now & DMA != 0,
            limit,
        };
        interface.task.count.set(COMMAND);
        interface.receive(12, false);
    }

    /// The host has delivered the packet, or parameters.
    pub(in super::super) fn block_received(&mut self, interface: &mut Interface, block: &[u8]) -> Option<Work> {
        let phase = std::mem::replace(&mut self.phase, Phase::Idle);
        let (Phase::Packet { dma, limit }, Ok(cdb)) = (phase, <&[u8; 12]>::try_from(block)) else {
            self.good(interface);
            return None;
        };
        if cdb[0] != 0x03 {
            self.sense = Sense::NONE;
        }
        match self.execute(cdb) {
            Ok(answer) => self.answer(interface, answer, dma, limit),
            Err(sense) => self.check(interface, sense),
        }
        None
    }

    fn answer(&mut self, interface: &mut Interface, answer: Answer, dma: bool, limit: usize) {
        match answer {
            Answer::Done => self.good(interface),
            Answer::Data(bytes) if bytes.is_empty() => self.good(interface),
            Answer::Sectors(span) if span.count == 0 => self.good(interface),
            Answer::Parameters(0) => self.good(interface),
            // Parameters by DMA: no driver does that.
            Answer::Parameters(_) if dma => self.check(interface, Sense::INVALID_FIELD),
            Answer::Parameters(len) if len > limit => self.check(interface, Sense::PARAMETER_LENGTH),
            Answer::Parameters(len) => {
                self.phase = Phase::Parameters;
                interface.task.count.set(0);
                set_byte_count(interface, len);
                interface.receive(len.next_multiple_of(2), true);
            }
            Answer::Data(bytes) if dma => self.await_dma(interface, Work::Answer(bytes)),
            Answer::Data(loaded) => self.start_reply(interface, loaded, None, limit),
            Answer::Sectors(span) if dma => self.read_by_dma(interface, span),
            Answer::Sectors(span) => self.start_reply(interface, Vec::new(), Some(span), limit),
        }
    }

    fn await_dma(&mut self, interface: &mut Interface, work: Work) {
        interface.task.count.set(TO_HOST);
        interface.await_dma(work);
    }

    fn read_by_dma(&mut self, interface: &mut Interface, mut span: Span) {
        let medium = match self.medium() {
            Ok(medium) => medium.clone(),
            Err(sense) => return self.check(interface, sense),
        };
        if span.format == Format::User {
            let (offset, len) = (span.offset(), span.len());
            return self.await_dma(interface, Work::Read { medium, offset, len });
        }
        if span.len() > MAX_RAW_DMA {
            return self.check(interface, Sense::INVALID_FIELD);
        }
        let mut bytes = Vec::new();
        while span.count > 0 {
            match span.load(&medium) {
                Ok(more) => bytes.extend(more),
                Err(_) => return self.check(interface, Sense::UNRECOVERED_READ_ERROR),
            }
        }
        self.await_dma(interface, Work::Answer(bytes));
    }

    fn start_reply(&mut self, interface: &mut Interface, loaded: Vec<u8>, rest: Option<Span>, limit: usize) {
        let reply = Reply {
            loaded,
            taken: 0,
            rest,
            limit,
        };
        self.send_next(interface, reply);
    }

    /// Sends the next DRQ block of `reply`, or the status if there is none.
    fn send_next(&mut self, interface: &mut Interface, mut reply: Reply) {
        if reply.taken >= reply.loaded.len()
            && let Some(span) = reply.rest.as_mut().filter(|span| span.count > 0)
        {
            let loaded = match self.medium() {
                Ok(medium) => span.load(medium).map_err(|_| Sense::UNRECOVERED_READ_ERROR),
                Err(sense) => Err(sense),
            };
            match loaded {
                Ok(bytes) => (reply.loaded, reply.taken) = (bytes, 0),
                Err(sense) => return self.check(interface, sense),
            }
        }
        let left = &reply.loaded[reply.taken..];
        if left.is_empty() {
            return self.good(interface);
        }
        let len = left.len().min(reply.limit);
        let mut block = left[..len].to_vec();
        // The data port moves words.
        block.resize(len.next_multiple_of(2), 0);
        reply.taken += len;
        interface.task.count.set(TO_HOST);
        set_byte_count(interface, len);
        interface.send(block);
        self.phase = Phase::Data(reply);
    }

    /// The host has fetched a DRQ block.
    pub(in super::super) fn block_sent(&mut self, interface: &mut Interface) {
        match std::mem::replace(&mut self.phase, Phase::Idle) {
            Phase::Data(reply) => self.send_next(interface, reply),
            // IDENTIFY PACKET DEVICE ends without an interrupt.
            _ => {
                let pending = interface.interrupt;
                interface.finish();
                interface.interrupt = pending;
            }
        }
    }

    /// GOOD status.
    pub(super) fn good(&mut self, interface: &mut Interface) {
        interface.task.count.set(COMMAND | TO_HOST);
        interface.finish();
    }

    /// CHECK CONDITION: REQUEST SENSE tells the rest.
    pub(super) fn check(&mut self, interface: &mut Interface, sense: Sense) {
        self.sense = sense;
        interface.task.count.set(COMMAND | TO_HOST);
        interface.finish();
        interface.status = status::DRDY | status::ERR;
        interface.error = sense.key << 4;
    }
}

fn set_byte_count(interface: &mut Interface, len: usize) {
    interface.task.mid.set(len as u8);
    interface.task.high.set((len >> 8) as u8);
}
