//! The qcow2 header: what an image is. Source: QEMU's `docs/interop/qcow2.txt`, sections "Header" and
//! "Header extensions".
#![warn(clippy::arithmetic_side_effects, clippy::as_conversions, clippy::indexing_slicing)]

/// Bytes that every image starts with.
pub(super) const MAGIC: [u8; 4] = *b"QFI\xfb";
/// Length of the header of version 2.
const V2_LENGTH: usize = 72;
/// Length of the header of version 3 up to and with the compression type (and its padding).
const V3_LENGTH: u32 = 112;
/// Length of the shortest header of version 3.
const V3_MIN_LENGTH: u32 = 104;
/// Clusters have at most 2^21 bytes.
pub(super) const MAX_CLUSTER_BITS: u32 = 21;
/// QEMU refuses an L1 table of more bytes than this.
pub(super) const MAX_L1_BYTES: u64 = 32 << 20;
/// QEMU refuses a refcount table of more bytes than this.
pub(super) const MAX_REFCOUNT_TABLE_BYTES: u64 = 8 << 20;
/// Longest backing file name.
pub(super) const MAX_BACKING_NAME: u32 = 1023;
/// Header extensions looked at before giving up: there are six known ones.
const MAX_EXTENSIONS: usize = 64;

const INCOMPATIBLE_DIRTY: u64 = 1 << 0;
const INCOMPATIBLE_CORRUPT: u64 = 1 << 1;
const INCOMPATIBLE_EXTERNAL_DATA: u64 = 1 << 2;
const INCOMPATIBLE_COMPRESSION_TYPE: u64 = 1 << 3;
const INCOMPATIBLE_EXTENDED_L2: u64 = 1 << 4;

const EXTENSION_END: u32 = 0;
const EXTENSION_BACKING_FORMAT: u32 = 0xe279_2aca;

/// How compressed clusters are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CompressionType {
    /// Raw deflate with a window of at most 4 KiB.
    Zlib,
    /// One Zstandard frame a cluster.
    Zstd,
}

/// The file that holds what an image does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BackingName {
    /// As it is written in the image.
    pub(super) name: Vec<u8>,
    /// Its format, where the image says (it should).
    pub(super) format: Option<Vec<u8>>,
}

/// What the header says, checked as far as the header alone allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// 2 or 3.
    pub(super) version: u32,
    /// 2^bits bytes a cluster.
    pub(super) cluster_bits: u32,
    /// Size of the virtual disk in bytes.
    pub(super) size: u64,
    /// Entries of the L1 table.
    pub(super) l1_entries: u32,
    /// Where the L1 table is in the file, in bytes.
    pub(super) l1_offset: u64,
    /// Where the refcount table is in the file, in bytes.
    pub(super) refcount_table_offset: u64,
    /// Length of the refcount table in clusters.
    pub(super) refcount_table_clusters: u32,
    /// How compressed clusters are compressed.
    pub(super) compression: CompressionType,
    /// L2 entries are 16 bytes long and know 32 parts of each cluster.
    pub(super) extended_l2: bool,
    /// The file behind this one.
    pub(super) backing: Option<BackingName>,
}

/// Why a header is refused.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum HeaderError {
    /// It breaks a rule: which, and what was found.
    Invalid(String),
    /// It needs what this reader does not have.
    Unsupported(String),
}

fn invalid<T>(reason: impl Into<String>) -> Result<T, HeaderError> {
    Err(HeaderError::Invalid(reason.into()))
}

fn unsupported<T>(feature: impl Into<String>) -> Result<T, HeaderError> {
    Err(HeaderError::Unsupported(feature.into()))
}

fn be32(bytes: &[u8], at: usize) -> Result<u32, HeaderError> {
    match bytes.get(at..).and_then(|tail| tail.first_chunk()) {
        Some(field) => Ok(u32::from_be_bytes(*field)),
        None => invalid(format!("the file ends inside the header (field at byte {at})")),
    }
}

fn be64(bytes: &[u8], at: usize) -> Result<u64, HeaderError> {
    match bytes.get(at..).and_then(|tail| tail.first_chunk()) {
        Some(field) => Ok(u64::from_be_bytes(*field)),
        None => invalid(format!("the file ends inside the header (field at byte {at})")),
    }
}

impl Header {
    /// How many bytes from the start of the file [`parse`](Header::parse) may need for `cluster_bits` unknown:
    /// the header, its extensions and the backing name lie in the first cluster, in practice in its first 64 KiB.
    pub(super) const PARSE_LENGTH: usize = 64 << 10;

