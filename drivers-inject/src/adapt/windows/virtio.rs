//! Drivers for virtio devices, which no Windows has: the files, the services, and what makes the kernel use them before
//! Plug and Play runs.
//!
//! All of it or nothing: a boot driver that is half there stops the start.
//!
//! Source: what virt-v2v writes (`convert_windows.ml`, `inject_virtio_win.ml`).

use super::super::finding::{Effect, Finding, Kind};
use super::hive::{HiveFile, HiveFileError};
use super::registry::{Data, Registry, RegistryError};
use super::system::Windows;
use super::{Generation, Hive, sentence};
use crate::windows::inf::{self, DRIVERS_FOLDER, Service, Target};
use crate::windows::virtio::{self, VirtioDriver, VirtioError};
use disk::guestfs::GuestFs;
use std::path::{Path, PathBuf};

/// The driver of virtio-blk: without it nothing is done.
const BLOCK: &str = "viostor";
/// The driver of virtio-scsi.
const SCSI: &str = "vioscsi";
/// Where the packages go, below the Windows folder, and how Windows writes it.
const FOLDER: &str = "Drivers/VirtIO";
const DEVICE_PATH: &str = r"%SystemRoot%\Drivers\VirtIO";
/// `SCSIAdapter`, as text and in the bytes of a package's `Version`.
const CLASS: &str = "{4D36E97B-E325-11CE-BFC1-08002BE10318}";
const VERSION: [u8; 24] = [
    0x00, 0xFF, 0x09, 0x00, 0, 0, 0, 0, 0x7B, 0xE9, 0x36, 0x4D, 0x25, 0xE3, 0xCE, 0x11, 0xBF, 0xC1, 0x08, 0x00, 0x2B,
    0xE1, 0x03, 0x18,
];
const WHY: &str = "drives the machine's virtio disks";
const WHY_PATH: &str = "Windows looks there for drivers of the devices that it finds";

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
    let (registry, files, edits) = (windows.registry.clone(), windows.files.len(), windows.edits.len());
    match try_install(windows, source, generation, current, sets) {
        Ok(software) => Some(software),
        Err(error) => {
            windows.registry = registry;
            windows.files.truncate(files);
            windows.edits.truncate(edits);
            windows.find(
                Kind::DriverMissing,
                Effect::Warning,
                format!(
                    "It gets no drivers for virtio disks: {}",
                    error.to_string().trim_end_matches('.')
                ),
                "Nothing of them is installed; it can start from the machine's IDE disk.",
            );
            None
        }
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
    let (file, editor) = HiveFile::open(windows.volume, windows.folder, "SOFTWARE")?;
    let mut software = Registry::new("SOFTWARE", editor);
    device_path(&mut software)?;
    files(windows, &drivers)?;
    for driver in &drivers {
        for set in sets {
            service(windows, set, &driver.service)?;
            if generation != Generation::Nt62 {
                critical_devices(windows, set, generation, driver)?;
            }
        }
        if generation == Generation::Nt62 {
            driver_database(windows, driver, target.architecture)?;
        }
    }
    Ok((file, software))
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

/// The packages' files: all of them where Windows looks for drivers, the drivers themselves in `System32\drivers`.
fn files(windows: &mut Windows<'_>, drivers: &[VirtioDriver]) -> Result<(), VirtioSkip> {
    let mut written: Vec<(String, &[u8])> = Vec::new();
    windows.create_folder(FOLDER);
    for driver in drivers {
        let version = driver.inf.driver_version().unwrap_or_else(|| "unknown".to_owned());
        let origin = format!("the virtio drivers, folder \"{}\", version {version}", driver.origin);
        for (name, contents) in &driver.files {
            let name_there = name.to_lowercase();
            match written.iter().find(|(other, _)| *other == name_there) {
                Some((_, other)) if *other == contents.as_slice() => continue,
                Some(_) => return Err(VirtioSkip::SameName(name.clone())),
                None => written.push((name_there, contents)),
            }
            write(windows, &format!("{FOLDER}/{name}"), contents, &origin)?;
            for copy in drivers_among(driver, name) {
                write(windows, &format!("System32/drivers/{copy}"), contents, &origin)?;
            }
        }
    }
    Ok(())
}

/// The names that a file of the package gets in `System32\drivers`, where the kernel looks for boot drivers.
fn drivers_among<'d>(driver: &'d VirtioDriver, name: &str) -> Vec<&'d str> {
    let copies = driver.install.files.iter();
    let copies = copies.filter(|copy| copy.folder == Some(DRIVERS_FOLDER) && copy.source.eq_ignore_ascii_case(name));
    let mut names: Vec<&str> = copies.map(|copy| copy.name.as_str()).collect();
    names.retain(|name| !name.is_empty() && !name.contains(['/', '\\']));
    let has_binary = names.iter().any(|name| name.eq_ignore_ascii_case(&driver.binary));
    if name.eq_ignore_ascii_case(&driver.binary) && !has_binary {
        names.push(&driver.binary);
    }
    names
}

