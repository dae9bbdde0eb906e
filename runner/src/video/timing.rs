//! When the beam is where: the two bits of input status register 1 that programs wait for.

use super::registers::{Registers, crtc, sequencer};

/// Input status 1: the beam is in horizontal or vertical blanking.
const NOT_DISPLAYING: u8 = 0x01;
/// Input status 1: vertical retrace.
const RETRACE: u8 = 0x08;

/// Shortest and longest frame believed, in nanoseconds; registers that say otherwise get the usual 70 Hz.
const FRAME: std::ops::RangeInclusive<u64> = 4_000_000..=50_000_000;
const USUAL_LINE: u64 = 31_778;
const USUAL_ROWS: u64 = 449;

/// What has to be remembered to tell a slow poller about a retrace it slept through.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Beam {
    last_read: u64,
}

impl Beam {
    /// The status bits at time `now` (nanoseconds).
    pub(super) fn status(&mut self, registers: &Registers, now: u64) -> u8 {
        let chars = u64::from(registers.crtc[crtc::H_TOTAL]) + 5;
        let shown_chars = u64::from(registers.crtc[crtc::H_DISPLAY_END]) + 1;
        let clocking = registers.sequencer[sequencer::CLOCKING];
        let dots = (if clocking & 1 != 0 { 8 } else { 9 }) << (clocking >> 3 & 1);
        let clock_khz = if registers.misc >> 2 & 3 == 1 { 28_322 } else { 25_175 };
        let line = chars * dots * 1_000_000 / clock_khz;
        let rows = u64::from(registers.total_rows());
        let (line, rows) = if FRAME.contains(&(line * rows)) {
            (line, rows)
        } else {
            (USUAL_LINE, USUAL_ROWS)
        };
        let frame = line * rows;

        let in_frame = now % frame;
        let row = in_frame / line;
        let shown_rows = u64::from(registers.displayed_rows()).min(rows - 2);
        let begin = u64::from(registers.retrace_row()).clamp(shown_rows, rows - 1);
        let length = registers.crtc[crtc::V_RETRACE_END].wrapping_sub(registers.crtc[crtc::V_RETRACE_START]) & 15;
        let retracing = (begin..begin + u64::from(length.max(2))).contains(&row);
        let shown_time = line * shown_chars.min(chars) / chars;
        let displaying = row < shown_rows && in_frame % line < shown_time;

        // A retrace lasts some 60 µs. A guest that polls but was kept from it for longer must not wait for ever.
        let retrace_time = now.saturating_sub(in_frame).saturating_add(begin * line);
        let latest_retrace = if retrace_time > now {
            retrace_time.saturating_sub(frame)
        } else {
            retrace_time
        };
        let polled = now.saturating_sub(self.last_read) < frame;
        let slept_through = polled && self.last_read < latest_retrace && latest_retrace <= now;
        self.last_read = now;

        let bit = |set: bool, bit: u8| if set { bit } else { 0 };
        bit(!displaying || slept_through, NOT_DISPLAYING) | bit(retracing || slept_through, RETRACE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text_mode() -> Registers {
        let mut registers = Registers::new();
        registers.misc = 0x67;
        registers.crtc[..0x12].copy_from_slice(&[
            0x5F, 0x4F, 0x50, 0x82, 0x55, 0x81, 0xBF, 0x1F, 0, 0x4F, 0, 0, 0, 0, 0, 0, 0x9C, 0x8E,
        ]);
        registers.crtc[crtc::V_DISPLAY_END] = 0x8F;
        registers
    }

    /// Retraces that a guest sees which polls every `step` nanoseconds for a second.
    fn retraces(step: u64) -> usize {
        let (registers, mut beam) = (text_mode(), Beam::default());
        let bits: Vec<bool> = (0..1_000_000_000 / step)
            .map(|n| beam.status(&registers, 1_000_000_000 + n * step) & RETRACE != 0)
            .collect();
        bits.windows(2).filter(|pair| !pair[0] && pair[1]).count()
    }

    #[test]
    fn seventy_frames_a_second_for_fast_and_slow_pollers() {
        for step in [1_000, 20_000, 500_000, 3_000_000] {
            let seen = retraces(step);
            assert!((69..=71).contains(&seen), "{seen} retraces, polling every {step} ns");
        }
    }

    #[test]
    fn most_of_the_time_is_display() {
        let (registers, mut beam) = (text_mode(), Beam::default());
        let shown = (0..100_000u64)
            .filter(|n| beam.status(&registers, n * 997) & NOT_DISPLAYING == 0)
            .count();
        assert!((65_000..75_000).contains(&shown), "{shown}");
    }
}
