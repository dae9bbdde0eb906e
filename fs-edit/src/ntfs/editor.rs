//! The operations of an [`Editor`].

use super::volume::FileId;
use super::{Entry, Ntfs, bytes, failed, name};
use crate::{Editor, FsEditError};

/// Bytes that are read at once.
const STEP: u64 = 1 << 20;

impl Editor for Ntfs {
    fn read(&mut self, path: &str, limit: u64) -> Result<Vec<u8>, FsEditError> {
        let file = self
            .entry(path)?
            .file
            .ok_or_else(|| FsEditError::NotFound(path.to_owned()))?;
        let size = bytes(self.plain_file(path, file)?.size);
        if size > limit {
            let what = format!("it has {size} bytes, more than the {limit} that are read here");
            return Err(failed(path, what));
        }
        let mut data: Vec<u8> = Vec::new();
        let mut at = 0u64;
        while at < size {
            // Memory is taken as data come: a size that lies costs nothing.
            let start = data.len();
            let step = size.saturating_sub(at).min(STEP);
            data.resize(start.saturating_add(usize::try_from(step).unwrap_or(0)), 0);
            let buf = data.get_mut(start..).unwrap_or_default();
            let read = self.volume.read(file, at, buf);
            let done = read.map_err(|failure| failed(path, failure.reason))?;
            data.truncate(start.saturating_add(done));
            if done == 0 {
                return Err(failed(path, format!("it ends after {at} of {size} bytes")));
            }
            at = at.saturating_add(u64::try_from(done).unwrap_or(u64::MAX));
        }
        Ok(data)
    }

    fn write(&mut self, path: &str, data: &[u8]) -> Result<(), FsEditError> {
        self.check_usable(path)?;
        let entry = self.entry(path)?;
        let size = u64::try_from(data.len()).unwrap_or(u64::MAX);
        let taken = match entry.file {
            Some(file) => bytes(self.plain_file(path, file)?.allocated),
            None => 0,
        };
        // What gets no larger needs no room.
        if entry.file.is_none() || size > taken {
            self.check_room(path, size, taken)?;
        }
        let file = match entry.file {
            Some(file) => file,
            None => self.create(path, &entry, false)?,
        };
        let written = self.volume.write(file, data, false);
        self.changed(path, size, written)
    }

    fn append(&mut self, path: &str, data: &[u8]) -> Result<(), FsEditError> {
        self.check_usable(path)?;
        let file = self
            .entry(path)?
            .file
            .ok_or_else(|| FsEditError::NotFound(path.to_owned()))?;
        let facts = self.plain_file(path, file)?;
        let added = u64::try_from(data.len()).unwrap_or(u64::MAX);
        // A compressed file may take less, and a part of it is written anew.
        let (size, taken) = match facts.compressed {
            0 => (bytes(facts.size).saturating_add(added), bytes(facts.allocated)),
            _ => (added, 0),
        };
        self.check_room(path, size, taken)?;
        let written = self.volume.write(file, data, true);
        self.changed(path, added, written)
    }

    fn create_folder(&mut self, path: &str) -> Result<(), FsEditError> {
        self.check_usable(path)?;
        let mut folder = FileId::ROOT;
        for part in path.split('/').filter(|part| !part.is_empty() && *part != ".") {
            folder = match self.child(path, folder, part)? {
                Some(there) => {
                    match self.check_folder(path, there) {
                        Err(FsEditError::NotFound(_)) => return Err(failed(path, "there is a file of this name")),
                        other => other?,
                    }
                    there
                }
                None => {
                    let name = name::utf16(part);
                    self.create(
                        path,
                        &Entry {
                            folder,
                            name,
                            file: None,
                        },
                        true,
                    )?
                }
            };
        }
        Ok(())
    }

    fn remove(&mut self, path: &str) -> Result<(), FsEditError> {
        self.check_usable(path)?;
        let entry = self.entry(path)?;
        let file = entry.file.ok_or_else(|| FsEditError::NotFound(path.to_owned()))?;
        if self.facts(path, file)?.folder != 0 {
            return Err(failed(path, "it is a folder"));
        }
        let removed = self.volume.unlink(entry.folder, file, &entry.name);
        self.changed(path, 0, removed)
    }

    fn rename(&mut self, path: &str, name: &str) -> Result<(), FsEditError> {
        self.check_usable(path)?;
        let entry = self.entry(path)?;
        let file = entry.file.ok_or_else(|| FsEditError::NotFound(path.to_owned()))?;
        if self.facts(path, file)?.folder != 0 {
            return Err(failed(path, "it is a folder"));
        }
        let new = name::utf16(name);
        self.check_name(path, &new)?;
        if self.child(path, entry.folder, name)?.is_some() {
            return Err(failed(path, format!("there is a file {name} beside it")));
        }
        let linked = self.volume.link(entry.folder, file, &new);
        self.changed(path, self.volume.cluster_size(), linked)?;
        let unlinked = self.volume.unlink(entry.folder, file, &entry.name);
        self.changed(path, 0, unlinked)?;
        self.name_for_dos(path, entry.folder, file, &new)
    }

    fn finish(self: Box<Self>) -> Result<(), FsEditError> {
        self.check_usable("the volume")?;
        self.volume
            .close()
            .map_err(|failure| failed("the volume", failure.reason))
    }
}
