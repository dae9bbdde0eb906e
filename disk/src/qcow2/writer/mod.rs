//! Writing a capture: clusters are appended in any order, tables follow, the header comes last.

mod resume;

use super::Qcow2Error;
use super::encoder::{ClusterEncoder, Compression, EncodedCluster};
use super::entry::{self, L2Entry};
use super::header::{BackingName, CompressionType, Header, MAX_BACKING_NAME, MAX_L1_BYTES};
use super::lock::LockedFile;
use super::output::{Output, Run};
use super::packed::PackedArea;
use super::space::Space;
use super::tables::Tables;
use std::fs::File;
use std::io;
use std::path::Path;

/// Memory for L2 tables. One of 64 KiB maps 512 MiB of the disk.
const L2_MEMORY: usize = 32 << 20;

/// A cluster of zeros, whatever the image lies on: bit 0, and no place in the file.
const ZERO_ENTRY: u64 = 1;

/// Cluster size of captures as a power of two; measured, see docs/specification.md.
pub const DEFAULT_CLUSTER_BITS: u32 = 18;
/// Zstandard level of captures; measured, see docs/specification.md.
pub const DEFAULT_LEVEL: i32 = 1;

/// Choices for a new image.
#[derive(Clone, Copy, Debug)]
pub struct WriterOptions {
    /// Size of the virtual disk in bytes. The image's is the next multiple of 512.
    pub virtual_size: u64,
    /// 2^bits bytes a cluster, 9–21.
    pub cluster_bits: u32,
    /// How clusters are compressed.
    pub compression: Compression,
}

impl WriterOptions {
    fn whole_sectors(self) -> Self {
        WriterOptions {
            virtual_size: self.virtual_size.checked_next_multiple_of(512).unwrap_or(u64::MAX),
            ..self
        }
    }
}

/// What a finished image holds.
#[derive(Clone, Copy, Debug)]
pub struct Summary {
    /// Size of the image file in bytes.
    pub file_size: u64,
    /// Clusters stored compressed.
    pub compressed_clusters: u64,
    /// Clusters stored plain.
    pub plain_clusters: u64,
}

/// Appends clusters to a new image. Until [`finish`](Writer::finish) the file has no valid header.
///
/// Dropped before that, it leaves the unfinished file: deleting it is the caller's business.
/// Memory is bounded whatever the disk's size: about 40 MiB, and 8 bytes for each L2 table (512 MiB of disk at
/// 64 KiB a cluster).
pub struct Writer {
    out: Output,
    options: WriterOptions,
    space: Space,
    l2: Tables,
    packed: PackedArea,
    plain: Run,
    backing: Option<BackingName>,
    compressed_clusters: u64,
    plain_clusters: u64,
}

impl Writer {
    /// Creates `path`, which must not exist, and locks it.
    pub fn create(path: &Path, options: WriterOptions) -> Result<Self, Qcow2Error> {
        let options = options.whole_sectors();
        check(path, options)?;
        let file = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(path)
            .map_err(|e| Qcow2Error::io(path, e))?;
        let mut out = Output::new(LockedFile::exclusive(file, path)?, path);
        let space = Space::new(&mut out, options.cluster_bits)?;
        Ok(Writer::with(out, options, space))
    }

    fn with(out: Output, options: WriterOptions, space: Space) -> Self {
        Writer {
            out,
            options,
            space,
            l2: Tables::new(1 << options.cluster_bits, L2_MEMORY),
            packed: PackedArea::default(),
            plain: Run::default(),
            backing: None,
            compressed_clusters: 0,
            plain_clusters: 0,
        }
    }

