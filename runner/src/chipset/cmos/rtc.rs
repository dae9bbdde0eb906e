//! The clock itself: registers 00h–0Dh and the century.

use super::calendar::Date;
use crate::device::{Clock, IrqLine};
use std::sync::Arc;

const SECOND: u64 = 1_000_000_000;
/// How long before an update the clock warns of it (datasheet: 244 µs).
const UPDATE_WARNING: u64 = 244_000;

const A_IN_PROGRESS: u8 = 0x80;
const B_SET: u8 = 0x80;
const PERIODIC: u8 = 0x40;
const ALARM: u8 = 0x20;
const UPDATE: u8 = 0x10;
const B_BINARY: u8 = 0x04;
const B_24_HOURS: u8 = 0x02;
const C_IRQ: u8 = 0x80;

pub(super) struct Rtc {
    clock: Arc<dyn Clock>,
    irq: Arc<dyn IrqLine>,
    /// What the clock shows at `base_time`, in seconds since 1970.
    base: i64,
    /// Machine time at which a second of this clock began.
    base_time: u64,
    /// While the guest sets the clock: the date it stands at.
    held: Option<Date>,
    alarm: [u8; 3],
    a: u8,
    b: u8,
    c: u8,
    /// The second up to which updates and alarms were noticed.
    seen: i64,
    /// Machine time of the next periodic tick.
    next_tick: u64,
}

impl Rtc {
    pub(super) fn new(clock: Arc<dyn Clock>, irq: Arc<dyn IrqLine>, seconds: i64) -> Self {
        let base_time = clock.now();
        Rtc {
            clock,
            irq,
            base: seconds,
            base_time,
            held: None,
            alarm: [0; 3],
            a: 0x26,
            b: B_24_HOURS,
            c: 0,
            seen: seconds,
            next_tick: u64::MAX,
        }
    }

    fn seconds(&self, now: u64) -> i64 {
        let passed = now.saturating_sub(self.base_time) / SECOND;
        self.base.saturating_add(i64::try_from(passed).unwrap_or(i64::MAX))
    }

    fn date(&self, now: u64) -> Date {
        self.held.unwrap_or_else(|| Date::from_seconds(self.seconds(now)))
    }

    /// Nanoseconds between periodic ticks; `None` if they are off.
    fn period(&self) -> Option<u64> {
        let rate = match self.a & 0x0f {
            0 => return None,
            rate @ 1..=2 => rate + 7,
            rate => rate,
        };
        Some((SECOND << (rate - 1)) / 32_768)
    }

    fn encode(&self, value: i64) -> u8 {
        let value = u8::try_from(value.rem_euclid(100)).unwrap_or(0);
        if self.b & B_BINARY != 0 {
            value
        } else {
            ((value / 10) << 4) | (value % 10)
        }
    }

    fn decode(&self, value: u8) -> i64 {
        if self.b & B_BINARY != 0 {
            value.into()
        } else {
            i64::from(value >> 4) * 10 + i64::from(value & 0x0f)
        }
    }

    fn encode_hour(&self, hour: i64) -> u8 {
        if self.b & B_24_HOURS != 0 {
            return self.encode(hour);
        }
        let afternoon = if hour >= 12 { 0x80 } else { 0 };
        self.encode((hour + 11).rem_euclid(12) + 1) | afternoon
    }

    fn decode_hour(&self, value: u8) -> i64 {
        if self.b & B_24_HOURS != 0 {
            return self.decode(value);
        }
        self.decode(value & 0x7f) % 12 + if value & 0x80 != 0 { 12 } else { 0 }
    }

    pub(super) fn read(&mut self, index: u8) -> u8 {
        let now = self.clock.now();
        self.catch_up(now);
        let date = self.date(now);
        match index {
            0 => self.encode(date.second),
            2 => self.encode(date.minute),
            4 => self.encode_hour(date.hour),
            6 => self.encode(date.weekday()),
            7 => self.encode(date.day),
            8 => self.encode(date.month),
            9 => self.encode(date.year),
            // The century is BCD whatever the mode: firmware reads it so.
            0x32 => {
                let century = u8::try_from(date.year.div_euclid(100).rem_euclid(100)).unwrap_or(0);
                ((century / 10) << 4) | (century % 10)
            }
            1 | 3 | 5 => self.alarm[usize::from(index / 2)],
            0x0a => {
                let into_second = now.saturating_sub(self.base_time) % SECOND;
                let updating = self.held.is_none() && into_second >= SECOND - UPDATE_WARNING;
                self.a | if updating { A_IN_PROGRESS } else { 0 }
            }
            0x0b => self.b,
            0x0c => {
                self.irq.set(false);
                std::mem::take(&mut self.c)
            }
            // Valid: the battery is good.
            _ => 0x80,
        }
    }

