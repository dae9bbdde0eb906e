//! libext2fs through the shim in C beside it: the declarations, the volume's bytes for it, and a handle that is safe to use.
//!
//! All numbers that reach the library were checked or come from it; everything that it reads comes through
//! [`Device`], which answers errors outside the volume.
#![allow(unsafe_code)]

use super::volume::Device;
use std::ffi::{CStr, CString, c_char, c_int, c_long, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;
use std::sync::Arc;

unsafe extern "C" {
    fn p2v_ext_message(error: c_long) -> *const c_char;
    fn p2v_ext_take_complaint() -> c_long;
    fn p2v_ext_error_kind(error: c_long) -> c_int;
    fn p2v_ext_open(device: *const c_void, out: *mut *mut c_void, why: *mut *const c_char) -> c_long;
    fn p2v_ext_abandon(fs: *mut c_void);
    fn p2v_ext_close(fs: *mut c_void) -> c_long;
    fn p2v_ext_room(fs: *mut c_void, cluster: *mut u64, free: *mut u64);
    fn p2v_ext_inode_in_use(fs: *mut c_void, ino: u32) -> c_int;
    fn p2v_ext_stat(
        fs: *mut c_void,
        ino: u32,
        mode: *mut u32,
        flags: *mut u32,
        links: *mut u32,
        size: *mut u64,
        allocated: *mut u64,
    ) -> c_long;
    fn p2v_ext_lookup(fs: *mut c_void, folder: u32, name: *const c_char, len: usize, ino: *mut u32) -> c_long;
    fn p2v_ext_short_link(fs: *mut c_void, ino: u32, buf: *mut u8, room: usize) -> c_long;
    fn p2v_ext_read(fs: *mut c_void, ino: u32, buf: *mut u8, len: usize, got: *mut usize) -> c_long;
    fn p2v_ext_write(fs: *mut c_void, ino: u32, offset: u64, buf: *const u8, len: usize, size: u64) -> c_long;
    fn p2v_ext_touch(fs: *mut c_void, ino: u32, contents: c_int) -> c_long;
    fn p2v_ext_link(fs: *mut c_void, folder: u32, name: *const c_char, ino: u32, mode: u32) -> c_long;
    fn p2v_ext_unlink(fs: *mut c_void, folder: u32, name: *const c_char, ino: u32) -> c_long;
    fn p2v_ext_new_file(fs: *mut c_void, folder: u32, ino: *mut u32) -> c_long;
    fn p2v_ext_new_folder(fs: *mut c_void, parent: u32, name: *const c_char) -> c_long;
    fn p2v_ext_release(fs: *mut c_void, ino: u32) -> c_long;
    fn p2v_ext_first_orphan(fs: *mut c_void) -> u32;
    fn p2v_ext_next_orphan(fs: *mut c_void, ino: u32, next: *mut u32) -> c_long;
}

/// Called by `device.c`: 0 if `buf` was filled. A panic must not reach C.
///
/// # Safety
/// `device` is the pointer that was given to `p2v_ext_open`, still alive; `buf` has room for `len` bytes.
#[unsafe(no_mangle)]
unsafe extern "C" fn p2v_ext_device_read(device: *const c_void, offset: u64, buf: *mut u8, len: usize) -> c_int {
    // SAFETY: see above; `Handle` keeps the device alive as long as the library knows it.
    let device = unsafe { &*device.cast::<Device>() };
    // SAFETY: the library allocated `len` bytes for the answer; zeroing makes them readable for Rust.
    unsafe { buf.write_bytes(0, len) };
    // SAFETY: `len` bytes that were just initialised, and that nobody else uses during the call.
    let buf = unsafe { std::slice::from_raw_parts_mut(buf, len) };
    match catch_unwind(AssertUnwindSafe(|| device.read(offset, buf))) {
        Ok(Ok(())) => 0,
        _ => 1,
    }
}

/// Called by `device.c`: 0 if `buf` was written. A panic must not reach C.
///
/// # Safety
/// `device` is the pointer that was given to `p2v_ext_open`, still alive; `buf` has `len` bytes.
#[unsafe(no_mangle)]
unsafe extern "C" fn p2v_ext_device_write(device: *const c_void, offset: u64, buf: *const u8, len: usize) -> c_int {
    // SAFETY: see above; `Handle` keeps the device alive as long as the library knows it.
    let device = unsafe { &*device.cast::<Device>() };
    // SAFETY: the library hands over `len` bytes that it does not change during the call.
    let buf = unsafe { std::slice::from_raw_parts(buf, len) };
    match catch_unwind(AssertUnwindSafe(|| device.write(offset, buf))) {
        Ok(Ok(())) => 0,
        _ => 1,
    }
}

/// An error of the library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Code(c_long);

/// What callers tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CodeKind {
    NotFound,
    NoBlocks,
    NoInodes,
    Other,
}

