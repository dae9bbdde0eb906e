//! A PS/2 mouse with wheel and five buttons (IntelliMouse and IntelliMouse Explorer).
//! Source: IBM PS/2 Hardware Interface Technical Reference, "Mouse"; Microsoft "Mouse wheel support in Windows".

use std::collections::VecDeque;

/// Button changes that wait for the guest.
const MAX_REPORTS: usize = 128;
/// Furthest the pointer may be ahead of what the guest has read, in counts.
const MAX_TRAVEL: i32 = 4096;

const ACK: u8 = 0xFA;
const RESEND: u8 = 0xFE;
const SELF_TEST_PASSED: u8 = 0xAA;

const LEFT: u8 = 1;
const RIGHT: u8 = 2;
const MIDDLE: u8 = 4;
const SIDE: u8 = 8;
const EXTRA: u8 = 16;

/// Which kind of mouse it acts as; the value is its identity byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Standard = 0,
    Wheel = 3,
    FiveButtons = 4,
}

/// A command whose parameter is still to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pending {
    SampleRate,
    Resolution,
}

/// Movement since the report before, and the buttons after it.
#[derive(Clone, Copy, Debug, Default)]
struct Report {
    /// Right.
    dx: i32,
    /// Up, as the mouse counts.
    dy: i32,
    /// Wheel; positive is towards the user.
    dz: i32,
    buttons: u8,
}

#[derive(Debug)]
pub(super) struct Mouse {
    answers: VecDeque<u8>,
    /// The rest of the packet that is being sent.
    packet: VecDeque<u8>,
    /// What is to be reported; movement is added to the last one while the buttons stay.
    reports: VecDeque<Report>,
    buttons: u8,
    last_sent: u8,
    pending: Option<Pending>,
    /// The last sample rates set: the knock that turns the wheel on.
    knock: [u8; 3],
    kind: Kind,
    reporting: bool,
    remote: bool,
    wrap: bool,
    /// 2:1 scaling.
    scaling: bool,
    resolution: u8,
    /// Reports a second.
    sample_rate: u8,
    /// No packet before this time.
    next_packet: u64,
}

impl Mouse {
    pub(super) fn new() -> Self {
        Mouse {
            answers: VecDeque::new(),
            packet: VecDeque::new(),
            reports: VecDeque::new(),
            buttons: 0,
            last_sent: 0,
            pending: None,
            knock: [0; 3],
            kind: Kind::Standard,
            reporting: false,
            remote: false,
            wrap: false,
            scaling: false,
            resolution: 2,
            sample_rate: 100,
            next_packet: 0,
        }
    }

    fn set_defaults(&mut self) {
        self.reporting = false;
        self.remote = false;
        self.wrap = false;
        self.scaling = false;
        self.resolution = 2;
        self.sample_rate = 100;
        self.clear();
    }

    fn clear(&mut self) {
        self.packet.clear();
        self.reports.clear();
    }

    /// A byte from the controller.
    pub(super) fn command(&mut self, byte: u8) {
        if self.wrap && byte != 0xEC && byte != 0xFF {
            self.answer(&[byte]);
            return;
        }
        if let Some(pending) = self.pending.take() {
            self.parameter(pending, byte);
            return;
        }
        match byte {
            0xE6 => self.scaling = false,
            0xE7 => self.scaling = true,
            0xE8 => self.pending = Some(Pending::Resolution),
            0xE9 => {
                let status = self.status();
                self.answer(&[ACK, status, self.resolution, self.sample_rate]);
                return;
            }
            0xEA => {
                self.remote = false;
                self.clear();
            }
            0xEB => {
                self.answer(&[ACK]);
                self.packet.clear();
                let report = self.reports.drain(..).fold(
                    Report {
                        buttons: self.buttons,
                        ..Report::default()
                    },
                    |sum, report| Report {
                        dx: sum.dx.saturating_add(report.dx),
                        dy: sum.dy.saturating_add(report.dy),
                        dz: sum.dz.saturating_add(report.dz),
                        ..sum
                    },
                );
                let packet = self.encode(report);
                self.answers.extend(packet);
                return;
            }
            0xEC => self.wrap = false,
            0xEE => {
                self.clear();
                self.wrap = true;
            }
            0xF0 => {
                self.remote = true;
                self.clear();
            }
            0xF2 => {
                self.answer(&[ACK, self.kind as u8]);
                return;
            }
            0xF3 => self.pending = Some(Pending::SampleRate),
            0xF4 => {
                self.clear();
                self.reporting = true;
            }
            0xF5 => {
                self.reporting = false;
                self.clear();
            }
            0xF6 => self.set_defaults(),
            0xFE => {
                self.answers.push_front(self.last_sent);
                return;
            }
            0xFF => {
                *self = Mouse {
                    buttons: self.buttons,
                    ..Mouse::new()
                };
                self.answer(&[ACK, SELF_TEST_PASSED, Kind::Standard as u8]);
                return;
            }
            _ => {
                self.answer(&[RESEND]);
                return;
            }
        }
        self.answer(&[ACK]);
    }

    fn parameter(&mut self, pending: Pending, byte: u8) {
        match pending {
            Pending::Resolution if byte > 3 => {
                self.answer(&[RESEND]);
                self.pending = Some(pending);
                return;
            }
            Pending::Resolution => self.resolution = byte,
            Pending::SampleRate => {
                self.sample_rate = byte.max(1);
                self.knock = [self.knock[1], self.knock[2], byte];
                match self.knock {
                    [200, 100, 80] => self.kind = Kind::Wheel,
                    [200, 200, 80] if self.kind != Kind::Standard => self.kind = Kind::FiveButtons,
                    _ => {}
                }
            }
        }
        self.answer(&[ACK]);
    }