    /// Lets the image lie on another one (qcow2), whose name is relative to the image's folder: what is not appended is
    /// read from there, and zeros that are appended hide what it has. To be said before anything is appended.
    pub fn lie_on(&mut self, name: &[u8]) -> Result<(), Qcow2Error> {
        // QEMU takes what stands before a colon for a protocol.
        let fits = u32::try_from(name.len()).is_ok_and(|length| length > 0 && length <= MAX_BACKING_NAME);
        let first = name.split(|byte| *byte == b'/').next().unwrap_or_default();
        if !fits || name.contains(&0) || first.contains(&b':') {
            return Err(self.misuse(format!("an image cannot lie on \"{}\"", String::from_utf8_lossy(name))));
        }
        self.backing = Some(BackingName {
            name: name.to_vec(),
            format: Some(b"qcow2".to_vec()),
        });
        Ok(())
    }

    /// Hands everything that was appended to the system; the length of the file in bytes. Once the file was synced,
    /// [`resume`](Writer::resume) can go on from there.
    pub fn flush(&mut self) -> Result<u64, Qcow2Error> {
        self.plain.flush(&mut self.out)?;
        self.packed.flush(&mut self.out)?;
        self.out.len()
    }

    /// The file, for syncing it in another thread.
    pub fn file(&self) -> Result<File, Qcow2Error> {
        self.out.clone_file()
    }

    /// The image file's path.
    pub fn path(&self) -> &Path {
        self.out.path()
    }

    /// What it was made with.
    pub fn options(&self) -> WriterOptions {
        self.options
    }

    /// Cluster size in bytes.
    pub fn cluster_size(&self) -> u64 {
        1 << self.options.cluster_bits
    }

    /// An encoder for this image, for one thread.
    pub fn encoder(&self) -> Result<ClusterEncoder, Qcow2Error> {
        ClusterEncoder::new(
            self.out.path().to_owned(),
            self.options.cluster_bits,
            self.options.compression,
        )
    }

    /// Appends the contents of guest cluster number `cluster` (virtual offset / cluster size). Each at most once.
    ///
    /// The answer is where it is, as an L2 entry; none for zeros, which are nowhere unless the image [lies](Writer::lie_on) on
    /// another one.
    pub fn append(&mut self, cluster: u64, data: &EncodedCluster) -> Result<Option<u64>, Qcow2Error> {
        if cluster >= self.options.virtual_size.div_ceil(self.cluster_size()) {
            return Err(self.misuse(format!("cluster {cluster} lies past the end of the disk")));
        }
        let data_len = match data {
            EncodedCluster::Zero if self.backing.is_none() => return Ok(None),
            EncodedCluster::Zero => {
                let slot = self.free_slot(cluster)?;
                self.l2.set(&mut self.out, slot.0, slot.1, &ZERO_ENTRY.to_be_bytes())?;
                return Ok(Some(ZERO_ENTRY));
            }
            EncodedCluster::Compressed(data) | EncodedCluster::Plain(data) => data.len() as u64,
        };
        let compressed = matches!(data, EncodedCluster::Compressed(_));
        if data_len == 0 || data_len > self.cluster_size() || !compressed && data_len != self.cluster_size() {
            return Err(self.misuse(format!("cluster {cluster} was encoded for another image")));
        }
        let slot = self.free_slot(cluster)?;
        let entry = match data {
            EncodedCluster::Zero => return Ok(None),
            EncodedCluster::Plain(data) => {
                let offset = self.space.allocate(&mut self.out, 1)?;
                self.plain.push(&mut self.out, offset, data)?;
                self.plain_clusters += 1;
                L2Entry::encode_plain(offset)
            }
            EncodedCluster::Compressed(data) => {
                let offset = self.packed.push(&mut self.out, &mut self.space, data)?;
                self.compressed_clusters += 1;
                L2Entry::encode_compressed(offset, data_len, self.options.cluster_bits)
                    .ok_or_else(|| self.misuse("the image file has become too large for its cluster size".into()))?
            }
        };
        self.l2.set(&mut self.out, slot.0, slot.1, &entry.to_be_bytes())?;
        Ok(Some(entry))
    }

