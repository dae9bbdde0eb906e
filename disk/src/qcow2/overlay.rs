//! Live overlays: what a running machine writes, on top of a capture that never changes.
//!
//! imago allocates clusters and keeps the tables; it is told of no backing file. What lies behind unallocated
//! clusters is read here, straight from our reader with its cache, and the first write to a part of a cluster fills
//! the rest of it from there. imago's way (a backing image given as its `Storage`) would need `unsafe` code and send
//! each read of the capture through its tables twice.

use super::Qcow2Error;
use super::lock::LockedFile;
use super::overlay_file::{self, OverlayFile};
use super::reader::{Image, ImageOptions};
use crate::io::{BlockDevice, ReadAt, check_bounds};
use imago::qcow2::Qcow2;
use imago::{DenyImplicitOpenGate, FormatAccess, FormatDriverBuilder, Mapping};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

/// Memory for what is read from behind; a running machine's own memory is what matters.
const BACKING_MEMORY: ImageOptions = ImageOptions {
    cluster_cache: 12 << 20,
    table_cache: 2 << 20,
};

/// Choices for an overlay.
#[derive(Clone, Copy, Debug, Default)]
pub struct OverlayOptions {
    /// The file has no name: it is gone when the process is, however it dies.
    pub ephemeral: bool,
}

/// A qcow2 image that takes writes, backed by a capture (or by an adapted overlay on it) that does not.
///
/// Reads and writes of several threads go on side by side, except for writes to a part of a cluster that has to be
/// filled from behind. As on a disk, what two writes to the same bytes at the same time leave there is not defined.
pub struct Overlay {
    backing: Image,
    tables: FormatAccess<imago::file::File>,
    /// The file that `tables` uses, for data. It comes after `tables` here to be unlocked after they are written.
    file: LockedFile,
    path: PathBuf,
    size: u64,
    cluster_size: u64,
    /// Held for writing while a cluster is filled from behind, so that nobody writes to it in the meantime.
    filling: RwLock<()>,
}

/// Where bytes of the disk are, for the overlay.
enum Found {
    /// In the overlay's file at this offset, and writes may go there.
    Here(u64),
    /// In the overlay's file, but not to be written to (an internal snapshot has it too).
    HereShared(u64),
    /// Nowhere: zeros that hide what is behind.
    Zero,
    /// In the backing image.
    Behind,
    /// In the overlay, compressed.
    Packed,
}

impl Overlay {
    /// Opens the overlay at `path`, or creates it (backed by `backing`, recorded as a path relative to the
    /// overlay's folder) if it is not there. With [`OverlayOptions::ephemeral`] a nameless one is made in the
    /// folder of `path`. Locks the overlay against a second writer, and the backing chain against any writer.
    ///
    /// An overlay that belongs to another backing file is refused.
    pub fn open_or_create(path: &Path, backing: &Path, options: OverlayOptions) -> Result<Self, Qcow2Error> {
        let image = Image::open_with(backing, BACKING_MEMORY)?;
        let opened = if options.ephemeral {
            overlay_file::nameless(path, image.size())?
        } else {
            overlay_file::open_or_create(path, backing, image.size())?
        };
        Self::on(opened, image, path)
    }

    fn on(opened: OverlayFile, backing: Image, path: &Path) -> Result<Self, Qcow2Error> {
        let error = |e| Qcow2Error::io(path, e);
        let storage: imago::file::File = opened.file.try_clone().and_then(TryInto::try_into).map_err(error)?;
        let tables: Qcow2<imago::file::File> = Qcow2::builder(storage)
            .write(true)
            .backing(None)
            .open(DenyImplicitOpenGate::default())
            .map_err(error)?;
        Ok(Overlay {
            backing,
            tables: FormatAccess::new(tables),
            file: opened.file,
            path: path.to_owned(),
            size: opened.size,
            cluster_size: opened.cluster_size,
            filling: RwLock::new(()),
        })
    }

    /// The overlay's path (an ephemeral one has none any more: the path it was asked for).
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the bytes from `offset` are, and for how many of the next `len` that holds.
    fn find(&self, offset: u64, len: u64) -> io::Result<(Found, u64)> {
        let (mapping, run) = self.tables.get_mapping(offset, len)?;
        let found = match mapping {
            Mapping::Raw { offset, writable, .. } if writable => Found::Here(offset),
            Mapping::Raw { offset, .. } => Found::HereShared(offset),
            Mapping::Zero { explicit: true, .. } => Found::Zero,
            Mapping::Zero { explicit: false, .. } => Found::Behind,
            Mapping::Special { .. } => Found::Packed,
            _ => return Err(self.error(io::ErrorKind::UnexpectedEof.into())),
        };
        if run == 0 {
            return Err(self.error(io::ErrorKind::UnexpectedEof.into()));
        }
        Ok((found, run.min(len)))
    }

