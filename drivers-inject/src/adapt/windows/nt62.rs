//! Windows 8 to 11: all inbox boot drivers have Start 0; what decides is `StartOverride`, a value for each hardware
//! configuration that the system has seen.

use super::super::finding::{Effect, Kind};
use super::nt6::{BootDriver, check_drivers, load_at_boot};
use super::registry::RegistryError;
use super::system::Windows;

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
        "storahci",
        "storahci.sys",
        false,
        "drives the AHCI controllers of other virtual machines",
    ),
];

/// Devices that the driver database must know, and the package that has their drivers.
const DEVICES: &[&str] = &["CC_0101", "CC_010601", "VEN_8086&DEV_7010", "VEN_8086&DEV_7111"];
const PACKAGE: &str = "mshdc.inf";

/// The edits in one control set.
pub(super) fn control_set(windows: &mut Windows<'_>, set: &str) -> Result<(), RegistryError> {
    for (service, file, _, why) in DRIVERS {
        load_at_boot(windows, set, service, file, why)?;
        if !windows.has_drivers(&[file]) {
            continue;
        }
        let key = format!(r"{set}\Services\{service}\StartOverride");
        for name in windows.registry.value_names(&key)? {
            windows.registry.set_number(&key, &name, 0, why)?;
        }
    }
    Ok(())
}

/// What cannot be mended: looked at once, in the control set that is used.
pub(super) fn check(windows: &mut Windows<'_>, set: &str) -> Result<(), RegistryError> {
    check_drivers(windows, set, DRIVERS)?;
    let mut unknown = Vec::new();
    for device in DEVICES {
        if !windows
            .registry
            .has_value(&format!(r"DriverDatabase\DeviceIds\PCI\{device}"), PACKAGE)?
        {
            unknown.push(*device);
        }
    }
    if !unknown.is_empty() {
        let what = format!(
            "Its driver database does not connect {} with {PACKAGE}, as that of an untouched Windows does",
            unknown.join(", ")
        );
        windows.find(
            Kind::UnknownToDriverDatabase,
            Effect::Warning,
            what,
            "It is left as it is; if the system stops with STOP 0x7B, this is why.",
        );
    }
    Ok(())
}
