//! The controller driven through its ports, as a guest does.

use super::*;
use crate::device::{PortDevice, Power, TestClock, TestIrq, Timed};
use proptest::prelude::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

#[derive(Default)]
struct Resets(AtomicU32);

impl Power for Resets {
    fn reset(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
    fn power_off(&self) {
        panic!("a keyboard controller cannot power off");
    }
}

struct Bench {
    controller: I8042,
    irq1: Arc<TestIrq>,
    irq12: Arc<TestIrq>,
    a20: Arc<TestIrq>,
    clock: Arc<TestClock>,
    resets: Arc<Resets>,
}

impl Bench {
    fn new() -> Self {
        let (irq1, irq12, a20) = (TestIrq::new(), TestIrq::new(), TestIrq::new());
        let (clock, resets) = (Arc::new(TestClock::default()), Arc::new(Resets::default()));
        let controller = I8042::new(I8042Lines {
            keyboard_irq: irq1.clone(),
            mouse_irq: irq12.clone(),
            a20: a20.clone(),
            power: resets.clone(),
            clock: clock.clone(),
        });
        Bench {
            controller,
            irq1,
            irq12,
            a20,
            clock,
            resets,
        }
    }

    fn command(&mut self, command: u8) {
        self.controller.write(0x64, 1, command.into());
    }

    fn data(&mut self, data: u8) {
        self.controller.write(0x60, 1, data.into());
    }

    fn mouse(&mut self, data: u8) {
        self.command(0xD4);
        self.data(data);
    }

    /// Reads everything that comes within a second: (from the mouse, byte).
    fn drain(&mut self) -> Vec<(bool, u8)> {
        let mut bytes = Vec::new();
        for _ in 0..2000 {
            self.clock.advance(500_000);
            if self
                .controller
                .deadline()
                .is_some_and(|time| time <= crate::device::Clock::now(&*self.clock))
            {
                self.controller.expire(crate::device::Clock::now(&*self.clock));
            }
            let status = self.controller.read(0x64, 1);
            if status & 1 != 0 {
                bytes.push((status & 0x20 != 0, self.controller.read(0x60, 1) as u8));
            }
        }
        bytes
    }

    fn keyboard_bytes(&mut self) -> Vec<u8> {
        let bytes = self.drain();
        assert!(bytes.iter().all(|(mouse, _)| !mouse), "{bytes:x?}");
        bytes.into_iter().map(|(_, byte)| byte).collect()
    }

    fn mouse_bytes(&mut self) -> Vec<u8> {
        let bytes = self.drain();
        assert!(bytes.iter().all(|(mouse, _)| *mouse), "{bytes:x?}");
        bytes.into_iter().map(|(_, byte)| byte).collect()
    }

    fn key(&mut self, code: &str, down: bool) {
        let code = code.to_owned();
        self.controller.input(&InputEvent::Key { code, down });
    }

