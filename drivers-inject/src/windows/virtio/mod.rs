//! virtio drivers for a Windows: the right build from a virtio-win disc or folder.
//!
//! No Windows has such drivers. virtio-win keeps a build for each Windows in folders of their own; three layouts are
//! known: `viostor/w10/amd64` (the disc), `amd64/w10` (the disc, for Windows' own setup, and packages of
//! distributions), and `WXP/X86` (discs before 2014). A folder with just the driver's files will do, too.
#![warn(clippy::arithmetic_side_effects, clippy::as_conversions, clippy::indexing_slicing)]

mod builds;
mod folder;
#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, clippy::as_conversions, clippy::indexing_slicing)]
mod tests;

use super::inf::{Inf, InfError, Install, Service, Target};
use crate::executable::{driver_fault, subsystem_version};
use crate::iso9660::Iso9660;
use disk::ReadAt;
use disk::guestfs::{GuestFs, GuestFsError};
use disk::raw::RawFile;
use folder::HostFolder;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The largest INF file that is read.
const INF_LIMIT: u64 = 1 << 20;
/// The largest other file of a driver package.
const FILE_LIMIT: u64 = 32 << 20;

/// A driver for one system.
#[derive(Clone, Debug)]
pub(crate) struct VirtioDriver {
    /// `viostor`, `vioscsi`.
    pub(crate) name: String,
    /// The folder in the source: `viostor/w10/amd64`.
    pub(crate) origin: String,
    /// The package's files, the INF file and the catalog among them: name and contents.
    pub(crate) files: Vec<(String, Vec<u8>)>,
    pub(crate) inf: Inf,
    /// What is installed.
    pub(crate) install: Install,
    /// The service that drives the device. Its folder may be 13, the package's own in the driver store, where only
    /// Windows can put it: then the file belongs into `System32\drivers` as well, for a boot without an installation.
    pub(crate) service: Service,
    /// The driver file itself: one of `files`.
    pub(crate) binary: String,
    /// Of all devices that the service drives, in the INF file's order.
    pub(crate) hardware_ids: Vec<String>,
}

/// Why there is no driver.
#[derive(Debug, thiserror::Error)]
pub(crate) enum VirtioError {
    /// The disc or folder cannot be read.
    #[error("the virtio drivers in {} cannot be read: {reason}", path.display())]
    Source {
        /// The disc or folder.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// There is none for this system.
    #[error("no {name} driver for this Windows was found{}", in_brackets(rejected))]
    NotFound {
        /// `viostor`.
        name: String,
        /// Folders that were looked at and cannot be used, each with its reason.
        rejected: Vec<String>,
    },
}

fn in_brackets(rejected: &[String]) -> String {
    match rejected {
        [] => String::new(),
        rejected => format!(" ({})", rejected.join("; ")),
    }
}

/// Opens a folder of this computer, or the image of a disc.
pub(crate) fn open(path: &Path) -> Result<Box<dyn GuestFs>, VirtioError> {
    let failed = |reason: String| VirtioError::Source {
        path: path.to_owned(),
        reason,
    };
    if path.is_dir() {
        return Ok(Box::new(HostFolder::new(path)));
    }
    let file = RawFile::open(path, false).map_err(|error| failed(error.to_string()))?;
    let file: Arc<dyn ReadAt> = Arc::new(file);
    let disc = Iso9660::open(&file).map_err(|error| failed(error.to_string()))?;
    Ok(Box::new(disc))
}

/// Looks for the driver `name` (`viostor`) for a system: the build for its Windows, else the newest for an older one.
/// Never one for a newer Windows.
pub(crate) fn find(source: &mut dyn GuestFs, name: &str, target: &Target) -> Result<VirtioDriver, VirtioError> {
    let mut rejected = Vec::new();
    for folder in builds::folders(name, target) {
        match package(source, &folder, name, target) {
            Ok(Some(driver)) => return Ok(driver),
            Ok(None) => {}
            Err(why) => {
                let folder = if folder.is_empty() {
                    "the folder itself"
                } else {
                    &folder
                };
                rejected.push(format!("{folder}: {why}"));
            }
        }
    }
    Err(VirtioError::NotFound {
        name: name.to_owned(),
        rejected,
    })
}

/// Why a package cannot be used, as a sentence.
struct Unusable(String);

impl std::fmt::Display for Unusable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<GuestFsError> for Unusable {
    fn from(error: GuestFsError) -> Self {
        Unusable(error.to_string())
    }
}

impl From<InfError> for Unusable {
    fn from(error: InfError) -> Self {
        Unusable(error.to_string())
    }
}

/// The package in a folder; `None` if there is no such driver in it.
fn package(fs: &mut dyn GuestFs, folder: &str, name: &str, target: &Target) -> Result<Option<VirtioDriver>, Unusable> {
    let file = format!("{name}.inf");
    let bytes = match fs.read(&join(folder, &file), INF_LIMIT) {
        Ok(bytes) => bytes,
        Err(GuestFsError::NotFound(_)) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let inf = Inf::parse(&bytes)?;
    let models = inf.models(target);
    let first = models
        .first()
        .ok_or_else(|| Unusable("its INF file is not for this Windows".to_owned()))?;
    let install = inf.install(&first.install, target)?;
    let services = &install.services;
    let service = services
        .iter()
        .find(|service| service.drives_the_device)
        .or(services.first());
    let service = service
        .ok_or_else(|| Unusable("its INF file has no service".to_owned()))?
        .clone();
    let binary = service.binary.rsplit('\\').next().unwrap_or_default().to_owned();
    let mut files = vec![(file, bytes)];
    // Without the catalog the driver starts (once), but Windows would not install it.
    let sources = install.files.iter().map(|file| file.source.clone());
    let wanted: Vec<String> = sources.chain([binary.clone()]).chain(inf.catalog(target)).collect();
    for wanted in wanted {
        if wanted.is_empty() || wanted.contains(['/', '\\']) {
            return Err(Unusable(format!("its INF file names a file \"{wanted}\"")));
        }
        if files.iter().all(|(name, _)| !name.eq_ignore_ascii_case(&wanted)) {
            let bytes = fs.read(&join(folder, &wanted), FILE_LIMIT)?;
            files.push((wanted, bytes));
        }
    }
    let driver = files.iter().find(|(name, _)| name.eq_ignore_ascii_case(&binary));
    let driver = driver.map_or(&[][..], |(_, bytes)| bytes);
    if let Some(fault) = driver_fault(driver, target.architecture) {
        return Err(Unusable(format!("{binary}: {fault}")));
    }
    // The folder's name says for which Windows it was built; without one the file has to.
    if folder.is_empty() && subsystem_version(driver) > target.version {
        return Err(Unusable(format!("{binary}: it was built for a newer Windows")));
    }
    let mut hardware_ids: Vec<String> = Vec::new();
    for id in models
        .iter()
        .filter(|model| model.install == first.install)
        .flat_map(|model| &model.hardware_ids)
    {
        if hardware_ids.iter().all(|other| !other.eq_ignore_ascii_case(id)) {
            hardware_ids.push(id.clone());
        }
    }
    Ok(Some(VirtioDriver {
        name: name.to_owned(),
        origin: folder.to_owned(),
        files,
        inf,
        install,
        service,
        binary,
        hardware_ids,
    }))
}

fn join(folder: &str, name: &str) -> String {
    match folder {
        "" => name.to_owned(),
        folder => format!("{folder}/{name}"),
    }
}
