//! How a member is compressed, and the decompressors.

use super::lz4;
use std::cell::Cell;
use std::fmt;
use std::io::{self, BufRead, BufReader, Read};

/// How much a decompressor may allocate: enough for `xz -9` with its dictionary of 64 MiB.
const MEMORY: u64 = 256 << 20;
/// Bytes that are unpacked in one go.
const BUFFER: usize = 128 << 10;

/// How a member is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Compression {
    /// A plain cpio archive.
    None,
    Gzip,
    Bzip2,
    /// The `.lzma` format, older than xz.
    Lzma,
    Xz,
    /// Cannot be read.
    Lzo,
    /// The legacy format of `lz4 -l`: the only one that the kernel takes.
    Lz4Legacy,
    Zstd,
}

/// First bytes, as in the kernel's lib/decompress.c, but for lz4 the whole number.
const MAGIC: [(&[u8], Compression); 8] = [
    (&[0x1f, 0x8b], Compression::Gzip),
    (&[0x1f, 0x9e], Compression::Gzip),
    (b"BZh", Compression::Bzip2),
    (&[0x5d, 0x00], Compression::Lzma),
    (&[0xfd, b'7', b'z', b'X', b'Z', 0], Compression::Xz),
    (&[0x89, b'L', b'Z', b'O'], Compression::Lzo),
    (&lz4::MAGIC, Compression::Lz4Legacy),
    (&[0x28, 0xb5, 0x2f, 0xfd], Compression::Zstd),
];

impl Compression {
    /// The compression of what begins with these bytes.
    pub(super) fn of(bytes: &[u8]) -> Option<Self> {
        if bytes.first() == Some(&b'0') {
            return Some(Self::None);
        }
        MAGIC
            .iter()
            .find_map(|(magic, compression)| bytes.starts_with(magic).then_some(*compression))
    }

    /// Unpacks what `source` gives; `None` if this compression cannot be read.
    pub(super) fn reader<'b>(self, source: Source<'b>) -> io::Result<Option<Box<dyn BufRead + 'b>>> {
        Ok(Some(match self {
            Self::None => Box::new(source),
            Self::Gzip => buffered(flate2::bufread::GzDecoder::new(source)),
            Self::Bzip2 => buffered(bzip2::bufread::BzDecoder::new(source)),
            Self::Lzma => {
                let stream = liblzma::stream::Stream::new_lzma_decoder(MEMORY)?;
                buffered(liblzma::bufread::XzDecoder::new_stream(source, stream))
            }
            Self::Xz => {
                let stream = liblzma::stream::Stream::new_stream_decoder(MEMORY, 0)?;
                buffered(liblzma::bufread::XzDecoder::new_stream(source, stream))
            }
            Self::Lzo => return Ok(None),
            Self::Lz4Legacy => Box::new(lz4::Frames::new(source)),
            Self::Zstd => buffered(zstd::stream::read::Decoder::with_buffer(source)?.single_frame()),
        }))
    }
}

fn buffered<'b>(decoder: impl Read + 'b) -> Box<dyn BufRead + 'b> {
    Box::new(BufReader::with_capacity(BUFFER, decoder))
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "not compressed",
            Self::Gzip => "gzip",
            Self::Bzip2 => "bzip2",
            Self::Lzma => "lzma",
            Self::Xz => "xz",
            Self::Lzo => "lzo",
            Self::Lz4Legacy => "lz4",
            Self::Zstd => "zstd",
        })
    }
}

/// The bytes that a decompressor reads; tells how many of them it took.
pub(super) struct Source<'b> {
    rest: &'b [u8],
    used: &'b Cell<usize>,
}

impl<'b> Source<'b> {
    pub(super) fn new(bytes: &'b [u8], used: &'b Cell<usize>) -> Self {
        Self { rest: bytes, used }
    }

    /// What was not taken yet.
    pub(super) fn rest(&self) -> &'b [u8] {
        self.rest
    }
}

impl Read for Source<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut rest = self.rest;
        let count = rest.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for Source<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        Ok(self.rest)
    }

    fn consume(&mut self, count: usize) {
        self.rest = self.rest.get(count..).unwrap_or_default();
        self.used.set(self.used.get().saturating_add(count));
    }
}
