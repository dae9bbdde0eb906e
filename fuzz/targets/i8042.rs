//! Any sequence of port accesses and host events leaves a keyboard controller whose queues are bounded.
#![no_main]
use runner::device::{Clock, PortDevice, Power, TestClock, TestIrq, Timed};
use runner::input::{I8042, I8042Lines, InputEvent};
use std::sync::Arc;

struct NoPower;

impl Power for NoPower {
    fn reset(&self) {}
    fn power_off(&self) {}
}

const KEYS: [&str; 8] = ["a", "pause", "print", "ctrl", "alt", "shift", "delete", "f7"];
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
    for (step, value, number) in steps {
        clock.advance(u64::from(value) * 100_000);
        if controller.deadline().is_some_and(|deadline| deadline <= clock.now()) {
            controller.expire(clock.now());
        }
        match step % 7 {
            0 => controller.write(0x64, 1, u32::from(value)),
            1 => controller.write(0x60, 1, u32::from(value)),
            2 => drop(controller.read(0x60, 1)),
            3 => drop(controller.read(0x64, 1)),
            4 => controller.input(&InputEvent::Key {
                code: KEYS[usize::from(value) % KEYS.len()].to_owned(),
                down: number & 1 != 0,
            }),
            5 => controller.input(&InputEvent::Button {
                name: BUTTONS[usize::from(value) % BUTTONS.len()].to_owned(),
                down: number & 1 != 0,
            }),
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
