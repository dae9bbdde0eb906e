//! Reading qcow2 images, with their backing chain, from several threads.

use super::backing;
use super::cache::Cache;
use super::decompress::Decompressors;
use super::header::CompressionType;
use super::layer::{Format, Layer, Place, TableCache};
use super::{Qcow2Error, header::Header};
use crate::extent::ExtentSet;
use crate::io::{ReadAt, check_bounds};
use rustix::fs::SeekFrom;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

/// How much memory a reader takes.
#[derive(Clone, Copy, Debug)]
pub struct ImageOptions {
    /// Bytes of decompressed clusters kept for the next read.
    pub cluster_cache: usize,
    /// Bytes of mapping tables kept. 1 MiB maps 8 GiB at 64 KiB a cluster.
    pub table_cache: usize,
}

impl Default for ImageOptions {
    fn default() -> Self {
        ImageOptions {
            cluster_cache: 16 << 20,
            table_cache: 4 << 20,
        }
    }
}

/// A qcow2 image opened read-only, with everything that backs it. Internal snapshots are not seen, only the disk
/// as it is now.
///
/// Its files are locked against writers as long as it lives.
pub struct Image {
    /// The image, what backs it, what backs that…
    layers: Vec<Layer>,
    size: u64,
    cluster_size: u64,
    tables: TableCache,
    /// Decompressed clusters by (layer number, offset on the disk).
    clusters: Cache<(usize, u64), Arc<[u8]>>,
    decompressors: Decompressors,
}

impl Image {
    /// Opens `path` and its backing chain (qcow2 or raw).
    pub fn open(path: &Path) -> Result<Self, Qcow2Error> {
        Self::open_with(path, ImageOptions::default())
    }

    /// The same with other amounts of memory.
    pub fn open_with(path: &Path, options: ImageOptions) -> Result<Self, Qcow2Error> {
        let layers = backing::open_chain(path)?;
        let (size, cluster_size) = match layers.first().map(|layer| &layer.format) {
            Some(Format::Qcow2(header)) => (header.size, header.cluster_size()),
            _ => return Err(Qcow2Error::invalid(path, "it is no qcow2 image")),
        };
        Ok(Image {
            layers,
            size,
            cluster_size,
            tables: Cache::new(options.table_cache),
            clusters: Cache::new(options.cluster_cache),
            decompressors: Decompressors::default(),
        })
    }

    /// Cluster size in bytes.
    pub fn cluster_size(&self) -> u64 {
        self.cluster_size
    }

    /// The parts that any image of the chain has data for; the rest reads as zeros.
    pub fn allocated(&self) -> io::Result<ExtentSet> {
        let mut found = ExtentSet::new();
        self.collect(0, 0..self.size, &mut found)?;
        Ok(found)
    }

    /// Adds to `found` what layer `number` and those behind it have data for in `range`.
    fn collect(&self, number: usize, range: Range<u64>, found: &mut ExtentSet) -> io::Result<()> {
        let Some(layer) = self.layers.get(number) else {
            return Ok(());
        };
        let end = range.end.min(layer.disk_size());
        let mut at = range.start;
        while at < end {
            let (place, len) = layer.locate(number, &self.tables, at, end - at)?;
            match place {
                Place::Behind => self.collect(number + 1, at..at + len, found)?,
                Place::Zero => {}
                Place::Plain(_) if matches!(layer.format, Format::Raw) => collect_raw(layer, at..at + len, found)?,
                Place::Plain(_) | Place::Compressed { .. } => found.insert(at..at + len),
            }
            at += len;
        }
        Ok(())
    }

