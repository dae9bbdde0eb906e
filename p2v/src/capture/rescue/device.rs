//! The disk behind a thread of its own: a read that hangs keeps nobody from looking at the clock or at Ctrl-C.

use super::map::Status;
use super::passes::{BLOCK, Medium, Reading};
use crate::capture::progress::{Progress, STUCK};
use crate::capture::store::Store;
use crate::capture::{Buffer, media};
use crate::error::{Failure, Result};
use crate::signals::Stop;
use crate::source::Input;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use std::io;
use std::ops::Range;
use std::time::{Duration, Instant};

/// How often somebody looks up while a read takes its time.
const POLL: Duration = Duration::from_millis(100);
/// No read that is quicker is slow, whatever the others take.
const NEVER_SLOW: Duration = Duration::from_millis(500);
/// Slow is what takes so many times as long as reads took so far.
const SLOW: u32 = 10;

/// What the thread is asked: where to read how much, and into what.
type Request = (u64, usize, Buffer);
/// What it answers.
type Answer = (io::Result<()>, Duration, Buffer);

/// The disk and the store in which what is read of it is kept.
pub(super) struct Device<'a> {
    input: &'a Input,
    store: &'a mut dyn Store,
    progress: &'a Progress,
    stop: &'a Stop,
    requests: Sender<Request>,
    answers: Receiver<Answer>,
    buffer: Option<Buffer>,
    /// How long good reads took, and for how many bytes.
    time: Duration,
    bytes: u64,
}

impl<'a> Device<'a> {
    /// Starts the thread. It ends with the value, or when the read that it hangs in does.
    pub(super) fn new(input: &'a Input, store: &'a mut dyn Store, progress: &'a Progress, stop: &'a Stop) -> Self {
        let (requests, asked) = bounded::<Request>(1);
        let (answer, answers) = bounded::<Answer>(1);
        let disk = input.clone();
        std::thread::spawn(move || {
            for (offset, length, mut buffer) in asked {
                let started = Instant::now();
                let result = disk.read_sectors(offset, &mut buffer.bytes_mut()[..length]);
                if answer.send((result, started.elapsed(), buffer)).is_err() {
                    return;
                }
            }
        });
        Device {
            input,
            store,
            progress,
            stop,
            requests,
            answers,
            buffer: Some(Buffer::new()),
            time: Duration::ZERO,
            bytes: 0,
        }
    }

    fn ask(&mut self, offset: u64, length: usize) -> Result<Answer> {
        self.stop.wait_while_paused();
        let gone = || Failure::failed("the thread that reads the disk failed: this is a bug in p2v");
        let buffer = self.buffer.take().unwrap_or_else(Buffer::new);
        self.requests.send((offset, length, buffer)).map_err(|_| gone())?;
        let asked = Instant::now();
        loop {
            self.stop.check()?;
            match self.answers.recv_timeout(POLL) {
                Ok(answer) => {
                    self.progress.not_waiting();
                    return Ok(answer);
                }
                Err(RecvTimeoutError::Timeout) if asked.elapsed() >= STUCK => self.progress.waiting(asked.elapsed()),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err(gone()),
            }
        }
    }

    /// Whether so many bytes should have taken less time than this.
    fn is_slow(&self, time: Duration) -> bool {
        let usual = self.time.as_secs_f64() / (self.bytes.max(1) as f64) * (BLOCK as f64);
        // A few reads say nothing yet.
        self.bytes >= 8 * BLOCK && time >= NEVER_SLOW && time.as_secs_f64() > usual * f64::from(SLOW)
    }
}

impl Medium for Device<'_> {
    fn read(&mut self, range: Range<u64>) -> Result<Reading> {
        let bytes = range.end - range.start;
        let length = usize::try_from(bytes).unwrap_or(usize::MAX);
        self.progress.at(range.start);
        let (result, time, buffer) = self.ask(range.start, length)?;
        let reading = match result {
            Ok(()) => {
                self.store.keep(range.start, &buffer.bytes()[..length])?;
                self.progress.add(bytes);
                if self.is_slow(time) {
                    Reading::Slow
                } else {
                    self.time += time;
                    self.bytes += bytes;
                    Reading::Good
                }
            }
            Err(error) if media::is_media_error(self.input, &error) => {
                self.progress.failed_read(range.start);
                Reading::Bad
            }
            Err(error) => {
                let info = self.input.info();
                return Err(Failure::source_read(
                    &info.path,
                    range.start,
                    info.logical_sector,
                    &error,
                ));
            }
        };
        self.buffer = Some(buffer);
        Ok(reading)
    }

    fn note(&mut self, range: Range<u64>, status: Status) -> Result<()> {
        self.store.note(range, status)
    }

    fn phase(&mut self, name: &'static str) {
        self.progress.note(name);
    }
}
