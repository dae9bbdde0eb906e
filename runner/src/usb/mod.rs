//! USB: a host controller, and the tablet on it that tells old systems where the pointer is.
//!
//! Data flows from the guest's schedule (`uhci`) to the device that answers a packet (`control` for endpoint 0,
//! `tablet` for the rest). Source of the protocol: Universal Serial Bus Specification 1.1, chapters 8 and 9.

mod control;
mod descriptors;
mod tablet;
mod uhci;

#[cfg(test)]
mod tests;

pub use tablet::Tablet;
pub use uhci::{Uhci, UhciLines};

/// What a device answers to a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Answer {
    /// Data for the host; never more than it asked for unless the device babbles.
    Data(Vec<u8>),
    /// The host's data was taken.
    Taken,
    /// Not now: the host asks again.
    Nak,
    /// The request or the endpoint does not work; the host has to clear it.
    Stall,
}

/// The kind of packet with which a transaction begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pid {
    Setup,
    In,
    Out,
}

/// A device as the host controller sees it. The address is the controller's business only to find it.
trait UsbDevice: Send {
    /// The reset of the bus: back to address 0, without a configuration.
    fn reset(&mut self);
    /// The address that it listens to.
    fn address(&self) -> u8;
    /// A transaction with an endpoint: `data` is the host's, `most` how many bytes it takes.
    fn transaction(&mut self, pid: Pid, endpoint: u8, data: &[u8], most: usize) -> Answer;
    /// Whether it has something to tell and may wake a sleeping host.
    fn wants_to_wake(&self) -> bool;
}
