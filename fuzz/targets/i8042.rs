//! Any sequence of port accesses and host events leaves a keyboard controller whose queues are bounded, and so do calls of
//! VMware's pointer.
#![no_main]
use runner::device::{Clock, PortDevice, Power, RegisterDevice, Registers, TestClock, TestIrq, Timed};
use runner::input::{I8042, I8042Lines, InputEvent, VmMouse};
use std::sync::Arc;

struct NoPower;

impl Power for NoPower {
    fn reset(&self) {}
    fn power_off(&self) {}
}

const KEYS: [&str; 8] = ["a", "pause", "print", "ctrl", "alt", "shift", "delete", "f7"];
/// Commands to VMware's pointer: its identity, relative, absolute, off, and one that is none.
const COMMANDS: [u32; 5] = [0x4541_4552, 0x4C45_5252, 0x5342_4152, 0xF5, 0];
const BUTTONS: [&str; 4] = ["left", "side", "wheel-up", "wheel-down"];

libfuzzer_sys::fuzz_target!(|steps: Vec<(u8, u8, i32)>| {
    let clock = Arc::new(TestClock::default());
    let mut controller = I8042::new(I8042Lines {
        keyboard_irq: TestIrq::new(),
        mouse_irq: TestIrq::new(),
        a20: TestIrq::new(),
        power: Arc::new(NoPower),
        clock: clock.clone(),
    });
    let mut vmmouse = VmMouse::default();
    for (step, value, number) in steps {
        clock.advance(u64::from(value) * 100_000);
        if controller.deadline().is_some_and(|deadline| deadline <= clock.now()) {
            controller.expire(clock.now());
        }
        match step % 10 {
            0 => controller.write(0x64, 1, u32::from(value)),
            1 => controller.write(0x60, 1, u32::from(value)),
            2 => drop(controller.read(0x60, 1)),
            3 => drop(controller.read(0x64, 1)),
            4 => controller.input(&InputEvent::Key {
                code: KEYS[usize::from(value) % KEYS.len()].to_owned(),
                down: number & 1 != 0,
            }),
            5 => {
                let event = InputEvent::Button {
                    name: BUTTONS[usize::from(value) % BUTTONS.len()].to_owned(),
                    down: number & 1 != 0,
                };
                controller.input(&event);
                vmmouse.input(&event);
            }
            6 => {
                let [a, b, c, d] = number.to_le_bytes();
                vmmouse.input(&InputEvent::Point {
                    x: Some(u16::from_le_bytes([a, b])),
                    y: Some(u16::from_le_bytes([c, d])),
                });
            }
            7 | 8 => {
                let ebx = if step % 10 == 7 {
                    COMMANDS[usize::from(value) % COMMANDS.len()]
                } else {
                    number.cast_unsigned()
                };
                let mut registers = Registers {
                    eax: 0x564D_5868,
                    ebx,
                    ecx: if step & 0x80 == 0 { 41 } else { u32::from(value) % 48 },
                    ..Registers::default()
                };
                vmmouse.call(&mut registers);
            }
            _ => controller.input(&InputEvent::Move {
                dx: number,
                dy: number.rotate_left(7),
            }),
        }
    }
    // Whatever waits is taken in bounded time: everybody has let go of the keys.
    for key in KEYS {
        controller.input(&InputEvent::Key {
            code: key.to_owned(),
            down: false,
        });
    }
    let mut left = 0;
    while controller.deadline().is_some() || controller.read(0x64, 1) & 1 != 0 {
        clock.advance(1_000_000_000);
        controller.expire(clock.now());
        controller.read(0x60, 1);
        left += 1;
        assert!(left < 4096, "it never falls silent");
    }
});
