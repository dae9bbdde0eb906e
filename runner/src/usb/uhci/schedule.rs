//! One frame (1 ms): the walk through the guest's schedule, transaction by transaction.
//! Source: Intel Universal Host Controller Interface 1.1, 3.4.

use super::super::{Answer, Pid, UsbDevice};
use super::transfer::{BABBLE, Link, Queue, STALLED, Transfer, read_word};
use crate::device::{DmaError, GuestMemory};

/// Bytes that fit into a frame.
const BANDWIDTH: usize = 1280;
/// Transactions in a frame, and queues and descriptors that are looked at: a schedule that never ends is cut off.
const MOST_TRANSACTIONS: usize = 64;
const MOST_LINKS: usize = 512;

/// What a frame has come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    /// A transfer that asked for an interrupt has completed.
    pub(super) completed: bool,
    /// One was short, and asked to be told.
    pub(super) short: bool,
    /// One has failed.
    pub(super) failed: bool,
    /// Data was moved: more may follow soon.
    pub(super) busy: bool,
}

/// The schedule cannot be followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It leaves the guest's memory.
    Memory,
    /// A descriptor makes no sense.
    Descriptor,
}

impl From<DmaError> for Fault {
    fn from(_: DmaError) -> Self {
        Fault::Memory
    }
}

/// Whether the queue of a transfer goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Advance,
    Wait,
}

/// The walk through one frame.
pub(super) struct Frame<'a> {
    pub(super) memory: &'a dyn GuestMemory,
    /// Devices on ports that are enabled.
    pub(super) device: Option<&'a mut dyn UsbDevice>,
    outcome: Outcome,
    links: usize,
    transactions: usize,
    bytes: usize,
}

impl<'a> Frame<'a> {
    pub(super) fn new(memory: &'a dyn GuestMemory, device: Option<&'a mut dyn UsbDevice>) -> Self {
        Frame {
            memory,
            device,
            outcome: Outcome::default(),
            links: 0,
            transactions: 0,
            bytes: 0,
        }
    }

    /// Works through what the pointer at `address` of the frame list leads to.
    pub(super) fn run(mut self, address: u32) -> Result<Outcome, Fault> {
        let mut link = Link::from(read_word(self.memory, address)?);
        // Drivers close the circle of queues to use up what is left of a frame: one turn without progress ends it.
        let mut turn: Vec<u32> = Vec::new();
        while self.has_room() {
            self.links += 1;
            link = match link {
                Link::End => break,
                Link::Transfer(address, _) => {
                    let mut transfer = Transfer::read(self.memory, address)?;
                    if transfer.is_active() {
                        self.transact(&mut transfer)?;
                    }
                    Link::from(transfer.link)
                }
                Link::Queue(address) => {
                    if turn.contains(&address) {
                        break;
                    }
                    turn.push(address);
                    let before = self.bytes;
                    let next = self.queue(address)?;
                    if self.bytes != before {
                        turn.clear();
                    }
                    next
                }
            };
        }
        Ok(self.outcome)
    }

    fn has_room(&self) -> bool {
        self.links < MOST_LINKS && self.transactions < MOST_TRANSACTIONS && self.bytes < BANDWIDTH
    }

    /// The transfers of one queue: one of them, or more as long as they say "depth first".
    fn queue(&mut self, address: u32) -> Result<Link, Fault> {
        let queue = Queue::read(self.memory, address)?;
        let mut element = queue.element;
        while self.has_room() {
            self.links += 1;
            match Link::from(element) {
                Link::End => break,
                // A queue within a queue: it takes this one's place.
                Link::Queue(inner) => return Ok(Link::Queue(inner)),
                Link::Transfer(at, _) => {
                    let mut transfer = Transfer::read(self.memory, at)?;
                    if !transfer.is_active() || self.transact(&mut transfer)? == Next::Wait {
                        break;
                    }
                    element = transfer.link;
                    Queue::advance(self.memory, address, element)?;
                    if !matches!(Link::from(element), Link::Transfer(_, true)) {
                        break;
                    }
                }
            }
        }
        Ok(Link::from(queue.next))
    }

    /// One transaction with the device that the transfer names.
    fn transact(&mut self, transfer: &mut Transfer) -> Result<Next, Fault> {
        let (Some(pid), Some(length)) = (transfer.pid(), transfer.length()) else {
            return Err(Fault::Descriptor);
        };
        self.transactions += 1;
        let mut data = Vec::new();
        if pid != Pid::In {
            data.resize(length, 0);
            self.memory.read(u64::from(transfer.buffer), &mut data)?;
        }
        let device = self
            .device
            .as_deref_mut()
            .filter(|device| device.address() == transfer.device());
        let answer = device.map(|device| device.transaction(pid, transfer.endpoint(), &data, length));
        let next = match answer {
            None => {
                if transfer.unanswered() {
                    self.outcome.failed = true;
                }
                Next::Wait
            }
            Some(Answer::Nak) => {
                transfer.not_now();
                Next::Wait
            }
            Some(Answer::Stall) => {
                transfer.failed(STALLED);
                self.outcome.failed = true;
                Next::Wait
            }
            Some(Answer::Taken) => self.complete(transfer, length, length),
            Some(Answer::Data(bytes)) if bytes.len() > length => {
                transfer.failed(BABBLE | STALLED);
                self.outcome.failed = true;
                Next::Wait
            }
            Some(Answer::Data(bytes)) => {
                self.memory.write(u64::from(transfer.buffer), &bytes)?;
                self.complete(transfer, bytes.len(), length)
            }
        };
        transfer.write_status(self.memory)?;
        if !transfer.is_active() {
            self.outcome.completed |= transfer.interrupts();
        }
        Ok(next)
    }

    fn complete(&mut self, transfer: &mut Transfer, moved: usize, wanted: usize) -> Next {
        transfer.completed(moved);
        // An empty packet costs time on the wire, too.
        self.bytes += moved.max(1);
        self.outcome.busy = true;
        if moved < wanted && transfer.detects_short_packets() {
            self.outcome.short = true;
            return Next::Wait;
        }
        Next::Advance
    }
}
