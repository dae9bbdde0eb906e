//! An earlier capture of the same disk, on which a new one lies (`--update`): only chunks whose checksum differs are stored.

use super::Packed;
use crate::capture::CHUNK;
use crate::capture::checksums::Checksums;
use crate::error::{Failure, Result};
use crate::machine::firmware::{self, FirmwareFiles};
use crate::machine::{CHECKSUMS, FolderLock, Machine, library};
use blake3::Hash;
use disk::qcow2::EncodedCluster;
use disk::source::SourceInfo;
use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

/// The earlier capture. While this lives, nobody changes its folder.
pub(crate) struct Base {
    image: PathBuf,
    folder: PathBuf,
    /// Chunks that hold data there.
    sums: BTreeMap<u64, Hash>,
    _lock: FolderLock,
}

impl Base {
    /// Opens the machine `named`, if it is a capture of the disk that `info` speaks of.
    pub(crate) fn open(named: &Path, info: &SourceInfo) -> Result<Self> {
        let folder = library::resolve(named)?;
        let lock = FolderLock::shared(&folder)?;
        let machine = Machine::load(&folder)?;
        let image = machine.capture_path(&folder)?;
        let origin = &machine.source;
        let differ = |then: &Option<String>, now: &Option<String>| then.is_some() && now.is_some() && then != now;
        if origin.size != info.size || differ(&origin.serial, &info.serial) || differ(&origin.wwn, &info.wwn) {
            let what = format!(
                "{} is a capture of another disk than {}",
                folder.display(),
                info.path.display()
            );
            return Err(Failure::refused(what).advice("Capture this disk as a whole, without `--update`."));
        }
        let checksums = Checksums::load(&folder.join(CHECKSUMS))?;
        if checksums.size != info.size || checksums.chunk != CHUNK {
            let what = format!("the checksums in {} do not fit this version of p2v", folder.display());
            return Err(Failure::refused(what).advice("Capture the disk as a whole, without `--update`."));
        }
        let image = image
            .canonicalize()
            .map_err(|error| Failure::failed(format!("cannot open {}: {error}", image.display())))?;
        Ok(Base {
            image,
            folder,
            sums: checksums.sums.into_iter().collect(),
            _lock: lock,
        })
    }

    /// What is kept there of the firmware of the PC that the disk is from.
    pub(crate) fn firmware(&self) -> FirmwareFiles {
        match firmware::load_all(&self.folder) {
            Ok(files) => FirmwareFiles {
                files,
                missing: Vec::new(),
            },
            Err(error) => FirmwareFiles {
                files: Vec::new(),
                missing: vec![format!("cannot read what {} holds: {error}", self.folder.display())],
            },
        }
    }

    /// The image's name as one in `folder` calls it.
    pub(super) fn name_from(&self, folder: &Path) -> Result<Vec<u8>> {
        let folder = folder
            .canonicalize()
            .map_err(|error| Failure::target_write(folder, &error))?;
        let (from, to): (Vec<Component>, Vec<Component>) =
            (folder.components().collect(), self.image.components().collect());
        let common = from.iter().zip(&to).take_while(|(from, to)| from == to).count();
        let mut name = PathBuf::new();
        from.iter().skip(common).for_each(|_| name.push(".."));
        name.extend(to.iter().skip(common));
        Ok(name.as_os_str().as_bytes().to_vec())
    }

    /// Chunks that hold data there, by number.
    pub(super) fn chunks(&self) -> impl Iterator<Item = u64> + '_ {
        self.sums.keys().copied()
    }

    /// What of a chunk must be stored. `clusters` are the numbers of all its clusters.
    pub(super) fn changes(&self, chunk: Packed, clusters: std::ops::Range<u64>) -> Vec<(u64, EncodedCluster)> {
        let there = self.sums.get(&chunk.index);
        if there == chunk.hash.as_ref() {
            return Vec::new();
        }
        if there.is_none() {
            return chunk.clusters;
        }
        // What is zero now may not be there.
        let mut now: BTreeMap<u64, EncodedCluster> = clusters.map(|number| (number, EncodedCluster::Zero)).collect();
        now.extend(chunk.clusters);
        now.into_iter().collect()
    }
}

/// The clusters of 2^`bits` bytes of chunk number `index` on a disk of `size` bytes.
pub(super) fn clusters_of(index: u64, size: u64, bits: u32) -> std::ops::Range<u64> {
    let start = index.saturating_mul(CHUNK).min(size);
    let end = start.saturating_add(CHUNK).min(size);
    start >> bits..end.div_ceil(1 << bits)
}
