//! The controller driven through its ports and memory, as a guest's driver does.

use super::*;
use crate::device::{Clock, GuestMemory, TestClock, TestIrq, TestMemory, Timed};
use crate::input::InputEvent;
use crate::pci::PciFunction;
use proptest::prelude::*;
use std::sync::Arc;

const SIZE: usize = 0x1_0000;
// Where the driver keeps its things.
const FRAMES: u32 = 0x1000;
const QUEUE: u32 = 0x2000;
const TRANSFERS: u32 = 0x3000;
const BUFFERS: u32 = 0x8000;

const END: u32 = 1;
const ACTIVE: u32 = 1 << 23;
const INTERRUPT: u32 = 1 << 24;
const THREE_TRIES: u32 = 3 << 27;
const SHORT_PACKET: u32 = 1 << 29;

struct Host {
    uhci: Uhci,
    memory: Arc<TestMemory>,
    clock: Arc<TestClock>,
    irq: Arc<TestIrq>,
}

/// One packet for a transfer descriptor: what begins it, and the data or the room for it.
type Packet<'a> = (u8, &'a [u8], usize);
const SETUP: u8 = 0x2D;
const IN: u8 = 0x69;
const OUT: u8 = 0xE1;

impl Host {
    /// A controller that runs an empty schedule, with its port enabled.
    fn new() -> Self {
        let (memory, clock, irq) = (TestMemory::new(SIZE), Arc::new(TestClock::default()), TestIrq::new());
        let uhci = Uhci::new(UhciLines {
            irq: irq.clone(),
            memory: memory.clone(),
            clock: clock.clone(),
            rescheduled: Arc::new(|| {}),
        });
        let mut host = Host {
            uhci,
            memory,
            clock,
            irq,
        };
        host.uhci.write_config(0x04, 2, 5);
        for frame in 0..1024 {
            host.put(FRAMES + 4 * frame, QUEUE | 2);
        }
        host.put(QUEUE, END);
        host.put(QUEUE + 4, END);
        host.out(0x08, 4, FRAMES);
        host.out(0x04, 2, 0x0F);
        assert_eq!(host.inw(0x10) & 3, 3, "connected, and that is new");
        assert_eq!(host.inw(0x12) & 3, 0);
        host.out(0x10, 2, 0x0202);
        host.out(0x10, 2, 0x0002);
        host.out(0x10, 2, 0x0004);
        assert_eq!(host.inw(0x10) & 7, 5);
        host.out(0x00, 2, 0x81);
        host
    }

    fn out(&mut self, offset: u16, size: u8, value: u32) {
        self.uhci.write_port(4, offset, size, value);
    }

    fn inw(&mut self, offset: u16) -> u32 {
        self.uhci.read_port(4, offset, 2)
    }

    fn put(&self, address: u32, value: u32) {
        self.memory.write(address.into(), &value.to_le_bytes()).unwrap();
    }

    fn get(&self, address: u32) -> u32 {
        let mut bytes = [0; 4];
        self.memory.read(address.into(), &mut bytes).unwrap();
        u32::from_le_bytes(bytes)
    }

    fn milliseconds(&mut self, count: u64) {
        for _ in 0..count {
            self.clock.advance(1_000_000);
            if self.uhci.deadline().is_some_and(|at| at <= self.clock.now()) {
                self.uhci.expire(self.clock.now());
            }
        }
    }

    /// Queues packets for an endpoint, lets time pass, and gives each one's status and data.
    fn packets(&mut self, device: u32, endpoint: u32, packets: &[Packet]) -> Vec<(u32, Vec<u8>)> {
        for ((index, (pid, data, room)), last) in (0u32..).zip(packets).zip(1..) {
            let at = TRANSFERS + 16 * index;
            let buffer = BUFFERS + 0x100 * index;
            self.memory.write(buffer.into(), data).unwrap();
            let length = u32::try_from(if *pid == IN { *room } else { data.len() }).unwrap();
            let done = last == packets.len();
            self.put(at, if done { END } else { (at + 16) | 4 });
            self.put(
                at + 4,
                ACTIVE | THREE_TRIES | SHORT_PACKET | if done { INTERRUPT } else { 0 },
            );
            let size = length.wrapping_sub(1) & 0x7FF;
            self.put(at + 8, size << 21 | endpoint << 15 | device << 8 | u32::from(*pid));
            self.put(at + 12, buffer);
        }
        self.put(QUEUE + 4, TRANSFERS);
        self.milliseconds(10);
        (0u32..)
            .zip(packets)
            .map(|(index, _)| {
                let status = self.get(TRANSFERS + 16 * index + 4);
                let length = usize::try_from(status.wrapping_add(1) & 0x7FF).unwrap();
                let mut data = vec![0; length.min(0x100)];
                self.memory.read(u64::from(BUFFERS + 0x100 * index), &mut data).unwrap();
                (status, data)
            })
            .collect()
    }

