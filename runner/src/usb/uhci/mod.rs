//! The USB host controller 00:01.2 of the PIIX3: registers, frames, interrupts.
//! Source: Intel Universal Host Controller Interface 1.1, chapter 2; 82371SB datasheet.

mod port;
mod schedule;
mod transfer;

use super::{Tablet, UsbDevice};
use crate::device::{Clock, GuestMemory, IrqLine, Timed};
use crate::input::InputEvent;
use crate::pci::{BarKind, ConfigSpace, Identity, PciFunction};
use port::Port;
use schedule::{Fault, Frame, Outcome};
use std::sync::Arc;

/// BAR 4: 32 ports.
const PORTS: usize = 4;

// Offsets of registers.
const COMMAND: u16 = 0x00;
const STATUS: u16 = 0x02;
const INTERRUPTS: u16 = 0x04;
const FRAME_NUMBER: u16 = 0x06;
const FRAME_LIST: u16 = 0x08;
const FRAME_LIST_HIGH: u16 = 0x0A;
const START_OF_FRAME: u16 = 0x0C;
const PORT_1: u16 = 0x10;
const PORT_2: u16 = 0x12;

// Command register.
const RUN: u16 = 0x01;
const HOST_RESET: u16 = 0x02;
const GLOBAL_RESET: u16 = 0x04;
const GLOBAL_SUSPEND: u16 = 0x08;

// Status register; all but the last are cleared by writing ones.
const INTERRUPT: u16 = 0x01;
const ERROR: u16 = 0x02;
const RESUME: u16 = 0x04;
const SYSTEM_ERROR: u16 = 0x08;
const PROCESS_ERROR: u16 = 0x10;
const HALTED: u16 = 0x20;

// Interrupt enable register.
const ON_ERROR: u16 = 0x01;
const ON_RESUME: u16 = 0x02;
const ON_COMPLETE: u16 = 0x04;
const ON_SHORT: u16 = 0x08;

/// A frame's time in nanoseconds.
const FRAME: u64 = 1_000_000;
/// While nothing is moved, frames are done in groups of so many: the guest's schedule is looked at as often, but the
/// host wakes less often.
const GROUP: u64 = 8;
/// A host that was late for more frames than this lets the rest pass.
const MOST_BEHIND: u64 = 32;

/// What the controller is wired to.
#[derive(Clone)]
pub struct UhciLines {
    /// Its pin INTD#.
    pub irq: Arc<dyn IrqLine>,
    /// The machine's memory.
    pub memory: Arc<dyn GuestMemory>,
    /// The machine's time.
    pub clock: Arc<dyn Clock>,
    /// Called when the guest has changed when the controller wants to be woken.
    pub rescheduled: Arc<dyn Fn() + Send + Sync>,
}

/// The controller, with a tablet on its first port.
pub struct Uhci {
    config: ConfigSpace,
    lines: UhciLines,
    ports: [Port; 2],
    command: u16,
    status: u16,
    interrupts: u16,
    frame_number: u16,
    frame_list: u32,
    start_of_frame: u8,
    /// Interrupts because a transfer has completed, or was short: the status register has one bit for both.
    completed: bool,
    short: bool,
    /// When the frame that is being waited for begins.
    next_frame: u64,
    /// Data was moved lately: every frame at its time.
    lively: bool,
}

impl Uhci {
    /// A controller after power-on.
    pub fn new(lines: UhciLines) -> Self {
        let mut config = ConfigSpace::new(Identity {
            vendor: 0x8086,
            device: 0x7020,
            revision: 1,
            class: 0x0C_0300,
            multifunction: false,
        });
        config.preset(0x06, 2, 0x0280);
        config.add_bar(PORTS, BarKind::Io, 32);
        config.interrupt_pin(4);
        // The release of USB: 1.0.
        config.preset(0x60, 1, 0x10);
        // The firmware's keyboard and mouse emulation: interrupts go to the system.
        config.preset(0xC0, 2, 0x2000);
        config.allow(0xC0, 2, 0x20BF);
        config.clear_on_one(0xC0, 2, 0x8F00);
        Uhci {
            config,
            lines,
            ports: [Port::new(Some(Tablet::new())), Port::new(None)],
            command: 0,
            status: HALTED,
            interrupts: 0,
            frame_number: 0,
            frame_list: 0,
            start_of_frame: 0x40,
            completed: false,
            short: false,
            next_frame: 0,
            lively: false,
        }
    }

