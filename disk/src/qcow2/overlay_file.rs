//! The file of an overlay: found or made, locked, and checked to belong to its backing image.

use super::Qcow2Error;
use super::backing::resolve;
use super::header::{BackingName, Header, HeaderError};
use super::lock::LockedFile;
use imago::qcow2::Qcow2;
use imago::{DenyImplicitOpenGate, FormatCreateBuilder, FormatDriverBuilder};
use rustix::fs::{AtFlags, CWD, Mode, OFlags, RenameFlags};
use rustix::io::Errno;
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Component, Path, PathBuf};

/// An overlay's file, open for writing and locked.
pub(super) struct OverlayFile {
    pub(super) file: LockedFile,
    /// Size of the virtual disk in bytes.
    pub(super) size: u64,
    /// Bytes a cluster.
    pub(super) cluster_size: u64,
}

/// Opens the overlay at `path`, or makes it, `size` bytes large, if there is none.
pub(super) fn open_or_create(path: &Path, backing: &Path, size: u64) -> Result<OverlayFile, Qcow2Error> {
    match File::options().read(true).write(true).open(path) {
        Ok(file) => existing(file, path, backing),
        Err(e) if e.kind() == io::ErrorKind::NotFound => create(path, backing, size),
        Err(e) => Err(Qcow2Error::io(path, e)),
    }
}

/// An overlay that is there already.
fn existing(file: File, path: &Path, backing: &Path) -> Result<OverlayFile, Qcow2Error> {
    let file = LockedFile::exclusive(file, path)?;
    let header = read_header(&file, path)?;
    let Some(name) = &header.backing else {
        let reason = format!("it is a whole disk, no overlay on {}", backing.display());
        return Err(Qcow2Error::invalid(path, reason));
    };
    let recorded = resolve(path, name)?;
    if !same_file(&recorded, backing) {
        let reason = format!(
            "it is an overlay on {}, not on {}; move it away to start from the capture again",
            recorded.display(),
            backing.display()
        );
        return Err(Qcow2Error::invalid(path, reason));
    }
    Ok(OverlayFile {
        file,
        size: header.size,
        cluster_size: header.cluster_size(),
    })
}

/// Makes a new overlay. It gets its name only when it is complete and on the disk.
fn create(path: &Path, backing: &Path, size: u64) -> Result<OverlayFile, Qcow2Error> {
    let error = |e| Qcow2Error::io(path, e);
    let name = relative_name(path, backing)?;
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".new");
    let unfinished = PathBuf::from(unfinished);
    // Left by a process that died here. One that is alive has locked it.
    if let Ok(left) = File::options().read(true).write(true).open(&unfinished) {
        let _dead = LockedFile::exclusive(left, &unfinished)?;
        std::fs::remove_file(&unfinished).map_err(error)?;
    }
    let file = File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(&unfinished)
        .map_err(|e| Qcow2Error::io(&unfinished, e))?;
    let opened = fill(LockedFile::exclusive(file, path)?, path, Some(name), size)?;
    opened.file.sync_all().map_err(error)?;
    rename_new(&unfinished, path).map_err(error)?;
    sync_folder(path).map_err(error)?;
    Ok(opened)
}

/// A new overlay without a name, in the folder of `path`.
pub(super) fn nameless(path: &Path, size: u64) -> Result<OverlayFile, Qcow2Error> {
    let error = |e| Qcow2Error::io(path, e);
    let folder = folder_of(path);
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    let file = match rustix::fs::open(folder, flags, Mode::RUSR | Mode::WUSR) {
        Ok(file) => File::from(file),
        // Not every filesystem can: there the name is taken away as soon as it is given.
        Err(Errno::OPNOTSUPP | Errno::INVAL | Errno::ISDIR) => {
            let name = folder.join(format!(".p2v-{}.tmp", uuid::Uuid::new_v4()));
            let file = File::options()
                .read(true)
                .write(true)
                .create_new(true)
                .open(&name)
                .map_err(error)?;
            std::fs::remove_file(&name).map_err(error)?;
            file
        }
        Err(e) => return Err(error(e.into())),
    };
    fill(LockedFile::exclusive(file, path)?, path, None, size)
}

