//! The initramfs: the archive from which the kernel makes its first root filesystem.
//!
//! The file is a sequence of cpio archives, each plain or compressed, with zeros between them ([`Member`]). The kernel
//! unpacks them one after the other into one tree, so a later member overrides an earlier one; [`append`] makes use of
//! that. Source: "initramfs buffer format" in the kernel's documentation (driver-api/early-userspace), and what
//! init/initramfs.c and lib/decompress_*.c do where that document is silent.
//!
//! Everything here works on bytes in memory and never holds more than the compressed file, the names in it, and the
//! contents of the few files that are asked for.
#![warn(clippy::arithmetic_side_effects, clippy::as_conversions, clippy::indexing_slicing)]

mod append;
mod archive;
mod compression;
mod contents;
mod entry;
mod error;
mod generator;
mod header;
mod lz4;
mod member;
mod tree;
mod write;

#[cfg(test)]
mod tests;

pub(crate) use append::{NewEntry, append, check};
pub(crate) use contents::module_name;
pub(crate) use entry::{Entry, Kind};
pub(crate) use error::InitramfsError;
pub(crate) use generator::Generator;
pub(crate) use member::{Limits, Member};
#[cfg(test)]
pub(crate) use {append::AppendError, compression::Compression, contents::Modules, error::CpioProblem};

use tree::Tree;

/// What is in an initramfs.
#[derive(Debug)]
pub(crate) struct Initramfs {
    members: Vec<Member>,
    tree: Tree,
    /// Bytes of the file.
    len: u64,
}

impl Initramfs {
    /// Reads an initramfs.
    ///
    /// # Errors
    /// [`InitramfsError`] where the kernel, too, would stop unpacking, and where a limit is exceeded.
    pub(crate) fn parse(bytes: &[u8], limits: &Limits<'_>) -> Result<Self, InitramfsError> {
        let members = member::all(bytes, limits)?;
        let mut tree = Tree::default();
        for (place, member) in members.iter().enumerate() {
            for (index, entry) in member.entries.iter().enumerate() {
                tree.add(entry, (place, index));
            }
        }
        let len = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        Ok(Self { members, tree, len })
    }

    /// The archives of the file, in their order.
    #[cfg(test)]
    pub(crate) fn members(&self) -> &[Member] {
        &self.members
    }

    /// The entry that the kernel ends up with at `path`, symbolic links followed.
    pub(crate) fn entry(&self, path: &str) -> Option<&Entry> {
        let path = self.tree.resolve(path, true)?;
        self.at(self.tree.place(&path)?)
    }

    /// The contents of a file that [`Limits::keep`] asked for; `None` if there is no such file or it was not kept.
    pub(crate) fn contents(&self, path: &str) -> Option<&[u8]> {
        self.entry(path)?.contents.as_deref()
    }

    /// Every path that the kernel ends up with, without links followed, and its entry.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.tree
            .places()
            .filter_map(|(path, place)| Some((path, self.at(place)?)))
    }

    /// Whether the file that the kernel ends up with at this path is this one. Contents are compared by length and
    /// checksum (CRC-32): good against chance, not against malice.
    pub(crate) fn holds(&self, file: &NewEntry) -> bool {
        self.entry(&file.path)
            .is_some_and(|entry| entry.is_like(&file.contents))
    }

    /// Those of `files` that the image does not hold yet: with nothing missing there is nothing to append.
    pub(crate) fn missing<'f>(&self, files: &'f [NewEntry]) -> Vec<&'f NewEntry> {
        files.iter().filter(|file| !self.holds(file)).collect()
    }

    fn at(&self, (member, entry): (usize, usize)) -> Option<&Entry> {
        self.members.get(member)?.entries.get(entry)
    }
}
