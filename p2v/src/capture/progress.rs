//! How far the work is: a bar on a terminal, plain lines elsewhere, a picture that somebody else draws, or nothing.

use super::live::Live;
use crate::report;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How often a line is printed where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// A disk that has not answered for so long is waited for in words.
pub(crate) const STUCK: Duration = Duration::from_secs(3);

/// Who shows how far it is.
#[derive(Clone, Debug)]
pub(crate) enum Show {
    /// This module: on standard error.
    Terminal,
    /// Somebody who looks here.
    Live(Arc<Live>),
    /// Nobody.
    Nothing,
}

/// Counts bytes of work.
pub(crate) struct Progress {
    what: &'static str,
    total: u64,
    done: AtomicU64,
    /// Bytes that an earlier run did.
    before: AtomicU64,
    started: Instant,
    display: Display,
    /// What [`note`](Progress::note) said last, and whether something else is shown in its place.
    noted: Mutex<(&'static str, bool)>,
}

enum Display {
    Bar(ProgressBar),
    /// When the last line was printed.
    Lines(Mutex<Instant>),
    Live(Arc<Live>),
    Nothing,
}

impl Progress {
    /// `what` is done to `total` bytes. A `quiet` one shows nothing.
    pub(crate) fn new(what: &'static str, total: u64, quiet: bool) -> Self {
        Progress::shown(what, total, &if quiet { Show::Nothing } else { Show::Terminal })
    }

    /// The same, shown by whom `show` says.
    pub(crate) fn shown(what: &'static str, total: u64, show: &Show) -> Self {
        let started = Instant::now();
        let display = match show {
            Show::Nothing => Display::Nothing,
            Show::Live(live) => {
                live.change(|state| state.total = total);
                Display::Live(Arc::clone(live))
            }
            Show::Terminal if std::io::stderr().is_terminal() => Display::Bar(bar(what, total)),
            Show::Terminal => {
                eprintln!("{what}: 0 B of {}", report::size(total));
                Display::Lines(Mutex::new(started))
            }
        };
        Progress {
            what,
            total,
            done: AtomicU64::new(0),
            before: AtomicU64::new(0),
            started,
            display,
            noted: Mutex::default(),
        }
    }

    /// An earlier run did `bytes` of it.
    pub(crate) fn did_before(&self, bytes: u64) {
        self.before.fetch_add(bytes, Ordering::Relaxed);
        self.done.fetch_add(bytes, Ordering::Relaxed);
        match &self.display {
            Display::Bar(bar) => {
                bar.set_position(bytes);
                bar.reset_eta();
            }
            Display::Live(live) => live.add(bytes),
            Display::Lines(_) | Display::Nothing => {}
        }
    }

    /// `bytes` more are done.
    pub(crate) fn add(&self, bytes: u64) {
        let done = self.done.fetch_add(bytes, Ordering::Relaxed) + bytes;
        match &self.display {
            Display::Bar(bar) => bar.inc(bytes),
            Display::Lines(last) => {
                let Ok(mut last) = last.try_lock() else { return };
                if last.elapsed() >= LINE_EVERY {
                    *last = Instant::now();
                    eprintln!("{}", self.line(done));
                }
            }
            Display::Live(live) => live.add(bytes),
            Display::Nothing => {}
        }
    }

    /// The work is at `offset` (bytes) of the disk.
    pub(crate) fn at(&self, offset: u64) {
        if let Display::Live(live) = &self.display {
            live.at(offset);
        }
    }

    /// The disk could not read what is at `offset` (bytes).
    pub(crate) fn failed_read(&self, offset: u64) {
        if let Display::Live(live) = &self.display {
            live.change(|state| {
                state.failed_reads = state.failed_reads.saturating_add(1);
                state.last_failure = offset;
            });
        }
    }

    /// Shows what is done after the counted work.
    pub(crate) fn note(&self, text: &'static str) {
        if let Ok(mut noted) = self.noted.lock() {
            *noted = (text, false);
        }
        match &self.display {
            Display::Bar(bar) => bar.set_message(text),
            Display::Lines(_) => eprintln!("{}: {text}", self.what),
            Display::Live(live) => live.change(|state| state.note = text),
            Display::Nothing => {}
        }
    }

    /// The disk has not answered for `time`. To be called again and again while that is so.
    pub(crate) fn waiting(&self, time: Duration) {
        let text = format!("waiting for the disk for {} s", time.as_secs());
        match &self.display {
            Display::Bar(bar) => {
                if let Ok(mut noted) = self.noted.lock() {
                    noted.1 = true;
                }
                bar.set_message(text);
            }
            Display::Lines(last) => {
                let Ok(mut last) = last.try_lock() else { return };
                if last.elapsed() >= LINE_EVERY {
                    *last = Instant::now();
                    eprintln!("{}: {text}", self.what);
                }
            }
            Display::Live(live) => live.change(|state| state.waiting = Some(time)),
            Display::Nothing => {}
        }
    }

    /// The disk has answered.
    pub(crate) fn not_waiting(&self) {
        if let Display::Live(live) = &self.display {
            live.change(|state| state.waiting = None);
        }
        let Display::Bar(bar) = &self.display else { return };
        let Ok(mut noted) = self.noted.lock() else { return };
        if noted.1 {
            bar.set_message(noted.0);
            noted.1 = false;
        }
    }

    /// Removes the bar.
    pub(crate) fn finish(&self) -> Duration {
        if let Display::Bar(bar) = &self.display {
            bar.finish_and_clear();
        }
        self.started.elapsed()
    }

    fn line(&self, done: u64) -> String {
        let elapsed = self.started.elapsed();
        let percent = done.saturating_mul(100).checked_div(self.total).unwrap_or(100);
        // Bytes still to be done at the rate so far; only used bytes are counted, so this is the truth.
        let now = done.saturating_sub(self.before.load(Ordering::Relaxed));
        let left = elapsed.as_secs_f64() * (self.total.saturating_sub(done) as f64) / (now.max(1) as f64);
        let left = Duration::try_from_secs_f64(left).unwrap_or(Duration::MAX);
        format!(
            "{}: {} of {} ({percent} %), {}, {} left",
            self.what,
            report::size(done),
            report::size(self.total),
            report::rate(now, elapsed),
            report::duration(left)
        )
    }
}

fn bar(what: &'static str, total: u64) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr_with_hz(8));
    let template = "{prefix} [{bar:30}] {percent:>3} %  {binary_bytes} of {binary_total_bytes}  {binary_bytes_per_sec}  {eta} left  {msg}";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("=> "));
    }
    bar.set_prefix(what);
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_how_far_it_is() {
        let progress = Progress::new("Copying", 4 << 20, true);
        progress.add(1 << 20);
        let line = progress.line(1 << 20);
        assert!(line.starts_with("Copying: 1.00 MiB of 4.00 MiB (25 %), "), "{line}");
        assert!(line.ends_with(" left"), "{line}");
        assert!(Progress::new("x", 0, true).line(0).contains("(100 %)"));
    }
}
