//! The volumes of a disk whose files can be read, each opened once.

use crate::Unreadable;
use disk::ReadAt;
use disk::guestfs::{self, GuestFs};
use disk::io::Window;
use disk::layout::{DiskLayout, PartitionContents};
use disk::usedmap::VolumeKind;
use std::ops::Range;
use std::sync::Arc;

/// The most that is read of a text file: configuration files have a few KiB.
const TEXT_LIMIT: u64 = 1 << 20;

/// A volume with its files.
pub(crate) struct MountedVolume {
    /// Partition number; 0 for a filesystem on the whole disk.
    pub(crate) partition: u32,
    pub(crate) kind: VolumeKind,
    /// Where it starts on the disk, in bytes.
    pub(crate) start: u64,
    /// Its bytes.
    pub(crate) bytes: Arc<dyn ReadAt>,
    pub(crate) fs: Box<dyn GuestFs>,
}

impl MountedVolume {
    /// Where it lies on the disk, in bytes.
    pub(crate) fn range(&self) -> Range<u64> {
        self.start..self.start.saturating_add(self.bytes.size())
    }

    /// Opens its files anew, after its bytes have changed.
    pub(crate) fn reopen(&mut self) {
        if let Ok(Some(fs)) = guestfs::open(self.kind, Arc::clone(&self.bytes)) {
            self.fs = fs;
        }
    }

    /// A small text file, if it is there and can be read. Bytes that are not UTF-8 are replaced.
    pub(crate) fn text(&mut self, path: &str) -> Option<String> {
        let bytes = self.fs.read(path, TEXT_LIMIT).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// Opens every volume that has a reader.
pub(crate) fn open_all(disk: &Arc<dyn ReadAt>, layout: &DiskLayout) -> (Vec<MountedVolume>, Vec<Unreadable>) {
    let mut volumes = Vec::new();
    let mut unreadable = Vec::new();
    for contents in &layout.contents {
        let partition = contents.partition.as_ref().map_or(0, |partition| partition.number);
        let kind = contents.volume.kind;
        match open(disk, contents) {
            Ok(Some((bytes, fs))) => volumes.push(MountedVolume {
                partition,
                kind,
                start: contents.start,
                bytes,
                fs,
            }),
            Ok(None) => {}
            Err(error) => unreadable.push(Unreadable {
                partition,
                reason: error.to_string(),
            }),
        }
    }
    (volumes, unreadable)
}

/// A volume's bytes and its files.
type Opened = (Arc<dyn ReadAt>, Box<dyn GuestFs>);

fn open(disk: &Arc<dyn ReadAt>, contents: &PartitionContents) -> Result<Option<Opened>, guestfs::GuestFsError> {
    let end = contents.start.saturating_add(contents.size).min(disk.size());
    let window = Window::new(Arc::clone(disk), contents.start.min(end)..end)?;
    let bytes: Arc<dyn ReadAt> = Arc::new(window);
    let fs = guestfs::open(contents.volume.kind, Arc::clone(&bytes))?;
    Ok(fs.map(|fs| (bytes, fs)))
}
