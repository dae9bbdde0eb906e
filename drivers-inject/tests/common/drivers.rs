//! Driver files and driver packages of our own, in the shape of those that Windows and virtio-win have. Used by unit
//! tests, too.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::path::Path;

pub(crate) const X86: u16 = 0x14c;
pub(crate) const X64: u16 = 0x8664;

/// A driver file: headers, a version, `contents`. `machine` is the number in the header.
pub(crate) fn fake_driver(machine: u16, contents: &[u8], version: u64) -> Vec<u8> {
    let mut file = vec![0; 0x200];
    file[..2].copy_from_slice(b"MZ");
    file[0x3c] = 0x80;
    file[0x80..0x84].copy_from_slice(b"PE\0\0");
    file[0x84..0x86].copy_from_slice(&machine.to_le_bytes());
    let wide = machine == X64;
    file[0x80 + 20] = if wide { 0xF0 } else { 0xE0 };
    file[0x80 + 24..0x80 + 26].copy_from_slice(&[0x0b, if wide { 2 } else { 1 }]);
    file[0x80 + 24 + 68] = 1;
    file.extend(0xFEEF_04BDu32.to_le_bytes());
    file.extend([0; 4]);
    file.extend(u32::try_from(version >> 32).unwrap().to_le_bytes());
    file.extend(u32::try_from(version & 0xFFFF_FFFF).unwrap().to_le_bytes());
    file.extend(contents);
    set_checksum(&mut file);
    file
}

/// Makes the checksum of such a file right.
pub(crate) fn set_checksum(file: &mut [u8]) {
    let place = 0x80 + 24 + 64;
    file[place..place + 4].fill(0);
    let mut sum = 0u32;
    for pair in file.chunks(2) {
        sum += u32::from(pair[0]) + (u32::from(*pair.get(1).unwrap_or(&0)) << 8);
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    let checksum = sum + u32::try_from(file.len()).unwrap();
    file[place..place + 4].copy_from_slice(&checksum.to_le_bytes());
}

/// An INF file of the storage driver `name`, for one platform (`amd64`) and the Windows from `version` (`.10.0`) on.
pub(crate) fn inf(name: &str, platform: &str, version: &str) -> String {
    let (old, new) = match name {
        "vioscsi" => ("1004", "1048"),
        _ => ("1001", "1042"),
    };
    format!(
        r#"[Version]
Signature="$Windows NT$"
Class=SCSIAdapter
ClassGUID={{4D36E97B-E325-11CE-BFC1-08002BE10318}}
CatalogFile={name}.cat
DriverVer=01/02/2024,100.1.2.3
[DestinationDirs]
Driver_Files = 12
[Manufacturer]
%Maker% = Disks,NT{platform}{version}
[Disks.NT{platform}{version}]
%Name% = disk_install, PCI\VEN_1AF4&DEV_{old}&SUBSYS_00021AF4&REV_00, PCI\VEN_1AF4&DEV_{old}
%Name% = disk_install, PCI\VEN_1AF4&DEV_{new}&SUBSYS_11001AF4&REV_01, PCI\VEN_1AF4&DEV_{new}
[disk_install]
CopyFiles = Driver_Files
[Driver_Files]
{name}.sys,,,2
[disk_install.Services]
AddService = {name}, 0x00000002 , disk_service
[disk_service]
ServiceType = 1
StartType = 0
ErrorControl = 1
ServiceBinary = %12%\{name}.sys
LoadOrderGroup = SCSI miniport
AddReg = disk_values
[disk_values]
HKR, "Parameters\PnpInterface", "5", 0x00010001, 0x00000001
HKR, "Parameters", "BusType", 0x00010001, 0x00000001
[Strings]
Maker = "Maker"
Name = "Disk"
"#
    )
}

/// Puts the package of the driver `name` into a folder below `root`; the driver file says for which folder it is.
pub(crate) fn package(root: &Path, folder: &str, name: &str, platform: &str) {
    let there = root.join(folder);
    std::fs::create_dir_all(&there).unwrap();
    let write = |end: &str, data: &[u8]| std::fs::write(there.join(format!("{name}.{end}")), data).unwrap();
    write("inf", inf(name, platform, "").as_bytes());
    write("sys", &packaged(folder, name, platform));
    write("cat", format!("signatures of {name}").as_bytes());
}

/// The driver file that [`package`] makes.
pub(crate) fn packaged(folder: &str, name: &str, platform: &str) -> Vec<u8> {
    let machine = if platform == "amd64" { X64 } else { X86 };
    fake_driver(machine, format!("{name} of {folder}").as_bytes(), 0)
}