    /// A control request that brings `length` bytes at most; `None` if the device refuses.
    fn ask(&mut self, device: u32, setup: [u8; 8]) -> Option<Vec<u8>> {
        let mut data = Vec::new();
        let length = usize::from(setup[6]);
        assert_eq!(self.packets(device, 0, &[(SETUP, &setup, 0)])[0].0 & ACTIVE, 0);
        while data.len() < length {
            let (status, packet) = self.packets(device, 0, &[(IN, &[], 8)]).remove(0);
            if status & 1 << 22 != 0 {
                return None;
            }
            data.extend(&packet);
            if packet.len() < 8 {
                break;
            }
        }
        assert_eq!(self.packets(device, 0, &[(OUT, &[], 0)])[0].0 & ACTIVE, 0);
        Some(data)
    }

    /// A control request without data.
    fn tell(&mut self, device: u32, setup: [u8; 8]) -> bool {
        let results = self.packets(device, 0, &[(SETUP, &setup, 0), (IN, &[], 0)]);
        results[1].0 & (ACTIVE | 1 << 22) == 0
    }

    /// A host whose driver has found the tablet and listens at address 5.
    fn with_driver() -> Self {
        let mut host = Host::new();
        assert!(host.tell(0, [0, 5, 5, 0, 0, 0, 0, 0]));
        assert!(host.tell(5, [0, 9, 1, 0, 0, 0, 0, 0]));
        assert!(host.report().is_none());
        host
    }

    /// The next report, if there is one.
    fn report(&mut self) -> Option<Vec<u8>> {
        let (status, data) = self.packets(5, 1, &[(IN, &[], 8)]).remove(0);
        (status & ACTIVE == 0).then_some(data)
    }
}

fn point(x: u16, y: u16) -> InputEvent {
    InputEvent::Point { x: Some(x), y: Some(y) }
}

fn button(name: &str, down: bool) -> InputEvent {
    InputEvent::Button {
        name: name.into(),
        down,
    }
}

#[test]
fn a_driver_finds_the_tablet() {
    let mut host = Host::new();
    let device = host.ask(0, [0x80, 6, 0, 1, 0, 0, 18, 0]).unwrap();
    assert_eq!((device[0], device[1], device.len()), (18, 1, 18));
    assert!(host.irq.level(), "it was to interrupt");
    host.out(0x02, 2, 1);
    assert!(!host.irq.level());
    assert!(host.tell(0, [0, 5, 5, 0, 0, 0, 0, 0]));
    let configuration = host.ask(5, [0x80, 6, 0, 2, 0, 0, 255, 0]).unwrap();
    assert_eq!(configuration.len(), 34);
    assert_eq!(u16::from_le_bytes([configuration[2], configuration[3]]), 34);
    let reports = host.ask(5, [0x81, 6, 0, 0x22, 0, 0, 255, 0]).unwrap();
    assert_eq!(reports.len(), usize::from(configuration[9 + 9 + 7]));
    let name = host.ask(5, [0x80, 6, 2, 3, 9, 4, 255, 0]).unwrap();
    assert_eq!(name.len(), usize::from(name[0]));
    assert_eq!(host.ask(5, [0x80, 6, 0, 6, 0, 0, 10, 0]), None, "it has one speed only");
    assert!(!host.tell(5, [0, 9, 7, 0, 0, 0, 0, 0]), "there is no configuration 7");
    assert!(!host.uhci.has_pointer());
    assert!(host.tell(5, [0, 9, 1, 0, 0, 0, 0, 0]));
    assert!(host.report().is_none());
    assert!(host.uhci.has_pointer());
}

#[test]
fn places_buttons_and_the_wheel_arrive_in_order_and_movements_are_not_queued() {
    let mut host = Host::with_driver();
    host.uhci.input(&point(0, 65535));
    host.uhci.input(&point(65535, 0));
    host.uhci.input(&button("left", true));
    host.uhci.input(&point(32768, 32768));
    host.uhci.input(&InputEvent::Point { x: None, y: Some(0) });
    host.uhci.input(&button("left", false));
    host.uhci.input(&button("wheel-down", true));
    host.uhci.input(&button("wheel-down", false));
    let mut reports = Vec::new();
    while let Some(report) = host.report() {
        reports.push(report);
    }
    assert_eq!(
        reports,
        [
            [0, 0xFF, 0x7F, 0, 0, 0],
            [1, 0xFF, 0x7F, 0, 0, 0],
            [1, 0x00, 0x40, 0, 0, 0],
            [0, 0x00, 0x40, 0, 0, 0],
            [0, 0x00, 0x40, 0, 0, 0xFF],
        ]
    );
}

#[test]
fn a_guest_that_does_not_ask_costs_no_memory_and_sees_the_buttons_as_they_are() {
    let mut host = Host::with_driver();
    for _ in 0..1000 {
        host.uhci.input(&button("right", true));
        host.uhci.input(&button("right", false));
    }
    let mut count = 0;
    let mut last = Vec::new();
    while let Some(report) = host.report() {
        last = report;
        count += 1;
    }
    assert!((2..100).contains(&count), "{count}");
    assert_eq!(last[0], 0);
}

