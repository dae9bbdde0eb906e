//! The real-time clock and its battery-backed memory (ports 70h and 71h, interrupt 8).
//!
//! Source: Motorola MC146818A datasheet. Memory, and with it the shutdown byte 0Fh, survives a reset.

mod calendar;
mod rtc;

pub use calendar::host_seconds;
use rtc::Rtc;

use crate::device::{Clock, IrqLine, PortDevice, Timed};
use std::sync::Arc;

/// Clock and memory behind the index port 70h and the data port 71h.
pub struct Cmos {
    index: u8,
    memory: [u8; 128],
    rtc: Rtc,
}

/// First and last byte that the checksum at 2Eh covers.
const CHECKED: std::ops::RangeInclusive<usize> = 0x10..=0x2d;

impl Cmos {
    /// A clock that shows `seconds` (since 1970-01-01 00:00:00) now, in a machine with `memory` bytes below 4 GiB,
    /// `high` bytes above it, and `cpus` processors.
    pub fn new(clock: Arc<dyn Clock>, irq: Arc<dyn IrqLine>, seconds: i64, memory: u64, high: u64, cpus: u8) -> Self {
        let mut bytes = [0; 128];
        let word = |value: u64| u16::try_from(value).unwrap_or(u16::MAX).to_le_bytes();
        // 640 KiB below; what is above 1 MiB in KiB, twice; above 16 MiB in 64 KiB; above 4 GiB in 64 KiB.
        [bytes[0x15], bytes[0x16]] = word(640);
        let extended = word((memory.saturating_sub(1 << 20) >> 10).min(0xfc00));
        [bytes[0x17], bytes[0x18]] = extended;
        [bytes[0x30], bytes[0x31]] = extended;
        [bytes[0x34], bytes[0x35]] = word(memory.saturating_sub(16 << 20) >> 16);
        let [b0, b1, b2, ..] = (high >> 16).to_le_bytes();
        [bytes[0x5b], bytes[0x5c], bytes[0x5d]] = [b0, b1, b2];
        // No floppy drives; FPU, PS/2 mouse.
        bytes[0x14] = 0x06;
        // Bit 0: no signature check for floppies. The order itself comes by fw_cfg.
        bytes[0x38] = 0x01;
        bytes[0x5f] = cpus.saturating_sub(1);
        let mut cmos = Cmos {
            index: 0,
            memory: bytes,
            rtc: Rtc::new(clock, irq, seconds),
        };
        cmos.update_checksum();
        cmos
    }

    fn update_checksum(&mut self) {
        let sum = self.memory[CHECKED]
            .iter()
            .fold(0u16, |sum, byte| sum.wrapping_add((*byte).into()));
        [self.memory[0x2e], self.memory[0x2f]] = sum.to_be_bytes();
    }

    /// Whether the shutdown byte asks the firmware to go on with a program after a processor reset (codes 05h and
    /// 09h–0Ch; IBM PC/AT Technical Reference, "shutdown status").
    pub fn returns_from_reset(&self) -> bool {
        matches!(self.memory[0x0f], 0x05 | 0x09..=0x0c)
    }

    /// The reset line: interrupts off; time and memory stay.
    pub fn reset(&mut self) {
        self.rtc.reset();
    }
}

impl PortDevice for Cmos {
    fn read(&mut self, port: u16, _: u8) -> u32 {
        if port & 1 == 0 {
            return 0xff;
        }
        match self.index {
            index @ (0..=0x0d | 0x32) => self.rtc.read(index).into(),
            index => self.memory.get(usize::from(index)).copied().unwrap_or(0xff).into(),
        }
    }
    fn write(&mut self, port: u16, _: u8, value: u32) {
        let [value, ..] = value.to_le_bytes();
        if port & 1 == 0 {
            // Bit 7 masks NMI, of which there are none.
            self.index = value & 0x7f;
            return;
        }
        match self.index {
            index @ (0..=0x0d | 0x32) => self.rtc.write(index, value),
            index => {
                if let Some(byte) = self.memory.get_mut(usize::from(index)) {
                    *byte = value;
                }
            }
        }
    }
}