    pub(super) fn write(&mut self, index: u8, value: u8) {
        let now = self.clock.now();
        self.catch_up(now);
        match index {
            1 | 3 | 5 => self.alarm[usize::from(index / 2)] = value,
            0x0a => {
                self.a = value & 0x7f;
                self.restart_ticks(now);
            }
            0x0b => self.set_b(value, now),
            0x0c | 0x0d | 6 => {}
            _ => {
                let mut date = self.date(now);
                match index {
                    0 => date.second = self.decode(value),
                    2 => date.minute = self.decode(value),
                    4 => date.hour = self.decode_hour(value),
                    7 => date.day = self.decode(value),
                    8 => date.month = self.decode(value),
                    9 => date.year = date.year.div_euclid(100) * 100 + self.decode(value),
                    _ => {
                        let century = i64::from(value >> 4) * 10 + i64::from(value & 0x0f);
                        date.year = century * 100 + date.year.rem_euclid(100);
                    }
                }
                if self.held.is_some() {
                    self.held = Some(date);
                } else {
                    let into_second = now.saturating_sub(self.base_time) % SECOND;
                    self.start(date, now.saturating_sub(into_second));
                }
            }
        }
    }

    fn start(&mut self, date: Date, at: u64) {
        self.base = date.to_seconds();
        self.base_time = at;
        self.seen = self.seconds(self.clock.now());
    }

    fn set_b(&mut self, value: u8, now: u64) {
        let holds = value & B_SET != 0;
        let date = self.date(now);
        // Datasheet: setting SET switches update interrupts off.
        self.b = if holds { value & !UPDATE } else { value };
        match (self.held.is_some(), holds) {
            (false, true) => self.held = Some(date),
            (true, false) => {
                self.held = None;
                self.start(date, now);
            }
            _ => {}
        }
        if self.next_tick == u64::MAX {
            self.restart_ticks(now);
        }
        self.interrupt();
    }

    fn restart_ticks(&mut self, now: u64) {
        self.next_tick = self.period().map_or(u64::MAX, |period| now.saturating_add(period));
    }

    /// Notices everything that has happened until `now`.
    pub(super) fn catch_up(&mut self, now: u64) {
        if now >= self.next_tick {
            self.c |= PERIODIC;
            if let Some(period) = self.period() {
                let missed = (now - self.next_tick) / period;
                self.next_tick = self.next_tick.saturating_add((missed + 1).saturating_mul(period));
            }
        }
        let current = self.seconds(now);
        if self.held.is_none() && current > self.seen {
            self.c |= UPDATE;
            // An alarm comes at least once a day or never, so no more than a day needs to be looked at.
            let first = (self.seen + 1).max(current.saturating_sub(86_400));
            if self.c & ALARM == 0 && (first..=current).any(|second| self.alarm_at(second)) {
                self.c |= ALARM;
            }
        }
        self.seen = current;
        self.interrupt();
    }

    fn alarm_at(&self, seconds: i64) -> bool {
        let date = Date::from_seconds(seconds);
        let fields = [
            self.encode(date.second),
            self.encode(date.minute),
            self.encode_hour(date.hour),
        ];
        // The two top bits set mean "any".
        fields
            .iter()
            .zip(&self.alarm)
            .all(|(now, alarm)| alarm & 0xc0 == 0xc0 || now == alarm)
    }

    fn interrupt(&mut self) {
        if self.c & self.b & (PERIODIC | ALARM | UPDATE) != 0 {
            self.c |= C_IRQ;
            self.irq.set(true);
        }
    }

    pub(super) fn deadline(&self) -> Option<u64> {
        if self.c & C_IRQ != 0 {
            return None;
        }
        let tick = (self.b & PERIODIC != 0 && self.next_tick != u64::MAX).then_some(self.next_tick);
        let update = (self.b & (ALARM | UPDATE) != 0 && self.held.is_none()).then(|| {
            let passed = u64::try_from(self.seen.saturating_sub(self.base)).unwrap_or(0);
            self.base_time
                .saturating_add(passed.saturating_add(1).saturating_mul(SECOND))
        });
        tick.into_iter().chain(update).min()
    }

    pub(super) fn reset(&mut self) {
        self.b &= !(PERIODIC | ALARM | UPDATE | 0x08);
        self.c = 0;
        self.irq.set(false);
    }
}
