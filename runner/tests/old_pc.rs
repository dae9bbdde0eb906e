//! What a guest finds of the old PC: SMBIOS, SLIC, MSDM, put there by the real firmware and read by a boot sector.
//! The judges are dmidecode and iasl.

#[allow(dead_code)]
mod common;
#[allow(dead_code, unreachable_pub)]
#[path = "../../tests/src/old_pc.rs"]
mod made_up;

use common::Guest;
use made_up::{MAKER, licences, smbios, sum};
use runner::acpi::AcpiTable;
use runner::config::OldPc;
use runner::smbios::PcIdentity;
use runner::{MachineConfig, Outcome};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::process::Command;
use tempfile::TempDir;

/// What the sector writes: where in the guest's memory, how much, where on the disk.
const AREAS: [(u64, usize, u64); 2] = [(0xf_0000, 0x1_0000, 64 * 512), (0x1f8_0000, 0x8_0000, 192 * 512)];

/// The guest's memory, as far as it was written to the disk.
struct Found(Vec<(u64, Vec<u8>)>);

impl Found {
    fn boot(prepare: impl FnOnce(&mut MachineConfig)) -> Self {
        Self::boot_after(0, prepare)
    }

    /// After so many resets.
    fn boot_after(resets: u8, prepare: impl FnOnce(&mut MachineConfig)) -> Self {
        let guest = Guest::boot("tables", |image, config| {
            image.write_all_at(&[resets], 509).unwrap();
            prepare(config);
        });
        guest.wait_for("TABLES OK");
        let (result, image, _folder) = guest.end();
        assert_eq!(result.unwrap(), Outcome::PoweredOff);
        let read = |(address, size, offset): (u64, usize, u64)| {
            let mut bytes = vec![0; size];
            image.read_exact_at(&mut bytes, offset).unwrap();
            (address, bytes)
        };
        Found(AREAS.map(read).into())
    }

    fn at(&self, address: u32, length: usize) -> &[u8] {
        let found = self.0.iter().find_map(|(start, bytes)| {
            let offset = usize::try_from(u64::from(address).checked_sub(*start)?).unwrap();
            bytes.get(offset..offset + length)
        });
        found.unwrap_or_else(|| panic!("{address:#x} was not written to the disk"))
    }

    /// Where a text is on a 16-byte boundary from F0000h on.
    fn find(&self, text: &[u8]) -> u32 {
        let (_, area) = &self.0[0];
        let at = area.chunks_exact(16).position(|bytes| bytes.starts_with(text));
        0xf_0000 + 16 * u32::try_from(at.expect("no such mark")).unwrap()
    }

    fn le32(&self, address: u32) -> u32 {
        u32::from_le_bytes(self.at(address, 4).try_into().unwrap())
    }