    /// Reads the header from `bytes`, the start of the file: its first [`PARSE_LENGTH`](Header::PARSE_LENGTH)
    /// bytes or all of it.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, HeaderError> {
        if bytes.get(..4) != Some(&MAGIC) {
            return invalid("it does not start with the bytes QFI\\xfb");
        }
        let version = be32(bytes, 4)?;
        if version < 2 {
            return unsupported(format!("qcow version {version}"));
        }
        if version > 3 {
            return unsupported(format!("qcow2 version {version}"));
        }
        let cluster_bits = be32(bytes, 20)?;
        if !(9..=MAX_CLUSTER_BITS).contains(&cluster_bits) {
            return invalid(format!("cluster_bits is {cluster_bits}, not 9 to 21"));
        }
        match be32(bytes, 32)? {
            0 => {}
            1 => return unsupported("AES encryption"),
            2 => return unsupported("LUKS encryption"),
            other => return invalid(format!("unknown encryption method {other}")),
        }
        let (incompatible, header_length) = if version == 2 {
            (0, 72)
        } else {
            (be64(bytes, 72)?, be32(bytes, 100)?)
        };
        check_features(incompatible)?;
        if version == 3 && (header_length < V3_MIN_LENGTH || !header_length.is_multiple_of(8)) {
            return invalid(format!("header length is {header_length}"));
        }
        let compression = if header_length > V3_MIN_LENGTH {
            match bytes.get(104) {
                Some(0) => CompressionType::Zlib,
                Some(1) => CompressionType::Zstd,
                Some(other) => return unsupported(format!("compression type {other}")),
                None => return invalid("the file ends inside the header"),
            }
        } else {
            CompressionType::Zlib
        };
        if (incompatible & INCOMPATIBLE_COMPRESSION_TYPE != 0) != (compression != CompressionType::Zlib) {
            return invalid("compression type and feature bit contradict each other");
        }
        let extended_l2 = incompatible & INCOMPATIBLE_EXTENDED_L2 != 0;
        if extended_l2 && cluster_bits < 14 {
            return invalid(format!("extended L2 entries with cluster_bits {cluster_bits}"));
        }
        let header = Header {
            version,
            cluster_bits,
            size: be64(bytes, 24)?,
            l1_entries: be32(bytes, 36)?,
            l1_offset: be64(bytes, 40)?,
            refcount_table_offset: be64(bytes, 48)?,
            refcount_table_clusters: be32(bytes, 56)?,
            compression,
            extended_l2,
            backing: parse_backing(bytes, header_length, cluster_bits)?,
        };
        header.check_l1()?;
        Ok(header)
    }

    /// Bytes a cluster.
    pub(super) fn cluster_size(&self) -> u64 {
        1 << self.cluster_bits
    }

    /// Base-2 logarithm of the number of entries of an L2 table.
    pub(super) fn l2_bits(&self) -> u32 {
        self.cluster_bits.saturating_sub(if self.extended_l2 { 4 } else { 3 })
    }

    /// Entries that the L1 table must have for a disk of this size.
    pub(super) fn l1_entries_needed(&self) -> u64 {
        self.size
            .div_ceil(1 << self.cluster_bits.saturating_add(self.l2_bits()))
    }

    fn check_l1(&self) -> Result<(), HeaderError> {
        if i64::try_from(self.size).is_err() {
            return invalid(format!("the virtual size is {} bytes", self.size));
        }
        let bytes = u64::from(self.l1_entries).saturating_mul(8);
        if bytes > MAX_L1_BYTES {
            return invalid(format!("the L1 table has {} entries", self.l1_entries));
        }
        if self.l1_entries_needed() > u64::from(self.l1_entries) {
            return invalid(format!(
                "the L1 table has {} entries, and a disk of {} bytes needs {}",
                self.l1_entries,
                self.size,
                self.l1_entries_needed()
            ));
        }
        if self.l1_entries > 0 && !self.l1_offset.is_multiple_of(self.cluster_size()) {
            return invalid(format!(
                "the L1 table at {:#x} is not at a cluster border",
                self.l1_offset
            ));
        }
        Ok(())
    }

    /// The header of a new image, version 3, 16-bit reference counts.
    pub(super) fn encode(&self) -> Vec<u8> {
        let incompatible = match self.compression {
            CompressionType::Zlib => 0,
            CompressionType::Zstd => INCOMPATIBLE_COMPRESSION_TYPE,
        };
        let backing = self.backing.as_ref();
        let name = backing.map_or(&[][..], |backing| &backing.name);
        let mut extensions = Vec::new();
        if let Some(format) = backing.and_then(|backing| backing.format.as_ref()) {
            extensions.extend(EXTENSION_BACKING_FORMAT.to_be_bytes());
            extensions.extend(u32::try_from(format.len()).unwrap_or(0).to_be_bytes());
            extensions.extend(format);
            extensions.resize(extensions.len().next_multiple_of(8), 0);
        }
        extensions.extend(EXTENSION_END.to_be_bytes());
        extensions.extend([0; 4]);
        // The name comes last; without one there is no place either.
        let before = u64::from(V3_LENGTH).saturating_add(u64::try_from(extensions.len()).unwrap_or(0));
        let place = if name.is_empty() { 0 } else { before };
        let mut out = Vec::with_capacity(128);
        out.extend(MAGIC);
        out.extend(3u32.to_be_bytes());
        out.extend(place.to_be_bytes());
        out.extend(u32::try_from(name.len()).unwrap_or(0).to_be_bytes());
        out.extend(self.cluster_bits.to_be_bytes());
        out.extend(self.size.to_be_bytes());
        out.extend([0; 4]); // no encryption
        out.extend(self.l1_entries.to_be_bytes());
        out.extend(self.l1_offset.to_be_bytes());
        out.extend(self.refcount_table_offset.to_be_bytes());
        out.extend(self.refcount_table_clusters.to_be_bytes());
        out.extend([0; 12]); // no snapshots
        out.extend(incompatible.to_be_bytes());
        out.extend([0; 16]); // no compatible and autoclear features
        out.extend(4u32.to_be_bytes()); // 2^4 bits a reference count
        out.extend(V3_LENGTH.to_be_bytes());
        out.push(match self.compression {
            CompressionType::Zlib => 0,
            CompressionType::Zstd => 1,
        });
        out.extend([0; 7]);
        out.extend(extensions);
        out.extend(name);
        out
    }
}

