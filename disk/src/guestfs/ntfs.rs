//! NTFS, through the `ntfs` crate.
//!
//! Not read: compressed (LZNT1), encrypted, and WOF-compressed ("CompactOS") files. They are refused with a reason
//! instead of returning their raw bytes. Reparse points are not followed.

use super::guard::Guard;
use super::volume::Volume;
use super::{GuestFs, GuestFsError, components, read_growing};
use crate::io::ReadAt;
use ntfs::indexes::NtfsFileNameIndex;
use ntfs::structured_values::NtfsFileNamespace;
use ntfs::{Ntfs, NtfsAttribute, NtfsAttributeFlags, NtfsFile, NtfsReadSeek};
use std::sync::Arc;

const KIND: &str = "NTFS";
/// More names than this in one folder are not listed.
const MOST_NAMES: usize = 1_000_000;

/// An NTFS volume.
pub(super) struct NtfsVolume {
    ntfs: Ntfs,
    volume: Volume,
    guard: Guard,
}

impl NtfsVolume {
    pub(super) fn open(inner: Arc<dyn ReadAt>) -> Result<Self, GuestFsError> {
        let guard = Guard::default();
        let mut volume = Volume::new(inner, guard.clone());
        let ntfs = guard.run(KIND, 0, || {
            let mut ntfs = Ntfs::new(&mut volume).map_err(damaged)?;
            ntfs.read_upcase_table(&mut volume).map_err(damaged)?;
            Ok(ntfs)
        })?;
        Ok(NtfsVolume { ntfs, volume, guard })
    }

    /// Runs `operation` on what `path` leads to.
    fn with<T>(
        &mut self,
        path: &str,
        data: u64,
        operation: impl FnOnce(&NtfsFile<'_>, &mut Volume) -> Result<T, GuestFsError>,
    ) -> Result<T, GuestFsError> {
        let (ntfs, volume) = (&self.ntfs, &mut self.volume);
        self.guard.run(KIND, data, || {
            let file = walk(ntfs, volume, path)?;
            operation(&file, volume)
        })
    }
}

impl GuestFs for NtfsVolume {
    fn size(&mut self, path: &str) -> Result<u64, GuestFsError> {
        self.with(path, 0, |file, volume| {
            if file.is_directory() {
                return Err(wrong_kind(path, "a regular file"));
            }
            let item = file.data(volume, "").ok_or_else(|| no_data(path))?.map_err(damaged)?;
            Ok(item.to_attribute().map_err(damaged)?.value_length())
        })
    }

    fn read_start(&mut self, path: &str, len: u64) -> Result<Vec<u8>, GuestFsError> {
        self.with(path, len, |file, volume| {
            if file.is_directory() {
                return Err(wrong_kind(path, "a regular file"));
            }
            let item = file.data(volume, "").ok_or_else(|| no_data(path))?.map_err(damaged)?;
            let attribute = item.to_attribute().map_err(damaged)?;
            refuse_encoded(path, file, &attribute, volume)?;
            let written = initialized_size(&attribute, volume)?;
            let mut value = attribute.value(volume).map_err(damaged)?;
            let len = len.min(attribute.value_length());
            let mut data = read_growing(len, |buf| value.read(volume, buf).map_err(damaged))?;
            if let Some(stale) = usize::try_from(written)
                .ok()
                .and_then(|written| data.get_mut(written..))
            {
                stale.fill(0);
            }
            Ok(data)
        })
    }

    fn exists(&mut self, path: &str) -> bool {
        self.with(path, 0, |_, _| Ok(())).is_ok()
    }

    fn list(&mut self, path: &str) -> Result<Vec<String>, GuestFsError> {
        self.with(path, 0, |folder, volume| {
            if !folder.is_directory() {
                return Err(wrong_kind(path, "a folder"));
            }
            let index = folder.directory_index(volume).map_err(damaged)?;
            let mut entries = index.entries();
            let mut names = Vec::new();
            while let Some(entry) = entries.next(volume) {
                let entry = entry.map_err(damaged)?;
                let Some(key) = entry.key() else { continue };
                let key = key.map_err(damaged)?;
                // A file with a long name has a second entry for its 8.3 name; the root folder lists itself.
                if key.namespace() != NtfsFileNamespace::Dos {
                    let name = key.name().to_string_lossy();
                    if name != "." {
                        names.push(name);
                    }
                }
                if names.len() > MOST_NAMES {
                    return Err(damaged(format!("the folder {path} has more than {MOST_NAMES} entries")));
                }
            }
            names.sort_unstable();
            Ok(names)
        })
    }
}

fn walk<'n>(ntfs: &'n Ntfs, volume: &mut Volume, path: &str) -> Result<NtfsFile<'n>, GuestFsError> {
    let mut here = ntfs.root_directory(volume).map_err(damaged)?;
    for part in components(path) {
        if !here.is_directory() {
            return Err(GuestFsError::NotFound(path.to_owned()));
        }
        let index = here.directory_index(volume).map_err(damaged)?;
        let mut finder = index.finder();
        let entry = NtfsFileNameIndex::find(&mut finder, ntfs, volume, part)
            .ok_or_else(|| GuestFsError::NotFound(path.to_owned()))?
            .map_err(damaged)?;
        here = entry.to_file(ntfs, volume).map_err(damaged)?;
    }
    Ok(here)
}

/// Refuses files whose stored bytes are not their contents.
fn refuse_encoded(
    path: &str,
    file: &NtfsFile<'_>,
    attribute: &NtfsAttribute<'_, '_>,
    volume: &mut Volume,
) -> Result<(), GuestFsError> {
    let flags = attribute.flags();
    let how = if flags.contains(NtfsAttributeFlags::ENCRYPTED) {
        "encrypted (EFS)"
    } else if flags.contains(NtfsAttributeFlags::COMPRESSED) && !attribute.is_resident() {
        "compressed (LZNT1)"
    } else if file.data(volume, "WofCompressedData").is_some() {
        "compressed (CompactOS)"
    } else {
        return Ok(());
    };
    Err(damaged(format!("the file {path} is {how}, which is not read yet")))
}

/// How many bytes of a value were ever written; what follows up to its length reads as zeros, whatever the clusters
/// hold. The crate does not offer it: offset 0x38 of the header of a non-resident attribute.
fn initialized_size(attribute: &NtfsAttribute<'_, '_>, volume: &mut Volume) -> Result<u64, GuestFsError> {
    const FIELD: u64 = 0x38;
    const SECTOR: u64 = 512;
    let Some(position) = attribute.position().value().filter(|_| !attribute.is_resident()) else {
        return Ok(u64::MAX);
    };
    let at = position.get().saturating_add(FIELD);
    let mut bytes = [0; 8];
    volume.read_bytes(at, &mut bytes).map_err(damaged)?;
    // The last two bytes of every sector of a record hold the update sequence number instead of data. Attributes are
    // aligned to 8 bytes, so that these can only be the highest bytes of the field: zero in any real size.
    if at % SECTOR == SECTOR - 8 {
        bytes[6..].fill(0);
    }
    Ok(u64::from_le_bytes(bytes))
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
fn damaged(reason: impl ToString) -> GuestFsError {
    GuestFsError::Damaged {
        kind: KIND,
        reason: reason.to_string(),
    }
}

fn no_data(path: &str) -> GuestFsError {
    damaged(format!("{path} has no contents"))
}

fn wrong_kind(path: &str, expected: &'static str) -> GuestFsError {
    GuestFsError::WrongKind {
        path: path.to_owned(),
        expected,
    }
}