    /// Reads what is behind the overlay: zeros past the end of a shorter backing image.
    fn read_behind(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let there = self.backing.size().saturating_sub(offset).min(buf.len() as u64) as usize;
        let (data, rest) = buf.split_at_mut(there);
        rest.fill(0);
        if data.is_empty() {
            return Ok(());
        }
        self.backing.read_at(offset, data)
    }

    /// Reads `buf` at `host` of the overlay's file, whose last cluster may be cut short.
    fn read_here(&self, host: u64, mut buf: &mut [u8]) -> io::Result<()> {
        let mut at = host;
        while !buf.is_empty() {
            match self.file.read_at(buf, at) {
                Ok(0) => {
                    buf.fill(0);
                    return Ok(());
                }
                Ok(read) => {
                    buf = &mut buf[read..];
                    at += read as u64;
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(self.error(e)),
            }
        }
        Ok(())
    }

    fn read_found(&self, found: &Found, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        match found {
            Found::Here(host) | Found::HereShared(host) => self.read_here(*host, buf),
            Found::Zero => {
                buf.fill(0);
                Ok(())
            }
            Found::Behind => self.read_behind(offset, buf),
            Found::Packed => self.tables.read(buf, offset).map_err(|e| self.error(e)),
        }
    }

    /// Writes whole clusters (the last of the disk may be shorter).
    fn write_clusters(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let _no_filling = self.filling.read().unwrap_or_else(PoisonError::into_inner);
        self.tables.write(data, offset).map_err(|e| self.error(e))
    }

    /// Writes to a part of one cluster.
    fn write_part(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        {
            let _no_filling = self.filling.read().unwrap_or_else(PoisonError::into_inner);
            if self.write_in_place(offset, data)? {
                return Ok(());
            }
        }
        let _filling = self.filling.write().unwrap_or_else(PoisonError::into_inner);
        // Another thread may have filled the cluster by now.
        if self.write_in_place(offset, data)? {
            return Ok(());
        }
        let start = offset / self.cluster_size * self.cluster_size;
        let len = self.cluster_size.min(self.size - start) as usize;
        let mut cluster = vec![0; len];
        let (found, _) = self.find(start, len as u64)?;
        self.read_found(&found, start, &mut cluster)?;
        let at = (offset - start) as usize;
        cluster[at..at + data.len()].copy_from_slice(data);
        self.tables.write(&cluster[..], start).map_err(|e| self.error(e))
    }

    /// Writes to a cluster that is the overlay's own already; whether it is.
    fn write_in_place(&self, offset: u64, data: &[u8]) -> io::Result<bool> {
        match self.find(offset, data.len() as u64)? {
            (Found::Here(host), run) if run == data.len() as u64 => {
                self.file.write_all_at(data, host).map_err(|e| self.error(e))?;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    fn error(&self, source: io::Error) -> io::Error {
        Qcow2Error::io(&self.path, source).into()
    }
}

impl ReadAt for Overlay {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        check_bounds(offset, buf.len(), self.size)?;
        let mut done = 0;
        while done < buf.len() {
            let at = offset + done as u64;
            let (found, run) = self.find(at, (buf.len() - done) as u64)?;
            let end = done + run as usize;
            self.read_found(&found, at, &mut buf[done..end])?;
            done = end;
        }
        Ok(())
    }
}

impl BlockDevice for Overlay {
    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        check_bounds(offset, data.len(), self.size)?;
        let (mut at, mut left) = (offset, data);
        while !left.is_empty() {
            let in_cluster = at % self.cluster_size;
            let whole_clusters = left.len() as u64 / self.cluster_size * self.cluster_size;
            let len = if in_cluster == 0 && whole_clusters > 0 {
                whole_clusters
            } else {
                (self.cluster_size - in_cluster).min(left.len() as u64)
            };
            let (piece, rest) = left.split_at(len as usize);
            if in_cluster == 0 && (whole_clusters > 0 || at + len == self.size) {
                self.write_clusters(at, piece)?;
            } else {
                self.write_part(at, piece)?;
            }
            at += len;
            left = rest;
        }
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        // Data first: a table that points to data must never be on the disk before the data is.
        self.file.sync_data().map_err(|e| self.error(e))?;
        self.tables.flush().map_err(|e| self.error(e))?;
        self.file.sync_data().map_err(|e| self.error(e))
    }
}
