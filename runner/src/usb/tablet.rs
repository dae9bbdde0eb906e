//! A USB tablet: a mouse that tells where the pointer is. Systems since Windows 98 SE have a driver for it.
//! Source: Device Class Definition for Human Interface Devices 1.11, 7 (requests) and 8 (reports).

use super::control::{ControlPipe, Request, Requests};
use super::descriptors::{LAST, REPORTS, descriptor};
use super::{Answer, Pid, UsbDevice};
use crate::input::InputEvent;
use std::collections::VecDeque;

/// Reports that wait for the guest. More are needed only if it does not look for long.
const MAX_REPORTS: usize = 64;

const LEFT: u8 = 1;
const RIGHT: u8 = 2;
const MIDDLE: u8 = 4;

/// What one report says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Report {
    buttons: u8,
    x: u16,
    y: u16,
    /// Positive is away from the user.
    wheel: i8,
    /// Only the place differs from the report before.
    movement: bool,
}

impl Report {
    fn bytes(self) -> Vec<u8> {
        let ([x0, x1], [y0, y1]) = (self.x.to_le_bytes(), self.y.to_le_bytes());
        vec![self.buttons, x0, x1, y0, y1, self.wheel.to_le_bytes()[0]]
    }
}

/// The tablet. Its pointer starts in the upper left corner.
#[derive(Debug, Default)]
pub struct Tablet {
    pipe: ControlPipe,
    state: State,
}

#[derive(Debug, Default)]
struct State {
    address: u8,
    configuration: u8,
    /// The guest may be woken by us.
    remote_wakeup: bool,
    /// The interrupt endpoint is halted.
    halted: bool,
    idle: u8,
    protocol: u8,
    /// The guest has asked for a report since it chose the configuration.
    polled: bool,
    /// What is still to be told; a movement replaces the one before it.
    reports: VecDeque<Report>,
    now: Report,
}

impl Tablet {
    /// A tablet that nobody has touched.
    pub fn new() -> Self {
        let mut tablet = Tablet::default();
        tablet.reset();
        tablet
    }

    /// Whether the guest has a driver that listens.
    pub fn is_used(&self) -> bool {
        self.state.configuration != 0 && self.state.polled
    }

    /// A place, a button or the wheel. Anything else, and names that are unknown, are ignored.
    pub fn input(&mut self, event: &InputEvent) {
        match event {
            InputEvent::Point { x, y } => self.state.point(*x, *y),
            InputEvent::Button { name, down } => self.state.button(name, *down),
            InputEvent::Key { .. } | InputEvent::Move { .. } => {}
        }
    }

    /// Whether a button is down that goes up with this event.
    pub fn holds(&self, name: &str) -> bool {
        button(name).is_some_and(|bit| self.state.now.buttons & bit != 0)
    }

    /// Whether it has this button, or wheel.
    pub fn has(&self, name: &str) -> bool {
        button(name).is_some() || name.starts_with("wheel-")
    }
}

fn button(name: &str) -> Option<u8> {
    Some(match name {
        "left" => LEFT,
        "right" => RIGHT,
        "middle" => MIDDLE,
        _ => return None,
    })
}

/// A coordinate of 0–65535 as the reports have it.
fn coordinate(place: u16) -> u16 {
    let exact = (u32::from(place) * u32::from(LAST) + 32767) / 65535;
    u16::try_from(exact).unwrap_or(LAST)
}

impl State {
    fn point(&mut self, x: Option<u16>, y: Option<u16>) {
        let (x, y) = (x.map_or(self.now.x, coordinate), y.map_or(self.now.y, coordinate));
        if (x, y) == (self.now.x, self.now.y) {
            return;
        }
        (self.now.x, self.now.y) = (x, y);
        self.tell(0, true);
    }

    fn button(&mut self, name: &str, down: bool) {
        match (name, down) {
            ("wheel-up", true) => self.tell(1, false),
            ("wheel-down", true) => self.tell(-1, false),
            _ => {
                let Some(bit) = button(name) else { return };
                let before = self.now.buttons;
                self.now.buttons = if down { before | bit } else { before & !bit };
                if self.now.buttons != before {
                    self.tell(0, false);
                }
            }
        }
    }

    /// Puts what holds now into the queue. A movement after a movement replaces it: the guest is never behind, and
    /// buttons go down where they went down. Without a driver nothing waits.
    fn tell(&mut self, wheel: i8, movement: bool) {
        if self.configuration == 0 {
            return;
        }
        let report = Report {
            wheel,
            movement,
            ..self.now
        };
        let full = self.reports.len() >= MAX_REPORTS;
        match self.reports.back_mut() {
            Some(last) if full || movement && last.movement => *last = report,
            _ => self.reports.push_back(report),
        }
    }

