//! Reading qcow2 images, with their backing chain, from several threads.

use super::Qcow2Error;
use crate::extent::ExtentSet;
use crate::io::ReadAt;
use std::io;
use std::path::Path;

/// A qcow2 image opened read-only, with everything that backs it.
pub struct Image {}

impl Image {
    /// Opens `path` and its backing chain (qcow2 or raw).
    pub fn open(path: &Path) -> Result<Self, Qcow2Error> {
        let _ = path;
        todo!()
    }

    /// Cluster size in bytes.
    pub fn cluster_size(&self) -> u64 {
        todo!()
    }

    /// The parts that any image of the chain has data for; the rest reads as zeros.
    pub fn allocated(&self) -> io::Result<ExtentSet> {
        todo!()
    }
}

impl ReadAt for Image {
    fn size(&self) -> u64 {
        todo!()
    }
    fn read_at(&self, _offset: u64, _buf: &mut [u8]) -> io::Result<()> {
        todo!()
    }
}
