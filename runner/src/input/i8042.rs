//! The keyboard controller (i8042) at ports 60h and 64h, with the keyboard and the mouse behind it.
//! Source: IBM PS/2 Hardware Interface Technical Reference, "Keyboard and Auxiliary Device Controller".

use super::InputEvent;
use super::keyboard::Keyboard;
use super::mouse::Mouse;
use super::translate::Translator;
use crate::device::{Clock, IrqLine, PortDevice, Power, Timed};
use std::collections::VecDeque;
use std::sync::Arc;

const DATA_PORT: u16 = 0x60;
const COMMAND_PORT: u16 = 0x64;

// Status register (64h).
const OUTPUT_FULL: u8 = 0x01;
const SYSTEM: u8 = 0x04;
const LAST_WAS_COMMAND: u8 = 0x08;
const UNLOCKED: u8 = 0x10;
const OUTPUT_FROM_MOUSE: u8 = 0x20;

// Configuration byte (commands 20h, 60h).
const KEYBOARD_IRQ: u8 = 0x01;
const MOUSE_IRQ: u8 = 0x02;
const KEYBOARD_OFF: u8 = 0x10;
const MOUSE_OFF: u8 = 0x20;
const TRANSLATE: u8 = 0x40;

// Output port (commands D0h, D1h).
const NOT_RESET: u8 = 0x01;
const A20: u8 = 0x02;

/// How long after the guest took a byte the next one of a device arrives. The wire takes about 1 ms; handlers that
/// read a byte twice rely on some delay, and 0.3 ms is enough for them.
const BYTE_TIME: u64 = 300_000;
/// Answers of the controller itself that wait.
const MAX_REPLIES: usize = 16;

/// What the controller is wired to.
#[derive(Clone)]
pub struct I8042Lines {
    /// IRQ 1: a byte of the keyboard or the controller waits.
    pub keyboard_irq: Arc<dyn IrqLine>,
    /// IRQ 12: a byte of the mouse waits.
    pub mouse_irq: Arc<dyn IrqLine>,
    /// Output port bit 1: high lets address line 20 through.
    pub a20: Arc<dyn IrqLine>,
    /// Output port bit 0 and command FEh: system reset.
    pub power: Arc<dyn Power>,
    /// The machine's time.
    pub clock: Arc<dyn Clock>,
}

/// Where a byte in the output buffer comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Controller,
    Keyboard,
    Mouse,
}

/// The controller. Ports 60h and 64h, relative to nothing: `port` is the whole port number.
pub struct I8042 {
    lines: I8042Lines,
    keyboard: Keyboard,
    mouse: Mouse,
    translator: Translator,
    /// The controller's own answers, before bytes of the devices.
    replies: VecDeque<(u8, Source)>,
    /// The output buffer: what port 60h reads, and whether it was read yet.
    output: u8,
    output_source: Source,
    output_full: bool,
    /// No byte of a device before this time.
    next_byte: u64,
    config: u8,
    output_port: u8,
    /// The command whose parameter port 60h takes next.
    parameter_of: Option<u8>,
    last_was_command: bool,
    /// Controller RAM, commands 20h–3Fh and 60h–7Fh; byte 0 is `config`.
    ram: [u8; 32],
}

impl I8042 {
    /// A controller after power-on.
    pub fn new(lines: I8042Lines) -> Self {
        let controller = I8042 {
            lines,
            keyboard: Keyboard::new(),
            mouse: Mouse::new(),
            translator: Translator::default(),
            replies: VecDeque::new(),
            output: 0,
            output_source: Source::Controller,
            output_full: false,
            next_byte: 0,
            config: KEYBOARD_IRQ | MOUSE_IRQ,
            output_port: NOT_RESET | A20,
            parameter_of: None,
            last_was_command: false,
            ram: [0; 32],
        };
        controller.update_lines();
        controller
    }

    /// The reset line of the machine: as after power-on. Address line 20 is let through.
    pub fn reset(&mut self) {
        *self = I8042::new(self.lines.clone());
        self.lines.a20.set(true);
    }

