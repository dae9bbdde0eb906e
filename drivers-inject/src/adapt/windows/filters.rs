//! Filter drivers that others hung into the stacks of disks and volumes.
//!
//! A filter that cannot be loaded stops the disk. A filter that encrypts must never be removed.

use super::super::finding::{Effect, Kind};
use super::common::FOREIGN;
use super::registry::RegistryError;
use super::system::Windows;

/// Classes whose filters matter for the start: disks, volumes, IDE and SCSI controllers, CD drives.
const CLASSES: &[&str] = &[
    "{4D36E967-E325-11CE-BFC1-08002BE10318}",
    "{71A27CDD-812A-11D0-BEC7-08002BE2092F}",
    "{4D36E96A-E325-11CE-BFC1-08002BE10318}",
    "{4D36E97B-E325-11CE-BFC1-08002BE10318}",
    "{4D36E965-E325-11CE-BFC1-08002BE10318}",
];

/// Filters that Windows brings.
const INBOX: &[&str] = &[
    "partmgr",
    "ehstorclass",
    "volsnap",
    "fvevol",
    "iorate",
    "rdyboost",
    "redbook",
    "imapi",
    "storqosflt",
];

/// Filters that encrypt disks, and whose they are.
const ENCRYPTION: &[(&str, &str)] = &[
    ("pgpwded", "PGP / Symantec Drive Encryption"),
    ("pgpwdefs", "PGP / Symantec Drive Encryption"),
    ("mfeepepc", "McAfee Endpoint Encryption"),
    ("mfeepeopal", "McAfee Endpoint Encryption"),
    ("safeboot", "SafeBoot"),
    ("truecrypt", "TrueCrypt"),
    ("veracrypt", "VeraCrypt"),
    ("dcrypt", "DiskCryptor"),
    ("sgntbl", "SafeGuard"),
];

/// The edits in one control set.
pub(super) fn control_set(windows: &mut Windows<'_>, set: &str) -> Result<(), RegistryError> {
    let classes = CLASSES.iter().map(|class| format!(r"{set}\Control\Class\{class}"));
    let mut keys: Vec<String> = classes.collect();
    // Filters of one device alone.
    let devices = windows.registry.filtered_devices(&format!(r"{set}\Enum"))?;
    let is_known = |class: &str| CLASSES.iter().any(|known| known.eq_ignore_ascii_case(class));
    keys.extend(
        devices
            .into_iter()
            .filter(|(_, class)| is_known(class))
            .map(|(key, _)| key),
    );
    for key in keys {
        for list in ["UpperFilters", "LowerFilters"] {
            for name in windows.registry.texts(&key, list)? {
                filter(windows, set, &key, list, &name)?;
            }
        }
    }
    Ok(())
}

/// Decides on one filter.
fn filter(windows: &mut Windows<'_>, set: &str, key: &str, list: &str, name: &str) -> Result<(), RegistryError> {
    let folded = name.to_lowercase();
    if INBOX.contains(&folded.as_str()) || ENCRYPTION.iter().any(|(known, _)| *known == folded) {
        return Ok(());
    }
    if FOREIGN.contains(&folded.as_str()) {
        let why = "belongs to another kind of virtual machine, and would stop the disk when it is turned off";
        return windows.registry.unlist(key, list, &[name], why);
    }
    let service = format!(r"{set}\Services\{name}");
    let image = windows.registry.text(&service, "ImagePath")?;
    if windows.has_image(name, image.as_deref()) == Some(false) {
        let why = "its file is missing: Windows would stop at a device whose filter cannot be loaded";
        return windows.registry.unlist(key, list, &[name], why);
    }
    let what = format!(
        "The driver {name} of another maker is hung into its disks ({list}); p2v does not know it. Backup and SSD \
         programs do this; so do disk encryption programs"
    );
    // Once, not for every control set and class.
    if !windows.findings.iter().any(|finding| finding.what == what) {
        windows.find(
            Kind::UnknownFilter,
            Effect::Note,
            what,
            "It is left as it is. If the system does not start, uninstall its program on the old computer and capture \
             again.",
        );
    }
    Ok(())
}

/// Looks for disk encryption in one control set.
pub(super) fn check(windows: &mut Windows<'_>, set: &str) -> Result<(), RegistryError> {
    let mut listed = windows.registry.filters_below(&format!(r"{set}\Control\Class"))?;
    listed.extend(windows.registry.filters_below(&format!(r"{set}\Enum"))?);
    for (name, product) in ENCRYPTION {
        if listed.contains(*name) {
            windows.find(
                Kind::EncryptionFilter,
                Effect::Refusal,
                format!("A driver of {product} ({name}) is hung into its disks: the disk is, or was, encrypted"),
                "Nothing is changed. Decrypt the disk on the old computer, uninstall that program, then capture again.",
            );
        }
    }
    Ok(())
}
