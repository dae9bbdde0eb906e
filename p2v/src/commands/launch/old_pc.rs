//! What the guest is shown of the old PC: the files in `firmware/` that the runner can give it.

use crate::machine::firmware::{self, MSDM, SLIC, SMBIOS, SMBIOS_ENTRY_POINT};
use crate::machine::names::FIRMWARE;
use crate::machine::{Identity, Machine};
use runner::acpi::AcpiTable;
use runner::config::OldPc;
use runner::smbios::PcIdentity;
use std::path::Path;

/// Reads the files, and says what is shown. A machine must start without them: what is damaged is told and left out.
pub(super) fn load(folder: &Path, machine: &Machine, wish: Option<Identity>) -> OldPc {
    if wish.unwrap_or(machine.identity) == Identity::Hidden || !folder.join(FIRMWARE).exists() {
        return OldPc::default();
    }
    let mut old_pc = OldPc {
        smbios: smbios(folder),
        acpi: Vec::new(),
    };
    for name in [SLIC, MSDM] {
        let Some(bytes) = file(folder, name) else { continue };
        let signature = name.as_bytes().first_chunk::<4>().copied().unwrap_or_default();
        match AcpiTable::read(signature, &bytes) {
            Ok(table) => old_pc.acpi.push(table),
            Err(error) => leave_out(folder, name, &error.to_string()),
        }
    }
    tell(&old_pc, machine);
    old_pc
}

fn smbios(folder: &Path) -> Option<PcIdentity> {
    let (entry_point, table) = (file(folder, SMBIOS_ENTRY_POINT)?, file(folder, SMBIOS)?);
    match PcIdentity::read(&entry_point, &table) {
        Ok(identity) => Some(identity),
        Err(error) => {
            leave_out(folder, SMBIOS, &error.to_string());
            None
        }
    }
}

fn file(folder: &Path, name: &str) -> Option<Vec<u8>> {
    match firmware::load(folder, name) {
        Ok(bytes) => bytes,
        Err(error) => {
            leave_out(folder, name, &format!("it cannot be read: {error}"));
            None
        }
    }
}

fn leave_out(folder: &Path, name: &str, why: &str) {
    let path = folder.join(FIRMWARE).join(name);
    eprintln!(
        "warning: {} is not shown to the machine: {why}; the machine runs without it",
        path.display()
    );
}

fn tell(old_pc: &OldPc, machine: &Machine) {
    let mut shown: Vec<String> = old_pc.smbios.iter().map(|_| "SMBIOS".to_owned()).collect();
    let names = old_pc.acpi.iter().map(AcpiTable::name);
    shown.extend(names.map(|name| String::from_utf8_lossy(&name).into_owned()));
    if shown.is_empty() {
        return;
    }
    let windows = machine.systems.iter().any(|system| system.family == "windows");
    let licence = if windows || !old_pc.acpi.is_empty() {
        ". A licence usually is bound to the hardware: the system may ask to be activated again"
    } else {
        ""
    };
    eprintln!("p2v: the machine shows which PC it was ({}){licence}", shown.join(", "));
}