    /// Reads some of `buf` from `offset`, at least one byte; how many.
    fn read_some(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        let mut len = buf.len() as u64;
        for (number, layer) in self.layers.iter().enumerate() {
            if offset >= layer.disk_size() {
                break;
            }
            let (place, run) = layer.locate(number, &self.tables, offset, len)?;
            len = len.min(run);
            let wanted = len as usize;
            match place {
                Place::Behind => continue,
                Place::Zero => buf[..wanted].fill(0),
                Place::Plain(host) => read_plain(layer, host, &mut buf[..wanted])?,
                Place::Compressed {
                    offset: host,
                    max_len,
                    cluster,
                } => {
                    let source = (host, max_len as usize);
                    self.read_compressed(number, source, cluster, offset, &mut buf[..wanted])?;
                }
            }
            return Ok(wanted);
        }
        let wanted = len as usize;
        buf[..wanted].fill(0);
        Ok(wanted)
    }

    /// Fills `buf` with the bytes from `offset` of the disk, which lie in the compressed cluster that starts at
    /// `cluster` of the disk and is at `source` (offset and length in bytes) of the file.
    fn read_compressed(
        &self,
        number: usize,
        source: (u64, usize),
        cluster: u64,
        offset: u64,
        buf: &mut [u8],
    ) -> io::Result<()> {
        let layer = &self.layers[number];
        let Format::Qcow2(header) = &layer.format else {
            return Ok(());
        };
        let start = (offset - cluster) as usize;
        let key = (number, cluster);
        if let Some(data) = self.clusters.get(&key) {
            buf.copy_from_slice(&data[start..start + buf.len()]);
            return Ok(());
        }
        if buf.len() as u64 == header.cluster_size() {
            // All of it is wanted: nobody will ask again soon, so it stays out of the cache.
            return self.decompress(layer, header, source, cluster, buf);
        }
        let mut data = vec![0; header.cluster_size() as usize];
        self.decompress(layer, header, source, cluster, &mut data)?;
        buf.copy_from_slice(&data[start..start + buf.len()]);
        let bytes = data.len();
        self.clusters.insert(key, data.into(), bytes);
        Ok(())
    }

    fn decompress(
        &self,
        layer: &Layer,
        header: &Header,
        (host, len): (u64, usize),
        cluster: u64,
        out: &mut [u8],
    ) -> io::Result<()> {
        let mut data = vec![0; len];
        read_plain(layer, host, &mut data)?;
        let kind: CompressionType = header.compression;
        self.decompressors.run(kind, &data, out).map_err(|problem| {
            let reason = format!("the compressed cluster at {cluster:#x} of the disk is damaged ({problem})");
            Qcow2Error::invalid(&layer.path, reason).into()
        })
    }
}

impl ReadAt for Image {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        check_bounds(offset, buf.len(), self.size)?;
        let mut done = 0;
        while done < buf.len() {
            done += self.read_some(offset + done as u64, &mut buf[done..])?;
        }
        Ok(())
    }
}

/// Reads from `host` of the layer's file. A file may end inside its last cluster: the rest of that is zeros.
fn read_plain(layer: &Layer, host: u64, buf: &mut [u8]) -> io::Result<()> {
    let there = layer.file_size.saturating_sub(host).min(buf.len() as u64) as usize;
    let (data, rest) = buf.split_at_mut(there);
    rest.fill(0);
    layer
        .file
        .read_exact_at(data, host)
        .map_err(|e| Qcow2Error::io(&layer.path, e).into())
}

/// Adds the parts of a raw file that are not holes.
fn collect_raw(layer: &Layer, range: Range<u64>, found: &mut ExtentSet) -> io::Result<()> {
    let mut at = range.start;
    while at < range.end {
        // Reads name their offset, so moving the file's position disturbs nobody.
        let start = match rustix::fs::seek(&*layer.file, SeekFrom::Data(at)) {
            Ok(start) => start,
            Err(rustix::io::Errno::NXIO) => return Ok(()),
            // Block devices and some filesystems cannot tell.
            Err(_) => {
                found.insert(at..range.end);
                return Ok(());
            }
        };
        let end = rustix::fs::seek(&*layer.file, SeekFrom::Hole(start)).unwrap_or(range.end);
        found.insert(start.max(at)..end.min(range.end));
        at = end.max(start + 1);
    }
    Ok(())
}
