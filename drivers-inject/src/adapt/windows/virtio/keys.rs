//! What the registry says of the drivers: services, devices, the folder with the packages.

use super::super::Generation;
use super::super::registry::{Data, Registry, RegistryError};
use super::super::system::Windows;
use super::WHY;
use crate::windows::inf::{self, Service};
use crate::windows::virtio::VirtioDriver;

/// The folder of the packages as Windows writes it.
const DEVICE_PATH: &str = r"%SystemRoot%\Drivers\VirtIO";
/// `SCSIAdapter`, as text and in the bytes of a package's `Version`.
const CLASS: &str = "{4D36E97B-E325-11CE-BFC1-08002BE10318}";
const VERSION: [u8; 24] = [
    0x00, 0xFF, 0x09, 0x00, 0, 0, 0, 0, 0x7B, 0xE9, 0x36, 0x4D, 0x25, 0xE3, 0xCE, 0x11, 0xBF, 0xC1, 0x08, 0x00, 0x2B,
    0xE1, 0x03, 0x18,
];
const WHY_PATH: &str = "Windows looks there for drivers of the devices that it finds";

/// The service of a driver in one control set, with the settings of the INF file.
pub(super) fn service(windows: &mut Windows<'_>, set: &str, service: &Service) -> Result<(), RegistryError> {
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
pub(super) fn critical_devices(
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
pub(super) fn driver_database(
    windows: &mut Windows<'_>,
    driver: &VirtioDriver,
    architecture: &str,
) -> Result<(), RegistryError> {
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
pub(super) fn device_path(software: &mut Registry) -> Result<(), RegistryError> {
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
