//! The part of a disk that libntfs-3g reads and writes, through callbacks.
//!
//! This is FFI: the callbacks get back the pointer that was given to the shim.

use super::ffi::RawDevice;
use disk::BlockDevice;
use std::cell::{Cell, RefCell};
use std::ffi::{c_int, c_void};
use std::io;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// A volume on a disk. The library calls back in the thread that called it, so cells are enough.
pub(super) struct Device {
    disk: Arc<dyn BlockDevice>,
    /// In bytes.
    range: Range<u64>,
    /// What went wrong first: the library only keeps an error number.
    error: RefCell<Option<io::Error>>,
    /// Set when the changes are thrown away: writes do nothing from then on.
    discard: Cell<bool>,
}

impl Device {
    pub(super) fn new(disk: Arc<dyn BlockDevice>, range: Range<u64>) -> Self {
        Device {
            disk,
            range,
            error: RefCell::default(),
            discard: Cell::new(false),
        }
    }

    /// The first error since the last call.
    pub(super) fn take_error(&self) -> Option<io::Error> {
        self.error.borrow_mut().take()
    }

    /// Makes everything that is still to be written go nowhere.
    pub(super) fn discard(&self) {
        self.discard.set(true);
    }

    /// What the shim needs to know. The pointer in it is good as long as `self` stays where it is.
    pub(super) fn raw(&self) -> RawDevice {
        RawDevice {
            context: std::ptr::from_ref(self).cast_mut().cast(),
            size: i64::try_from(self.range.end.saturating_sub(self.range.start)).unwrap_or(i64::MAX),
            read: read_callback,
            write: write_callback,
            flush: flush_callback,
        }
    }

    /// Where `count` bytes at `offset` of the volume lie on the disk; an error outside of it.
    fn place(&self, offset: i64, count: usize) -> io::Result<u64> {
        let size = self.range.end.saturating_sub(self.range.start);
        let offset = u64::try_from(offset).map_err(io::Error::other)?;
        disk::io::check_bounds(offset, count, size)?;
        self.range
            .start
            .checked_add(offset)
            .ok_or_else(|| disk::io::past_end(offset, count, size))
    }

    fn read(&self, offset: i64, buf: &mut [u8]) -> io::Result<()> {
        self.disk.read_at(self.place(offset, buf.len())?, buf)
    }

    fn write(&self, offset: i64, data: &[u8]) -> io::Result<()> {
        if self.discard.get() {
            return Ok(());
        }
        self.disk.write_at(self.place(offset, data.len())?, data)
    }

    fn flush(&self) -> io::Result<()> {
        if self.discard.get() {
            return Ok(());
        }
        self.disk.flush()
    }

    /// Runs a callback's work. An error and a panic are kept for Rust; neither goes through C.
    fn guarded(&self, work: impl FnOnce() -> io::Result<()>) -> bool {
        let result = catch_unwind(AssertUnwindSafe(work))
            .unwrap_or_else(|_| Err(io::Error::other("the disk's reader or writer panicked")));
        match result {
            Ok(()) => true,
            Err(error) => {
                if let Ok(mut kept) = self.error.try_borrow_mut() {
                    kept.get_or_insert(error);
                }
                false
            }
        }
    }
}

/// `count` as a length; `None` if it cannot be one.
fn length(count: i64) -> Option<usize> {
    usize::try_from(count).ok()
}

/// # Safety
/// `context` comes from [`Device::raw`] of a device that still lives; `buf` has `count` writable bytes.
unsafe extern "C" fn read_callback(context: *mut c_void, buf: *mut c_void, count: i64, offset: i64) -> i64 {
    // SAFETY: the caller passes the pointer of a living device, which is only ever borrowed shared.
    let device = unsafe { &*context.cast::<Device>() };
    let Some(len) = length(count) else { return -1 };
    if len == 0 {
        return 0;
    }
    // The library's buffer may be fresh from malloc; it must hold something before it is a slice.
    // SAFETY: the caller has `count` writable bytes there.
    unsafe { buf.cast::<u8>().write_bytes(0, len) };
    // SAFETY: the bytes are initialised now, and nobody else uses them during the call.
    let bytes = unsafe { std::slice::from_raw_parts_mut(buf.cast::<u8>(), len) };
    if device.guarded(|| device.read(offset, bytes)) {
        count
    } else {
        -1
    }
}

/// # Safety
/// `context` comes from [`Device::raw`] of a device that still lives; `buf` has `count` initialised bytes.
unsafe extern "C" fn write_callback(context: *mut c_void, buf: *const c_void, count: i64, offset: i64) -> i64 {
    // SAFETY: the caller passes the pointer of a living device, which is only ever borrowed shared.
    let device = unsafe { &*context.cast::<Device>() };
    let Some(len) = length(count) else { return -1 };
    if len == 0 {
        return 0;
    }
    // SAFETY: the caller has `count` bytes there, and nobody changes them during the call.
    let bytes = unsafe { std::slice::from_raw_parts(buf.cast::<u8>(), len) };
    if device.guarded(|| device.write(offset, bytes)) {
        count
    } else {
        -1
    }
}

/// # Safety
/// `context` comes from [`Device::raw`] of a device that still lives.
unsafe extern "C" fn flush_callback(context: *mut c_void) -> c_int {
    // SAFETY: the caller passes the pointer of a living device, which is only ever borrowed shared.
    let device = unsafe { &*context.cast::<Device>() };
    if device.guarded(|| device.flush()) { 0 } else { -1 }
}