    /// Whether the guest has a driver for the tablet.
    pub fn has_pointer(&self) -> bool {
        self.tablet().is_some_and(Tablet::is_used)
    }

    /// Whether the tablet holds this button down.
    pub fn holds(&self, button: &str) -> bool {
        self.tablet().is_some_and(|tablet| tablet.holds(button))
    }

    /// Whether a press of this button is for the tablet: it has one, and the guest listens.
    pub fn takes(&self, button: &str) -> bool {
        self.tablet()
            .is_some_and(|tablet| tablet.is_used() && tablet.has(button))
    }

    fn tablet(&self) -> Option<&Tablet> {
        self.ports.iter().find_map(Port::device)
    }

    /// A place or a button for the tablet.
    pub fn input(&mut self, event: &InputEvent) {
        if let Some(tablet) = self.ports.iter_mut().find_map(Port::device_mut) {
            tablet.input(event);
        }
        self.catch_up();
        // The guest may hear of it in the next frame.
        self.lively = true;
        self.wake_host();
        (self.lines.rescheduled)();
    }

    fn wake_host(&mut self) {
        let asleep = self.command & GLOBAL_SUSPEND != 0;
        for port in &mut self.ports {
            if port.wake(asleep) {
                self.status |= RESUME;
            }
        }
        self.update_line();
    }

    fn reset_registers(&mut self) {
        self.command = 0;
        self.status = HALTED;
        self.interrupts = 0;
        self.frame_number = 0;
        self.frame_list = 0;
        self.start_of_frame = 0x40;
        self.completed = false;
        self.short = false;
        for port in &mut self.ports {
            port.reset();
        }
        self.update_line();
    }

    fn update_line(&self) {
        let on = |cause: bool, enabled: u16| cause && self.interrupts & enabled != 0;
        let high = on(self.completed, ON_COMPLETE)
            || on(self.short, ON_SHORT)
            || on(self.status & ERROR != 0, ON_ERROR)
            || on(self.status & RESUME != 0, ON_RESUME)
            || self.status & (SYSTEM_ERROR | PROCESS_ERROR) != 0;
        self.lines.irq.set(high);
    }

    fn is_running(&self) -> bool {
        self.command & RUN != 0
    }

    /// Does the frames whose time has come.
    fn catch_up(&mut self) {
        if !self.is_running() {
            return;
        }
        let now = self.lines.clock.now();
        let behind = now.saturating_sub(self.next_frame) / FRAME;
        if let Some(lost) = behind.checked_sub(MOST_BEHIND) {
            self.next_frame = self.next_frame.saturating_add(lost.saturating_mul(FRAME));
            self.frame_number = self.frame_number.wrapping_add(lost.to_le_bytes()[0].into()) & 0x7FF;
        }
        let mut busy = false;
        let mut any = false;
        while self.is_running() && self.next_frame <= now {
            self.next_frame = self.next_frame.saturating_add(FRAME);
            any = true;
            busy |= self.frame();
        }
        if any {
            self.lively = busy;
            self.update_line();
        }
    }

    /// One frame; whether data was moved.
    fn frame(&mut self) -> bool {
        let entry = u32::from(self.frame_number & 0x3FF) * 4;
        let address = (self.frame_list & 0xFFFF_F000) + entry;
        let device = self.ports.iter_mut().find_map(Port::reachable);
        let device = device.map(|device| device as &mut dyn UsbDevice);
        let memory = self.lines.memory.clone();
        let outcome = if self.config.bus_master() {
            Frame::new(memory.as_ref(), device).run(address)
        } else {
            Ok(Outcome::default())
        };
        self.frame_number = (self.frame_number + 1) & 0x7FF;
        match outcome {
            Ok(outcome) => {
                self.completed |= outcome.completed;
                self.short |= outcome.short;
                if outcome.completed || outcome.short {
                    self.status |= INTERRUPT;
                }
                if outcome.failed {
                    self.status |= ERROR;
                }
                outcome.busy
            }
            Err(fault) => {
                self.status |= HALTED
                    | match fault {
                        Fault::Memory => SYSTEM_ERROR,
                        Fault::Descriptor => PROCESS_ERROR,
                    };
                self.command &= !RUN;
                false
            }
        }
    }

