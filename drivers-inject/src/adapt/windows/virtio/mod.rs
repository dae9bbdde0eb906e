//! Drivers for virtio devices, which no Windows has: the files, the services, and what makes the kernel use them before
//! Plug and Play runs.
//!
//! All of it or nothing: a boot driver that is half there stops the start.
//!
//! Source: what virt-v2v writes (`convert_windows.ml`, `inject_virtio_win.ml`).

mod files;
mod keys;

use super::super::finding::{Effect, Finding, Kind};
use super::hive::{HiveFile, HiveFileError};
use super::registry::{Registry, RegistryError};
use super::system::Windows;
use super::{Generation, Hive, sentence};
use crate::System;
use crate::windows::inf::Target;
use crate::windows::virtio::{self, VirtioDriver, VirtioError};
use disk::guestfs::GuestFs;
use std::path::{Path, PathBuf};

/// The driver of virtio-blk: without it nothing is done.
const BLOCK: &str = "viostor";
/// The driver of virtio-scsi.
const SCSI: &str = "vioscsi";
const WHY: &str = "drives the machine's virtio disks";

/// The disc or folder with the drivers.
pub(in super::super) struct VirtioSource {
    path: PathBuf,
    files: Box<dyn GuestFs>,
}

impl VirtioSource {
    /// Opens it; that it cannot be opened is a finding.
    pub(in super::super) fn open(path: &Path, findings: &mut Vec<Finding>) -> Option<Self> {
        match virtio::open(path) {
            Ok(files) => Some(VirtioSource {
                path: path.to_owned(),
                files,
            }),
            Err(error) => {
                findings.push(Finding::on_disk(
                    Kind::DriverMissing,
                    Effect::Refusal,
                    0,
                    sentence(&error.to_string()),
                    "Nothing is changed. Name the virtio-win disc (its ISO image), or a folder with what is on it.",
                ));
                None
            }
        }
    }
}

