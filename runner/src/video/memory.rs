//! Video memory, and which of it was written without the guest having it mapped: through planes, banks, by the blitter.

use crate::kvm::{Pages, Region};
use std::cell::RefCell;

/// Memory whose pages are noted when the adapter writes to them.
pub(super) struct VideoMemory {
    region: Region,
    written: RefCell<Pages>,
}

impl VideoMemory {
    pub(super) fn new(region: Region) -> Self {
        VideoMemory {
            region,
            written: RefCell::new(Pages::none()),
        }
    }

    /// The memory itself, which the guest may have mapped.
    pub(super) fn region(&self) -> &Region {
        &self.region
    }

    pub(super) fn size(&self) -> usize {
        self.region.size()
    }

    /// Copies from `offset` (bytes); what lies past the end is left as it was in `buf`.
    pub(super) fn read(&self, offset: usize, buf: &mut [u8]) {
        self.region.read(offset, buf);
    }

    /// Copies to `offset` (bytes); what would lie past the end is dropped.
    pub(super) fn write(&self, offset: usize, data: &[u8]) {
        let end = offset.saturating_add(data.len()).min(self.size());
        if offset < end {
            self.region.write(offset, data);
            self.written.borrow_mut().cover(offset..end);
        }
    }

    /// The pages written to since the last call.
    pub(super) fn take_written(&self) -> Pages {
        self.written.take()
    }
}
