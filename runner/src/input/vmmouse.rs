//! VMware's pointer: a guest's driver asks at a port, by its processor's registers, where the pointer is. DOS, Windows
//! 3.1 and Windows 95, which know no USB, have such drivers; the PS/2 mouse wakes them.
//! Source: the interface as QEMU's `vmport` and `vmmouse` devices and Linux's `vmmouse` driver have it.

use super::InputEvent;
use crate::device::{RegisterDevice, Registers};
use std::collections::VecDeque;

/// The port of VMware's backdoor, read as a double word.
pub const BACKDOOR: u16 = 0x5658;

/// EAX of every call, or it is none.
const MAGIC: u32 = 0x564D_5868;
/// The answer to calls that are not known.
const UNKNOWN: u32 = 0xFFFF_FFFF;

// Commands, in ECX.
const GET_VERSION: u32 = 10;
const POINTER_DATA: u32 = 39;
const POINTER_STATUS: u32 = 40;
const POINTER_COMMAND: u32 = 41;

// Commands to the pointer, in EBX.
const READ_ID: u32 = 0x4541_4552;
const DISABLE: u32 = 0x0000_00F5;
const REQUEST_RELATIVE: u32 = 0x4C45_5252;
const REQUEST_ABSOLUTE: u32 = 0x5342_4152;

/// Version of the backdoor, and the product in ECX.
const VERSION: (u32, u32) = (6, 2);
/// What `READ_ID` puts into the queue.
const POINTER_ID: u32 = 0x3442_554A;
/// Status while it is off.
const OFF: u32 = 0xFFFF_0000;

const LEFT: u32 = 0x20;
const RIGHT: u32 = 0x10;
const MIDDLE: u32 = 0x08;

/// Words of one packet: buttons, across, down, wheel.
const PACKET: usize = 4;
/// Packets that wait for the guest.
const MAX_PACKETS: usize = 64;

/// The pointer. It is off until the guest asks for its identity.
#[derive(Debug, Default)]
pub struct VmMouse {
    on: bool,
    absolute: bool,
    queue: VecDeque<u32>,
    buttons: u32,
    place: (u16, u16),
    /// The last packet in the queue only moves: the next movement replaces it.
    moved: bool,
}

impl VmMouse {
    /// As after power-on.
    pub fn reset(&mut self) {
        *self = VmMouse::default();
    }

    /// Whether the guest has a driver that asks for places.
    pub fn is_used(&self) -> bool {
        self.on && self.absolute
    }

    /// Whether it has this button, or wheel.
    pub fn has(&self, name: &str) -> bool {
        button(name).is_some() || name.starts_with("wheel-")
    }

    /// Whether a button is down that goes up with this event.
    pub fn holds(&self, name: &str) -> bool {
        button(name).is_some_and(|bit| self.buttons & bit != 0)
    }

    /// A place, a button or the wheel. Returns whether there is something for the guest, which must be woken then:
    /// its driver listens to the PS/2 mouse.
    pub fn input(&mut self, event: &InputEvent) -> bool {
        match event {
            InputEvent::Point { x, y } => {
                let place = (x.unwrap_or(self.place.0), y.unwrap_or(self.place.1));
                std::mem::replace(&mut self.place, place) != place && self.tell(0, true)
            }
            InputEvent::Button { name, down } => match (name.as_str(), *down) {
                ("wheel-up", true) => self.tell(-1, false),
                ("wheel-down", true) => self.tell(1, false),
                (name, down) => {
                    let bit = button(name).unwrap_or(0);
                    let buttons = if down { self.buttons | bit } else { self.buttons & !bit };
                    std::mem::replace(&mut self.buttons, buttons) != buttons && self.tell(0, false)
                }
            },
            InputEvent::Key { .. } | InputEvent::Move { .. } => false,
        }
    }

    /// Puts a packet into the queue.
    fn tell(&mut self, wheel: i32, movement: bool) -> bool {
        if !self.is_used() {
            return false;
        }
        if self.moved && movement {
            self.queue.truncate(self.queue.len().saturating_sub(PACKET));
        } else if self.queue.len() >= MAX_PACKETS * PACKET {
            // The guest does not look. What is lost is a click; buttons and place are right in the next packet.
            return true;
        }
        self.moved = movement;
        let (x, y) = self.place;
        self.queue
            .extend([self.buttons, x.into(), y.into(), wheel.cast_unsigned()]);
        true
    }

    fn turn_off(&mut self) {
        self.on = false;
        self.absolute = false;
        self.forget();
    }

    fn forget(&mut self) {
        self.queue.clear();
        self.moved = false;
    }

    fn command(&mut self, command: u32) {
        match command {
            READ_ID => {
                self.forget();
                self.on = true;
                self.queue.push_back(POINTER_ID);
            }
            DISABLE => self.turn_off(),
            REQUEST_RELATIVE => self.absolute = false,
            REQUEST_ABSOLUTE => self.absolute = true,
            _ => {}
        }
    }

