//! A PS/2 keyboard (MF-II, 105 keys): commands from the controller, scan codes to it, typematic repeat.
//! Source: IBM PS/2 Hardware Interface Technical Reference, "Keyboard (101/102-key)".

use super::keycodes::{self, PAUSE, PRINT, SYSRQ};
use std::collections::{BTreeSet, VecDeque};

/// Bytes of scan codes that wait for the guest. A real keyboard has 16; pasted text needs more room.
const MAX_CODES: usize = 1024;
/// Room kept for the releases of keys that are down.
const RESERVE: usize = 64;

const ACK: u8 = 0xFA;
const RESEND: u8 = 0xFE;
const SELF_TEST_PASSED: u8 = 0xAA;

const MILLISECOND: u64 = 1_000_000;

/// A command whose parameter is still to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pending {
    Leds,
    ScanCodeSet,
    Typematic,
    /// F0–FD for single keys: parameters until a command comes.
    KeyList,
}

/// The key that repeats, and when next.
#[derive(Clone, Copy, Debug)]
struct Repeat {
    key: u16,
    next: u64,
}

#[derive(Debug)]
pub(super) struct Keyboard {
    /// Answers to commands; they go before scan codes.
    answers: VecDeque<u8>,
    codes: VecDeque<u8>,
    last_sent: u8,
    pending: Option<Pending>,
    scanning: bool,
    /// Scan code set, 1 or 2. (Set 3 is acknowledged but works as set 2, as on many keyboards.)
    set: u8,
    leds: u8,
    typematic: u8,
    repeat: Option<Repeat>,
    /// Set 1 codes of the keys whose press was sent.
    down: BTreeSet<u16>,
}

impl Keyboard {
    pub(super) fn new() -> Self {
        let mut keyboard = Keyboard {
            answers: VecDeque::new(),
            codes: VecDeque::new(),
            last_sent: 0,
            pending: None,
            scanning: true,
            set: 2,
            leds: 0,
            typematic: 0,
            repeat: None,
            down: BTreeSet::new(),
        };
        keyboard.set_defaults();
        keyboard
    }

    /// Power-on defaults: set 2, 10.9 repeats a second after 500 ms.
    fn set_defaults(&mut self) {
        self.set = 2;
        self.typematic = 0x2B;
        self.clear_codes();
    }

    fn clear_codes(&mut self) {
        self.codes.clear();
        self.repeat = None;
    }

    /// A byte from the controller.
    pub(super) fn command(&mut self, byte: u8) {
        match self.pending.take() {
            Some(pending) if byte < 0xED => {
                self.parameter(pending, byte);
                return;
            }
            // A command instead of a parameter ends the waiting.
            _ => {}
        }
        match byte {
            0xED => self.acknowledge_and_wait(Pending::Leds),
            0xEE => self.answers.push_back(0xEE),
            0xF0 => self.acknowledge_and_wait(Pending::ScanCodeSet),
            0xF2 => self.answer(&[ACK, 0xAB, 0x83]),
            0xF3 => self.acknowledge_and_wait(Pending::Typematic),
            0xF4 => {
                self.clear_codes();
                self.scanning = true;
                self.answer(&[ACK]);
            }
            0xF5 => {
                self.set_defaults();
                self.scanning = false;
                self.answer(&[ACK]);
            }
            0xF6 => {
                self.set_defaults();
                self.scanning = true;
                self.answer(&[ACK]);
            }
            // Set 3: what all keys do, and what listed keys do.
            0xF7..=0xFA => self.answer(&[ACK]),
            0xFB..=0xFD => self.acknowledge_and_wait(Pending::KeyList),
            0xFE => self.answers.push_front(self.last_sent),
            0xFF => {
                *self = Keyboard {
                    last_sent: self.last_sent,
                    ..Keyboard::new()
                };
                self.answer(&[ACK, SELF_TEST_PASSED]);
            }
            _ => self.answer(&[RESEND]),
        }
    }

    fn parameter(&mut self, pending: Pending, byte: u8) {
        match pending {
            Pending::Leds => self.leds = byte & 7,
            Pending::Typematic => self.typematic = byte & 0x7F,
            Pending::KeyList => self.pending = Some(Pending::KeyList),
            Pending::ScanCodeSet => match byte {
                0 => {
                    self.answer(&[ACK, self.set]);
                    return;
                }
                1..=3 => {
                    self.set = byte;
                    self.clear_codes();
                }
                _ => {
                    self.answer(&[RESEND]);
                    return;
                }
            },
        }
        self.answer(&[ACK]);
    }

    fn acknowledge_and_wait(&mut self, pending: Pending) {
        self.answer(&[ACK]);
        self.pending = Some(pending);
    }

    /// The answer to a command replaces one the guest did not fetch.
    fn answer(&mut self, bytes: &[u8]) {
        self.answers.clear();
        self.answers.extend(bytes);
    }

    /// Whether a byte waits for the controller.
    pub(super) fn has_byte(&self) -> bool {
        !self.answers.is_empty() || !self.codes.is_empty()
    }

