//! Windows 2000, XP and 2003: services, and the CriticalDeviceDatabase that tells the kernel which driver a device has
//! before Plug and Play runs.
//!
//! Sources: Microsoft KB 314082 (the keys), KB 953356 (`intelppm`).

use super::super::finding::{Effect, Kind};
use super::registry::{Data, RegistryError};
use super::system::Windows;

/// A driver that must be loaded at boot, and the values of its service key.
struct BootDriver {
    service: &'static str,
    /// Its file and those that it imports from.
    files: &'static [&'static str],
    group: &'static str,
    tag: u32,
    image: &'static str,
    why: &'static str,
}

const DRIVERS: &[BootDriver] = &[
    BootDriver {
        service: "atapi",
        files: &["atapi.sys"],
        group: "SCSI miniport",
        tag: 0x19,
        image: r"system32\DRIVERS\atapi.sys",
        why: "drives the channels of the machine's IDE controller",
    },
    BootDriver {
        service: "IntelIde",
        files: &["intelide.sys", "pciidex.sys"],
        group: "System Bus Extender",
        tag: 4,
        image: r"system32\DRIVERS\intelide.sys",
        why: "drives the machine's IDE controller (PIIX3)",
    },
    BootDriver {
        service: "PCIIde",
        files: &["pciide.sys", "pciidex.sys"],
        group: "System Bus Extender",
        tag: 3,
        image: r"system32\DRIVERS\pciide.sys",
        why: "drives IDE controllers of other kinds",
    },
];

const HDC: &str = "{4D36E96A-E325-11CE-BFC1-08002BE10318}";
const SYSTEM: &str = "{4D36E97D-E325-11CE-BFC1-08002BE10318}";
const DISK: &str = "{4D36E967-E325-11CE-BFC1-08002BE10318}";

/// An entry of the CriticalDeviceDatabase. It is only made if the driver's files are there.
pub(super) struct Device {
    pub(super) id: &'static str,
    pub(super) service: &'static str,
    pub(super) class: &'static str,
    pub(super) files: &'static [&'static str],
    pub(super) why: &'static str,
}

const INTELIDE: &[&str] = &["intelide.sys", "pciidex.sys"];
const PCIIDE: &[&str] = &["pciide.sys", "pciidex.sys"];

#[rustfmt::skip]
const DEVICES: &[Device] = &[
    Device { id: "pci#ven_8086&dev_7010", service: "intelide", class: HDC, files: INTELIDE, why: "names the driver of the machine's IDE controller (PIIX3)" },
    Device { id: "pci#ven_8086&dev_7111", service: "intelide", class: HDC, files: INTELIDE, why: "names the driver of the IDE controller of other virtual machines (PIIX4)" },
    Device { id: "pci#cc_0101", service: "pciide", class: HDC, files: PCIIDE, why: "names the driver of any IDE controller" },
    Device { id: "primary_ide_channel", service: "atapi", class: HDC, files: &["atapi.sys"], why: "names the driver of the first IDE channel" },
    Device { id: "secondary_ide_channel", service: "atapi", class: HDC, files: &["atapi.sys"], why: "names the driver of the second IDE channel" },
    Device { id: "gendisk", service: "disk", class: DISK, files: &["disk.sys"], why: "names the driver of disks" },
    Device { id: "pci#ven_8086&dev_7000", service: "isapnp", class: SYSTEM, files: &["isapnp.sys"], why: "names the driver of the machine's ISA bridge (PIIX3)" },
    Device { id: "pci#ven_8086&dev_7110", service: "isapnp", class: SYSTEM, files: &["isapnp.sys"], why: "names the driver of the ISA bridge of other virtual machines (PIIX4)" },
];

/// What the text-mode setup of every Windows of this generation writes.
const ALWAYS_THERE: &[&str] = &["*pnp0a03", "*pnp0c08"];

/// Drivers of the processor's power management.
const PROCESSORS: &[&str] = &[
    "intelppm",
    "processor",
    "AmdK7",
    "AmdK8",
    "AmdPPM",
    "P3",
    "p4",
    "gv3",
    "crusoe",
];

/// Drivers of AGP bridges.
const AGP: &[&str] = &[
    "agp440", "agpCPQ", "alim1541", "amdagp", "sisagp", "viaagp", "gagp30kx", "uagp35",
];

const DISABLED: u32 = 4;

/// The files that the tables need, those of one driver together.
pub(super) fn files() -> Vec<Vec<&'static str>> {
    let drivers = DRIVERS.iter().map(|driver| driver.files);
    let all = drivers.chain(DEVICES.iter().map(|device| device.files));
    let mut files: Vec<Vec<&str>> = Vec::new();
    for set in all {
        if !files.iter().any(|known| known == set) {
            files.push(set.to_vec());
        }
    }
    files
}

