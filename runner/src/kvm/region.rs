//! Memory of this process that a guest can be given: RAM, video memory, ROMs.

use std::io;
use std::sync::Arc;
use vm_memory::{Bytes, MmapRegion, VolatileMemory};

/// Zeroed, page-aligned memory, shared by its clones. The guest may change it at any time, so it is only copied in
/// and out, never borrowed. Pages cost nothing until they are touched.
#[derive(Clone, Debug)]
pub struct Region(Arc<MmapRegion>);

impl Region {
    /// `size` bytes (a multiple of 4096) of zeros.
    pub fn new(size: usize) -> io::Result<Self> {
        Ok(Region(Arc::new(MmapRegion::new(size).map_err(io::Error::other)?)))
    }

    /// As many pages as `bytes` needs, starting with them; the rest is zero.
    pub fn with(bytes: &[u8]) -> io::Result<Self> {
        let region = Region::new(bytes.len().next_multiple_of(4096).max(4096))?;
        region.write(0, bytes);
        Ok(region)
    }

    /// Size in bytes.
    pub fn size(&self) -> usize {
        self.0.size()
    }

    /// Copies from `offset` (bytes); what lies past the end is left as it was in `buf`.
    pub fn read(&self, offset: usize, buf: &mut [u8]) {
        if offset < self.size() {
            let _ = self.0.as_volatile_slice().read(buf, offset);
        }
    }

    /// Copies to `offset` (bytes); what would lie past the end is dropped.
    pub fn write(&self, offset: usize, data: &[u8]) {
        if offset < self.size() && !data.is_empty() {
            let _ = self.0.as_volatile_slice().write(data, offset);
        }
    }

    /// Where it is in this process, for KVM.
    pub fn host_address(&self) -> u64 {
        self.0.as_ptr().addr() as u64
    }

    /// The mapping, for vm-memory.
    pub fn mapping(&self) -> &Arc<MmapRegion> {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_stop_at_the_end() {
        let region = Region::with(&[1, 2, 3]).unwrap();
        assert_eq!(region.size(), 4096);
        region.write(4095, &[7, 8]);
        let mut buf = [9; 2];
        region.read(4095, &mut buf);
        assert_eq!(buf, [7, 9]);
        region.read(5000, &mut buf);
        region.write(usize::MAX, &[1]);
    }
}
