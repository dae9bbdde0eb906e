//! Opening an image and everything behind it.

use super::header::BackingName;
use super::layer::{Format, Layer};
use super::lock::LockedFile;
use super::{Qcow2Error, header};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{Seek, SeekFrom};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

/// More images behind each other than anybody has: QEMU itself becomes slow long before.
const MOST_LAYERS: usize = 200;

/// Opens `path` and the files behind it, first to last, each locked against writers.
pub(super) fn open_chain(path: &Path) -> Result<Vec<Layer>, Qcow2Error> {
    let (file, file_size) = open_file(path)?;
    let mut seen = vec![identity(&file, path)?];
    let mut layers = vec![Layer::qcow2(file, path, file_size)?];
    while let Some((path, wanted)) = layers.last().map(backing_of).transpose()?.flatten() {
        if layers.len() >= MOST_LAYERS {
            let reason = format!("more than {MOST_LAYERS} images back each other");
            return Err(Qcow2Error::invalid(&path, reason));
        }
        let (file, file_size) = open_file(&path)?;
        let identity = identity(&file, &path)?;
        if seen.contains(&identity) {
            return Err(Qcow2Error::invalid(
                &path,
                "it backs itself: the chain of backing files is a ring",
            ));
        }
        seen.push(identity);
        let is_qcow2 = match wanted {
            Some(is_qcow2) => is_qcow2,
            None => has_magic(&file, file_size),
        };
        layers.push(if is_qcow2 {
            Layer::qcow2(file, &path, file_size)?
        } else {
            Layer {
                file,
                path,
                file_size,
                format: Format::Raw,
            }
        });
    }
    Ok(layers)
}

/// The file behind `layer`, and whether it is qcow2 if that is recorded.
fn backing_of(layer: &Layer) -> Result<Option<(PathBuf, Option<bool>)>, Qcow2Error> {
    let Format::Qcow2(header) = &layer.format else {
        return Ok(None);
    };
    let Some(backing) = &header.backing else {
        return Ok(None);
    };
    let is_qcow2 = match backing.format.as_deref() {
        Some(b"qcow2") => Some(true),
        Some(b"raw") => Some(false),
        None => None,
        Some(other) => {
            let feature = format!("a backing file of format {}", String::from_utf8_lossy(other));
            return Err(Qcow2Error::unsupported(&layer.path, feature));
        }
    };
    Ok(Some((resolve(&layer.path, backing)?, is_qcow2)))
}

/// The path of the file that the image at `image` calls `backing`: names are relative to the image's folder.
pub(super) fn resolve(image: &Path, backing: &BackingName) -> Result<PathBuf, Qcow2Error> {
    let name = backing.name.strip_prefix(b"file:").unwrap_or(&backing.name);
    let before_slash = name.split(|byte| *byte == b'/').next().unwrap_or_default();
    // QEMU takes what stands before a colon for a protocol, unless a slash comes first.
    if before_slash.contains(&b':') {
        let feature = format!("the backing file \"{}\"", String::from_utf8_lossy(&backing.name));
        return Err(Qcow2Error::unsupported(image, feature));
    }
    let name = Path::new(OsStr::from_bytes(name));
    Ok(match image.parent() {
        Some(folder) => folder.join(name),
        None => name.to_owned(),
    })
}

/// Opens a regular file or block device read-only, locked against writers; with its length in bytes.
fn open_file(path: &Path) -> Result<(LockedFile, u64), Qcow2Error> {
    let error = |source| Qcow2Error::io(path, source);
    // Looked at before opening: opening a FIFO would wait for ever.
    let kind = std::fs::metadata(path).map_err(error)?.file_type();
    if !kind.is_file() && !kind.is_block_device() {
        return Err(Qcow2Error::invalid(path, "it is neither a file nor a block device"));
    }
    let mut file = File::open(path).map_err(error)?;
    let size = file.seek(SeekFrom::End(0)).map_err(error)?;
    Ok((LockedFile::shared(file, path)?, size))
}

/// What makes a file the same file, whatever its name.
fn identity(file: &File, path: &Path) -> Result<(u64, u64), Qcow2Error> {
    let metadata = file.metadata().map_err(|e| Qcow2Error::io(path, e))?;
    Ok((metadata.dev(), metadata.ino()))
}

fn has_magic(file: &File, file_size: u64) -> bool {
    let mut start = [0; 4];
    file_size >= 4 && file.read_exact_at(&mut start, 0).is_ok() && start == header::MAGIC
}