impl Code {
    /// What a call returned, or what the library found wrong on the way without returning it.
    fn check(code: c_long) -> Result<(), Code> {
        // SAFETY: a function of this thread's own variable.
        let complaint = unsafe { p2v_ext_take_complaint() };
        match (code, complaint) {
            (0, 0) => Ok(()),
            (0, code) | (code, _) => Err(Code(code)),
        }
    }

    pub(super) fn kind(self) -> CodeKind {
        // SAFETY: a function of a number only.
        match unsafe { p2v_ext_error_kind(self.0) } {
            1 => CodeKind::NotFound,
            2 => CodeKind::NoBlocks,
            3 => CodeKind::NoInodes,
            _ => CodeKind::Other,
        }
    }

    /// The library's words.
    pub(super) fn message(self) -> String {
        // SAFETY: com_err has a text for every number.
        let text = unsafe { p2v_ext_message(self.0) };
        text_of(text).unwrap_or_else(|| format!("error {}", self.0))
    }
}

/// A text of the library that is never freed.
fn text_of(text: *const c_char) -> Option<String> {
    let text = NonNull::new(text.cast_mut())?;
    // SAFETY: not null, NUL-terminated, and a constant or com_err's own buffer, which the next call overwrites only.
    let text = unsafe { CStr::from_ptr(text.as_ptr()) };
    Some(text.to_string_lossy().into_owned())
}

/// What an inode says.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Stat {
    pub(super) mode: u32,
    pub(super) flags: u32,
    pub(super) links: u32,
    /// In bytes.
    pub(super) size: u64,
    /// Bytes of the blocks that it has, those of its block map and attributes included.
    pub(super) allocated: u64,
}

/// The library's `ext2_filsys`, open. Dropping it frees it.
struct Filesystem(NonNull<c_void>);

impl Filesystem {
    fn as_ptr(&self) -> *mut c_void {
        self.0.as_ptr()
    }
}

/// An open filesystem. Dropped without [`close`](Handle::close), it writes nothing more.
pub(super) struct Handle {
    fs: Filesystem,
    /// The library has a pointer to it, too: declared last, so that it outlives the filesystem.
    device: Arc<Device>,
}

impl Handle {
    /// Opens and checks; the error has the library's words or what contradicts itself.
    pub(super) fn open(device: Device) -> Result<Self, String> {
        let device = Arc::new(device);
        let (mut fs, mut why) = (std::ptr::null_mut(), std::ptr::null());
        // SAFETY: `device` lives as long as the handle; both other pointers are to locals.
        let code = unsafe { p2v_ext_open(Arc::as_ptr(&device).cast(), &raw mut fs, &raw mut why) };
        match (Code::check(code), NonNull::new(fs)) {
            (Ok(()), Some(fs)) => Ok(Handle {
                fs: Filesystem(fs),
                device,
            }),
            (Ok(()), None) => Err("the library gave no filesystem".to_owned()),
            (Err(code), _) => Err(text_of(why)
                .or_else(|| device.take_error())
                .unwrap_or_else(|| code.message())),
        }
    }

    pub(super) fn device(&self) -> &Device {
        &self.device
    }

    /// Writes everything out.
    pub(super) fn close(self) -> Result<(), String> {
        let Handle { fs, device } = self;
        let fs = std::mem::ManuallyDrop::new(fs);
        // SAFETY: the handle is open, and not used again: it is not dropped.
        let code = unsafe { p2v_ext_close(fs.as_ptr()) };
        Code::check(code).map_err(|code| device.take_error().unwrap_or_else(|| code.message()))
    }

    /// Bytes in a cluster, and bytes that are free.
    pub(super) fn room(&self) -> (u64, u64) {
        let (mut cluster, mut free) = (0, 0);
        // SAFETY: an open handle, pointers to locals.
        unsafe { p2v_ext_room(self.fs.as_ptr(), &raw mut cluster, &raw mut free) };
        (cluster, free)
    }

    /// Whether this is the root or an ordinary inode, marked as used.
    pub(super) fn in_use(&self, ino: u32) -> bool {
        // SAFETY: an open handle; the function checks the number.
        unsafe { p2v_ext_inode_in_use(self.fs.as_ptr(), ino) != 0 }
    }

