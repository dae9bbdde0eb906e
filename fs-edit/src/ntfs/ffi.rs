//! The functions of the C files beside this one; `shim.h` says what they have in common.

use std::ffi::{c_char, c_int, c_void};

/// The library's volume, as the shim keeps it.
#[repr(C)]
pub(super) struct RawVolume {
    _opaque: [u8; 0],
}

/// `struct fs_edit_device`: the shim's own, not the library's.
#[repr(C)]
pub(super) struct RawDevice {
    pub(super) context: *mut c_void,
    pub(super) size: i64,
    pub(super) read: unsafe extern "C" fn(*mut c_void, *mut c_void, i64, i64) -> i64,
    pub(super) write: unsafe extern "C" fn(*mut c_void, *const c_void, i64, i64) -> i64,
    pub(super) flush: unsafe extern "C" fn(*mut c_void) -> c_int,
}

/// `struct fs_edit_facts`: the shim's own, not the library's.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Facts {
    /// Bytes of the unnamed data.
    pub(super) size: i64,
    /// Bytes of the clusters that they take.
    pub(super) allocated: i64,
    /// `FILE_ATTRIBUTE_*`.
    pub(super) attributes: u32,
    /// 0: the file is no reparse point.
    pub(super) reparse_tag: u32,
    pub(super) folder: u8,
    pub(super) has_data: u8,
    pub(super) compressed: u8,
    pub(super) encrypted: u8,
    /// Windows 10 keeps it compressed in another stream ("CompactOS").
    pub(super) wof: u8,
}

unsafe extern "C" {
    pub(super) fn fs_edit_ntfs_message(buf: *mut c_char, size: usize) -> usize;
    pub(super) fn fs_edit_ntfs_open(device: *const RawDevice, opened: *mut *mut RawVolume) -> c_int;
    pub(super) fn fs_edit_ntfs_close(volume: *mut RawVolume) -> c_int;
    pub(super) fn fs_edit_ntfs_version(volume: *const RawVolume) -> u32;
    pub(super) fn fs_edit_ntfs_free_clusters(volume: *const RawVolume) -> i64;
    pub(super) fn fs_edit_ntfs_cluster_size(volume: *const RawVolume) -> u32;
    pub(super) fn fs_edit_ntfs_lookup(
        volume: *mut RawVolume,
        folder: u64,
        name: *const u16,
        length: c_int,
        file: *mut u64,
    ) -> c_int;
    pub(super) fn fs_edit_ntfs_facts(volume: *mut RawVolume, file: u64, facts: *mut Facts) -> c_int;
    pub(super) fn fs_edit_ntfs_read(
        volume: *mut RawVolume,
        file: u64,
        offset: i64,
        buf: *mut c_void,
        count: i64,
    ) -> i64;
    pub(super) fn fs_edit_ntfs_descriptor(volume: *mut RawVolume, file: u64, buf: *mut c_char, size: i64) -> i64;
    pub(super) fn fs_edit_ntfs_write(
        volume: *mut RawVolume,
        file: u64,
        bytes: *const c_char,
        count: i64,
        append: c_int,
    ) -> c_int;
    pub(super) fn fs_edit_ntfs_forbidden(volume: *mut RawVolume, name: *const u16, length: c_int) -> c_int;
    pub(super) fn fs_edit_ntfs_create(
        volume: *mut RawVolume,
        folder: u64,
        name: *const u16,
        length: c_int,
        is_folder: c_int,
        inherit: c_int,
        made: *mut u64,
    ) -> c_int;
    pub(super) fn fs_edit_ntfs_mark_dos(
        volume: *mut RawVolume,
        folder: u64,
        file: u64,
        name: *const u16,
        length: c_int,
    ) -> c_int;
    pub(super) fn fs_edit_ntfs_link(
        volume: *mut RawVolume,
        folder: u64,
        file: u64,
        name: *const u16,
        length: c_int,
    ) -> c_int;
    pub(super) fn fs_edit_ntfs_unlink(
        volume: *mut RawVolume,
        folder: u64,
        file: u64,
        name: *const u16,
        length: c_int,
    ) -> c_int;
}
