//! Writes a cpio archive in the format `newc`.

use super::header::{PATH_MAX, TRAILER};

/// A cpio archive being written. Owner is root, times are zero, inodes are counted: the same entries give the same
/// bytes.
#[derive(Debug, Default)]
pub(super) struct Writer {
    bytes: Vec<u8>,
    inode: u32,
}

impl Writer {
    /// Adds an entry; `None`, and nothing added, if the name or the contents are longer than the format can say.
    pub(super) fn add(&mut self, path: &str, mode: u32, contents: &[u8]) -> Option<()> {
        let size = u32::try_from(contents.len()).ok()?;
        let name_len = u32::try_from(path.len()).ok()?.checked_add(1)?;
        if name_len > PATH_MAX || path.contains('\0') {
            return None;
        }
        self.inode = self.inode.checked_add(1)?;
        let inode = if path == TRAILER { 0 } else { self.inode };
        let fields = [inode, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, name_len, 0];
        self.bytes.extend(b"070701");
        for field in fields {
            self.bytes.extend(format!("{field:08X}").bytes());
        }
        self.bytes.extend(path.bytes());
        self.bytes.push(0);
        self.align();
        self.bytes.extend(contents);
        self.align();
        Some(())
    }

    /// The archive, its length a multiple of 4.
    pub(super) fn finish(mut self) -> Vec<u8> {
        let _ = self.add(TRAILER, 0, &[]);
        self.bytes
    }

    fn align(&mut self) {
        let len = self.bytes.len().checked_next_multiple_of(4);
        self.bytes.resize(len.unwrap_or(self.bytes.len()), 0);
    }
}