    /// As many words as the guest wants, which must be there.
    fn read(&mut self, count: u32, registers: &mut Registers) {
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        if count == 0 || count > 6 || count > self.queue.len() {
            // Guest and pointer no longer agree on where a packet begins: the driver starts again.
            self.turn_off();
            registers.eax = UNKNOWN;
            return;
        }
        let Registers {
            eax,
            ebx,
            ecx,
            edx,
            esi,
            edi,
        } = registers;
        self.moved = self.moved && self.queue.len() - count >= PACKET;
        for (place, word) in [eax, ebx, ecx, edx, esi, edi]
            .into_iter()
            .zip(self.queue.drain(..count))
        {
            *place = word;
        }
    }
}

impl RegisterDevice for VmMouse {
    fn call(&mut self, registers: &mut Registers) {
        if registers.eax != MAGIC {
            registers.eax = UNKNOWN;
            return;
        }
        // The upper half is a parameter of commands that are not known here.
        match registers.ecx & 0xFFFF {
            GET_VERSION => {
                (registers.eax, registers.ecx) = VERSION;
                registers.ebx = MAGIC;
            }
            POINTER_DATA => self.read(registers.ebx, registers),
            POINTER_STATUS => {
                let waiting = u32::try_from(self.queue.len()).unwrap_or(0);
                registers.eax = if self.on { waiting } else { OFF };
            }
            POINTER_COMMAND => {
                self.command(registers.ebx);
                registers.eax = 0;
            }
            _ => registers.eax = UNKNOWN,
        }
    }
}

fn button(name: &str) -> Option<u32> {
    Some(match name {
        "left" => LEFT,
        "right" => RIGHT,
        "middle" => MIDDLE,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(mouse: &mut VmMouse, ecx: u32, ebx: u32) -> Registers {
        let mut registers = Registers {
            eax: MAGIC,
            ebx,
            ecx,
            ..Registers::default()
        };
        mouse.call(&mut registers);
        registers
    }

    fn started() -> VmMouse {
        let mut mouse = VmMouse::default();
        assert_eq!(call(&mut mouse, POINTER_STATUS, 0).eax, OFF);
        call(&mut mouse, POINTER_COMMAND, READ_ID);
        assert_eq!(call(&mut mouse, POINTER_STATUS, 0).eax, 1);
        assert_eq!(call(&mut mouse, POINTER_DATA, 1).eax, POINTER_ID);
        assert!(!mouse.is_used());
        call(&mut mouse, POINTER_COMMAND, REQUEST_ABSOLUTE);
        assert!(mouse.is_used());
        mouse
    }

    fn point(x: u16, y: u16) -> InputEvent {
        let (x, y) = (Some(x), Some(y));
        InputEvent::Point { x, y }
    }

    fn press(name: &str, down: bool) -> InputEvent {
        let name = name.to_owned();
        InputEvent::Button { name, down }
    }

    #[test]
    fn a_click_comes_where_it_was_made_and_of_movements_only_the_last() {
        let mut mouse = started();
        for event in [point(1, 2), point(10, 20), press("left", true), point(30, 40)] {
            assert!(mouse.input(&event));
        }
        assert!(mouse.input(&press("wheel-up", true)));
        assert_eq!(call(&mut mouse, POINTER_STATUS, 0).eax, 16);
        for expected in [
            [0, 10, 20, 0],
            [LEFT, 10, 20, 0],
            [LEFT, 30, 40, 0],
            [LEFT, 30, 40, UNKNOWN],
        ] {
            let read = call(&mut mouse, POINTER_DATA, 4);
            assert_eq!([read.eax, read.ebx, read.ecx, read.edx], expected);
        }
        assert!(!mouse.input(&point(30, 40)), "nothing has changed");
    }

    #[test]
    fn a_driver_that_asks_for_more_than_there_is_must_start_again() {
        let mut mouse = started();
        mouse.input(&point(1, 2));
        assert_eq!(call(&mut mouse, POINTER_DATA, 5).eax, UNKNOWN);
        assert_eq!(call(&mut mouse, POINTER_STATUS, 0).eax, OFF);
        assert!(!mouse.is_used());
    }

    #[test]
    fn a_guest_that_never_looks_takes_no_memory() {
        let mut mouse = started();
        for turn in 0..10_000 {
            mouse.input(&press("left", turn % 2 == 0));
        }
        assert_eq!(call(&mut mouse, POINTER_STATUS, 0).eax, 256);
    }

    #[test]
    fn other_calls_change_no_register_but_the_answer() {
        let mut mouse = VmMouse::default();
        assert_eq!(call(&mut mouse, GET_VERSION, 0).ebx, MAGIC);
        let unknown = call(&mut mouse, 0x1234, 5);
        assert_eq!((unknown.eax, unknown.ebx), (UNKNOWN, 5));
        let mut strange = Registers::default();
        mouse.call(&mut strange);
        let answer = Registers {
            eax: UNKNOWN,
            ..Registers::default()
        };
        assert_eq!(strange, answer);
    }
}