    /// The lamps as the guest has set them: bit 0 scroll lock, 1 num lock, 2 caps lock.
    pub(super) fn leds(&self) -> u8 {
        self.leds
    }

    /// Whether keys wait for the controller.
    pub(super) fn has_codes(&self) -> bool {
        !self.codes.is_empty()
    }

    /// The next byte for the controller.
    pub(super) fn next_byte(&mut self) -> Option<u8> {
        let byte = self.answers.pop_front().or_else(|| self.codes.pop_front())?;
        self.last_sent = byte;
        Some(byte)
    }

    /// A key was pressed or released. Repeated presses are ignored: the keyboard repeats by itself.
    pub(super) fn key(&mut self, name: &str, down: bool, now: u64) {
        let Some(key) = keycodes::set1(name) else { return };
        if down {
            if !self.scanning || self.down.contains(&key) || self.codes.len() > MAX_CODES - RESERVE {
                return;
            }
            self.down.insert(key);
            self.send(key, true);
            let next = now.saturating_add(self.delay());
            self.repeat = (key != PAUSE).then_some(Repeat { key, next });
        } else {
            if self.repeat.is_some_and(|repeat| repeat.key == key) {
                self.repeat = None;
            }
            if self.down.remove(&key) && self.scanning {
                self.send(key, false);
            }
        }
    }

    /// When the next repeat is due.
    pub(super) fn deadline(&self) -> Option<u64> {
        self.repeat.map(|repeat| repeat.next)
    }

    /// Repeats the key if its time has come. A guest that does not read gets no backlog of repeats.
    pub(super) fn expire(&mut self, now: u64) {
        let Some(repeat) = self.repeat.filter(|repeat| repeat.next <= now) else {
            return;
        };
        if self.codes.is_empty() && self.scanning {
            self.send(repeat.key, true);
        }
        let next = now.saturating_add(self.period());
        self.repeat = Some(Repeat { next, ..repeat });
    }

    /// Nanoseconds before the first repeat: 250 ms times 1 to 4.
    fn delay(&self) -> u64 {
        (u64::from(self.typematic >> 5) + 1) * 250 * MILLISECOND
    }

    /// Nanoseconds between repeats: (8 + A) × 2^B × 4.17 ms.
    fn period(&self) -> u64 {
        let a = u64::from(self.typematic & 7);
        let b = (self.typematic >> 3) & 3;
        ((8 + a) << b) * 4_170_000
    }

    fn send(&mut self, key: u16, down: bool) {
        let is_down = |name| keycodes::set1(name).filter(|code| self.down.contains(code));
        let control = is_down("ctrl").or(is_down("ctrl_r")).is_some();
        let shift = is_down("shift").or(is_down("shift_r")).is_some();
        let alt = is_down("alt").or(is_down("alt_r"));
        let mut out: Vec<u8> = Vec::with_capacity(10);
        let mut make = |code: u16| put(&mut out, self.set, code, true);
        match (key, down) {
            // Pause is sent on press, release included; with control it is Break.
            (PAUSE, true) if control => {
                make(0xE046);
                put(&mut out, self.set, 0xE046, false);
            }
            (PAUSE, true) => {
                for (code, down) in [(0x1D, true), (0x45, true), (0x1D, false), (0x45, false)] {
                    if code == 0x1D {
                        out.push(0xE1);
                    }
                    put(&mut out, self.set, code, down);
                }
            }
            (PAUSE, false) => {}
            // With alt, print is SysRq, beside a release and press of alt.
            (PRINT, _) if let Some(alt) = alt => {
                let presses = [(alt, false), (alt, true)];
                let sequence = if down {
                    [presses[0], presses[1], (SYSRQ, true)]
                } else {
                    [(SYSRQ, false), presses[0], presses[1]]
                };
                for (code, down) in sequence {
                    put(&mut out, self.set, code, down);
                }
            }
            // With control or shift, it goes without its fake shift.
            (PRINT, _) if control || shift => put(&mut out, self.set, PRINT, down),
            (PRINT, true) => {
                make(0xE02A);
                make(PRINT);
            }
            (PRINT, false) => {
                put(&mut out, self.set, PRINT, false);
                put(&mut out, self.set, 0xE02A, false);
            }
            _ => put(&mut out, self.set, key, down),
        }
        if self.codes.len().saturating_add(out.len()) <= MAX_CODES {
            self.codes.extend(out);
        }
    }
}

/// Appends the make or break code of a key, given by its set 1 code, in a scan code set.
fn put(out: &mut Vec<u8>, set: u8, key: u16, down: bool) {
    let code = if set == 1 { key } else { keycodes::set2(key) };
    let [prefix, code] = code.to_be_bytes();
    if prefix != 0 {
        out.push(prefix);
    }
    match (set, down) {
        (_, true) => out.push(code),
        (1, false) => out.push(code | 0x80),
        (_, false) => out.extend([0xF0, code]),
    }
}