/// Why the drivers are not installed.
#[derive(Debug, thiserror::Error)]
enum VirtioSkip {
    #[error("{0}")]
    Unknown(&'static str),
    #[error("{0}")]
    Files(String),
    #[error("{error} in {}; looked for {wanted}", path.display())]
    Source {
        error: VirtioError,
        path: PathBuf,
        wanted: String,
    },
    #[error("the packages {BLOCK} and {SCSI} have different files of the name {0}")]
    SameName(String),
    #[error("the INF file of {package} names \"{name}\" where it can only name itself or a plain key")]
    Name { package: String, name: String },
    #[error("the registry cannot be changed: {0}")]
    Registry(#[from] RegistryError),
    #[error(transparent)]
    Hive(#[from] HiveFileError),
    #[error("the drivers that are there cannot be read: {0}")]
    Read(#[from] disk::guestfs::GuestFsError),
}

/// Installs the drivers, and returns the changed SOFTWARE hive. If that is not possible nothing is changed, and there
/// is a finding.
pub(super) fn install(
    windows: &mut Windows<'_>,
    source: &mut VirtioSource,
    generation: Generation,
    current: &str,
    sets: &[String],
) -> Option<Hive> {
    let registry = windows.registry.clone();
    let (files, edits, findings) = (windows.files.len(), windows.edits.len(), windows.findings.len());
    match try_install(windows, source, generation, current, sets) {
        Ok(software) => Some(software),
        Err(error) => {
            windows.registry = registry;
            windows.files.truncate(files);
            windows.edits.truncate(edits);
            windows.findings.truncate(findings);
            windows
                .findings
                .push(without_virtio(windows.system, &error.to_string()));
            None
        }
    }
}

/// The system does not get the drivers.
pub(in super::super) fn without_virtio(system: &System, why: &str) -> Finding {
    Finding {
        system: Some(system.name.clone()),
        ..Finding::on_disk(
            Kind::DriverMissing,
            Effect::Warning,
            system.partition,
            format!("It gets no drivers for virtio disks: {}", why.trim_end_matches('.')),
            "Nothing of them is installed; it can start from the machine's IDE disk.",
        )
    }
}

fn try_install(
    windows: &mut Windows<'_>,
    source: &mut VirtioSource,
    generation: Generation,
    current: &str,
    sets: &[String],
) -> Result<Hive, VirtioSkip> {
    let target = target(windows, current)?;
    windows.can_make_files().map_err(VirtioSkip::Files)?;
    let wanted = |error| VirtioSkip::Source {
        error,
        path: source.path.clone(),
        wanted: in_words(&target),
    };
    let block = virtio::find(&mut *source.files, BLOCK, &target).map_err(wanted)?;
    let mut drivers = vec![block];
    match virtio::find(&mut *source.files, SCSI, &target) {
        Ok(scsi) => drivers.push(scsi),
        // A disc need not have it; one that has it, but of no use, is told.
        Err(VirtioError::NotFound { rejected, .. }) if rejected.is_empty() => {}
        Err(error) => windows.find(
            Kind::DriverMissing,
            Effect::Note,
            sentence(&error.to_string()),
            format!("{BLOCK} alone is installed."),
        ),
    }
    drivers.iter().try_for_each(check_names)?;
    let (file, editor) = HiveFile::open(windows.volume, windows.folder, "SOFTWARE")?;
    let mut software = Registry::new("SOFTWARE", editor);
    keys::device_path(&mut software)?;
    files::write(windows, &drivers)?;
    for driver in &drivers {
        for set in sets {
            keys::service(windows, set, &driver.service)?;
            if generation != Generation::Nt62 {
                keys::critical_devices(windows, set, generation, driver)?;
            }
        }
        if generation == Generation::Nt62 {
            keys::driver_database(windows, driver, target.architecture)?;
        }
    }
    Ok((file, software))
}

/// A package is a stranger's: its names must not lead elsewhere in the registry.
fn check_names(driver: &VirtioDriver) -> Result<(), VirtioSkip> {
    let wrong = |name: &str| {
        let (package, name) = (driver.name.clone(), name.to_owned());
        Err(VirtioSkip::Name { package, name })
    };
    if !driver.service.name.eq_ignore_ascii_case(&driver.name) {
        return wrong(&driver.service.name);
    }
    if !driver.binary.eq_ignore_ascii_case(&format!("{}.sys", driver.name)) {
        return wrong(&driver.binary);
    }
    let settings = driver.service.settings.iter();
    let keys = settings
        .map(|setting| setting.key.as_str())
        .filter(|key| !key.is_empty());
    let is_plain = |name: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_- .".contains(&byte);
        name.bytes().all(plain) && name.bytes().any(|byte| byte != b'.') && name.len() <= 100
    };
    match keys.flat_map(|key| key.split('\\')).find(|name| !is_plain(name)) {
        None => Ok(()),
        Some(name) => wrong(name),
    }
}

/// The system that drivers are looked for.
fn target(windows: &Windows<'_>, current: &str) -> Result<Target, VirtioSkip> {
    let architecture = match windows.system.architecture.as_deref() {
        Some("x86") => "x86",
        Some("x86_64") => "x86_64",
        Some("aarch64") => "aarch64",
        _ => return Err(VirtioSkip::Unknown("for which processor it was built is not known")),
    };
    let mut numbers = windows.system.version.as_deref().unwrap_or_default().split('.');
    let mut number = || numbers.next().and_then(|number| number.parse().ok());
    let (Some(major), Some(minor)) = (number(), number()) else {
        return Err(VirtioSkip::Unknown("its version is not known"));
    };
    let build = number().unwrap_or(0);
    let product = windows
        .registry
        .text(&format!(r"{current}\Control\ProductOptions"), "ProductType")?;
    Ok(Target {
        architecture,
        version: (major, minor),
        build,
        server: product.is_some_and(|product| !product.eq_ignore_ascii_case("WinNT")),
    })
}

fn in_words(target: &Target) -> String {
    let Target {
        architecture,
        version: (major, minor),
        build,
        server,
    } = target;
    let kind = if *server { "a server" } else { "a client" };
    format!("a build for Windows NT {major}.{minor} (build {build}, {kind}) on {architecture}, or for an older one")
}