    /// A key, button or movement from a front end. Unknown names are ignored.
    pub fn input(&mut self, event: &InputEvent) {
        let now = self.lines.clock.now();
        match event {
            InputEvent::Key { code, down } => self.keyboard.key(code, *down, now),
            InputEvent::Button { name, down } => self.mouse.button(name, *down),
            InputEvent::Move { dx, dy } => self.mouse.moved(*dx, *dy),
            InputEvent::Point { .. } => {}
        }
        self.refill();
    }

    /// The keyboard's lamps as the guest has set them: bit 0 scroll lock, 1 num lock, 2 caps lock.
    pub fn leds(&self) -> u8 {
        self.keyboard.leds()
    }

    /// Whether the guest has yet to read keys that were pressed or released.
    pub fn is_behind(&self) -> bool {
        self.keyboard.has_codes() || self.output_full && self.output_source == Source::Keyboard
    }

    /// Moves the next byte into the output buffer if it is empty.
    fn refill(&mut self) {
        while !self.output_full {
            if let Some((byte, source)) = self.replies.pop_front() {
                self.put(byte, source);
                break;
            }
            let now = self.lines.clock.now();
            if now < self.next_byte {
                break;
            }
            if self.config & KEYBOARD_OFF == 0 && self.keyboard.has_byte() {
                let Some(byte) = self.keyboard.next_byte() else { break };
                let seen = if self.config & TRANSLATE == 0 {
                    Some(byte)
                } else {
                    self.translator.translate(byte)
                };
                if let Some(byte) = seen {
                    self.put(byte, Source::Keyboard);
                }
            } else if self.config & MOUSE_OFF == 0 && self.mouse.has_byte(now) {
                let Some(byte) = self.mouse.next_byte(now) else { break };
                self.put(byte, Source::Mouse);
            } else {
                break;
            }
        }
        self.update_lines();
    }

    fn put(&mut self, byte: u8, source: Source) {
        self.output = byte;
        self.output_source = source;
        self.output_full = true;
    }

    fn update_lines(&self) {
        let from_mouse = self.output_full && self.output_source == Source::Mouse;
        let from_keyboard = self.output_full && self.output_source != Source::Mouse;
        self.lines.mouse_irq.set(from_mouse && self.config & MOUSE_IRQ != 0);
        let keyboard_irq = self.config & (KEYBOARD_IRQ | KEYBOARD_OFF) == KEYBOARD_IRQ;
        self.lines.keyboard_irq.set(from_keyboard && keyboard_irq);
    }

    fn reply(&mut self, byte: u8) {
        if self.replies.len() < MAX_REPLIES {
            self.replies.push_back((byte, Source::Controller));
        }
    }

    fn status(&self) -> u8 {
        let bit = |set: bool, bit: u8| if set { bit } else { 0 };
        UNLOCKED
            | (self.config & SYSTEM)
            | bit(self.last_was_command, LAST_WAS_COMMAND)
            | bit(self.output_full, OUTPUT_FULL)
            | bit(
                self.output_full && self.output_source == Source::Mouse,
                OUTPUT_FROM_MOUSE,
            )
    }

    fn read_data(&mut self) -> u8 {
        if self.output_full {
            self.output_full = false;
            self.next_byte = if self.output_source == Source::Controller {
                self.next_byte
            } else {
                self.lines.clock.now().saturating_add(BYTE_TIME)
            };
            // Lower the line before the next byte can raise it: the interrupt controller needs the edge.
            self.update_lines();
        }
        self.output
    }

    fn write_output_port(&mut self, value: u8) {
        self.output_port = value;
        self.lines.a20.set(value & A20 != 0);
        if value & NOT_RESET == 0 {
            self.lines.power.reset();
        }
    }

    /// What command D0h reads: the port's latches and the state of the interrupt lines.
    fn read_output_port(&self) -> u8 {
        let bit = |set: bool, bit: u8| if set { bit } else { 0 };
        let from_mouse = self.output_full && self.output_source == Source::Mouse;
        (self.output_port & 0xCF) | bit(self.output_full && !from_mouse, 0x10) | bit(from_mouse, 0x20)
    }