    fn configure(&mut self, value: u8) -> bool {
        if value > 1 {
            return false;
        }
        self.configuration = value;
        self.halted = false;
        self.polled = false;
        self.reports.clear();
        true
    }
}

// Requests: bmRequestType in the upper byte, bRequest in the lower one.
const GET_STATUS: [u16; 3] = [0x8000, 0x8100, 0x8200];
const CLEAR_DEVICE_FEATURE: u16 = 0x0001;
const SET_DEVICE_FEATURE: u16 = 0x0003;
const CLEAR_ENDPOINT_FEATURE: u16 = 0x0201;
const SET_ENDPOINT_FEATURE: u16 = 0x0203;
const SET_ADDRESS: u16 = 0x0005;
const GET_DESCRIPTOR: u16 = 0x8006;
const GET_INTERFACE_DESCRIPTOR: u16 = 0x8106;
const GET_CONFIGURATION: u16 = 0x8008;
const SET_CONFIGURATION: u16 = 0x0009;
const GET_INTERFACE: u16 = 0x810A;
const SET_INTERFACE: u16 = 0x010B;
const GET_REPORT: u16 = 0xA101;
const GET_IDLE: u16 = 0xA102;
const GET_PROTOCOL: u16 = 0xA103;
const SET_IDLE: u16 = 0x210A;
const SET_PROTOCOL: u16 = 0x210B;

// Features.
const ENDPOINT_HALT: u16 = 0;
const REMOTE_WAKEUP: u16 = 1;

fn number(request: Request) -> u16 {
    u16::from_be_bytes([request.kind, request.code])
}

impl Requests for State {
    fn get(&mut self, request: Request) -> Option<Vec<u8>> {
        let [low, high] = request.value.to_le_bytes();
        match number(request) {
            asked if GET_STATUS.contains(&asked) => {
                let status = match asked {
                    0x8000 => u16::from(self.remote_wakeup) << 1,
                    0x8200 => u16::from(self.halted && request.index == u16::from(0x80 | REPORTS)),
                    _ => 0,
                };
                Some(status.to_le_bytes().to_vec())
            }
            GET_DESCRIPTOR | GET_INTERFACE_DESCRIPTOR => descriptor(high, low),
            GET_CONFIGURATION => Some(vec![self.configuration]),
            GET_INTERFACE => Some(vec![0]),
            GET_REPORT => Some(self.now.bytes()),
            GET_IDLE => Some(vec![self.idle]),
            GET_PROTOCOL => Some(vec![self.protocol]),
            _ => None,
        }
    }

    fn set(&mut self, request: Request, _: &[u8]) -> bool {
        let [low, high] = request.value.to_le_bytes();
        match number(request) {
            SET_ADDRESS => self.address = low & 0x7F,
            SET_CONFIGURATION => return self.configure(low),
            SET_INTERFACE => return request.value == 0,
            CLEAR_DEVICE_FEATURE | SET_DEVICE_FEATURE if request.value == REMOTE_WAKEUP => {
                self.remote_wakeup = number(request) == SET_DEVICE_FEATURE;
            }
            CLEAR_ENDPOINT_FEATURE | SET_ENDPOINT_FEATURE if request.value == ENDPOINT_HALT => {
                if request.index == u16::from(0x80 | REPORTS) {
                    self.halted = number(request) == SET_ENDPOINT_FEATURE;
                }
            }
            SET_IDLE => self.idle = high,
            SET_PROTOCOL => self.protocol = low & 1,
            _ => return false,
        }
        true
    }
}

impl UsbDevice for Tablet {
    fn reset(&mut self) {
        let now = self.state.now;
        self.pipe = ControlPipe::default();
        // Where the pointer is, a reset does not change. Protocol 1 is that of reports, not of firmware.
        self.state = State {
            protocol: 1,
            now,
            ..State::default()
        };
    }

    fn address(&self) -> u8 {
        self.state.address
    }

    fn transaction(&mut self, pid: Pid, endpoint: u8, data: &[u8], most: usize) -> Answer {
        match (endpoint, pid) {
            (0, _) => self.pipe.transaction(&mut self.state, pid, data, most),
            (REPORTS, Pid::In) if self.state.configuration != 0 && !self.state.halted => {
                self.state.polled = true;
                match self.state.reports.pop_front() {
                    Some(report) => Answer::Data(report.bytes()),
                    None => Answer::Nak,
                }
            }
            _ => Answer::Stall,
        }
    }

    fn wants_to_wake(&self) -> bool {
        self.state.remote_wakeup && !self.state.reports.is_empty()
    }
}
