//! One file, folder or link of an archive.

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Folder,
    File,
    Symlink,
    /// Device, pipe, socket.
    Other,
}

/// One file, folder or link of an archive.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// The name without `/` or `./` in front; bytes that are not UTF-8 are replaced.
    pub(crate) path: String,
    /// Type and permissions, as in `st_mode`.
    pub(crate) mode: u32,
    /// Bytes of a file's contents.
    pub(crate) size: u64,
    /// CRC-32 of a file's contents.
    pub(crate) crc: u32,
    /// Where a symbolic link leads.
    pub(crate) target: Option<String>,
    /// The contents, if they were asked for.
    pub(crate) contents: Option<Vec<u8>>,
}

impl Entry {
    pub(crate) fn kind(&self) -> Kind {
        match self.mode & 0o170_000 {
            0o040_000 => Kind::Folder,
            0o100_000 => Kind::File,
            0o120_000 => Kind::Symlink,
            _ => Kind::Other,
        }
    }

    /// Whether it is a file with these contents, by length and checksum.
    pub(super) fn is_like(&self, contents: &[u8]) -> bool {
        let mut crc = flate2::Crc::new();
        crc.update(contents);
        self.kind() == Kind::File && u64::try_from(contents.len()) == Ok(self.size) && crc.sum() == self.crc
    }
}

/// A path without empty parts and without `.`.
pub(super) fn clean(path: &str) -> String {
    parts(path).collect::<Vec<_>>().join("/")
}

/// The parts of a path, without empty ones and without `.`.
pub(super) fn parts(path: &str) -> impl DoubleEndedIterator<Item = &str> {
    path.split('/').filter(|part| !matches!(*part, "" | "."))
}