    fn status(&self) -> u8 {
        let bit = |set: bool, bit: u8| if set { bit } else { 0 };
        bit(self.remote, 0x40)
            | bit(self.reporting, 0x20)
            | bit(self.scaling, 0x10)
            | bit(self.buttons & LEFT != 0, 4)
            | bit(self.buttons & MIDDLE != 0, 2)
            | bit(self.buttons & RIGHT != 0, 1)
    }

    /// The answer to a command replaces what the guest did not fetch, half a packet too.
    fn answer(&mut self, bytes: &[u8]) {
        self.answers.clear();
        self.packet.clear();
        self.answers.extend(bytes);
    }

    /// Whether a byte waits for the controller at time `now`.
    pub(super) fn has_byte(&self, now: u64) -> bool {
        !self.answers.is_empty() || !self.packet.is_empty() || (self.has_report() && self.next_packet <= now)
    }

    /// When a packet that waits for its time may go.
    pub(super) fn deadline(&self) -> Option<u64> {
        self.has_report().then_some(self.next_packet)
    }

    fn has_report(&self) -> bool {
        self.reporting && !self.remote && !self.wrap && !self.reports.is_empty()
    }

    /// The next byte for the controller.
    pub(super) fn next_byte(&mut self, now: u64) -> Option<u8> {
        if self.answers.is_empty() && self.packet.is_empty() && self.has_report() && self.next_packet <= now {
            let report = self.take_report();
            self.packet = self.encode(report).into();
            let interval = 1_000_000_000 / u64::from(self.sample_rate);
            self.next_packet = now.saturating_add(interval);
        }
        let byte = self.answers.pop_front().or_else(|| self.packet.pop_front())?;
        self.last_sent = byte;
        Some(byte)
    }

    /// As much of the oldest report as one packet holds.
    fn take_report(&mut self) -> Report {
        let Some(first) = self.reports.front_mut() else {
            return Report::default();
        };
        let part = Report {
            dx: first.dx.clamp(-255, 255),
            dy: first.dy.clamp(-255, 255),
            dz: first.dz.clamp(-8, 7),
            buttons: first.buttons,
        };
        first.dx -= part.dx;
        first.dy -= part.dy;
        first.dz -= part.dz;
        if self.kind == Kind::Standard {
            first.dz = 0;
        }
        if (first.dx, first.dy, first.dz) == (0, 0, 0) {
            self.reports.pop_front();
        }
        part
    }

    fn encode(&self, report: Report) -> Vec<u8> {
        let scale = |count: i32| {
            let scaled = match count.abs() {
                0 => 0,
                1 | 2 => 1,
                3 => 3,
                4 => 6,
                5 => 9,
                _ => count.saturating_abs().saturating_mul(2),
            };
            // 2:1 scaling works on what is reported by itself, not on what is asked for.
            if self.scaling && !self.remote {
                scaled * count.signum()
            } else {
                count
            }
        };
        let [dx, dy] = [scale(report.dx), scale(report.dy)];
        let bit = |set: bool, bit: u8| if set { bit } else { 0 };
        let flags = (report.buttons & (LEFT | RIGHT | MIDDLE))
            | 0x08
            | bit(dx < 0, 0x10)
            | bit(dy < 0, 0x20)
            | bit(!(-256..=255).contains(&dx), 0x40)
            | bit(!(-256..=255).contains(&dy), 0x80);
        let low = |count: i32| count.clamp(-256, 255).to_le_bytes()[0];
        let wheel = report.dz.clamp(-8, 7).to_le_bytes()[0];
        let mut packet = vec![flags, low(dx), low(dy)];
        match self.kind {
            Kind::Standard => {}
            Kind::Wheel => packet.push(wheel),
            Kind::FiveButtons => packet.push((wheel & 0x0F) | ((report.buttons & (SIDE | EXTRA)) << 1)),
        }
        packet
    }

    /// The mouse moved by `dx` counts right and `dy` counts down.
    pub(super) fn moved(&mut self, dx: i32, dy: i32) {
        self.add(dx, dy.saturating_neg(), 0);
    }

    /// A button, by QMP's name, was pressed or released; a press of `wheel-up` or `wheel-down` is one notch.
    pub(super) fn button(&mut self, name: &str, down: bool) {
        let mask = match name {
            "left" => LEFT,
            "right" => RIGHT,
            "middle" => MIDDLE,
            "side" => SIDE,
            "extra" => EXTRA,
            "wheel-up" if down => return self.add(0, 0, -1),
            "wheel-down" if down => return self.add(0, 0, 1),
            _ => return,
        };
        let buttons = if down {
            self.buttons | mask
        } else {
            self.buttons & !mask
        };
        if buttons == self.buttons {
            return;
        }
        self.buttons = buttons;
        if !self.reporting {
            return;
        }
        // The movement so far belongs to the buttons as they were; from here on to the new ones.
        let report = Report {
            buttons,
            ..Report::default()
        };
        if self.reports.len() < MAX_REPORTS {
            self.reports.push_back(report);
        } else if let Some(last) = self.reports.back_mut() {
            // The guest does not listen: only the last state matters then.
            last.buttons = buttons;
        }
    }

    fn add(&mut self, dx: i32, dy: i32, dz: i32) {
        if !self.reporting {
            return;
        }
        if self.reports.is_empty() {
            self.reports.push_back(Report {
                buttons: self.buttons,
                ..Report::default()
            });
        }
        if let Some(last) = self.reports.back_mut() {
            let sum = |a: i32, b: i32| a.saturating_add(b).clamp(-MAX_TRAVEL, MAX_TRAVEL);
            last.dx = sum(last.dx, dx);
            last.dy = sum(last.dy, dy);
            last.dz = sum(last.dz, dz);
        }
    }
}