impl Timed for Cmos {
    fn deadline(&self) -> Option<u64> {
        self.rtc.deadline()
    }
    fn expire(&mut self, now: u64) {
        self.rtc.catch_up(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::{TestClock, TestIrq};
    use proptest::prelude::*;

    fn cmos() -> (Cmos, Arc<TestClock>, Arc<TestIrq>) {
        let (clock, irq) = (Arc::new(TestClock::default()), TestIrq::new());
        // 2003-12-31 23:59:58
        let cmos = Cmos::new(clock.clone(), irq.clone(), 1_072_915_198, 512 << 20, 0, 1);
        (cmos, clock, irq)
    }

    fn get(cmos: &mut Cmos, index: u8) -> u8 {
        cmos.write(0x70, 1, index.into());
        cmos.read(0x71, 1) as u8
    }

    fn set(cmos: &mut Cmos, index: u8, value: u8) {
        cmos.write(0x70, 1, index.into());
        cmos.write(0x71, 1, value.into());
    }

    #[test]
    fn the_year_turns() {
        let (mut cmos, clock, _) = cmos();
        assert_eq!(
            [9, 8, 7, 4, 2, 0].map(|at| get(&mut cmos, at)),
            [0x03, 0x12, 0x31, 0x23, 0x59, 0x58]
        );
        clock.advance(2_000_000_000);
        assert_eq!(
            [0x32, 9, 8, 7, 4, 2, 0].map(|at| get(&mut cmos, at)),
            [0x20, 0x04, 1, 1, 0, 0, 0]
        );
        set(&mut cmos, 0x0b, 0x00);
        clock.advance(13 * 3_600_000_000_000);
        assert_eq!(get(&mut cmos, 4), 0x81, "1 p.m. on a 12-hour clock");
    }

    #[test]
    fn what_the_guest_sets_runs_on() {
        let (mut cmos, clock, _) = cmos();
        set(&mut cmos, 0x0b, 0x86);
        for (at, value) in [(9, 99), (0x32, 0x19), (8, 2), (7, 28), (4, 23), (2, 59), (0, 59)] {
            set(&mut cmos, at, value);
        }
        clock.advance(5_000_000_000);
        assert_eq!(get(&mut cmos, 0), 59, "it stands while it is set");
        set(&mut cmos, 0x0b, 0x06);
        clock.advance(1_000_000_000);
        assert_eq!(
            [0x32, 9, 8, 7, 4, 2, 0].map(|at| get(&mut cmos, at)),
            [0x19, 99, 3, 1, 0, 0, 0]
        );
    }

    #[test]
    fn periodic_update_and_alarm_interrupts_wait_to_be_read() {
        let (mut cmos, clock, irq) = cmos();
        assert_eq!(cmos.deadline(), None);
        set(&mut cmos, 0x0a, 0x26);
        set(&mut cmos, 0x0b, 0x42);
        let at = cmos.deadline().unwrap();
        assert!((976_000..977_000).contains(&at), "1024 Hz, but {at} ns");
        clock.advance(at);
        cmos.expire(at);
        assert!(irq.level());
        assert_eq!(cmos.deadline(), None, "nothing more until it is read");
        assert_eq!(get(&mut cmos, 0x0c), 0xc0);
        assert!(!irq.level());
        set(&mut cmos, 0x0b, 0x22);
        for (at, value) in [(1, 0x00), (3, 0xff), (5, 0xc0)] {
            set(&mut cmos, at, value);
        }
        for _ in 0..2 {
            let at = cmos.deadline().unwrap();
            clock.advance(at - clock.now());
            cmos.expire(at);
        }
        assert!(irq.level());
        assert_eq!(get(&mut cmos, 0x0c) & 0xb0, 0xb0);
    }

    #[test]
    fn reset_keeps_time_and_shutdown_byte() {
        let (mut cmos, _, _) = cmos();
        set(&mut cmos, 0x0f, 0x0a);
        set(&mut cmos, 0x0b, 0x42);
        cmos.reset();
        assert_eq!(get(&mut cmos, 0x0f), 0x0a);
        assert_eq!(get(&mut cmos, 0x0b), 0x02);
        assert_eq!(get(&mut cmos, 0), 0x58);
        assert_eq!([0x34, 0x35].map(|at| get(&mut cmos, at)), [0x00, 0x1f]);
    }

    proptest! {
        #[test]
        fn any_traffic_is_survived(accesses in prop::collection::vec((any::<u8>(), any::<u8>(), 0u64..1 << 50), 0..100)) {
            let (mut cmos, clock, _) = cmos();
            for (index, value, pause) in accesses {
                set(&mut cmos, index % 0x36, value);
                clock.advance(pause);
                get(&mut cmos, index);
                cmos.expire(clock.now());
                cmos.deadline();
            }
        }
    }
}
