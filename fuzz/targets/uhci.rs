//! Whatever a USB driver writes to the controller's ports and to its schedule in memory: the controller does a bounded
//! amount of work and never leaves the guest's memory.
#![no_main]
use runner::device::{Clock, GuestMemory, TestClock, TestIrq, TestMemory, Timed};
use runner::input::InputEvent;
use runner::pci::PciFunction;
use runner::usb::{Uhci, UhciLines};
use std::sync::Arc;

/// Bytes of memory; what is written to it begins at its start, the frame list too.
const MEMORY: usize = 0x4000;

libfuzzer_sys::fuzz_target!(|input: (Vec<u8>, Vec<(u8, u8, u32)>)| {
    let (schedule, steps) = input;
    let clock = Arc::new(TestClock::default());
    let memory = TestMemory::new(MEMORY);
    let start = &schedule[..schedule.len().min(MEMORY)];
    memory.write(0, start).expect("it fits");
    let mut uhci = Uhci::new(UhciLines {
        irq: TestIrq::new(),
        memory: memory.clone(),
        clock: clock.clone(),
        rescheduled: Arc::new(|| {}),
    });
    // A running schedule on an enabled port: random ports alone would rarely come so far.
    uhci.write_config(0x04, 2, 5);
    for (offset, value) in [(0x04, 0x0F), (0x10, 0x0200), (0x10, 0), (0x10, 4), (0x00, 0x81)] {
        uhci.write_port(4, offset, 2, value);
    }
    for (step, place, value) in steps {
        let size = [1, 2, 4][usize::from(place) % 3];
        match step % 8 {
            0 => uhci.write_port(4, u16::from(place & 31), size, value),
            1 => drop(uhci.read_port(4, u16::from(place & 31), size)),
            2 | 3 => memory
                .write(u64::from(place) * 4, &value.to_le_bytes())
                .expect("it fits"),
            4 => uhci.input(&InputEvent::Point {
                x: Some(value.to_le_bytes()[0].into()),
                y: None,
            }),
            5 => uhci.input(&InputEvent::Button {
                name: "left".to_owned(),
                down: place & 1 != 0,
            }),
            6 => uhci.write_config(place, size, value),
            _ => clock.advance(u64::from(place) * 100_000),
        }
        if uhci.deadline().is_some_and(|deadline| deadline <= clock.now()) {
            uhci.expire(clock.now());
        }
    }
    uhci.reset();
    assert_eq!(uhci.deadline(), None);
});