    fn button(&mut self, name: &str, down: bool) {
        let name = name.to_owned();
        self.controller.input(&InputEvent::Button { name, down });
    }
}

#[test]
fn the_bios_finds_controller_and_keyboard() {
    let mut bench = Bench::new();
    bench.command(0xAD);
    bench.command(0xA7);
    bench.command(0xAA);
    assert_eq!(bench.keyboard_bytes(), [0x55]);
    bench.command(0xAB);
    assert_eq!(bench.keyboard_bytes(), [0x00]);
    bench.command(0x60);
    bench.data(0x30);
    bench.data(0xFF);
    assert_eq!(bench.keyboard_bytes(), [0xFA, 0xAA]);
    bench.command(0x20);
    assert_eq!(bench.keyboard_bytes(), [0x20], "talking to the keyboard switched it on");
    assert_eq!(bench.irq1.rises(), 0, "it polls");
}

#[test]
fn keys_arrive_in_set_1_with_an_interrupt_each_byte() {
    let mut bench = Bench::new();
    bench.command(0x60);
    bench.data(0x45);
    bench.key("a", true);
    bench.key("a", false);
    bench.key("up", true);
    bench.key("up", false);
    assert!(bench.irq1.level());
    assert_eq!(bench.keyboard_bytes(), [0x1E, 0x9E, 0xE0, 0x48, 0xE0, 0xC8]);
    assert_eq!(bench.irq1.rises(), 6);
    assert!(!bench.irq1.level());
    assert_eq!(bench.irq12.rises(), 0);
}

#[test]
fn a_second_read_in_the_same_handler_gives_the_same_byte() {
    let mut bench = Bench::new();
    bench.key("a", true);
    bench.key("a", false);
    assert_eq!(bench.controller.read(0x60, 1), 0x1C);
    assert_eq!(bench.controller.read(0x60, 1), 0x1C);
    assert_eq!(bench.keyboard_bytes(), [0xF0, 0x1C]);
}

#[test]
fn special_keys_have_their_sequences() {
    let mut bench = Bench::new();
    bench.key("pause", true);
    bench.key("pause", false);
    assert_eq!(bench.keyboard_bytes(), [0xE1, 0x14, 0x77, 0xE1, 0xF0, 0x14, 0xF0, 0x77]);
    bench.key("print", true);
    bench.key("print", false);
    assert_eq!(
        bench.keyboard_bytes(),
        [0xE0, 0x12, 0xE0, 0x7C, 0xE0, 0xF0, 0x7C, 0xE0, 0xF0, 0x12]
    );
    bench.key("f7", true);
    bench.key("f7", false);
    assert_eq!(bench.keyboard_bytes(), [0x83, 0xF0, 0x83]);
}

#[test]
fn a_held_key_repeats_at_the_rate_the_guest_set() {
    let mut bench = Bench::new();
    bench.data(0xF3);
    bench.data(0x00); // 250 ms, then 30 a second
    assert_eq!(bench.keyboard_bytes(), [0xFA, 0xFA]);
    bench.key("a", true);
    let count = bench.keyboard_bytes().len();
    assert!((22..=25).contains(&count), "{count} codes in a second");
    bench.key("a", false);
    assert_eq!(bench.keyboard_bytes(), [0xF0, 0x1C]);
}

#[test]
fn identify_echo_sets_and_resend() {
    let mut bench = Bench::new();
    bench.data(0xF2);
    assert_eq!(bench.keyboard_bytes(), [0xFA, 0xAB, 0x83]);
    bench.data(0xEE);
    assert_eq!(bench.keyboard_bytes(), [0xEE]);
    bench.data(0xFE);
    assert_eq!(bench.keyboard_bytes(), [0xEE]);
    bench.data(0xED);
    bench.data(0x07);
    assert_eq!(bench.keyboard_bytes(), [0xFA, 0xFA]);
    for byte in [0xF0, 0x01, 0xF0] {
        bench.data(byte);
        assert_eq!(bench.keyboard_bytes(), [0xFA]);
    }
    bench.data(0x00);
    assert_eq!(bench.keyboard_bytes(), [0xFA, 0x01]);
    bench.key("right", true);
    bench.key("right", false);
    assert_eq!(bench.keyboard_bytes(), [0xE0, 0x4D, 0xE0, 0xCD]);
    bench.data(0x99);
    assert_eq!(bench.keyboard_bytes(), [0xFE]);
}

#[test]
fn a_disabled_keyboard_keeps_its_codes_and_a_switched_off_one_makes_none() {
    let mut bench = Bench::new();
    bench.command(0xAD);
    bench.key("b", true);
    assert!(bench.keyboard_bytes().is_empty());
    bench.key("b", false);
    bench.command(0xAE);
    assert_eq!(bench.keyboard_bytes(), [0x32, 0xF0, 0x32]);
    bench.data(0xF5);
    bench.key("b", true);
    bench.key("b", false);
    assert_eq!(bench.keyboard_bytes(), [0xFA]);
}

#[test]
fn the_mouse_knocks_up_to_five_buttons() {
    let mut bench = Bench::new();
    bench.command(0xA8);
    bench.mouse(0xFF);
    assert_eq!(bench.mouse_bytes(), [0xFA, 0xAA, 0x00]);
    let mut identify = |rates: &[u8]| {
        for rate in rates {
            bench.mouse(0xF3);
            assert_eq!(bench.mouse_bytes(), [0xFA]);
            bench.mouse(*rate);
            assert_eq!(bench.mouse_bytes(), [0xFA]);
        }
        bench.mouse(0xF2);
        bench.mouse_bytes()
    };
    assert_eq!(identify(&[200, 200, 80]), [0xFA, 0], "four only after three");
    assert_eq!(identify(&[200, 100, 80]), [0xFA, 3]);
    assert_eq!(identify(&[200, 200, 80]), [0xFA, 4]);
    bench.mouse(0xF4);
    assert_eq!(bench.mouse_bytes(), [0xFA]);
    bench.button("wheel-up", true);
    bench.button("wheel-up", false);
    assert_eq!(bench.mouse_bytes(), [0x08, 0, 0, 0x0F]);
    bench.button("side", true);
    assert_eq!(bench.mouse_bytes(), [0x08, 0, 0, 0x10]);
    assert!(bench.irq12.rises() > 0);
    assert_eq!(bench.irq1.rises(), 0);
}

#[test]
fn movement_is_merged_and_split_but_never_lost() {
    let mut bench = Bench::new();
    bench.mouse(0xF4);
    assert_eq!(bench.mouse_bytes(), [0xFA]);
    for _ in 0..300 {
        bench.controller.input(&InputEvent::Move { dx: 2, dy: 1 });
    }
    bench.button("left", true);
    bench.controller.input(&InputEvent::Move { dx: -3, dy: 0 });
    let bytes = bench.mouse_bytes();
    assert!(bytes.len() <= 15, "{} bytes", bytes.len());
    let (mut x, mut y) = (0, 0);
    for packet in bytes.chunks(3) {
        assert_eq!(packet[0] & 0xC8, 0x08);
        x += i32::from(packet[1]) - if packet[0] & 0x10 != 0 { 256 } else { 0 };
        y += i32::from(packet[2]) - if packet[0] & 0x20 != 0 { 256 } else { 0 };
    }
    assert_eq!((x, y), (597, -300));
    assert_eq!(bytes[bytes.len() - 3] & 7, 1);
}

#[test]
fn remote_mode_reports_when_asked() {
    let mut bench = Bench::new();
    bench.mouse(0xF4);
    assert_eq!(bench.mouse_bytes(), [0xFA]);
    bench.mouse(0xF0);
    assert_eq!(bench.mouse_bytes(), [0xFA]);
    bench.controller.input(&InputEvent::Move { dx: 400, dy: 0 });
    assert!(bench.mouse_bytes().is_empty());
    bench.mouse(0xEB);
    assert_eq!(bench.mouse_bytes(), [0xFA, 0x48, 0xFF, 0x00]);
    bench.mouse(0xE9);
    assert_eq!(bench.mouse_bytes(), [0xFA, 0x60, 2, 100]);
}

#[test]
fn reset_and_a20() {
    let mut bench = Bench::new();
    bench.command(0xD1);
    bench.data(0xDF);
    assert!(bench.a20.level());
    bench.command(0xD1);
    bench.data(0xDD);
    assert!(!bench.a20.level());
    bench.command(0xD0);
    assert_eq!(bench.keyboard_bytes()[0] & 3, 1);
    assert_eq!(bench.resets.0.load(Ordering::SeqCst), 0);
    bench.command(0xFF);
    assert_eq!(bench.resets.0.load(Ordering::SeqCst), 0);
    bench.command(0xFE);
    assert_eq!(bench.resets.0.load(Ordering::SeqCst), 1);
}

proptest! {
    /// No sequence of accesses and events panics or makes the queues grow without bound.
    #[test]
    fn any_guest_is_survived(steps in proptest::collection::vec((0..6u8, any::<u8>()), 0..400)) {
        let mut bench = Bench::new();
        for (step, value) in steps {
            match step {
                0 => bench.command(value),
                1 => bench.data(value),
                2 => { bench.controller.read(0x60 + 4 * u16::from(value & 1), 1); }
                3 => bench.controller.input(&InputEvent::Move { dx: i32::from(value) << 23, dy: i32::MIN }),
                4 => bench.key(["a", "pause", "print", "ctrl", "alt", "shift"][usize::from(value) % 6], value & 1 == 0),
                _ => bench.mouse(value),
            }
        }
        // The keyboard may repeat for ever; a second brings at most 30 codes more than its queue holds.
        prop_assert!(bench.drain().len() <= 2000);
    }
}
