//! What lies in the guest's memory: links, queue heads and transfer descriptors.
//! Source: Intel Universal Host Controller Interface 1.1, chapter 3.

use super::super::Pid;
use crate::device::{DmaError, GuestMemory};

/// A link to the next thing to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Link {
    /// Nothing follows.
    End,
    /// A queue head at this address.
    Queue(u32),
    /// A transfer descriptor at this address; the flag says to go on with it at once ("depth first").
    Transfer(u32, bool),
}

impl From<u32> for Link {
    fn from(word: u32) -> Self {
        let address = word & 0xFFFF_FFF0;
        match word & 3 {
            0 => Link::Transfer(address, word & 4 != 0),
            2 => Link::Queue(address),
            _ => Link::End,
        }
    }
}

pub(super) fn read_word(memory: &dyn GuestMemory, address: u32) -> Result<u32, DmaError> {
    let mut bytes = [0; 4];
    memory.read(u64::from(address), &mut bytes)?;
    Ok(u32::from_le_bytes(bytes))
}

/// A queue head: 8 bytes of two links.
#[derive(Clone, Copy, Debug)]
pub(super) struct Queue {
    /// The queue beside this one.
    pub(super) next: u32,
    /// What this queue is at.
    pub(super) element: u32,
}

impl Queue {
    pub(super) fn read(memory: &dyn GuestMemory, address: u32) -> Result<Self, DmaError> {
        Ok(Queue {
            next: read_word(memory, address)?,
            element: read_word(memory, address.wrapping_add(4))?,
        })
    }

    /// Moves the queue in memory on to `element`.
    pub(super) fn advance(memory: &dyn GuestMemory, address: u32, element: u32) -> Result<(), DmaError> {
        memory.write(u64::from(address.wrapping_add(4)), &element.to_le_bytes())
    }
}

// Control and status, the second word of a transfer descriptor.
const ACTUAL_LENGTH: u32 = 0x7FF;
pub(super) const TIMEOUT: u32 = 1 << 18;
pub(super) const NAK: u32 = 1 << 19;
pub(super) const BABBLE: u32 = 1 << 20;
pub(super) const STALLED: u32 = 1 << 22;
pub(super) const ACTIVE: u32 = 1 << 23;
const INTERRUPT: u32 = 1 << 24;
const ERRORS_AT: u32 = 27;
const ERRORS: u32 = 3 << ERRORS_AT;
const SHORT_PACKET: u32 = 1 << 29;
/// What the controller says of the last try.
const OUTCOME: u32 = 0x7E << 16;

/// A transfer descriptor: 16 bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Transfer {
    address: u32,
    pub(super) link: u32,
    pub(super) status: u32,
    token: u32,
    /// Where the data is.
    pub(super) buffer: u32,
}

impl Transfer {
    pub(super) fn read(memory: &dyn GuestMemory, address: u32) -> Result<Self, DmaError> {
        let mut bytes = [0; 16];
        memory.read(u64::from(address), &mut bytes)?;
        let word = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        Ok(Transfer {
            address,
            link: word(0),
            status: word(4),
            token: word(8),
            buffer: word(12),
        })
    }

    pub(super) fn is_active(&self) -> bool {
        self.status & ACTIVE != 0
    }

    /// The kind of packet; `None` for one that does not exist.
    pub(super) fn pid(&self) -> Option<Pid> {
        match self.token.to_le_bytes()[0] {
            0x2D => Some(Pid::Setup),
            0x69 => Some(Pid::In),
            0xE1 => Some(Pid::Out),
            _ => None,
        }
    }

    pub(super) fn device(&self) -> u8 {
        self.token.to_le_bytes()[1] & 0x7F
    }

    pub(super) fn endpoint(&self) -> u8 {
        (self.token >> 15).to_le_bytes()[0] & 15
    }

    /// How many bytes are to be moved, at most 1280; `None` for lengths that are not allowed.
    pub(super) fn length(&self) -> Option<usize> {
        let length = (self.token >> 21).wrapping_add(1) & 0x7FF;
        usize::try_from(length).ok().filter(|length| *length <= 1280)
    }

    /// Whether the guest wants an interrupt for this one.
    pub(super) fn interrupts(&self) -> bool {
        self.status & INTERRUPT != 0
    }

    /// Whether fewer bytes than asked for stop the queue.
    pub(super) fn detects_short_packets(&self) -> bool {
        self.status & SHORT_PACKET != 0
    }

    /// Done, with so many bytes.
    pub(super) fn completed(&mut self, bytes: usize) {
        self.status &= !(ACTIVE | OUTCOME | ACTUAL_LENGTH);
        self.status |= u32::try_from(bytes).unwrap_or(0).wrapping_sub(1) & ACTUAL_LENGTH;
    }

    /// The device is not ready.
    pub(super) fn not_now(&mut self) {
        self.status = self.status & !OUTCOME | NAK;
    }

    /// Over, because of `reason`.
    pub(super) fn failed(&mut self, reason: u32) {
        self.status = self.status & !(ACTIVE | OUTCOME | ACTUAL_LENGTH) | ACTUAL_LENGTH | reason;
    }

    /// Nobody has answered. Of the tries that the guest grants (0 is no limit) one is used up; true at the last.
    pub(super) fn unanswered(&mut self) -> bool {
        let left = (self.status & ERRORS) >> ERRORS_AT;
        if left > 1 || left == 0 {
            let left = left.saturating_sub(1);
            self.status = self.status & !(ERRORS | OUTCOME) | left << ERRORS_AT | TIMEOUT;
            return false;
        }
        self.status &= !ERRORS;
        self.failed(TIMEOUT | STALLED);
        true
    }

    /// Writes back what the controller may change.
    pub(super) fn write_status(&self, memory: &dyn GuestMemory) -> Result<(), DmaError> {
        memory.write(u64::from(self.address.wrapping_add(4)), &self.status.to_le_bytes())
    }
}