/// The edits in one control set.
pub(super) fn control_set(windows: &mut Windows<'_>, set: &str) -> Result<(), RegistryError> {
    for driver in DRIVERS {
        if windows.has_drivers(driver.files) {
            boot_driver(windows, set, driver)?;
        }
    }
    for device in DEVICES {
        critical_device(windows, set, device)?;
    }
    for service in PROCESSORS {
        let why = "addresses the power management of real processors, which can stop a virtual one (STOP 0x7E)";
        disable(windows, set, service, why)?;
    }
    let mut listed = windows.registry.filters_below(&format!(r"{set}\Control\Class"))?;
    listed.extend(windows.registry.filters_below(&format!(r"{set}\Enum"))?);
    for service in AGP.iter().filter(|service| !listed.contains(&service.to_lowercase())) {
        disable(windows, set, service, "the machine has no AGP bridge")?;
    }
    Ok(())
}

/// What cannot be mended: looked at once, in the control set that is used.
pub(super) fn check(windows: &mut Windows<'_>, set: &str) -> Result<(), RegistryError> {
    let missing = windows.missing(&["atapi.sys", "intelide.sys", "pciidex.sys"]);
    if !missing.is_empty() {
        let what = format!(
            "It has no {} in System32\\drivers, which the machine's IDE controller needs: it will stop with STOP 0x7B",
            missing.join(", ")
        );
        windows.find(
            Kind::DriverMissing,
            Effect::Warning,
            what,
            format!(
                "The driver is not enabled. Copy it into System32\\drivers on the old computer, then capture again.{}",
                windows.why_not(&missing)
            ),
        );
    }
    for id in ALWAYS_THERE {
        if !windows
            .registry
            .has_key(&format!(r"{set}\Control\CriticalDeviceDatabase\{id}"))?
        {
            windows.find(
                Kind::UnknownToDriverDatabase,
                Effect::Warning,
                format!("Its CriticalDeviceDatabase has no {id}, which its setup should have made"),
                "It is left as it is; the system may not start.",
            );
        }
    }
    Ok(())
}

fn boot_driver(windows: &mut Windows<'_>, set: &str, driver: &BootDriver) -> Result<(), RegistryError> {
    let key = format!(r"{set}\Services\{}", driver.service);
    let values = [
        ("Type", Data::Number(1)),
        ("Start", Data::Number(0)),
        ("ErrorControl", Data::Number(1)),
        ("Group", Data::Text(driver.group.to_owned())),
        ("Tag", Data::Number(driver.tag)),
        ("ImagePath", Data::Expand(driver.image.to_owned())),
    ];
    if !windows.registry.has_key(&key)? {
        return windows.registry.add_key(&key, &values, driver.why);
    }
    for (name, data) in &values {
        // Without an ImagePath Windows looks in system32\drivers.
        let must_be = *name == "Start";
        let may_be_absent = *name == "ImagePath";
        if must_be || !may_be_absent && !windows.registry.has_value(&key, name)? {
            windows.registry.set(&key, name, data, driver.why)?;
        }
    }
    Ok(())
}

/// Makes an entry of the CriticalDeviceDatabase what it should be, if the driver's files are there.
pub(super) fn critical_device(windows: &mut Windows<'_>, set: &str, device: &Device) -> Result<(), RegistryError> {
    if !windows.has_drivers(device.files) {
        return Ok(());
    }
    let key = format!(r"{set}\Control\CriticalDeviceDatabase\{}", device.id);
    let values = [("Service", device.service), ("ClassGUID", device.class)];
    if !windows.registry.has_key(&key)? {
        let values = values.map(|(name, text)| (name, Data::Text(text.to_owned())));
        return windows.registry.add_key(&key, &values, device.why);
    }
    for (name, text) in values {
        let now = windows.registry.text(&key, name)?;
        if now.is_none_or(|now| !now.eq_ignore_ascii_case(text)) {
            let data = Data::Text(text.to_owned());
            windows.registry.set(&key, name, &data, device.why)?;
        }
    }
    Ok(())
}

/// Turns a service off, if it is there.
pub(super) fn disable(
    windows: &mut Windows<'_>,
    set: &str,
    service: &str,
    why: &'static str,
) -> Result<(), RegistryError> {
    let key = format!(r"{set}\Services\{service}");
    if windows.registry.number(&key, "Start")?.is_some() {
        windows.registry.set_number(&key, "Start", DISABLED, why)?;
    }
    Ok(())
}
