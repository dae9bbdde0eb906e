//! A volume that libntfs-3g has open, with safe functions.
//!
//! This is FFI: every function of the shim is called here and nowhere else. A [`FileId`] is only a number; the library
//! checks what is behind it each time.

use super::device::Device;
use super::ffi::{self, Facts, RawVolume};
use disk::BlockDevice;
use std::ffi::c_int;
use std::io;
use std::ops::Range;
use std::ptr::NonNull;
use std::sync::Arc;

/// A file reference: the number of the file's record, and its sequence number above bit 48.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileId(u64);

impl FileId {
    /// The root folder.
    pub(super) const ROOT: FileId = FileId(5);

    /// The number of the file's record.
    pub(super) fn number(self) -> u64 {
        self.0 & 0xFFFF_FFFF_FFFF
    }
}

/// Why the library did not do something.
#[derive(Debug)]
pub(super) struct Failure {
    /// `errno`.
    pub(super) code: i32,
    /// The disk's own error, or the library's message, or the system's words for the number.
    pub(super) reason: String,
}

/// An open volume.
pub(super) struct Volume {
    raw: Option<NonNull<RawVolume>>,
    /// Behind a pointer of its own: the library keeps its address.
    device: Box<Device>,
}

impl Volume {
    /// Opens for changes; refuses a log that is not closed and a volume with a saved session.
    pub(super) fn open(disk: Arc<dyn BlockDevice>, range: Range<u64>) -> Result<Self, Failure> {
        let device = Box::new(Device::new(disk, range));
        let mut raw = std::ptr::null_mut();
        let description = device.raw();
        // SAFETY: the description is copied; the device that it points to lives in a box that the volume owns, and is
        // dropped after it.
        let code = unsafe { ffi::fs_edit_ntfs_open(&raw const description, &raw mut raw) };
        let mut volume = Volume {
            raw: NonNull::new(raw),
            device,
        };
        volume.result(code)?;
        Ok(volume)
    }

    /// Writes everything out.
    pub(super) fn close(mut self) -> Result<(), Failure> {
        let Some(raw) = self.raw.take() else { return Ok(()) };
        // SAFETY: the pointer came from `fs_edit_ntfs_open` and is not used again: it was taken out.
        let code = unsafe { ffi::fs_edit_ntfs_close(raw.as_ptr()) };
        self.result(code)
    }

    fn raw(&self) -> *mut RawVolume {
        self.raw.map_or(std::ptr::null_mut(), NonNull::as_ptr)
    }

    /// Major and minor version of NTFS.
    pub(super) fn version(&self) -> (u32, u32) {
        // SAFETY: the volume is open.
        let version = unsafe { ffi::fs_edit_ntfs_version(self.raw()) };
        (version >> 8, version & 0xFF)
    }

    /// In bytes.
    pub(super) fn free(&self) -> u64 {
        // SAFETY: the volume is open.
        let clusters = unsafe { ffi::fs_edit_ntfs_free_clusters(self.raw()) };
        u64::try_from(clusters).unwrap_or(0).saturating_mul(self.cluster_size())
    }

    /// In bytes.
    pub(super) fn cluster_size(&self) -> u64 {
        // SAFETY: the volume is open.
        let size = unsafe { ffi::fs_edit_ntfs_cluster_size(self.raw()) };
        u64::from(size).max(1)
    }