#[test]
fn nobody_at_an_address_fails_after_the_tries_that_were_granted() {
    let mut host = Host::new();
    let (status, _) = host.packets(9, 0, &[(IN, &[], 8)]).remove(0);
    assert_eq!(status & (ACTIVE | THREE_TRIES), 0);
    assert_eq!(status & (1 << 22 | 1 << 18), 1 << 22 | 1 << 18, "stalled, no answer");
    assert_eq!(host.inw(2) & 2, 2);
    host.out(2, 2, 2);
    host.out(2, 2, 1);
    assert!(!host.irq.level());
}

#[test]
fn a_circle_of_queues_ends_with_the_frame_and_time_goes_on() {
    let mut host = Host::with_driver();
    host.put(QUEUE, QUEUE | 2);
    host.put(QUEUE + 4, END);
    let before = host.inw(6);
    host.milliseconds(20);
    assert_eq!(host.inw(6), (before + 20) & 0x7FF);
    // A circle of transfers that nobody owns, outside of any queue.
    host.put(TRANSFERS, TRANSFERS);
    host.put(TRANSFERS + 4, 0);
    for frame in 0..1024 {
        host.put(FRAMES + 4 * frame, TRANSFERS);
    }
    host.milliseconds(20);
    assert_eq!(host.inw(6), (before + 40) & 0x7FF);
}

#[test]
fn a_schedule_outside_of_memory_halts_the_controller() {
    let mut host = Host::with_driver();
    host.put(QUEUE + 4, 0xFFFF_FFF0);
    host.milliseconds(10);
    assert_eq!(host.inw(2) & 0x28, 0x28, "system error, halted");
    assert_eq!(host.inw(0) & 1, 0);
    assert!(host.irq.level());
    assert_eq!(host.uhci.deadline(), None);
}

#[test]
fn a_sleeping_host_is_woken_if_it_has_allowed_it() {
    let mut host = Host::with_driver();
    host.out(0x02, 2, 0x3F);
    host.out(0x00, 2, 0x88);
    host.uhci.input(&point(9, 9));
    assert!(!host.irq.level(), "not allowed");
    host.out(0x00, 2, 0x81);
    assert!(host.tell(5, [0, 3, 1, 0, 0, 0, 0, 0]));
    host.out(0x02, 2, 0x3F);
    host.out(0x00, 2, 0x88);
    assert!(host.irq.level(), "it has something to tell");
    assert_eq!(host.inw(2) & 4, 4);
    assert_eq!(host.inw(0x10) & 0x40, 0x40);
}

#[derive(Clone, Debug)]
enum Act {
    Out(u16, u8, u32),
    In(u16, u8),
    Memory(u32, u32),
    Time(u64),
    Input(u16),
}

fn act() -> impl Strategy<Value = Act> {
    // Mostly addresses that lead somewhere, and words that look like descriptors.
    let word = prop_oneof![
        any::<u32>(),
        (0u32..0x80).prop_map(|at| 0x1000 + 16 * at),
        (0u32..0x80).prop_map(|at| 0x1002 + 16 * at),
        (0u32..0x80).prop_map(|at| 0x1004 + 16 * at),
        any::<u32>().prop_map(|bits| bits & 0x7F01_0000 | ACTIVE),
        (0u32..9, prop_oneof![Just(0x2Du32), Just(0x69), Just(0xE1)]).prop_map(|(size, pid)| size << 21 | pid),
    ];
    prop_oneof![
        (0u16..32, prop_oneof![Just(1u8), Just(2), Just(4)], any::<u32>())
            .prop_map(|(at, size, value)| Act::Out(at, size, value)),
        (0u16..32, prop_oneof![Just(1u8), Just(2), Just(4)]).prop_map(|(at, size)| Act::In(at, size)),
        Just(Act::Out(0, 2, 0x81)),
        Just(Act::Out(8, 4, 0x1000)),
        Just(Act::Out(0x10, 2, 4)),
        (0u32..0x200, word).prop_map(|(at, value)| Act::Memory(0x1000 + 4 * at, value)),
        (0u64..3000).prop_map(Act::Time),
        any::<u16>().prop_map(Act::Input),
    ]
}

proptest! {
    #[test]
    fn whatever_a_driver_does_the_machine_stands(acts in prop::collection::vec(act(), 1..200)) {
        let mut host = Host::with_driver();
        for act in acts {
            match act {
                Act::Out(offset, size, value) => host.out(offset, size, value),
                Act::In(offset, size) => { host.uhci.read_port(4, offset, size); }
                Act::Memory(at, value) => host.put(at, value),
                Act::Time(microseconds) => {
                    host.clock.advance(microseconds * 1000);
                    let now = host.clock.now();
                    host.uhci.expire(now);
                }
                Act::Input(place) => {
                    host.uhci.input(&point(place, place));
                    host.uhci.input(&button("left", place & 1 != 0));
                }
            }
        }
        host.uhci.reset();
        prop_assert_eq!(host.uhci.deadline(), None);
        prop_assert!(!host.irq.level());
    }
}
