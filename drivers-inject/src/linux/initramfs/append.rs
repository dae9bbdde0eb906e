//! Adds files to an initramfs, behind everything that is in it.

use super::archive::DEPTH;
use super::compression::Compression;
use super::entry::{Kind, clean, parts};
use super::error::InitramfsError;
use super::member::Limits;
use super::write::Writer;
use super::{Initramfs, lz4};
use std::collections::{BTreeMap, BTreeSet};

/// A file to add.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NewEntry {
    /// Where, without `/` in front.
    pub(crate) path: String,
    /// Permissions, such as `0o644`.
    pub(crate) mode: u32,
    pub(crate) contents: Vec<u8>,
}

/// Why files cannot be added to an initramfs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum AppendError {
    /// There is something else.
    #[error(
        "{0} cannot be added to the initramfs: a part of its path is no folder there, or it is itself a folder or a link to something else than a file"
    )]
    NotAFolder(String),
    /// The name is empty or has `..` in it.
    #[error("{0:?} is no path for a file of an initramfs")]
    Path(String),
    /// The format cannot say it.
    #[error(
        "{0} cannot be added to the initramfs: its path is too long or too deep, or it is larger than a cpio archive can hold"
    )]
    TooLong(String),
    /// What came out cannot be read.
    #[error("the initramfs with the added files could not be read again: {0}")]
    Unreadable(#[from] InitramfsError),
    /// What came out does not have the file.
    #[error("the initramfs does not have {0} as it was added")]
    Lost(String),
}

/// The bytes to add to the end of the image's file, so that the kernel has these files, whatever the image has at
/// their paths.
///
/// # Errors
/// If a file cannot be at its path.
pub(crate) fn append(image: &Initramfs, files: &[NewEntry]) -> Result<Vec<u8>, AppendError> {
    let archive = archive(image, files)?;
    let end = image
        .members
        .last()
        .map_or(0, |last| last.offset.saturating_add(last.len));
    let zeros = image.len.saturating_sub(end);
    let lz4 = image
        .members
        .last()
        .filter(|last| last.compression == Compression::Lz4Legacy);
    let Some(last) = lz4 else {
        // A plain archive must begin at a multiple of 4; all decompressors but that of lz4 know where their data ends.
        let mut bytes = vec![0; padding(image.len)];
        bytes.extend(archive);
        return Ok(bytes);
    };
    // The lz4 decompressor takes the four bytes behind a block for the next block's length: a plain archive there
    // gives "Decoding failed". What it does take is a further frame; a length of zero (since Linux 5.9) ends its data.
    let mut bytes = Vec::new();
    let mut unpacked = Vec::new();
    if zeros == 0 {
        // For the kernel the frame goes on with the data of the one before, in which entries are aligned.
        unpacked.resize(padding(last.unpacked), 0);
    } else if zeros < 4 {
        bytes.resize(4, 0);
    }
    unpacked.extend(archive);
    bytes.extend(lz4::frame(&unpacked));
    Ok(bytes)
}

/// Zeros that are missing to a multiple of 4.
fn padding(len: u64) -> usize {
    let missing = len.checked_next_multiple_of(4).unwrap_or(len).saturating_sub(len);
    usize::try_from(missing).unwrap_or(0)
}

/// The archive with the files and with those folders above them that the image lacks. Folders that it has are left
/// out: an entry `lib` of type folder would replace a symbolic link `lib` -> `usr/lib`, and with it hide all libraries.
fn archive(image: &Initramfs, files: &[NewEntry]) -> Result<Vec<u8>, AppendError> {
    let mut folders = BTreeSet::new();
    let mut resolved = BTreeMap::new();
    for file in files {
        let not_a_folder = || AppendError::NotAFolder(file.path.clone());
        if parts(&file.path).next().is_none() || parts(&file.path).any(|part| part == "..") {
            return Err(AppendError::Path(file.path.clone()));
        }
        let path = image.tree.resolve(&file.path, false).ok_or_else(not_a_folder)?;
        match image.tree.kind(&path) {
            Some(Kind::Folder) => return Err(not_a_folder()),
            // The kernel replaces a link. One to a folder may be in the path of other files.
            Some(Kind::Symlink) if !image.entry(&path).is_some_and(|end| end.kind() == Kind::File) => {
                return Err(not_a_folder());
            }
            _ => {}
        }
        if parts(&path).count() > DEPTH {
            return Err(AppendError::TooLong(path));
        }
        let mut above = path.as_str();
        while let Some((folder, _)) = above.rsplit_once('/') {
            match image.tree.kind(folder) {
                None => folders.insert(folder.to_owned()),
                Some(Kind::Folder) => false,
                Some(_) => return Err(not_a_folder()),
            };
            above = folder;
        }
        resolved.insert(path, file);
    }
    if let Some((path, _)) = resolved.iter().find(|(path, _)| folders.contains(*path)) {
        return Err(AppendError::NotAFolder(path.clone()));
    }
    let mut writer = Writer::default();
    // Sorted, a folder comes before what is in it.
    for folder in folders {
        let added = writer.add(&folder, 0o040_755, &[]);
        added.ok_or(AppendError::TooLong(folder))?;
    }
    for (path, file) in resolved {
        let added = writer.add(&path, 0o100_000 | (file.mode & 0o7777), &file.contents);
        added.ok_or(AppendError::TooLong(path))?;
    }
    Ok(writer.finish())
}

/// Reads the image with what was appended, and makes sure that it has these files and lost nothing else.
///
/// # Errors
/// If it cannot be read, or the files in it are others.
pub(crate) fn check(image: &Initramfs, appended: &[u8], files: &[NewEntry]) -> Result<(), AppendError> {
    let paths: BTreeSet<String> = files.iter().map(|file| clean(&file.path)).collect();
    let resolved: BTreeSet<String> = paths
        .iter()
        .filter_map(|path| image.tree.resolve(path, false))
        .collect();
    let keep = |_: &str| false;
    let limits = Limits {
        keep: &keep,
        ..Limits::default()
    };
    let new = Initramfs::parse(appended, &limits)?;
    for file in files {
        let path = new.tree.resolve(&file.path, false).unwrap_or_default();
        let entry = new.tree.place(&path).and_then(|place| new.at(place));
        if !entry.is_some_and(|entry| entry.is_like(&file.contents)) {
            return Err(AppendError::Lost(file.path.clone()));
        }
    }
    for (path, old) in image.entries().filter(|(path, _)| !resolved.contains(*path)) {
        let entry = new.tree.place(path).and_then(|place| new.at(place));
        let same = entry.is_some_and(|new| (new.mode, new.size, new.crc) == (old.mode, old.size, old.crc));
        if !same || parts(path).next().is_none() {
            return Err(AppendError::Lost(path.to_owned()));
        }
    }
    Ok(())
}
