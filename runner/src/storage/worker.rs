//! The thread of a channel that carries out DMA, FLUSH CACHE and VERIFY while the guest goes on.
//!
//! It touches the backend without the channel's lock, and guest memory only under it and only while the command
//! still stands: after a reset has returned, nothing moves any more.

use super::channel::{Channel, State};
use super::dma::Copied;
use super::medium::Medium;
use crate::device::DmaError;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, MutexGuard};

/// The most that moves at a time, in bytes; bounds the buffer of a channel.
const PIECE: u64 = 1024 * 1024;

/// Something that takes time. Offsets and lengths are bytes.
pub(super) enum Work {
    /// From the medium to guest memory.
    Read { medium: Arc<Medium>, offset: u64, len: u64 },
    /// From guest memory to the medium; `flush` makes it durable before the command ends.
    Write {
        medium: Arc<Medium>,
        offset: u64,
        len: u64,
        flush: bool,
    },
    /// An answer of the drive itself to guest memory.
    Answer(Vec<u8>),
    /// Reading without a destination.
    Verify { medium: Arc<Medium>, offset: u64, len: u64 },
    /// Everything written so far becomes durable.
    Flush(Arc<Medium>),
}

impl Work {
    /// Whether the bus master takes part.
    pub(super) fn is_dma(&self) -> bool {
        matches!(self, Work::Read { .. } | Work::Write { .. } | Work::Answer(_))
    }
}

/// How work ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// All of it was done.
    Done,
    /// The guest's table ended before the data did: real drives wait forever; no interrupt comes.
    ShortTable,
    /// The guest's table pointed outside memory.
    MemoryFault,
    /// Reading failed after this many bytes.
    ReadFailed(u64),
    /// Writing or flushing failed after this many bytes.
    WriteFailed(u64),
}

/// Why work stopped before its end.
enum Stop {
    /// A reset has taken the command away: nothing is reported.
    Cancelled,
    Ended(Ending),
}

impl From<Ending> for Stop {
    fn from(ending: Ending) -> Self {
        Stop::Ended(ending)
    }
}

/// The thread's life: until the controller is dropped.
pub(super) fn run(channel: &Channel) {
    let mut buffer = Vec::new();
    let mut state = channel.lock();
    while !state.quit {
        let Some(work) = state.work.take() else {
            state = channel.wait_for_work(state);
            continue;
        };
        let generation = state.generation;
        state.working = true;
        drop(state);
        // A backend that panics must not leave the guest, and whoever waits for this channel, waiting forever.
        let result = catch_unwind(AssertUnwindSafe(|| carry_out(channel, &work, generation, &mut buffer)));
        state = channel.lock();
        let ending = match result {
            Ok(Ok(())) => Some(Ending::Done),
            Ok(Err(Stop::Ended(ending))) => Some(ending),
            Ok(Err(Stop::Cancelled)) => None,
            Err(_) => Some(Ending::WriteFailed(0)),
        };
        if let Some(ending) = ending.filter(|_| state.generation == generation) {
            state.complete(&work, ending);
        }
        channel.work_finished(&mut state);
        if let Work::Read { medium, .. } = &work
            && state.work.is_none()
        {
            drop(state);
            let _ = catch_unwind(AssertUnwindSafe(|| medium.read_ahead()));
            state = channel.lock();
        }
    }
}

fn carry_out(channel: &Channel, work: &Work, generation: u64, space: &mut Vec<u8>) -> Result<(), Stop> {
    match work {
        Work::Read { medium, offset, len } => pieces(space, *offset, *len, |at, done, buffer| {
            let (good, failed) = read_sectors(medium, at, buffer);
            let mut state = still_wanted(channel, generation)?;
            let state = &mut *state;
            moved(state.bus_master.write_guest(&*channel.memory, &buffer[..good]))?;
            if failed {
                Err(Ending::ReadFailed(done + good as u64).into())
            } else {
                Ok(())
            }
        }),
        Work::Write {
            medium,
            offset,
            len,
            flush,
        } => {
            pieces(space, *offset, *len, |at, done, buffer| {
                let mut state = still_wanted(channel, generation)?;
                let copied = state.bus_master.read_guest(&*channel.memory, buffer);
                drop(state);
                let good = match copied {
                    Ok(Copied::Short(len)) => len - len % 512,
                    _ => buffer.len(),
                };
                if copied.is_ok() && medium.write(at, &buffer[..good]).is_err() {
                    return Err(Ending::WriteFailed(done).into());
                }
                moved(copied)
            })?;
            if *flush && medium.flush().is_err() {
                return Err(Ending::WriteFailed(*len).into());
            }
            Ok(())
        }
        Work::Answer(bytes) => {
            let mut state = still_wanted(channel, generation)?;
            let copied = state.bus_master.write_guest(&*channel.memory, bytes);
            moved(copied)
        }
        Work::Verify { medium, offset, len } => pieces(space, *offset, *len, |at, done, buffer| {
            let (good, failed) = read_sectors(medium, at, buffer);
            drop(still_wanted(channel, generation)?);
            if failed {
                Err(Ending::ReadFailed(done + good as u64).into())
            } else {
                Ok(())
            }
        }),
        Work::Flush(medium) => medium.flush().map_err(|_| Ending::WriteFailed(0).into()),
    }
}

/// Calls `step(offset, bytes done before, buffer)` for one piece after another; the buffers lie in `space`.
fn pieces(
    space: &mut Vec<u8>,
    offset: u64,
    len: u64,
    mut step: impl FnMut(u64, u64, &mut [u8]) -> Result<(), Stop>,
) -> Result<(), Stop> {
    let largest = len.min(PIECE) as usize;
    if space.len() < largest {
        space.resize(largest, 0);
    }
    let mut done = 0;
    while done < len {
        let now = (len - done).min(PIECE) as usize;
        step(offset + done, done, &mut space[..now])?;
        done += now as u64;
    }
    Ok(())
}

/// Reads as many sectors as can be read; the length of the good part in bytes, and whether the next sector failed.
pub(super) fn read_sectors(medium: &Medium, offset: u64, buffer: &mut [u8]) -> (usize, bool) {
    if medium.read(offset, buffer).is_ok() {
        return (buffer.len(), false);
    }
    let mut good = 0;
    for sector in buffer.chunks_mut(512) {
        if medium.read(offset + good as u64, sector).is_err() {
            return (good, true);
        }
        good += sector.len();
    }
    (good, false)
}

/// The channel's lock, unless the command was cancelled by a reset.
fn still_wanted(channel: &Channel, generation: u64) -> Result<MutexGuard<'_, State>, Stop> {
    let state = channel.lock();
    if state.generation == generation {
        Ok(state)
    } else {
        Err(Stop::Cancelled)
    }
}

fn moved(copied: Result<Copied, DmaError>) -> Result<(), Stop> {
    match copied {
        Ok(Copied::All) => Ok(()),
        Ok(Copied::Short(_)) => Err(Ending::ShortTable.into()),
        Err(_) => Err(Ending::MemoryFault.into()),
    }
}