/// Plans to write a file, unless it is there with these contents.
fn write(windows: &mut Windows<'_>, path: &str, contents: &[u8], origin: &str) -> Result<(), VirtioSkip> {
    /// Larger than any file of a package: such a file is another one.
    const LIMIT: u64 = 64 << 20;
    use disk::guestfs::GuestFsError::{NotFound, TooLarge};
    match windows.volume.fs.read(&format!("{}/{path}", windows.folder), LIMIT) {
        Ok(there) if there == contents => return Ok(()),
        Ok(_) | Err(NotFound(_) | TooLarge { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    windows.write_file(path, contents.to_vec(), origin, WHY);
    Ok(())
}

/// The service of a driver in one control set, with the settings of the INF file.
fn service(windows: &mut Windows<'_>, set: &str, service: &Service) -> Result<(), RegistryError> {
    let key = format!(r"{set}\Services\{}", service.name);
    let group = service.group.as_deref().unwrap_or("SCSI miniport");
    let binary = service.binary.rsplit('\\').next().unwrap_or_default();
    let values = [
        ("Type", Data::Number(service.kind)),
        ("Start", Data::Number(0)),
        ("ErrorControl", Data::Number(service.error_control)),
        ("Group", Data::Text(group.to_owned())),
        ("ImagePath", Data::Expand(format!(r"system32\drivers\{binary}"))),
    ];
    let registry = &mut windows.registry;
    registry.ensure(&key, &values, WHY)?;
    for setting in &service.settings {
        let key = match setting.key.as_str() {
            "" => key.clone(),
            below => format!(r"{key}\{below}"),
        };
        let data = match &setting.data {
            inf::Data::String(text) => Data::Text(text.clone()),
            inf::Data::ExpandString(text) => Data::Expand(text.clone()),
            inf::Data::Strings(texts) => Data::Texts(texts.clone()),
            inf::Data::Number(number) => Data::Number(*number),
            inf::Data::Long(number) => Data::Long(*number),
            inf::Data::Binary(bytes) => Data::Binary(bytes.clone()),
        };
        registry.ensure(&key, &[(&setting.name, data)], WHY)?;
    }
    // From Windows 8 on this decides, where it is there.
    let overrides = format!(r"{key}\StartOverride");
    for name in registry.value_names(&overrides)? {
        registry.set_number(&overrides, &name, 0, WHY)?;
    }
    Ok(())
}

/// Entries of the CriticalDeviceDatabase, up to Windows 7.
fn critical_devices(
    windows: &mut Windows<'_>,
    set: &str,
    generation: Generation,
    driver: &VirtioDriver,
) -> Result<(), RegistryError> {
    for id in device_ids(driver) {
        let id = if generation == Generation::Nt5 {
            id.to_lowercase()
        } else {
            id
        };
        let bus = if generation == Generation::Nt5 { "pci" } else { "PCI" };
        let values = [
            ("Service", Data::Text(driver.service.name.clone())),
            ("ClassGUID", Data::Text(CLASS.to_owned())),
        ];
        let key = format!(r"{set}\Control\CriticalDeviceDatabase\{bus}#{id}");
        windows
            .registry
            .ensure(&key, &values, "names the driver of the machine's virtio disks")?;
    }
    Ok(())
}

/// The driver's package in the driver database, from Windows 8 on.
fn driver_database(windows: &mut Windows<'_>, driver: &VirtioDriver, architecture: &str) -> Result<(), RegistryError> {
    let platform = match architecture {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        _ => "x86",
    };
    let inf = format!("{}.inf", driver.name);
    let label = format!("{inf}_{platform}_0000000000000000");
    let configuration = format!("{}_conf", driver.name);
    let ids = device_ids(driver);
    let text = |text: &str| Data::Text(text.to_owned());
    let registry = &mut windows.registry;
    let values = [
        ("", Data::Texts(vec![label.clone()])),
        ("Active", text(&label)),
        ("Configurations", Data::Texts(vec![configuration.clone()])),
    ];
    registry.ensure(&format!(r"DriverDatabase\DriverInfFiles\{inf}"), &values, WHY)?;
    for id in &ids {
        let known = [(inf.as_str(), Data::Binary(vec![1, 0xFF, 0, 0]))];
        registry.ensure(&format!(r"DriverDatabase\DeviceIds\PCI\{id}"), &known, WHY)?;
    }
    let package = format!(r"DriverDatabase\DriverPackages\{label}");
    let version = [&VERSION[..], &[0; 24]].concat();
    registry.ensure(&package, &[("Version", Data::Binary(version))], WHY)?;
    let values = [
        ("ConfigFlags", Data::Number(0)),
        ("Service", text(&driver.service.name)),
    ];
    registry.ensure(&format!(r"{package}\Configurations\{configuration}"), &values, WHY)?;
    for id in &ids {
        let values = [("Configuration", text(&configuration))];
        registry.ensure(&format!(r"{package}\Descriptors\PCI\{id}"), &values, WHY)?;
    }
    Ok(())
}

/// The ids of the package's PCI devices, without the bus, and what Windows asks for too: vendor, device and revision;
/// vendor and device.
fn device_ids(driver: &VirtioDriver) -> Vec<String> {
    let mut ids: Vec<String> = Vec::new();
    let mut add = |id: String| {
        if ids.iter().all(|other| !other.eq_ignore_ascii_case(&id)) {
            ids.push(id);
        }
    };
    for id in &driver.hardware_ids {
        let Some((bus, id)) = id.split_once('\\') else { continue };
        let plain = id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"&_".contains(&byte));
        let parts: Vec<&str> = id.split('&').collect();
        let [vendor, device, ..] = parts[..] else { continue };
        let is_device = vendor.to_uppercase().starts_with("VEN_") && device.to_uppercase().starts_with("DEV_");
        if !bus.eq_ignore_ascii_case("PCI") || !plain || !is_device {
            continue;
        }
        add(id.to_owned());
        if let Some(revision) = parts.iter().find(|part| part.to_uppercase().starts_with("REV_")) {
            add(format!("{vendor}&{device}&{revision}"));
        }
        add(format!("{vendor}&{device}"));
    }
    ids
}

/// Adds the folder to those in which Windows looks for drivers.
fn device_path(software: &mut Registry) -> Result<(), RegistryError> {
    const KEY: &str = r"Microsoft\Windows\CurrentVersion";
    let now = software.text(KEY, "DevicePath")?;
    let now = now.unwrap_or_else(|| r"%SystemRoot%\inf".to_owned());
    if now.split(';').any(|path| path.trim().eq_ignore_ascii_case(DEVICE_PATH)) {
        return Ok(());
    }
    let path = format!("{};{DEVICE_PATH}", now.trim_end_matches(';'));
    let data = match software.is_plain_text(KEY, "DevicePath")? {
        true => Data::Text(path),
        false => Data::Expand(path),
    };
    software.ensure(KEY, &[("DevicePath", data)], WHY_PATH)
}