    fn command(&mut self, command: u8) {
        self.parameter_of = None;
        match command {
            0x20 => self.reply(self.config),
            0x21..=0x3F => self.reply(self.ram[usize::from(command & 0x1F)]),
            0x60..=0x7F | 0xD1..=0xD4 => self.parameter_of = Some(command),
            0xA4 => self.reply(0xF1), // no password
            0xA7 => self.config |= MOUSE_OFF,
            0xA8 => self.config &= !MOUSE_OFF,
            0xA9 | 0xAB => self.reply(0), // the wires to mouse and keyboard are fine
            0xAA => {
                self.config |= SYSTEM;
                self.reply(0x55);
            }
            0xAD => self.config |= KEYBOARD_OFF,
            0xAE => self.config &= !KEYBOARD_OFF,
            0xC0 => self.reply(0x80), // input port: keyboard not locked
            0xD0 => self.reply(self.read_output_port()),
            0xDD => self.write_output_port(self.output_port & !A20),
            0xDF => self.write_output_port(self.output_port | A20),
            // Pulse the low output port bits that are 0; only bit 0, reset, is wired.
            0xF0..=0xFF if command & 1 == 0 => self.lines.power.reset(),
            _ => {}
        }
    }

    fn write_data(&mut self, value: u8) {
        match self.parameter_of.take() {
            None => {
                // Talking to a device switches it on.
                self.config &= !KEYBOARD_OFF;
                self.keyboard.command(value);
                self.next_byte = self.lines.clock.now();
            }
            Some(0x60) => self.config = value,
            Some(command @ 0x61..=0x7F) => self.ram[usize::from(command & 0x1F)] = value,
            Some(0xD1) => self.write_output_port(value),
            Some(0xD2) => self.replies.push_back((value, Source::Keyboard)),
            Some(0xD3) => self.replies.push_back((value, Source::Mouse)),
            Some(0xD4) => {
                self.config &= !MOUSE_OFF;
                self.mouse.command(value);
                self.next_byte = self.lines.clock.now();
            }
            Some(_) => {}
        }
        self.replies.truncate(MAX_REPLIES);
    }
}

impl PortDevice for I8042 {
    fn read(&mut self, port: u16, size: u8) -> u32 {
        let value = match port {
            DATA_PORT => {
                self.refill();
                let value = self.read_data();
                self.refill();
                value
            }
            COMMAND_PORT => {
                self.refill();
                self.status()
            }
            _ => 0xFF,
        };
        let open_bus = match size {
            1 => 0,
            2 => 0xFF00,
            _ => 0xFFFF_FF00,
        };
        open_bus | u32::from(value)
    }

    fn write(&mut self, port: u16, _size: u8, value: u32) {
        let value = value.to_le_bytes()[0];
        match port {
            DATA_PORT => {
                self.last_was_command = false;
                self.write_data(value);
            }
            COMMAND_PORT => {
                self.last_was_command = true;
                self.command(value);
            }
            _ => return,
        }
        self.refill();
    }
}

impl Timed for I8042 {
    fn deadline(&self) -> Option<u64> {
        let keyboard_waits = self.config & KEYBOARD_OFF == 0 && self.keyboard.has_byte();
        let wire = (!self.output_full && keyboard_waits).then_some(self.next_byte);
        let mouse_waits = !self.output_full && self.config & MOUSE_OFF == 0;
        let mouse = if mouse_waits && self.mouse.has_byte(self.next_byte) {
            Some(self.next_byte)
        } else if mouse_waits {
            self.mouse.deadline().map(|time| time.max(self.next_byte))
        } else {
            None
        };
        [self.keyboard.deadline(), wire, mouse].into_iter().flatten().min()
    }

    fn expire(&mut self, now: u64) {
        self.keyboard.expire(now);
        self.refill();
    }
}
