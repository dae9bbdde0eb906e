//! From a path to an inode: folder by folder, symbolic links followed inside the volume.

use super::ffi::{CodeKind, Handle, Stat};
use super::{failed, unfit};
use crate::FsEditError;
use std::ffi::CString;

const ROOT: u32 = 2;
/// Links that one path may go through, as in Linux.
const MOST_LINKS: u32 = 40;
/// `PATH_MAX` of Linux, in bytes: no link's target is longer.
const LONGEST_TARGET: u64 = 4096;
/// Bytes of the longest name.
const LONGEST_NAME: usize = 255;

const ENCRYPTED: u32 = 0x800;
const CASEFOLD: u32 = 0x4000_0000;

/// An inode that is there and sound.
#[derive(Clone, Copy, Debug)]
pub(super) struct Inode {
    pub(super) number: u32,
    pub(super) stat: Stat,
}

impl Inode {
    fn has_type(&self, expected: u32) -> bool {
        self.stat.mode & 0xF000 == expected
    }
    pub(super) fn is_folder(&self) -> bool {
        self.has_type(0x4000)
    }
    pub(super) fn is_file(&self) -> bool {
        self.has_type(0x8000)
    }
    pub(super) fn is_link(&self) -> bool {
        self.has_type(0xA000)
    }
}

/// Where a path leads.
#[derive(Debug)]
pub(super) struct Place {
    /// The folder that has or would have the last name.
    pub(super) folder: Inode,
    pub(super) name: CString,
    pub(super) inode: Option<Inode>,
}

/// What becomes of a link in the last place of a path.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum LastLink {
    Follow,
    Keep,
}

/// Finds the last part of `path`. Its folder must be there, itself it need not.
pub(super) fn find(fs: &Handle, kind: &'static str, path: &str, last: LastLink) -> Result<Place, FsEditError> {
    let walk = Walk { fs, kind, path };
    let mut links = 0u32;
    // The parts that are still to be walked, the next one last.
    let mut parts = split(path.as_bytes());
    let mut folder = walk.inode(ROOT)?;
    loop {
        let Some(part) = parts.pop() else {
            // The root, or a link to it.
            let (name, inode) = (c".".to_owned(), Some(folder));
            return Ok(Place { folder, name, inode });
        };
        let name = walk.name(&part)?;
        if !folder.is_folder() {
            return Err(FsEditError::NotFound(path.to_owned()));
        }
        if folder.stat.flags & ENCRYPTED != 0 {
            return Err(failed(path, "it lies in an encrypted folder"));
        }
        if folder.stat.flags & CASEFOLD != 0 {
            return Err(failed(path, "it lies in a folder that ignores case (feature casefold)"));
        }
        let found = match fs.lookup(folder.number, &name) {
            Ok(number) => Some(walk.inode(number)?),
            Err(code) if code.kind() == CodeKind::NotFound => None,
            Err(code) => return Err(walk.broken(&code.message())),
        };
        let is_last = parts.is_empty();
        match found {
            Some(link) if link.is_link() && (!is_last || last == LastLink::Follow) => {
                links = links.saturating_add(1);
                if links > MOST_LINKS {
                    return Err(failed(path, "it goes through too many symbolic links"));
                }
                let target = walk.target(&link)?;
                if target.starts_with(b"/") {
                    folder = walk.inode(ROOT)?;
                }
                parts.extend(split(&target));
            }
            inode if is_last => return Ok(Place { folder, name, inode }),
            Some(inode) => folder = inode,
            None => return Err(FsEditError::NotFound(path.to_owned())),
        }
    }
}

/// The names in a path, the first one last.
fn split(path: &[u8]) -> Vec<Vec<u8>> {
    path.rsplit(|byte| *byte == b'/')
        .filter(|part| !part.is_empty() && *part != b".")
        .map(<[u8]>::to_vec)
        .collect()
}

struct Walk<'a> {
    fs: &'a Handle,
    kind: &'static str,
    path: &'a str,
}

impl Walk<'_> {
    fn broken(&self, reason: &str) -> FsEditError {
        let reason = self.fs.device().take_error().unwrap_or_else(|| reason.to_owned());
        failed(self.path, &reason)
    }

    fn name(&self, part: &[u8]) -> Result<CString, FsEditError> {
        if part.len() > LONGEST_NAME {
            return Err(failed(self.path, "a name in it is longer than 255 bytes"));
        }
        CString::new(part).map_err(|_| failed(self.path, "a name in it has a NUL"))
    }

    /// An inode that a folder names: it must be in use.
    fn inode(&self, number: u32) -> Result<Inode, FsEditError> {
        if !self.fs.in_use(number) {
            let reason = format!(
                "inode {number}, which {} leads to, is not in use; let fsck repair it",
                self.path
            );
            return Err(unfit(self.kind, &reason));
        }
        let stat = self.fs.stat(number).map_err(|code| self.broken(&code.message()))?;
        if stat.links == 0 {
            let reason = format!(
                "inode {number}, which {} leads to, is deleted; let fsck repair it",
                self.path
            );
            return Err(unfit(self.kind, &reason));
        }
        Ok(Inode { number, stat })
    }

    fn target(&self, link: &Inode) -> Result<Vec<u8>, FsEditError> {
        if link.stat.flags & ENCRYPTED != 0 {
            return Err(failed(self.path, "it goes through an encrypted symbolic link"));
        }
        if let Some(target) = self.fs.short_link(link.number) {
            return Ok(target);
        }
        if link.stat.size >= LONGEST_TARGET {
            return Err(self.broken("a symbolic link in it is damaged"));
        }
        let len = usize::try_from(link.stat.size).unwrap_or(0);
        self.fs
            .read(link.number, len)
            .map_err(|code| self.broken(&code.message()))
    }
}
