//! Reading and writing bytes at offsets: the two traits that every layer of this project speaks.
//!
//! All offsets and sizes are in **bytes**.

use std::io;
use std::ops::Range;
use std::sync::Arc;

/// Bytes of a fixed size that several threads may read at once, each at its own offset.
///
/// A disk, an image file, a qcow2 image and a partition inside any of them all look the same to a reader.
pub trait ReadAt: Send + Sync {
    /// Size in bytes. It does not change while the value lives.
    fn size(&self) -> u64;

    /// Fills `buf` from `offset` (bytes). Reading past [`size`](ReadAt::size) is an error of kind
    /// [`io::ErrorKind::UnexpectedEof`], never a short read.
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()>;

    /// Says that `range` (bytes) will be read soon, so that a disk can fetch several places at once. It is advice: nothing
    /// may come of it.
    fn will_read(&self, _range: Range<u64>) {}
}

/// A virtual disk of a running machine: readable, writable, flushable from several threads.
pub trait BlockDevice: ReadAt {
    /// Writes all of `data` at `offset` (bytes). It is durable only after [`flush`](BlockDevice::flush).
    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()>;

    /// Makes every completed write durable (`fdatasync`): the guest's FLUSH CACHE.
    fn flush(&self) -> io::Result<()>;
}

/// The error for a read or write that leaves the device: what was asked and what there is.
pub fn past_end(offset: u64, len: usize, size: u64) -> io::Error {
    io::Error::new(
        io::ErrorKind::UnexpectedEof,
        format!("{len} bytes at offset {offset} lie past the end ({size} bytes)"),
    )
}

/// An error if `len` bytes at `offset` do not lie inside `size` bytes.
pub fn check_bounds(offset: u64, len: usize, size: u64) -> io::Result<()> {
    let end = u64::try_from(len).ok().and_then(|len| offset.checked_add(len));
    match end {
        Some(end) if end <= size => Ok(()),
        _ => Err(past_end(offset, len, size)),
    }
}

impl<T: ReadAt + ?Sized> ReadAt for Arc<T> {
    fn size(&self) -> u64 {
        (**self).size()
    }
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        (**self).read_at(offset, buf)
    }
    fn will_read(&self, range: Range<u64>) {
        (**self).will_read(range);
    }
}

impl<T: BlockDevice + ?Sized> BlockDevice for Arc<T> {
    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        (**self).write_at(offset, data)
    }
    fn flush(&self) -> io::Result<()> {
        (**self).flush()
    }
}

impl<T: ReadAt + ?Sized> ReadAt for &T {
    fn size(&self) -> u64 {
        (**self).size()
    }
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        (**self).read_at(offset, buf)
    }
    fn will_read(&self, range: Range<u64>) {
        (**self).will_read(range);
    }
}

impl ReadAt for Vec<u8> {
    fn size(&self) -> u64 {
        self.len() as u64
    }
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let bytes = usize::try_from(offset)
            .ok()
            .and_then(|start| self.get(start..)?.get(..buf.len()))
            .ok_or_else(|| past_end(offset, buf.len(), self.size()))?;
        buf.copy_from_slice(bytes);
        Ok(())
    }
}

/// A part of something readable, as a thing of its own: a partition of a disk.
#[derive(Clone)]
pub struct Window<T> {
    inner: T,
    start: u64,
    size: u64,
}

impl<T: ReadAt> Window<T> {
    /// The bytes `range` of `inner`; an error if they are not all there.
    pub fn new(inner: T, range: Range<u64>) -> io::Result<Self> {
        if range.start > range.end || range.end > inner.size() {
            let len = usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(usize::MAX);
            return Err(past_end(range.start, len, inner.size()));
        }
        Ok(Window {
            inner,
            start: range.start,
            size: range.end.saturating_sub(range.start),
        })
    }
}

impl<T: ReadAt> ReadAt for Window<T> {
    fn size(&self) -> u64 {
        self.size
    }
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        check_bounds(offset, buf.len(), self.size)?;
        self.inner.read_at(self.start.saturating_add(offset), buf)
    }
    fn will_read(&self, range: Range<u64>) {
        let inside = |at: u64| self.start.saturating_add(at.min(self.size));
        self.inner.will_read(inside(range.start)..inside(range.end));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_shows_its_part_and_nothing_else() {
        let window = Window::new(vec![0u8, 1, 2, 3, 4, 5], 2..5).unwrap();
        let mut buf = [0; 3];
        window.read_at(0, &mut buf).unwrap();
        assert_eq!(buf, [2, 3, 4]);
        assert_eq!(
            window.read_at(1, &mut buf).unwrap_err().kind(),
            io::ErrorKind::UnexpectedEof
        );
        assert!(window.read_at(u64::MAX, &mut buf).is_err());
        assert!(Window::new(vec![0u8; 4], 2..5).is_err());
    }
}
