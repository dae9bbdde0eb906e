//! Raw image files and block devices as a virtual disk: byte N of the file is byte N of the disk.

use crate::io::{BlockDevice, ReadAt, check_bounds};
use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// A raw file or block device of a fixed size.
#[derive(Debug)]
pub struct RawFile {
    file: File,
    size: u64,
    writable: bool,
}

impl RawFile {
    /// Opens `path`, which must exist, read-only unless `writable`.
    pub fn open(path: &Path, writable: bool) -> io::Result<Self> {
        let file = File::options().read(true).write(writable).open(path)?;
        Self::from_file(file, writable)
    }

    /// Takes a file that is open already.
    pub fn from_file(mut file: File, writable: bool) -> io::Result<Self> {
        // A block device's length is not in its metadata; seeking to the end works for both.
        let size = file.seek(SeekFrom::End(0))?;
        Ok(RawFile { file, size, writable })
    }
}

impl ReadAt for RawFile {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        check_bounds(offset, buf.len(), self.size)?;
        self.file.read_exact_at(buf, offset)
    }
}

impl BlockDevice for RawFile {
    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        if !self.writable {
            return Err(io::Error::new(
                io::ErrorKind::ReadOnlyFilesystem,
                "the disk image was opened read-only",
            ));
        }
        // A write past the end would make the file grow, and a disk does not.
        check_bounds(offset, data.len(), self.size)?;
        self.file.write_all_at(data, offset)
    }

    fn flush(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_stay_inside_and_are_read_back() {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(4096).unwrap();
        let disk = RawFile::open(file.path(), true).unwrap();
        assert_eq!(disk.size(), 4096);
        disk.write_at(1000, b"hello").unwrap();
        disk.flush().unwrap();
        let mut buf = [0; 5];
        disk.read_at(1000, &mut buf).unwrap();
        assert_eq!(&buf, b"hello");
        assert!(disk.write_at(4092, b"hello").is_err());
        assert!(disk.read_at(u64::MAX, &mut buf).is_err());
        assert_eq!(file.as_file().metadata().unwrap().len(), 4096);
    }

    #[test]
    fn a_read_only_disk_refuses_writes() {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(512).unwrap();
        let disk = RawFile::open(file.path(), false).unwrap();
        assert_eq!(
            disk.write_at(0, b"x").unwrap_err().kind(),
            io::ErrorKind::ReadOnlyFilesystem
        );
    }
}
