//! Which file an overlay says it lies on, read without a lock.
#![warn(clippy::arithmetic_side_effects, clippy::as_conversions, clippy::indexing_slicing)]

use super::Library;
use super::names::DISK;
use crate::error::{Failure, Result};
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

const MAGIC: &[u8] = b"QFI\xfb";
/// Longest name of a backing file in bytes (QEMU's `docs/interop/qcow2.txt`).
const LONGEST_NAME: usize = 1023;

/// The name of the file behind the qcow2 image at `path`, as it is written there; `None` if nothing is behind it.
///
/// Layout (QEMU's `docs/interop/qcow2.txt`, "Header"): magic, version, `backing_file_offset` (u64 at byte 8),
/// `backing_file_size` (u32 at byte 16), big-endian.
pub(crate) fn backing_name(path: &Path) -> Result<Option<Vec<u8>>> {
    let failed = |error: io::Error| Failure::failed(format!("cannot read {}: {error}", path.display()));
    let invalid = |why| Failure::failed(format!("{} is not a usable qcow2 image: {why}", path.display()));
    let file = File::open(path).map_err(failed)?;
    let mut head = [0; 20];
    match file.read_exact_at(&mut head, 0) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(invalid("it is too short")),
        other => other.map_err(failed)?,
    }
    let [magic @ .., o0, o1, o2, o3, o4, o5, o6, o7, s0, s1, s2, s3] = head;
    if !magic.starts_with(MAGIC) {
        return Err(invalid("it does not begin as one"));
    }
    let offset = u64::from_be_bytes([o0, o1, o2, o3, o4, o5, o6, o7]);
    let size = usize::try_from(u32::from_be_bytes([s0, s1, s2, s3])).unwrap_or(usize::MAX);
    if offset == 0 || size == 0 {
        return Ok(None);
    }
    if size > LONGEST_NAME {
        return Err(invalid("the name of its backing file is too long"));
    }
    let mut name = vec![0; size];
    match file.read_exact_at(&mut name, offset) {
        Err(error) if matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidInput) => {
            Err(invalid("the name of its backing file lies past its end"))
        }
        other => other.map_err(failed).map(|()| Some(name)),
    }
}

/// Machines whose capture lies on that of the machine in `folder` (`p2v capture --update`): in the library, and beside it.
pub(crate) fn dependents(folder: &Path) -> Vec<PathBuf> {
    let Ok(folder) = folder.canonicalize() else {
        return Vec::new();
    };
    let library = Library::locate()
        .and_then(|library| library.folders())
        .unwrap_or_default();
    let beside = folder.parent().and_then(|parent| std::fs::read_dir(parent).ok());
    let beside = beside.into_iter().flatten().flatten().map(|entry| entry.path());
    let mut found = Vec::new();
    for other in library.into_iter().chain(beside) {
        let Ok(Some(name)) = backing_name(&other.join(DISK)) else {
            continue;
        };
        let behind = other.join(OsStr::from_bytes(&name)).canonicalize();
        if behind.is_ok_and(|behind| behind.parent() == Some(&folder)) {
            found.extend(other.canonicalize());
        }
    }
    found.sort();
    found.dedup();
    found
}

/// Refuses a change of the folder's name, or its end, while others need it.
pub(crate) fn check_independent(folder: &Path) -> Result<()> {
    let dependents = dependents(folder);
    if dependents.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = dependents.iter().map(|path| path.display().to_string()).collect();
    let what = format!(
        "{} is needed by {}, made with `--update`",
        folder.display(),
        names.join(", ")
    );
    Err(Failure::refused(what).advice(
        "`qemu-img convert -O qcow2 -c` makes an independent image of such a machine's disk0.qcow2; or remove that machine first.",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn header(offset: u64, size: u32) -> Vec<u8> {
        let mut bytes = [
            MAGIC,
            &3_u32.to_be_bytes()[..],
            &offset.to_be_bytes(),
            &size.to_be_bytes(),
        ]
        .concat();
        bytes.extend(b"disk0.qcow2");
        bytes
    }

    fn look(bytes: &[u8]) -> Result<Option<Vec<u8>>> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        backing_name(file.path())
    }

    #[test]
    fn the_name_is_found_and_bounds_are_kept() {
        assert_eq!(look(&header(20, 11)).unwrap().as_deref(), Some(&b"disk0.qcow2"[..]));
        assert_eq!(look(&header(0, 0)).unwrap(), None);
        assert!(look(&header(20, 12)).is_err());
        assert!(look(&header(u64::MAX, 1)).is_err());
        assert!(look(&header(20, u32::MAX)).is_err());
        assert!(look(b"QFI\xfb").is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_strange(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = look(&bytes);
            let _ = look(&[MAGIC, &bytes].concat());
        }
    }
}
