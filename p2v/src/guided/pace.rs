//! How fast it goes, and how long it will take.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How far back is looked.
const WINDOW: Duration = Duration::from_secs(20);

/// The last seconds of a copy. Pauses do not count.
#[derive(Clone, Debug, Default)]
pub(super) struct Pace {
    /// When so many bytes were done, ascending.
    samples: VecDeque<(Instant, u64)>,
    /// Time spent before the last pause.
    before: Duration,
    /// Since when it runs, if it does.
    since: Option<Instant>,
}

impl Pace {
    /// At `now`, `done` bytes are done.
    pub(super) fn record(&mut self, now: Instant, done: u64) {
        self.since.get_or_insert(now);
        self.samples.push_back((now, done));
        let old = |(at, _): &(Instant, u64)| now.saturating_duration_since(*at) > WINDOW;
        while self.samples.len() > 2 && self.samples.front().is_some_and(old) {
            self.samples.pop_front();
        }
    }

    /// The copy is paused at `now`.
    pub(super) fn pause(&mut self, now: Instant) {
        self.before = self.spent(now);
        self.since = None;
        self.samples.clear();
    }

    /// How long it has worked.
    pub(super) fn spent(&self, now: Instant) -> Duration {
        let running = self.since.map(|since| now.saturating_duration_since(since));
        self.before.saturating_add(running.unwrap_or_default())
    }

    /// Bytes a second, lately; `None` while nothing is known.
    pub(super) fn rate(&self) -> Option<f64> {
        let (first, last) = (self.samples.front()?, self.samples.back()?);
        let time = last.0.saturating_duration_since(first.0).as_secs_f64();
        let bytes = last.1.saturating_sub(first.1);
        (time >= 1.0).then(|| bytes as f64 / time)
    }

    /// How long `left` bytes will take.
    pub(super) fn left(&self, left: u64) -> Option<Duration> {
        let rate = self.rate().filter(|rate| *rate > 0.0)?;
        Duration::try_from_secs_f64(left as f64 / rate).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_makes_it_neither_slower_nor_longer() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut pace = Pace::default();
        assert_eq!(pace.rate(), None);
        for second in 0..=10 {
            pace.record(at(second), second * 1000);
        }
        assert_eq!(pace.rate(), Some(1000.0));
        assert_eq!(pace.left(5000), Some(Duration::from_secs(5)));
        pace.pause(at(10));
        assert_eq!(pace.rate(), None);
        assert_eq!(pace.spent(at(500)), Duration::from_secs(10));
        pace.record(at(500), 10_000);
        pace.record(at(502), 14_000);
        assert_eq!(pace.rate(), Some(2000.0));
        assert_eq!(pace.spent(at(502)), Duration::from_secs(12));
        // Only the last seconds count.
        pace.record(at(600), 14_000);
        pace.record(at(610), 24_000);
        assert_eq!(pace.rate(), Some(1000.0));
    }
}