    /// Writes tables and header and syncs the file: now it is an image. Renaming it and syncing its folder is the
    /// caller's business.
    pub fn finish(mut self) -> Result<Summary, Qcow2Error> {
        self.plain.flush(&mut self.out)?;
        self.packed.finish(&mut self.out, &mut self.space)?;
        self.l2.flush(&mut self.out)?;

        let mut header = header_for(self.options);
        header.backing = self.backing.take();
        let l1_bytes = u64::from(header.l1_entries) * 8;
        let l1_clusters = l1_bytes.div_ceil(self.cluster_size());
        header.l1_offset = self.space.allocate(&mut self.out, l1_clusters)?;
        let mut l1: Vec<u8> = self
            .l2
            .offsets()
            .iter()
            .flat_map(|o| l1_entry(*o).to_be_bytes())
            .collect();
        l1.resize(l1_bytes as usize, 0);
        self.out.write(header.l1_offset, &l1)?;

        let (table, clusters, file_size) = self.space.finish(&mut self.out)?;
        header.refcount_table_offset = table;
        header.refcount_table_clusters = clusters;
        // Everything that the header speaks of is on the disk before the header is.
        self.out.set_len_and_sync(file_size)?;
        self.out.write(0, &header.encode())?;
        self.out.set_len_and_sync(file_size)?;
        Ok(Summary {
            file_size,
            compressed_clusters: self.compressed_clusters,
            plain_clusters: self.plain_clusters,
        })
    }

    /// The place of `cluster`'s entry: number of its L2 table (made if need be) and byte in it. An error if it has
    /// one already.
    fn free_slot(&mut self, cluster: u64) -> Result<(usize, usize), Qcow2Error> {
        let l2_bits = self.options.cluster_bits - 3;
        let table = (cluster >> l2_bits) as usize;
        let at = (cluster & ((1 << l2_bits) - 1)) as usize * 8;
        if !self.l2.exists(table) {
            let offset = self.space.allocate(&mut self.out, 1)?;
            self.l2.create(table, offset);
        } else if self.l2.get(&mut self.out, table, at)? != [0; 8] {
            return Err(self.misuse(format!("cluster {cluster} was appended before")));
        }
        Ok((table, at))
    }

    fn misuse(&self, message: String) -> Qcow2Error {
        self.out.error(io::Error::new(io::ErrorKind::InvalidInput, message))
    }
}

fn l1_entry(l2_offset: u64) -> u64 {
    if l2_offset == 0 { 0 } else { entry::encode_l1(l2_offset) }
}

/// The header but for the places of the tables.
fn header_for(options: WriterOptions) -> Header {
    let mut header = Header {
        version: 3,
        cluster_bits: options.cluster_bits,
        size: options.virtual_size,
        l1_entries: 0,
        l1_offset: 0,
        refcount_table_offset: 0,
        refcount_table_clusters: 0,
        compression: match options.compression {
            Compression::None | Compression::Zlib => CompressionType::Zlib,
            Compression::Zstd(_) => CompressionType::Zstd,
        },
        extended_l2: false,
        backing: None,
    };
    header.l1_entries = header.l1_entries_needed().max(1) as u32;
    header
}

/// Whether there can be an image like this.
fn check(path: &Path, options: WriterOptions) -> Result<(), Qcow2Error> {
    let refuse = |message: String| {
        Err(Qcow2Error::io(
            path,
            io::Error::new(io::ErrorKind::InvalidInput, message),
        ))
    };
    if !(9..=21).contains(&options.cluster_bits) {
        return refuse(format!("clusters of 2^{} bytes (not 9 to 21)", options.cluster_bits));
    }
    // Each L1 entry stands for a table of 2^(bits - 3) clusters.
    let most = (MAX_L1_BYTES / 8) << (2 * options.cluster_bits - 3);
    if options.virtual_size > most.min(i64::MAX as u64) {
        return refuse(format!(
            "a disk of {} bytes is too large for clusters of 2^{} bytes (at most {most})",
            options.virtual_size, options.cluster_bits
        ));
    }
    Ok(())
}
