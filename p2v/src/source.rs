//! Opening what a person named: a disk, a raw image, a qcow2 image, or the capture in a machine folder.

use crate::capture::rescue::Kept;
use crate::error::{Exit, Failure, Result};
use crate::machine::{Machine, library};
use disk::partition::looks_like_4k;
use disk::qcow2::Image;
use disk::source::{Source, SourceInfo, SourceKind};
use disk::{ExtentSet, ReadAt};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// First bytes of files that hold a disk in a form p2v does not read: (offset, magic, name).
const FOREIGN: &[(usize, &[u8], &str)] = &[
    (0, b"KDMV", "a VMware disk (VMDK)"),
    (0, b"# Disk DescriptorFile", "a VMware disk description (VMDK)"),
    (0, b"vhdxfile", "a Hyper-V disk (VHDX)"),
    (0, b"conectix", "a Virtual PC disk (VHD)"),
    (0x40, b"\x7f\x10\xda\xbe", "a VirtualBox disk (VDI)"),
    (0, b"EVF\x09\x0d\x0a\xff\x00", "a forensic image (E01)"),
    (0, b"partclone-image", "a partclone image"),
    (0, b"\x1f\x8b\x08", "compressed with gzip"),
    (0, b"\xfd7zXZ\x00", "compressed with xz"),
    (0, b"\x28\xb5\x2f\xfd", "compressed with zstd"),
];

/// A disk to read from, whatever holds it.
#[derive(Clone)]
pub(crate) enum Input {
    /// A device or a raw image.
    Disk(Arc<Source>),
    /// A qcow2 image with its backing chain.
    Qcow2 {
        /// The opened image.
        image: Arc<Image>,
        /// Its file.
        path: PathBuf,
        /// Logical sector size of the disk in it, in bytes.
        sector: u32,
    },
    /// What was read late of a failing disk; everything else of it reads as zeros.
    Kept(Arc<Kept>),
}

impl Input {
    /// Opens a device, a raw image or a qcow2 image.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let source = Source::open(path)?;
        if source.info().kind == SourceKind::ImageFile {
            let mut head = vec![0; 512.min(usize::try_from(source.size()).unwrap_or(512))];
            // What cannot be read says nothing: a failing disk behind FUSE looks like a file too.
            if source.read_at(0, &mut head).is_err() {
                head.fill(0);
            }
            if head.starts_with(b"QFI\xfb") {
                let image = Arc::new(Image::open(path)?);
                let sector = if looks_like_4k(&*image) { 4096 } else { 512 };
                let path = path.to_owned();
                return Ok(Input::Qcow2 { image, path, sector });
            }
            if let Some((_, _, name)) = FOREIGN
                .iter()
                .find(|(at, magic, _)| head[(*at).min(head.len())..].starts_with(magic))
            {
                return Err(Failure::refused(format!("{} is {name}, not a raw disk image", path.display())).advice(
                    "Unpack it, or convert it with `qemu-img convert -O qcow2 FILE disk.qcow2`, then use the result.",
                ));
            }
        }
        if source.size() == 0 {
            let what = format!("{} has no contents (size 0)", path.display());
            return Err(Failure::new(Exit::SourceUnreadable, what)
                .advice("A card reader or disc drive without a medium looks like this; is it the right device?"));
        }
        Ok(Input::Disk(Arc::new(source)))
    }

    /// The same, but a machine, by its folder or its name in the library, stands for the capture in it.
    pub(crate) fn open_or_folder(path: &Path) -> Result<Self> {
        let folder = if path.is_dir() {
            path.to_owned()
        } else if path.exists() || library::is_path(path) {
            return Input::open(path);
        } else {
            library::resolve(path)?
        };
        let machine = Machine::load(&folder)?;
        let sector = machine.disks.first().map_or(512, |disk| disk.logical_sector);
        let path = machine.capture_path(&folder)?;
        let image = Arc::new(Image::open(&path)?);
        Ok(Input::Qcow2 { image, path, sector })
    }

    /// The bytes of the disk, for parsers.
    pub(crate) fn reader(&self) -> Arc<dyn ReadAt> {
        match self {
            Input::Disk(source) => Arc::clone(source) as Arc<dyn ReadAt>,
            Input::Qcow2 { image, .. } => Arc::clone(image) as Arc<dyn ReadAt>,
            Input::Kept(kept) => Arc::clone(kept) as Arc<dyn ReadAt>,
        }
    }

    /// What is known of it without reading its contents.
    pub(crate) fn info(&self) -> SourceInfo {
        match self {
            Input::Disk(source) => source.info().clone(),
            Input::Qcow2 { image, path, sector } => SourceInfo {
                logical_sector: *sector,
                physical_sector: *sector,
                ..SourceInfo::new(path.clone(), SourceKind::ImageFile, image.size())
            },
            Input::Kept(kept) => SourceInfo::new(kept.path().to_owned(), SourceKind::ImageFile, kept.size()),
        }
    }

    /// Reads for the capture itself: large, aligned, past the page cache where that is possible.
    pub(crate) fn read_bulk(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        match self {
            Input::Disk(source) => source.read_bulk(offset, buf),
            Input::Qcow2 { image, .. } => image.read_at(offset, buf),
            Input::Kept(kept) => kept.read_at(offset, buf),
        }
    }

    /// The same for little that lies alone.
    pub(crate) fn read_little(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        match self {
            Input::Disk(source) => source.read_little(offset, buf),
            Input::Qcow2 { .. } | Input::Kept(_) => self.read_bulk(offset, buf),
        }
    }

    /// Reads single sectors, for places where reads fail.
    pub(crate) fn read_sectors(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        match self {
            Input::Disk(source) => source.read_sectors(offset, buf),
            Input::Qcow2 { image, .. } => image.read_at(offset, buf),
            Input::Kept(kept) => kept.read_at(offset, buf),
        }
    }

    /// The parts that may hold something else than zeros.
    pub(crate) fn data_extents(&self) -> io::Result<ExtentSet> {
        match self {
            Input::Disk(source) => source.data_extents(),
            Input::Qcow2 { image, .. } => image.allocated(),
            Input::Kept(kept) => Ok(ExtentSet::from_range(0..kept.size())),
        }
    }
}