    pub(super) fn stat(&self, ino: u32) -> Result<Stat, Code> {
        let mut s = Stat::default();
        // SAFETY: an open handle, pointers to a local; the library checks the inode's number.
        let code = unsafe {
            p2v_ext_stat(
                self.fs.as_ptr(),
                ino,
                &raw mut s.mode,
                &raw mut s.flags,
                &raw mut s.links,
                &raw mut s.size,
                &raw mut s.allocated,
            )
        };
        Code::check(code).map(|()| s)
    }

    pub(super) fn lookup(&self, folder: u32, name: &CStr) -> Result<u32, Code> {
        let mut ino = 0;
        let len = name.to_bytes().len();
        // SAFETY: an open handle, a name of `len` bytes, a pointer to a local.
        let code = unsafe { p2v_ext_lookup(self.fs.as_ptr(), folder, name.as_ptr(), len, &raw mut ino) };
        Code::check(code).map(|()| ino)
    }

    /// The target of a link if it lies in the inode.
    pub(super) fn short_link(&self, ino: u32) -> Option<Vec<u8>> {
        let mut buf = vec![0; 64];
        // SAFETY: an open handle, `buf.len()` bytes of room.
        let len = unsafe { p2v_ext_short_link(self.fs.as_ptr(), ino, buf.as_mut_ptr(), buf.len()) };
        buf.truncate(usize::try_from(len).ok()?);
        Some(buf)
    }

    /// `len` bytes from the start, fewer if the file ends.
    pub(super) fn read(&self, ino: u32, len: usize) -> Result<Vec<u8>, Code> {
        let mut buf = vec![0; len];
        let mut got = 0;
        // SAFETY: an open handle, `buf.len()` bytes of room, a pointer to a local.
        let code = unsafe { p2v_ext_read(self.fs.as_ptr(), ino, buf.as_mut_ptr(), buf.len(), &raw mut got) };
        Code::check(code)?;
        buf.truncate(got);
        Ok(buf)
    }

    /// Puts `data` at `offset` (bytes) of a file, and makes its size `size`.
    pub(super) fn write(&mut self, ino: u32, offset: u64, data: &[u8], size: u64) -> Result<(), Code> {
        // SAFETY: an open handle, `data.len()` bytes that are only read.
        Code::check(unsafe { p2v_ext_write(self.fs.as_ptr(), ino, offset, data.as_ptr(), data.len(), size) })
    }

    pub(super) fn touch(&mut self, ino: u32, contents: bool) -> Result<(), Code> {
        // SAFETY: an open handle; the library checks the inode's number.
        Code::check(unsafe { p2v_ext_touch(self.fs.as_ptr(), ino, c_int::from(contents)) })
    }

    pub(super) fn link(&mut self, folder: u32, name: &CStr, ino: u32, mode: u32) -> Result<(), Code> {
        // SAFETY: an open handle, a terminated name.
        Code::check(unsafe { p2v_ext_link(self.fs.as_ptr(), folder, name.as_ptr(), ino, mode) })
    }

    pub(super) fn unlink(&mut self, folder: u32, name: &CStr, ino: u32) -> Result<(), Code> {
        // SAFETY: an open handle, a terminated name.
        Code::check(unsafe { p2v_ext_unlink(self.fs.as_ptr(), folder, name.as_ptr(), ino) })
    }

    pub(super) fn new_file(&mut self, folder: u32) -> Result<u32, Code> {
        let mut ino = 0;
        // SAFETY: an open handle, a pointer to a local.
        Code::check(unsafe { p2v_ext_new_file(self.fs.as_ptr(), folder, &raw mut ino) }).map(|()| ino)
    }

    pub(super) fn new_folder(&mut self, parent: u32, name: &CString) -> Result<(), Code> {
        // SAFETY: an open handle, a terminated name.
        Code::check(unsafe { p2v_ext_new_folder(self.fs.as_ptr(), parent, name.as_ptr()) })
    }

    pub(super) fn release(&mut self, ino: u32) -> Result<(), Code> {
        // SAFETY: an open handle; the library checks the inode's number.
        Code::check(unsafe { p2v_ext_release(self.fs.as_ptr(), ino) })
    }

    pub(super) fn first_orphan(&self) -> u32 {
        // SAFETY: an open handle.
        unsafe { p2v_ext_first_orphan(self.fs.as_ptr()) }
    }

    pub(super) fn next_orphan(&self, ino: u32) -> Result<u32, Code> {
        let mut next = 0;
        // SAFETY: an open handle, a pointer to a local; the library checks the inode's number.
        Code::check(unsafe { p2v_ext_next_orphan(self.fs.as_ptr(), ino, &raw mut next) }).map(|()| next)
    }
}

impl Drop for Filesystem {
    fn drop(&mut self) {
        // SAFETY: open (`close` forgets the handle); not used again.
        unsafe { p2v_ext_abandon(self.as_ptr()) };
    }
}
