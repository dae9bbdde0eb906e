//! Windows Vista, 7, 2008 and 2008 R2: the inbox drivers are there and known, but those that setup saw no hardware for
//! are not loaded at boot.
//!
//! Source: Microsoft KB 922976.

use super::super::finding::{Effect, Kind};
use super::nt5::{Device, critical_device};
use super::registry::RegistryError;
use super::system::Windows;

/// Service, file, whether the machine's own IDE controller needs it, why.
pub(super) type BootDriver = (&'static str, &'static str, bool, &'static str);

pub(super) const DRIVERS: &[BootDriver] = &[
    (
        "intelide",
        "intelide.sys",
        true,
        "drives the machine's IDE controller (PIIX3)",
    ),
    (
        "atapi",
        "atapi.sys",
        true,
        "drives the channels of the machine's IDE controller",
    ),
    ("pciide", "pciide.sys", false, "drives IDE controllers of other kinds"),
    (
        "msahci",
        "msahci.sys",
        false,
        "drives the AHCI controllers of other virtual machines",
    ),
];

const HDC: &str = "{4D36E96A-E325-11CE-BFC1-08002BE10318}";
const DISK: &str = "{4D36E967-E325-11CE-BFC1-08002BE10318}";

/// Entries that setup makes; they are only added where somebody removed them.
#[rustfmt::skip]
const DEVICES: &[Device] = &[
    Device { id: "PCI#VEN_8086&DEV_7010", service: "intelide", class: HDC, files: &["intelide.sys"], why: "names the driver of the machine's IDE controller (PIIX3)" },
    Device { id: "PCI#CC_0101", service: "pciide", class: HDC, files: &["pciide.sys"], why: "names the driver of any IDE controller" },
    Device { id: "PCI#CC_010601", service: "msahci", class: HDC, files: &["msahci.sys"], why: "names the driver of AHCI controllers" },
    Device { id: "Internal_IDE_Channel", service: "atapi", class: HDC, files: &["atapi.sys"], why: "names the driver of IDE channels" },
    Device { id: "Primary_IDE_Channel", service: "atapi", class: HDC, files: &["atapi.sys"], why: "names the driver of the first IDE channel" },
    Device { id: "Secondary_IDE_Channel", service: "atapi", class: HDC, files: &["atapi.sys"], why: "names the driver of the second IDE channel" },
    Device { id: "GenDisk", service: "disk", class: DISK, files: &["disk.sys"], why: "names the driver of disks" },
];

/// The edits in one control set.
pub(super) fn control_set(windows: &mut Windows<'_>, set: &str) -> Result<(), RegistryError> {
    for (service, file, _, why) in DRIVERS {
        load_at_boot(windows, set, service, file, why)?;
    }
    for device in DEVICES {
        let key = format!(r"{set}\Control\CriticalDeviceDatabase\{}", device.id);
        if !windows.registry.has_key(&key)? {
            critical_device(windows, set, device)?;
        }
    }
    Ok(())
}

/// What cannot be mended: looked at once, in the control set that is used.
pub(super) fn check(windows: &mut Windows<'_>, set: &str) -> Result<(), RegistryError> {
    check_drivers(windows, set, DRIVERS)
}

/// Lets a driver be loaded at boot, if its file is there.
pub(super) fn load_at_boot(
    windows: &mut Windows<'_>,
    set: &str,
    service: &str,
    file: &str,
    why: &'static str,
) -> Result<(), RegistryError> {
    let key = format!(r"{set}\Services\{service}");
    if windows.has_drivers(&[file]) && windows.registry.has_key(&key)? {
        windows.registry.set_number(&key, "Start", 0, why)?;
    }
    Ok(())
}

/// Reports drivers that the machine's disk needs and that are not there.
pub(super) fn check_drivers(windows: &mut Windows<'_>, set: &str, drivers: &[BootDriver]) -> Result<(), RegistryError> {
    for (service, file, needed, _) in drivers.iter().filter(|driver| driver.2) {
        let has_key = windows.registry.has_key(&format!(r"{set}\Services\{service}"))?;
        let has_file = windows.has_drivers(&[file]);
        if has_key && has_file || !needed {
            continue;
        }
        let what = match has_file {
            true => format!("Its registry has no service {service}"),
            false => format!("It has no {file} in System32\\drivers"),
        };
        windows.find(
            Kind::DriverMissing,
            Effect::Warning,
            format!("{what}, which the machine's IDE controller needs: it will stop with STOP 0x7B"),
            format!(
                "The driver is not enabled. Repair the old system (`sfc /scannow`), then capture again.{}",
                windows.why_not(&[file])
            ),
        );
    }
    Ok(())
}