    fn write_command(&mut self, value: u16) {
        if value & (GLOBAL_RESET | HOST_RESET) != 0 {
            self.reset_registers();
            // The host reset is over at once; the global one lasts until the guest ends it.
            self.command = value & GLOBAL_RESET;
            return;
        }
        let started = value & RUN != 0 && !self.is_running();
        self.command = value;
        if started {
            self.next_frame = self.lines.clock.now().saturating_add(FRAME);
            self.lively = true;
        }
        if value & RUN == 0 {
            self.status |= HALTED;
        } else {
            self.status &= !HALTED;
        }
        self.wake_host();
    }

    fn read_word(&self, offset: u16) -> u16 {
        let [low, high] = [self.frame_list & 0xFFFF, self.frame_list >> 16];
        let half = |value: u32| u16::try_from(value).unwrap_or(0);
        match offset {
            COMMAND => self.command,
            STATUS => self.status,
            INTERRUPTS => self.interrupts,
            FRAME_NUMBER => self.frame_number,
            FRAME_LIST => half(low),
            FRAME_LIST_HIGH => half(high),
            START_OF_FRAME => u16::from(self.start_of_frame),
            PORT_1 => self.ports[0].read(),
            PORT_2 => self.ports[1].read(),
            // Drivers count ports by the bit that each has set.
            _ => 0xFF7F,
        }
    }

    fn write_word(&mut self, offset: u16, value: u16) {
        match offset {
            COMMAND => self.write_command(value),
            STATUS => {
                self.status &= !(value & 0x1F);
                if value & INTERRUPT != 0 {
                    self.completed = false;
                    self.short = false;
                }
            }
            INTERRUPTS => self.interrupts = value & 0x0F,
            FRAME_NUMBER if !self.is_running() => self.frame_number = value & 0x7FF,
            FRAME_LIST => self.frame_list = self.frame_list & 0xFFFF_0000 | u32::from(value & 0xF000),
            FRAME_LIST_HIGH => self.frame_list = self.frame_list & 0xFFFF | u32::from(value) << 16,
            START_OF_FRAME => self.start_of_frame = value.to_le_bytes()[0] & 0x7F,
            PORT_1 => self.ports[0].write(value),
            PORT_2 => self.ports[1].write(value),
            _ => {}
        }
        self.update_line();
    }
}

impl PciFunction for Uhci {
    fn config(&self) -> &ConfigSpace {
        &self.config
    }
    fn config_mut(&mut self) -> &mut ConfigSpace {
        &mut self.config
    }
    fn read_port(&mut self, _: usize, offset: u16, size: u8) -> u32 {
        self.catch_up();
        let word = self.read_word(offset & !1);
        match size {
            1 => u32::from(word.to_le_bytes()[usize::from(offset & 1)]),
            2 => u32::from(word),
            _ => u32::from(word) | u32::from(self.read_word((offset & !1) + 2)) << 16,
        }
    }
    fn write_port(&mut self, _: usize, offset: u16, size: u8, value: u32) {
        let before = self.deadline();
        self.catch_up();
        let [b0, b1, b2, b3] = value.to_le_bytes();
        match (size, offset) {
            // The only register of one byte; the others are written whole.
            (1, START_OF_FRAME) => self.write_word(offset, u16::from(b0)),
            (1, _) => {}
            _ => self.write_word(offset & !1, u16::from_le_bytes([b0, b1])),
        }
        if size == 4 {
            self.write_word((offset & !1) + 2, u16::from_le_bytes([b2, b3]));
        }
        if self.deadline() != before {
            (self.lines.rescheduled)();
        }
    }
    fn reset(&mut self) {
        self.config.reset();
        self.reset_registers();
        (self.lines.rescheduled)();
    }
}

impl Timed for Uhci {
    fn deadline(&self) -> Option<u64> {
        let group = if self.lively { 0 } else { (GROUP - 1) * FRAME };
        self.is_running().then(|| self.next_frame.saturating_add(group))
    }

    fn expire(&mut self, _: u64) {
        self.catch_up();
    }
}
