//! Why an initramfs cannot be read.

use super::compression::Compression;

/// Why an initramfs cannot be read. Offsets are in bytes from the start of the file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum InitramfsError {
    /// The file is empty or all zeros.
    #[error("the initramfs holds no archive: all of its {0} bytes are zero; make it anew on the old PC")]
    Empty(usize),
    /// What is there is neither a cpio archive nor in a compression that the kernel knows.
    #[error("the initramfs is not understood at byte {offset}: {what}, where an archive should begin")]
    Unknown {
        /// Where the archive should begin.
        offset: usize,
        /// What the bytes look like.
        what: String,
    },
    /// A plain archive at a place where the kernel takes none.
    #[error("the initramfs has an archive at byte {0}, which is no multiple of 4: the kernel does not accept it")]
    Unaligned(usize),
    /// A compression that the kernel knows and this program does not.
    #[error("the archive at byte {offset} of the initramfs is compressed with {compression}, which cannot be read")]
    Unsupported {
        /// Where the archive begins.
        offset: usize,
        /// Its compression.
        compression: Compression,
    },
    /// The compressed data is damaged.
    #[error("the archive at byte {offset} of the initramfs ({compression}) is damaged: {reason}")]
    Damaged {
        /// Where the archive begins.
        offset: usize,
        /// Its compression.
        compression: Compression,
        /// What the decompressor said.
        reason: String,
    },
    /// The archive is damaged.
    #[error(
        "the archive at byte {offset} of the initramfs ({compression}) is damaged at byte {at} of its unpacked data: \
         {problem}"
    )]
    Cpio {
        /// Where the archive begins.
        offset: usize,
        /// Its compression.
        compression: Compression,
        /// Where in the unpacked data.
        at: u64,
        /// What is wrong there.
        problem: CpioProblem,
    },
    /// More than [`Limits`](super::Limits) allow.
    #[error("the archive at byte {offset} of the initramfs unpacks to more than {limit} {unit}")]
    TooMuch {
        /// Where the archive begins.
        offset: usize,
        /// The limit.
        limit: u64,
        /// Of what.
        unit: &'static str,
    },
}

/// What is wrong with a cpio archive.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum CpioProblem {
    #[error("it ends inside an entry")]
    Truncated,
    #[error("{0} is no cpio header of the formats `newc` and `crc`")]
    Magic(String),
    #[error("a cpio header with {0} where a hexadecimal number should be")]
    Number(String),
    #[error("an entry's name is said to have {0} bytes; 2 to 4096 are possible")]
    NameLength(u32),
    #[error("an entry's name does not end with a zero byte")]
    NameEnd,
    #[error("an entry is more than {0} folders deep")]
    Depth(usize),
    #[error("the symbolic link {path} has a target of {size} bytes")]
    Target {
        /// The link.
        path: String,
        /// Bytes of its target.
        size: u32,
    },
    #[error("the checksum of {path} is {actual:08x} and should be {expected:08x}")]
    Checksum {
        /// The file.
        path: String,
        /// What the header says.
        expected: u32,
        /// What the contents give.
        actual: u32,
    },
    #[error("something that is neither an entry nor zeros, beginning with {0}")]
    Junk(String),
}