    /// The SMBIOS tables as a file in dmidecode's form: the entry point, and the structures 32 bytes behind its start.
    fn dmidecode(&self, folder: &TempDir, more: &[&str]) -> String {
        let mut file = self.at(self.find(b"_SM_"), 31).to_vec();
        let (table, length) = (self.find(b"_SM_") + 24, u16::from_le_bytes([file[22], file[23]]));
        let structures = self.at(self.le32(table), length.into()).to_vec();
        file[24..28].copy_from_slice(&32u32.to_le_bytes());
        file[21] = 0;
        file[21] = sum(&file[16..]).wrapping_neg();
        file[4] = 0;
        file[4] = sum(&file[..16]).wrapping_neg();
        file.push(0);
        file.extend(structures);
        let path = folder.path().join("dmi");
        std::fs::write(&path, file).unwrap();
        let mut command = Command::new("dmidecode");
        let output = command.arg("--from-dump").arg(&path).args(more).output();
        let output = output.expect("dmidecode must be installed (Debian package dmidecode)");
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// The ACPI tables that RSDP and RSDT lead to, the RSDT first.
    fn acpi(&self) -> Vec<Vec<u8>> {
        let table = |address: u32| {
            let length = self.le32(address + 4) as usize;
            self.at(address, length).to_vec()
        };
        let rsdt = table(self.le32(self.find(b"RSD PTR ") + 16));
        let mut tables = vec![rsdt.clone()];
        for entry in rsdt[36..].chunks_exact(4) {
            tables.push(table(u32::from_le_bytes(entry.try_into().unwrap())));
        }
        tables
    }
}

#[test]
fn a_guest_finds_which_pc_it_was_and_which_hardware_it_has() {
    let found = Found::boot(|config| {
        let (entry, table) = smbios(&["SLP: Old Maker System"]);
        config.cpus = 2;
        config.old_pc.smbios = Some(PcIdentity::read(&entry, &table).unwrap());
    });
    let folder = TempDir::new().unwrap();
    let text = found.dmidecode(&folder, &[]);
    for wanted in [
        "SMBIOS 2.6 present",
        "Vendor: Old BIOS",
        "Version: 1.07",
        "Release Date: 08/15/2009",
        "Manufacturer: Old Maker",
        "Product Name: Model 2000",
        "Serial Number: SERIAL-0815",
        // As the old PC's version says: the first three fields are little-endian.
        "UUID: 13121110-1514-1716-1819-1a1b1c1d1e1f",
        "Serial Number: BOARD-1",
        "Chassis Handle: 0x0003",
        "Type: Desktop",
        "String 1: SLP: Old Maker System",
        "Core Count: 2",
        "Size: 32 MB",
        "Range Size: 32 MB",
        "End Of Table",
    ] {
        assert!(text.contains(wanted), "no {wanted:?} in:\n{text}");
    }
    for old in [
        "Old Processor",
        "DMI type 218",
        "BROKEN",
        "Invalid",
        "<OUT OF SPEC>",
        "<BAD INDEX>",
    ] {
        assert!(!text.contains(old), "{old:?} in:\n{text}");
    }
    assert_eq!(text.matches("Processor Information").count(), 1, "{text}");
    let handles: Vec<_> = text.lines().filter(|line| line.starts_with("Handle 0x")).collect();
    let mut different: Vec<_> = handles.iter().map(|line| &line[..13]).collect();
    different.sort_unstable();
    different.dedup();
    assert_eq!(different.len(), handles.len(), "{text}");
    // So small they lie where programs of Windows XP's time look for the maker's name.
    assert!(found.0[0].1.windows(21).any(|bytes| bytes == b"SLP: Old Maker System"));
}

#[test]
fn tables_of_the_size_of_a_real_pc_are_found_too() {
    let strings: Vec<String> = (0..200).map(|number| format!("Old Maker's string {number}")).collect();
    let found = Found::boot(|config| {
        let (entry, table) = smbios(&strings.iter().map(String::as_str).collect::<Vec<_>>());
        config.old_pc.smbios = Some(PcIdentity::read(&entry, &table).unwrap());
    });
    let folder = TempDir::new().unwrap();
    let text = found.dmidecode(&folder, &["-t", "11"]);
    assert!(text.contains("String 200: Old Maker's string 199"), "{text}");
}

#[test]
fn licences_are_found_and_the_firmwares_tables_have_their_makers_names() {
    let licences = licences();
    // The firmware makes its tables anew then.
    let found = Found::boot_after(1, |config| {
        config.old_pc.acpi = vec![
            AcpiTable::read(*b"SLIC", &licences[0]).unwrap(),
            AcpiTable::read(*b"MSDM", &licences[1]).unwrap(),
        ];
    });
    let tables = found.acpi();
    let names: Vec<_> = tables
        .iter()
        .map(|table| String::from_utf8_lossy(&table[..4]))
        .collect();
    for licence in &licences {
        assert!(tables.contains(licence), "{names:?}");
    }
    let folder = TempDir::new().unwrap();
    for (table, name) in tables.iter().zip(&names) {
        assert_eq!(sum(table), 0, "{name}");
        let maker = &table[10..24];
        match &**name {
            "RSDT" | "FACP" | "SLIC" | "MSDM" => assert_eq!(maker, MAKER, "{name}"),
            _ => assert_eq!(&maker[..6], b"BOCHS ", "{name}"),
        }
        disassemble(&folder, name, table);
    }
    assert!(
        names.iter().any(|name| name == "FACP") && names.iter().any(|name| name == "APIC"),
        "{names:?}"
    );
}

#[test]
fn without_an_old_pc_the_firmware_describes_its_own() {
    let found = Found::boot(|config| config.old_pc = OldPc::default());
    let text = found.dmidecode(&TempDir::new().unwrap(), &[]);
    assert!(text.contains("Manufacturer: Bochs") && !text.contains("Old"), "{text}");
    for table in found.acpi() {
        assert_eq!(&table[10..16], b"BOCHS ", "{}", String::from_utf8_lossy(&table[..4]));
    }
}

/// iasl understands the table, and finds nothing wrong with it.
fn disassemble(folder: &TempDir, name: &str, table: &[u8]) {
    let path = folder.path().join(format!("{name}.aml"));
    std::fs::write(&path, table).unwrap();
    let output = Command::new("iasl").arg("-d").arg(&path).output();
    let output = output.expect("iasl must be installed (Debian package acpica-tools)");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success() && !said.contains("hecksum"), "{said}");
    assert!(File::open(path.with_extension("dsl")).is_ok(), "{said}");
}
