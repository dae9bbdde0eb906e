//! Limits and safety net around the filesystem libraries.

use super::GuestFsError;
use std::cell::Cell;
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, Once, PoisonError};

/// What one operation may read beyond the file data that was asked for: folders, indexes, tables. A lookup reads a
/// few KiB, the listing of a folder with 100 000 names some 20 MiB; a chain that runs in a circle reads for ever.
const METADATA_BYTES: i64 = 64 << 20;
/// What a read costs at least, so that tiny reads (a library that reads byte by byte) run out too.
const LEAST_COST: i64 = 16;

/// What the reader of a volume may still read, and the last thing that went wrong below it. Shared between the
/// [`Volume`](super::volume::Volume) inside a library and the operation that runs the library.
#[derive(Clone, Default)]
pub(super) struct Guard {
    left: Arc<AtomicI64>,
    io_error: Arc<Mutex<Option<io::Error>>>,
}

impl Guard {
    /// Takes the cost of reading `len` bytes; an error when the operation has read too much.
    pub(super) fn charge(&self, len: usize) -> io::Result<()> {
        let cost = i64::try_from(len).unwrap_or(i64::MAX).max(LEAST_COST);
        let left = self.left.load(Ordering::Relaxed).saturating_sub(cost);
        self.left.store(left, Ordering::Relaxed);
        if left < 0 {
            return Err(io::Error::other("read limit reached"));
        }
        Ok(())
    }

    /// Keeps an error of the disk itself: the library above would bury it in an error of its own.
    pub(super) fn disk_failed(&self, error: &io::Error) {
        let copy = io::Error::new(error.kind(), error.to_string());
        *self.io_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(copy);
    }

    /// Runs one operation on a filesystem of `kind` that reads about `data` bytes of file data.
    pub(super) fn run<T>(
        &self,
        kind: &'static str,
        data: u64,
        operation: impl FnOnce() -> Result<T, GuestFsError>,
    ) -> Result<T, GuestFsError> {
        let data = i64::try_from(data).unwrap_or(i64::MAX);
        self.left.store(METADATA_BYTES.saturating_add(data), Ordering::Relaxed);
        // A stale error of an earlier operation is no reason for this one.
        drop(self.take_io_error());
        let result = catch_panic(operation).unwrap_or_else(|| {
            let reason = "its structures contradict each other".to_owned();
            Err(GuestFsError::Damaged { kind, reason })
        });
        match result {
            Err(GuestFsError::Damaged { .. }) if self.left.load(Ordering::Relaxed) < 0 => {
                let reason = "its structures are too large or run in a circle".to_owned();
                Err(GuestFsError::Damaged { kind, reason })
            }
            Err(error @ GuestFsError::Damaged { .. }) => Err(self.take_io_error().map_or(error, GuestFsError::Io)),
            result => result,
        }
    }

    fn take_io_error(&self) -> Option<io::Error> {
        self.io_error.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

thread_local! {
    /// Whether this thread runs an operation whose panics are caught.
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Runs `operation`; `None` if it panicked.
///
/// The libraries index and subtract unchecked in places (fatfs 0.3.6 subtracts from cluster numbers below 2; ext4-view
/// 1.0.0 asserts here and there), so that damaged metadata can make them panic. They hold no state that a panic leaves
/// half changed but caches of what was read. The NTFS reader is ours and should never need it.
pub fn catch_panic<T>(operation: impl FnOnce() -> T) -> Option<T> {
    static HOOK: Once = Once::new();
    // A person who looks at a damaged disk should not read "thread 'main' panicked": what was caught is reported as an
    // error. Any other panic is shown as before.
    HOOK.call_once(|| {
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !GUARDED.get() {
                previous(info);
            }
        }));
    });
    let outer = GUARDED.replace(true);
    let result = panic::catch_unwind(AssertUnwindSafe(operation));
    GUARDED.set(outer);
    result.ok()
}
