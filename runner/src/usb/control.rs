//! Endpoint 0: requests in three stages (setup, data, status), cut into packets.
//! Source: Universal Serial Bus Specification 1.1, 8.5.2 and 9.3.

use super::descriptors::PACKET;
use super::{Answer, Pid};

/// A request as it arrives in a setup packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Request {
    /// Direction (bit 7), type (6:5), recipient (4:0).
    pub(super) kind: u8,
    pub(super) code: u8,
    pub(super) value: u16,
    pub(super) index: u16,
    pub(super) length: u16,
}

impl Request {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let &[kind, code, v0, v1, i0, i1, l0, l1] = bytes else {
            return None;
        };
        Some(Request {
            kind,
            code,
            value: u16::from_le_bytes([v0, v1]),
            index: u16::from_le_bytes([i0, i1]),
            length: u16::from_le_bytes([l0, l1]),
        })
    }

    pub(super) fn to_host(self) -> bool {
        self.kind & 0x80 != 0
    }
}

/// Most bytes that a request brings to the device; no request of ours takes more.
const MAX_DATA: usize = 64;

#[derive(Debug, Default)]
enum Stage {
    /// Waits for a setup packet.
    #[default]
    Idle,
    /// The rest of what the host asked for.
    DataIn(Vec<u8>),
    /// What has arrived of the host's data.
    DataOut(Request, Vec<u8>),
    /// A request without data, which takes effect when the host asks for its status.
    Status(Request),
    /// The request is not understood: until the next setup packet.
    Stalled,
}

/// What carries requests out.
pub(super) trait Requests {
    /// Data for the host, or `None` to refuse.
    fn get(&mut self, request: Request) -> Option<Vec<u8>>;
    /// Takes data (often none); false to refuse.
    fn set(&mut self, request: Request, data: &[u8]) -> bool;
}

/// The state of endpoint 0.
#[derive(Debug, Default)]
pub(super) struct ControlPipe {
    stage: Stage,
}

impl ControlPipe {
    pub(super) fn transaction(&mut self, requests: &mut dyn Requests, pid: Pid, data: &[u8], most: usize) -> Answer {
        match pid {
            Pid::Setup => self.setup(requests, data),
            Pid::In => self.data_to_host(requests, most),
            Pid::Out => self.data_from_host(requests, data),
        }
    }

    /// A setup packet is always acknowledged, and ends whatever went on.
    fn setup(&mut self, requests: &mut dyn Requests, data: &[u8]) -> Answer {
        self.stage = match Request::parse(data) {
            None => Stage::Stalled,
            Some(request) if request.to_host() => match requests.get(request) {
                Some(mut bytes) => {
                    bytes.truncate(usize::from(request.length));
                    Stage::DataIn(bytes)
                }
                None => Stage::Stalled,
            },
            Some(request) if request.length == 0 => Stage::Status(request),
            Some(request) if usize::from(request.length) <= MAX_DATA => Stage::DataOut(request, Vec::new()),
            Some(_) => Stage::Stalled,
        };
        Answer::Taken
    }

    fn data_to_host(&mut self, requests: &mut dyn Requests, most: usize) -> Answer {
        match &mut self.stage {
            Stage::DataIn(bytes) => {
                let size = bytes.len().min(most).min(usize::from(PACKET));
                Answer::Data(bytes.drain(..size).collect())
            }
            Stage::Status(request) => {
                let request = *request;
                self.finish(requests, request, &[])
            }
            Stage::DataOut(request, data) if data.len() >= usize::from(request.length) => {
                let (request, data) = (*request, std::mem::take(data));
                self.finish(requests, request, &data)
            }
            Stage::Idle | Stage::DataOut(..) | Stage::Stalled => Answer::Stall,
        }
    }

    fn finish(&mut self, requests: &mut dyn Requests, request: Request, data: &[u8]) -> Answer {
        if requests.set(request, data) {
            self.stage = Stage::Idle;
            Answer::Data(Vec::new())
        } else {
            self.stage = Stage::Stalled;
            Answer::Stall
        }
    }

    fn data_from_host(&mut self, _: &mut dyn Requests, data: &[u8]) -> Answer {
        match &mut self.stage {
            // The status stage: the host may have had enough before the data ended.
            Stage::DataIn(_) => {
                self.stage = Stage::Idle;
                Answer::Taken
            }
            Stage::DataOut(request, received) if received.len() + data.len() <= usize::from(request.length) => {
                received.extend(data);
                Answer::Taken
            }
            Stage::Idle | Stage::DataOut(..) | Stage::Status(_) | Stage::Stalled => {
                self.stage = Stage::Stalled;
                Answer::Stall
            }
        }
    }
}
