//! Edits that every generation has: the blue screen stays, drivers of other virtual machines are off.

use super::nt5::disable;
use super::registry::RegistryError;
use super::system::Windows;

/// Services of guest software for hypervisors whose hardware is not there (RHEV's SCSI driver, Parallels Tools).
/// Source: what virt-v2v turns off.
pub(super) const FOREIGN: &[&str] = &[
    "rhelscsi",
    "prl_boot",
    "prl_dd",
    "prl_eth5",
    "prl_fs",
    "prl_memdev",
    "prl_mouf",
    "prl_pv32",
    "prl_pv64",
    "prl_scsi",
    "prl_sound",
    "prl_strg",
    "prl_tg",
    "prl_time",
    "prl_uprof",
    "prl_va",
];

/// The edits in one control set. Filters have been taken off their lists before: a service that is off but still
/// listed stops the device that it filters.
pub(super) fn control_set(windows: &mut Windows<'_>, set: &str) -> Result<(), RegistryError> {
    let crash = format!(r"{set}\Control\CrashControl");
    if windows.registry.has_key(&crash)? {
        let why = "a blue screen can be read instead of restarting at once";
        windows.registry.set_number(&crash, "AutoReboot", 0, why)?;
    }
    let mut listed = windows.registry.filters_below(&format!(r"{set}\Control\Class"))?;
    listed.extend(windows.registry.filters_below(&format!(r"{set}\Enum"))?);
    for service in FOREIGN.iter().filter(|service| !listed.contains(**service)) {
        disable(windows, set, service, "belongs to another kind of virtual machine")?;
    }
    Ok(())
}
