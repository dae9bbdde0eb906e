//! Reading what Linux shows of this computer's firmware, below `/sys/firmware`. Nothing there is ever written.

use super::{FirmwareFile, FirmwareFiles, MSDM, SLIC, SMBIOS, SMBIOS_ENTRY_POINT, UEFI_VARIABLES, efivars, load_file};
use std::path::{Path, PathBuf};

/// Stands for `/sys/firmware`, for tests and demonstrations.
const VARIABLE: &str = "P2V_SYS_FIRMWARE";

/// Where Linux shows it, and how many bytes it can have.
const TABLES: [(&str, &str, u64); 4] = [
    ("dmi/tables/smbios_entry_point", SMBIOS_ENTRY_POINT, 4 << 10),
    ("dmi/tables/DMI", SMBIOS, 1 << 20),
    ("acpi/tables/SLIC", SLIC, 64 << 10),
    ("acpi/tables/MSDM", MSDM, 64 << 10),
];

/// `/sys/firmware`.
pub(crate) fn root() -> PathBuf {
    std::env::var_os(VARIABLE).map_or_else(|| "/sys/firmware".into(), PathBuf::from)
}

/// Reads everything that there is. What a PC does not have is not missing; what it has and does not give is.
pub(crate) fn read(root: &Path) -> FirmwareFiles {
    let mut found = FirmwareFiles::default();
    for (path, name, most) in TABLES {
        let path = root.join(path);
        match load_file(&path, most) {
            Ok(Some(bytes)) if !bytes.is_empty() => found.files.push(FirmwareFile {
                name: name.to_owned(),
                bytes,
            }),
            Ok(Some(_)) => found.missing.push(format!("{} is empty", path.display())),
            Ok(None) => {}
            Err(error) => found.missing.push(format!("cannot read {}: {error}", path.display())),
        }
    }
    let firmware = root.join("efi");
    if firmware.exists() {
        let (text, missing) = efivars::read(&firmware.join("efivars"));
        found.missing.extend(missing);
        found.files.extend(text.map(|text| FirmwareFile {
            name: UEFI_VARIABLES.to_owned(),
            bytes: text.into_bytes(),
        }));
    }
    found
}