    /// The file of this name in a folder, without regard to case.
    pub(super) fn lookup(&mut self, folder: FileId, name: &[u16]) -> Result<Option<FileId>, Failure> {
        let mut file = 0;
        let name_length = self.length(name.len())?;
        // SAFETY: the volume is open; the name has that many units; `file` is a place for the answer.
        let code = unsafe { ffi::fs_edit_ntfs_lookup(self.raw(), folder.0, name.as_ptr(), name_length, &raw mut file) };
        match self.result(code) {
            Ok(()) => Ok(Some(FileId(file))),
            Err(failure) if failure.code == NOT_FOUND => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    pub(super) fn facts(&mut self, file: FileId) -> Result<Facts, Failure> {
        let mut facts = Facts::default();
        // SAFETY: the volume is open; `facts` is a place for the answer.
        let code = unsafe { ffi::fs_edit_ntfs_facts(self.raw(), file.0, &raw mut facts) };
        self.result(code)?;
        Ok(facts)
    }

    /// Reads from `offset` (bytes) of a file; the number of bytes that were there.
    pub(super) fn read(&mut self, file: FileId, offset: u64, buf: &mut [u8]) -> Result<usize, Failure> {
        let (offset, count) = (self.length(offset)?, self.length(buf.len())?);
        // SAFETY: the volume is open; the buffer has that many writable bytes.
        let done = unsafe { ffi::fs_edit_ntfs_read(self.raw(), file.0, offset, buf.as_mut_ptr().cast(), count) };
        self.count(done)
    }

    /// The security descriptor of a file.
    pub(super) fn descriptor(&mut self, file: FileId) -> Result<Vec<u8>, Failure> {
        /// The largest that Windows makes: an ACL has at most 64 KiB.
        const LIMIT: usize = 1 << 18;
        let mut buf = vec![0u8; LIMIT];
        let size = self.length(buf.len())?;
        // SAFETY: the volume is open; the buffer has that many writable bytes.
        let length = unsafe { ffi::fs_edit_ntfs_descriptor(self.raw(), file.0, buf.as_mut_ptr().cast(), size) };
        let length = self.count(length)?;
        // One that is longer was not copied.
        buf.truncate(if length > LIMIT { 0 } else { length });
        Ok(buf)
    }

    /// Makes `data` the contents of a file, or adds it at its end.
    pub(super) fn write(&mut self, file: FileId, data: &[u8], append: bool) -> Result<(), Failure> {
        let count = self.length(data.len())?;
        // SAFETY: the volume is open; `data` has that many bytes, which the library only reads.
        let code =
            unsafe { ffi::fs_edit_ntfs_write(self.raw(), file.0, data.as_ptr().cast(), count, c_int::from(append)) };
        self.result(code)
    }

    /// Whether Windows would refuse the name.
    pub(super) fn is_forbidden(&mut self, name: &[u16]) -> Result<bool, Failure> {
        let length = self.length(name.len())?;
        // SAFETY: the volume is open; the name has that many units.
        let forbidden = unsafe { ffi::fs_edit_ntfs_forbidden(self.raw(), name.as_ptr(), length) };
        Ok(forbidden != 0)
    }

    /// Makes an empty file or folder. With `inherit` the folder's inheritable rights become its own; else the
    /// folder's descriptor is copied.
    pub(super) fn create(
        &mut self,
        folder: FileId,
        name: &[u16],
        is_folder: bool,
        inherit: bool,
    ) -> Result<FileId, Failure> {
        let mut made = 0;
        let length = self.length(name.len())?;
        // SAFETY: the volume is open; the name has that many units; `made` is a place for the answer.
        let code = unsafe {
            ffi::fs_edit_ntfs_create(
                self.raw(),
                folder.0,
                name.as_ptr(),
                length,
                c_int::from(is_folder),
                c_int::from(inherit),
                &raw mut made,
            )
        };
        self.result(code)?;
        Ok(FileId(made))
    }

    /// Makes a name that is also a valid DOS name count as both. It is as the volume has it.
    pub(super) fn mark_dos(&mut self, folder: FileId, file: FileId, name: &[u16]) -> Result<(), Failure> {
        let length = self.length(name.len())?;
        // SAFETY: the volume is open; the name has that many units.
        let code = unsafe { ffi::fs_edit_ntfs_mark_dos(self.raw(), folder.0, file.0, name.as_ptr(), length) };
        self.result(code)
    }

    /// Gives a file another name in its folder, beside those that it has.
    pub(super) fn link(&mut self, folder: FileId, file: FileId, name: &[u16]) -> Result<(), Failure> {
        let length = self.length(name.len())?;
        // SAFETY: the volume is open; the name has that many units.
        let code = unsafe { ffi::fs_edit_ntfs_link(self.raw(), folder.0, file.0, name.as_ptr(), length) };
        self.result(code)
    }

    /// Takes a name away, and its DOS name; the file goes with its last name.
    pub(super) fn unlink(&mut self, folder: FileId, file: FileId, name: &[u16]) -> Result<(), Failure> {
        let length = self.length(name.len())?;
        // SAFETY: the volume is open; the name has that many units.
        let code = unsafe { ffi::fs_edit_ntfs_unlink(self.raw(), folder.0, file.0, name.as_ptr(), length) };
        self.result(code)
    }

    /// A length for C.
    fn length<T, C: TryFrom<T, Error: std::fmt::Display>>(&self, length: T) -> Result<C, Failure> {
        length.try_into().map_err(|error: C::Error| Failure {
            code: 0,
            reason: error.to_string(),
        })
    }

    /// What a function that gives a count, or a negative error number, has answered.
    fn count(&mut self, answer: i64) -> Result<usize, Failure> {
        match usize::try_from(answer) {
            Ok(count) => self.result(0).map(|()| count),
            Err(_) => Err(self.failure(i32::try_from(answer.saturating_neg()).unwrap_or(0))),
        }
    }

    /// What a function that gives an error number has answered.
    fn result(&mut self, code: c_int) -> Result<(), Failure> {
        if code != 0 {
            return Err(self.failure(code));
        }
        // Messages about what went well in the end are of no use for a later error.
        message();
        // A read or write that failed is never forgotten, whatever the library made of it.
        match self.device.take_error() {
            Some(error) => Err(Failure {
                code: 0,
                reason: error.to_string(),
            }),
            None => Ok(()),
        }
    }

    fn failure(&mut self, code: i32) -> Failure {
        let message = message();
        let system = io::Error::from_raw_os_error(code).to_string();
        let reason = match (self.device.take_error(), message.is_empty()) {
            (Some(error), _) => error.to_string(),
            (None, true) => system,
            (None, false) => format!("{message} ({system})"),
        };
        Failure { code, reason }
    }
}

impl Drop for Volume {
    /// Throws away what was not written out yet.
    fn drop(&mut self) {
        self.device.discard();
        if let Some(raw) = self.raw.take() {
            // SAFETY: the pointer came from `fs_edit_ntfs_open` and is not used again: it was taken out.
            unsafe { ffi::fs_edit_ntfs_close(raw.as_ptr()) };
        }
    }
}

/// `ENOENT`.
const NOT_FOUND: i32 = 2;

/// The library's first message since the last call, in this thread.
fn message() -> String {
    let mut buf = [0u8; 512];
    // SAFETY: the buffer has that many writable bytes.
    let length = unsafe { ffi::fs_edit_ntfs_message(buf.as_mut_ptr().cast(), buf.len()) };
    let text = String::from_utf8_lossy(buf.get(..length).unwrap_or_default());
    text.trim().trim_end_matches('.').to_owned()
}
