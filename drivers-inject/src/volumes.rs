//! The volumes of a disk whose files can be read, each opened once: partitions and logical volumes of LVM.

use crate::Unreadable;
use disk::guestfs::{self, GuestFs};
use disk::layout::DiskLayout;
use disk::usedmap::{Volume, VolumeKind};
use disk::{Linear, Mapping, ReadAt};
use std::sync::Arc;

/// The most that is read of a text file: configuration files have a few KiB.
const TEXT_LIMIT: u64 = 1 << 20;

/// Which of a layout's volumes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum VolumeId {
    /// A partition by its number; 0 for a filesystem on the whole disk.
    Partition(u32),
    /// A logical volume by its index in [`DiskLayout::logical`].
    Logical(usize),
}

/// A volume with its files.
pub(crate) struct MountedVolume {
    pub(crate) id: VolumeId,
    /// Partition number; 0 for a filesystem on the whole disk. Of a logical volume, that of its first physical volume.
    pub(crate) partition: u32,
    /// A logical volume's name: `group/volume`.
    pub(crate) name: Option<String>,
    pub(crate) kind: VolumeKind,
    /// Where its bytes lie on the disk. Only this turns places in the volume into places on the disk.
    pub(crate) mapping: Mapping,
    /// Why it must not be written, as the end of a sentence.
    pub(crate) read_only: Option<String>,
    /// Its bytes.
    pub(crate) bytes: Arc<dyn ReadAt>,
    pub(crate) fs: Box<dyn GuestFs>,
}

impl MountedVolume {
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

/// A volume of a layout, whatever it lies on.
pub(crate) struct Place<'l> {
    pub(crate) id: VolumeId,
    /// As [`MountedVolume::partition`].
    pub(crate) partition: u32,
    /// As [`MountedVolume::name`].
    pub(crate) name: Option<String>,
    pub(crate) mapping: Mapping,
    pub(crate) read_only: Option<&'l str>,
    /// What is on it.
    pub(crate) volume: &'l Volume,
}

/// Every volume of a layout whose bytes can be read: partitions, then logical volumes.
pub(crate) fn places(layout: &DiskLayout) -> impl Iterator<Item = Place<'_>> {
    let partitions = layout.contents.iter().map(|contents| {
        let number = contents.partition.as_ref().map_or(0, |partition| partition.number);
        let end = contents.start.saturating_add(contents.size).min(layout.size);
        Place {
            id: VolumeId::Partition(number),
            partition: number,
            name: None,
            mapping: Mapping::of_range(&(contents.start.min(end)..end)),
            read_only: None,
            volume: &contents.volume,
        }
    });
    let logical = layout.logical.iter().enumerate().filter_map(|(index, contents)| {
        Some(Place {
            id: VolumeId::Logical(index),
            partition: contents.logical.partitions.first().copied().unwrap_or(0),
            name: Some(contents.logical.name.to_string()),
            mapping: contents.logical.segments.clone()?,
            read_only: contents.logical.read_only.as_deref(),
            volume: contents.volume.as_ref()?,
        })
    });
    partitions.chain(logical)
}

/// Opens every volume that has a reader.
pub(crate) fn open_all(disk: &Arc<dyn ReadAt>, layout: &DiskLayout) -> (Vec<MountedVolume>, Vec<Unreadable>) {
    let mut volumes = Vec::new();
    let mut unreadable = Vec::new();
    for place in places(layout) {
        let kind = place.volume.kind;
        match open(disk, &place) {
            Ok(Some((bytes, fs))) => volumes.push(MountedVolume {
                id: place.id,
                partition: place.partition,
                name: place.name,
                kind,
                mapping: place.mapping,
                read_only: place.read_only.map(str::to_owned),
                bytes,
                fs,
            }),
            Ok(None) => {}
            Err(error) => unreadable.push(Unreadable {
                partition: place.partition,
                reason: match place.name {
                    Some(name) => format!("logical volume {name}: {error}"),
                    None => error.to_string(),
                },
            }),
        }
    }
    (volumes, unreadable)
}

/// A volume's bytes and its files.
type Opened = (Arc<dyn ReadAt>, Box<dyn GuestFs>);

fn open(disk: &Arc<dyn ReadAt>, place: &Place<'_>) -> Result<Option<Opened>, guestfs::GuestFsError> {
    let bytes: Arc<dyn ReadAt> = Arc::new(Linear::new(Arc::clone(disk), place.mapping.clone())?);
    let fs = guestfs::open(place.volume.kind, Arc::clone(&bytes))?;
    Ok(fs.map(|fs| (bytes, fs)))
}