/// Makes an empty file an empty overlay.
fn fill(file: LockedFile, path: &Path, backing: Option<String>, size: u64) -> Result<OverlayFile, Qcow2Error> {
    let error = |e| Qcow2Error::io(path, e);
    let storage: imago::file::File = file.try_clone().and_then(TryInto::try_into).map_err(error)?;
    let mut builder = Qcow2::<imago::file::File>::create_builder(storage).size(size);
    if let Some(backing) = backing {
        builder = builder.backing(backing, "qcow2".into());
    }
    builder
        .create_open(DenyImplicitOpenGate::default(), |image| {
            Ok(Qcow2::builder(image).backing(None).write(true))
        })
        .and_then(|image| imago::FormatAccess::new(image).flush())
        .map_err(error)?;
    let header = read_header(&file, path)?;
    Ok(OverlayFile {
        file,
        size: header.size,
        cluster_size: header.cluster_size(),
    })
}

fn read_header(file: &File, path: &Path) -> Result<Header, Qcow2Error> {
    let error = |e| Qcow2Error::io(path, e);
    let len = file.metadata().map_err(error)?.len().min(Header::PARSE_LENGTH as u64);
    let mut start = vec![0; len as usize];
    file.read_exact_at(&mut start, 0).map_err(error)?;
    Header::parse(&start).map_err(|e| match e {
        HeaderError::Invalid(reason) => Qcow2Error::invalid(path, reason),
        HeaderError::Unsupported(feature) => Qcow2Error::unsupported(path, feature),
    })
}

fn same_file(one: &Path, other: &Path) -> bool {
    match (std::fs::metadata(one), std::fs::metadata(other)) {
        (Ok(one), Ok(other)) => (one.dev(), one.ino()) == (other.dev(), other.ino()),
        _ => false,
    }
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// How the overlay at `path` calls `backing`: a path from its own folder, so that both can move together.
fn relative_name(path: &Path, backing: &Path) -> Result<String, Qcow2Error> {
    let error = |e| Qcow2Error::io(path, e);
    let from = folder_of(path).canonicalize().map_err(error)?;
    let to = backing.canonicalize().map_err(|e| Qcow2Error::io(backing, e))?;
    let shared = from
        .components()
        .zip(to.components())
        .take_while(|(one, other)| one == other)
        .count();
    let up = from.components().skip(shared).map(|_| Component::ParentDir);
    let relative: PathBuf = up.chain(to.components().skip(shared)).collect();
    let mut name = relative.into_os_string();
    // QEMU takes what stands before a colon for a protocol.
    if name.as_encoded_bytes().contains(&b':') {
        let mut dotted = OsString::from("./");
        dotted.push(name);
        name = dotted;
    }
    let name = name.into_string().map_err(|name| {
        let reason = format!("the name of its backing file, {}, is not UTF-8", name.display());
        Qcow2Error::invalid(path, reason)
    })?;
    // What is written must lead back to the same file.
    let backing_name = BackingName {
        name: name.clone().into_bytes(),
        format: None,
    };
    if !same_file(&resolve(path, &backing_name)?, backing) {
        let reason = format!("its backing file {} has no path from its folder", backing.display());
        return Err(Qcow2Error::invalid(path, reason));
    }
    Ok(name)
}

/// Renames, unless there is a file of the new name.
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    match rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // Filesystems without this can link instead, which never replaces either.
        Err(Errno::INVAL | Errno::NOSYS) => {
            rustix::fs::linkat(CWD, from, CWD, to, AtFlags::empty())?;
            std::fs::remove_file(from)
        }
        other => Ok(other?),
    }
}

fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(folder_of(path))?.sync_all()
}
