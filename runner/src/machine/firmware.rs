//! What the firmware is told through fw_cfg.

use crate::chipset::fw_cfg::{FwCfg, IRQ0_OVERRIDE, MAX_CPUS, NB_CPUS};
use crate::config::{BootOrder, CdromConfig, MachineConfig, OldPc};
use crate::kvm::vm::RESERVED;
use crate::smbios::{Hardware, Tables};
use std::fmt::Write as _;

const E820_RAM: u32 = 1;
const E820_RESERVED: u32 = 2;

/// Where drive number `index` (primary master, primary slave, secondary master, …) is, in Open Firmware's notation.
fn drive_path(index: usize) -> String {
    format!("/pci@i0cf8/ide@1,1/drive@{}/disk@{}", index / 2, index % 2)
}

/// Which drive number each hard disk has: the CD-ROM drive keeps the secondary master's place.
pub(super) fn disk_positions(config: &MachineConfig) -> Vec<usize> {
    let cdrom = !matches!(config.cdrom, CdromConfig::Absent);
    (0..4).filter(|index| !(cdrom && *index == CDROM_POSITION)).collect()
}

/// The CD-ROM drive is the secondary master.
pub(super) const CDROM_POSITION: usize = 2;

/// Fills `fw_cfg` for a machine of this `hardware`.
pub(super) fn describe(fw_cfg: &mut FwCfg, config: &MachineConfig, hardware: &Hardware) {
    let cpus = u16::from(config.cpus).to_le_bytes();
    fw_cfg.add_item(NB_CPUS, &cpus);
    fw_cfg.add_item(MAX_CPUS, &cpus);
    fw_cfg.add_item(IRQ0_OVERRIDE, &1u32.to_le_bytes());
    fw_cfg.add_file("etc/e820", e820(hardware.low, hardware.high));
    for (name, text) in [("bootorder", boot_order(config)), ("bios-geometry", geometry(config))] {
        if !text.is_empty() {
            fw_cfg.add_file(name, [text.as_bytes(), b"\0"].concat());
        }
    }
    // "No bootable device" stays on the screen instead of a reset every minute.
    fw_cfg.add_file("etc/boot-fail-wait", u32::MAX.to_le_bytes().to_vec());
    // Sleep states: S3 and S4 are not offered, S5 is "off". Bit 7 says that a state is there.
    fw_cfg.add_file("etc/system-states", vec![128, 0, 0, 1, 2, 128]);
    show_old_pc(fw_cfg, &config.old_pc, hardware);
}

/// With the two files, SeaBIOS takes the SMBIOS tables as they are; a file `acpi/…` goes into its RSDT as it is. (Its
/// other way to get ACPI tables, `etc/table-loader`, replaces all of its own.)
fn show_old_pc(fw_cfg: &mut FwCfg, old_pc: &OldPc, hardware: &Hardware) {
    if let Some(identity) = &old_pc.smbios {
        let Tables { anchor, structures } = Tables::new(identity, hardware);
        fw_cfg.add_file("etc/smbios/smbios-anchor", anchor);
        fw_cfg.add_file("etc/smbios/smbios-tables", structures);
    }
    for table in &old_pc.acpi {
        let name = format!("acpi/{}", String::from_utf8_lossy(&table.name()));
        fw_cfg.add_file(&name, table.bytes().to_vec());
    }
}

fn e820(low: u64, high: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut add = |start: u64, size: u64, kind: u32| {
        bytes.extend(start.to_le_bytes());
        bytes.extend(size.to_le_bytes());
        bytes.extend(kind.to_le_bytes());
    };
    add(0, low, E820_RAM);
    if high > 0 {
        add(1 << 32, high, E820_RAM);
    }
    add(RESERVED.start, RESERVED.end - RESERVED.start, E820_RESERVED);
    bytes
}

fn boot_order(config: &MachineConfig) -> String {
    let disks: Vec<_> = disk_positions(config).into_iter().take(config.disks.len()).collect();
    let cdrom: &[usize] = match config.cdrom {
        CdromConfig::Absent => &[],
        _ => &[CDROM_POSITION],
    };
    let order = match config.boot {
        BootOrder::DiskFirst => [&disks, cdrom].concat(),
        BootOrder::CdromFirst => [cdrom, &disks].concat(),
    };
    order.into_iter().map(drive_path).collect::<Vec<_>>().join("\n")
}

fn geometry(config: &MachineConfig) -> String {
    let mut text = String::new();
    for (disk, position) in config.disks.iter().zip(disk_positions(config)) {
        if let Some(chs) = disk.geometry {
            let _ = writeln!(
                text,
                "{} {} {} {}",
                drive_path(position),
                chs.cylinders,
                chs.heads,
                chs.sectors
            );
        }
    }
    text
}