fn check_features(incompatible: u64) -> Result<(), HeaderError> {
    // A dirty image's reference counts may be wrong: that matters to writers only.
    let known = INCOMPATIBLE_DIRTY | INCOMPATIBLE_COMPRESSION_TYPE | INCOMPATIBLE_EXTENDED_L2;
    if incompatible & INCOMPATIBLE_CORRUPT != 0 {
        return invalid("it is marked as corrupt; try: qemu-img check -r all (on a copy)");
    }
    if incompatible & INCOMPATIBLE_EXTERNAL_DATA != 0 {
        return unsupported("an external data file");
    }
    if incompatible & !known != 0 {
        return unsupported(format!("unknown features (bits {:#x})", incompatible & !known));
    }
    Ok(())
}

fn parse_backing(bytes: &[u8], header_length: u32, cluster_bits: u32) -> Result<Option<BackingName>, HeaderError> {
    let offset = be64(bytes, 8)?;
    let length = be32(bytes, 16)?;
    if offset == 0 {
        return Ok(None);
    }
    let end = offset.saturating_add(u64::from(length));
    if length > MAX_BACKING_NAME || end > 1 << cluster_bits {
        return invalid(format!("the backing file name has {length} bytes at {offset:#x}"));
    }
    let name = usize::try_from(offset)
        .ok()
        .zip(usize::try_from(end).ok())
        .and_then(|(start, end)| bytes.get(start..end));
    let Some(name) = name else {
        return invalid(format!("the backing file name at {offset:#x} lies past the end"));
    };
    if name.is_empty() {
        return Ok(None);
    }
    if name.contains(&0) {
        return invalid("the backing file name holds a zero byte");
    }
    let format = find_extension(bytes, header_length, offset, EXTENSION_BACKING_FORMAT)?;
    Ok(Some(BackingName {
        name: name.to_vec(),
        format: format.map(<[u8]>::to_vec),
    }))
}

/// The contents of the first header extension of type `wanted`. Extensions end at `limit`, the backing file name.
fn find_extension(bytes: &[u8], start: u32, limit: u64, wanted: u32) -> Result<Option<&[u8]>, HeaderError> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX).min(bytes.len());
    let mut at = usize::try_from(start).unwrap_or(usize::MAX).max(V2_LENGTH);
    for _ in 0..MAX_EXTENSIONS {
        let body = at.saturating_add(8);
        if body > limit {
            return Ok(None);
        }
        let kind = be32(bytes, at)?;
        let length = usize::try_from(be32(bytes, at.saturating_add(4))?).unwrap_or(usize::MAX);
        if kind == EXTENSION_END {
            return Ok(None);
        }
        let end = body.saturating_add(length);
        if end > limit {
            return invalid(format!("header extension {kind:#x} has {length} bytes at {at:#x}"));
        }
        if kind == wanted {
            return Ok(bytes.get(body..end));
        }
        at = end.checked_next_multiple_of(8).unwrap_or(usize::MAX);
    }
    invalid(format!("more than {MAX_EXTENSIONS} header extensions"))
}
