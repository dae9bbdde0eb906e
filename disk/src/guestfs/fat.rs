//! FAT12, FAT16 and FAT32, through the `fatfs` crate.

use super::guard::Guard;
use super::volume::Volume;
use super::{GuestFs, GuestFsError, Occupant, Placement, Surveyed, components, read_growing};
use crate::io::ReadAt;
use crate::usedmap::fat_chain;
use fatfs::{Dir, DirEntry, FileSystem, FsOptions};
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const KIND: &str = "FAT";
/// A FAT folder has at most 65 536 entries of 32 bytes (specification, "Directory Structure").
const MOST_ENTRIES: usize = 65_536;

/// A FAT volume.
pub(super) struct Fat {
    fs: FileSystem<Volume>,
    volume: Arc<dyn ReadAt>,
    /// Where the last read of the library began.
    last_read: Arc<AtomicU64>,
    guard: Guard,
}

/// What a path leads to.
enum Found<'a> {
    Folder(Dir<'a, Volume>),
    File(DirEntry<'a, Volume>),
}

impl Fat {
    pub(super) fn open(inner: Arc<dyn ReadAt>) -> Result<Self, GuestFsError> {
        let guard = Guard::default();
        let volume = Volume::new(Arc::clone(&inner), guard.clone());
        let last_read = volume.last_read();
        let fs = guard.run(KIND, 0, || {
            FileSystem::new(volume, FsOptions::new()).map_err(|e| damaged(&e))
        })?;
        Ok(Fat {
            fs,
            volume: inner,
            last_read,
            guard,
        })
    }

    /// The size of a file, and where its first byte is; `None` if it has none. The library does not tell first
    /// clusters: it is where it reads the first byte.
    fn first_byte(&self, path: &str) -> Result<(u64, Option<u64>), GuestFsError> {
        self.guard.run(KIND, 1, || {
            let entry = self.file(path)?;
            let read = entry.to_file().read(&mut [0]).map_err(|e| damaged(&e))?;
            Ok((entry.len(), (read == 1).then(|| self.last_read.load(Ordering::Relaxed))))
        })
    }

    /// Where the bytes of an entry are. A folder goes by where its first entry ends to be read, since the library does
    /// not tell its cluster.
    fn occupant(&self, entry: &DirEntry<'_, Volume>) -> Result<Occupant, GuestFsError> {
        if entry.is_dir() {
            if let Some(first) = entry.to_dir().iter().next() {
                first.map_err(|e| damaged(&e))?;
            }
            return Ok(Occupant::Folder(self.last_read.load(Ordering::Relaxed)));
        }
        if entry.len() == 0 {
            return Ok(Occupant::File(Vec::new()));
        }
        let read = entry.to_file().read(&mut [0]).map_err(|e| damaged(&e))?;
        if read == 0 {
            return Err(damaged(&io::Error::other("a file has no first cluster")));
        }
        let first = self.last_read.load(Ordering::Relaxed);
        let clusters = fat_chain(&*self.volume, first, entry.len())?;
        let clusters = clusters.map_err(|reason| damaged(&io::Error::other(format!("of a file: {reason}"))))?;
        let placed = Placement::new(entry.len(), clusters);
        let placed = placed.ok_or_else(|| damaged(&io::Error::other("a file's clusters run in a circle")))?;
        Ok(Occupant::File(placed.data))
    }

    fn walk(&self, path: &str) -> Result<Found<'_>, GuestFsError> {
        let mut here = Found::Folder(self.fs.root_dir());
        for part in components(path) {
            let Found::Folder(folder) = here else {
                return Err(GuestFsError::NotFound(path.to_owned()));
            };
            let entry = find(&folder, part)?.ok_or_else(|| GuestFsError::NotFound(path.to_owned()))?;
            here = if entry.is_dir() {
                Found::Folder(entry.to_dir())
            } else {
                Found::File(entry)
            };
        }
        Ok(here)
    }

    fn file(&self, path: &str) -> Result<DirEntry<'_, Volume>, GuestFsError> {
        match self.walk(path)? {
            Found::File(entry) => Ok(entry),
            Found::Folder(_) => Err(GuestFsError::WrongKind {
                path: path.to_owned(),
                expected: "a regular file",
            }),
        }
    }
}

impl GuestFs for Fat {
    fn size(&mut self, path: &str) -> Result<u64, GuestFsError> {
        self.guard.run(KIND, 0, || Ok(self.file(path)?.len()))
    }

    fn read_start(&mut self, path: &str, len: u64) -> Result<Vec<u8>, GuestFsError> {
        self.guard.run(KIND, len, || {
            let mut file = self.file(path)?.to_file();
            read_growing(len, |buf| file.read(buf).map_err(|e| damaged(&e)))
        })
    }

    fn exists(&mut self, path: &str) -> bool {
        self.guard.run(KIND, 0, || self.walk(path).map(|_| ())).is_ok()
    }

    fn place(&mut self, path: &str) -> Result<Placement, GuestFsError> {
        let not_in_place = |reason: String| GuestFsError::NotInPlace {
            path: path.to_owned(),
            reason,
        };
        let (size, first) = self.first_byte(path)?;
        let clusters = match first {
            None if size > 0 => return Err(not_in_place("it has no first cluster".to_owned())),
            None => Vec::new(),
            Some(first) => fat_chain(&*self.volume, first, size)?.map_err(not_in_place)?,
        };
        let place = Placement::new(size, clusters);
        place.ok_or_else(|| not_in_place("its chain of clusters runs in a circle".to_owned()))
    }

    fn survey(&mut self, path: &str) -> Result<Vec<Surveyed>, GuestFsError> {
        let mut found = Vec::new();
        self.guard.run(KIND, 0, || {
            let Found::Folder(folder) = self.walk(path)? else {
                return Err(GuestFsError::NotFound(path.to_owned()));
            };
            for entry in folder.iter().take(MOST_ENTRIES) {
                let entry = entry.map_err(|e| damaged(&e))?;
                let name = entry.file_name();
                if name == "." || name == ".." {
                    continue;
                }
                let what = self.occupant(&entry);
                found.push(Surveyed { name, what });
            }
            Ok(())
        })?;
        Ok(found)
    }

    fn list(&mut self, path: &str) -> Result<Vec<String>, GuestFsError> {
        self.guard.run(KIND, 0, || {
            let Found::Folder(folder) = self.walk(path)? else {
                return Err(GuestFsError::WrongKind {
                    path: path.to_owned(),
                    expected: "a folder",
                });
            };
            let mut names = Vec::new();
            for entry in folder.iter().take(MOST_ENTRIES) {
                let name = entry.map_err(|e| damaged(&e))?.file_name();
                if name != "." && name != ".." {
                    names.push(name);
                }
            }
            names.sort_unstable();
            Ok(names)
        })
    }
}

/// The entry of this long or short name, whatever its case.
fn find<'a>(folder: &Dir<'a, Volume>, name: &str) -> Result<Option<DirEntry<'a, Volume>>, GuestFsError> {
    let wanted = name.to_lowercase();
    for entry in folder.iter().take(MOST_ENTRIES) {
        let entry = entry.map_err(|e| damaged(&e))?;
        if entry.file_name().to_lowercase() == wanted || entry.short_file_name().to_lowercase() == wanted {
            return Ok(Some(entry));
        }
    }
    Ok(None)
}

fn damaged(error: &io::Error) -> GuestFsError {
    GuestFsError::Damaged {
        kind: KIND,
        reason: error.to_string(),
    }
}
