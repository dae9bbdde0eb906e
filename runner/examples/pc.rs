//! A bare machine for trying things: `pc [--memory MIB] [--cpus N] [--log FILE] [--disk RAW]… [--iso FILE] [--serial stdio|FILE]
//! [--control SOCKET] [--bios FILE]`. Disks are raw files, written in place: use copies.

use disk::RawFile;
use runner::config::{BootOrder, CdromConfig, DiskConfig, RtcBase, SerialConfig};
use runner::{MachineConfig, run};
use std::path::PathBuf;
use std::sync::Arc;

fn main() -> anyhow::Result<()> {
    let mut config = MachineConfig {
        name: "pc".into(),
        memory: 256 << 20,
        cpus: 1,
        disks: Vec::new(),
        cdrom: CdromConfig::Absent,
        boot: BootOrder::DiskFirst,
        rtc: RtcBase::Utc,
        serial: SerialConfig::Null,
        bios: std::fs::read("/usr/share/seabios/bios-256k.bin")?,
        vga_bios: std::fs::read("/usr/share/seabios/vgabios-stdvga.bin")?,
        control_socket: None,
        firmware_log: None,
    };
    let mut args = std::env::args().skip(1);
    while let Some(option) = args.next() {
        let value = args.next().ok_or_else(|| anyhow::anyhow!("{option} needs a value"))?;
        match option.as_str() {
            "--memory" => config.memory = value.parse::<u64>()? << 20,
            "--cpus" => config.cpus = value.parse()?,
            "--log" => config.firmware_log = Some(PathBuf::from(value)),
            "--disk" => config.disks.push(DiskConfig {
                backend: Arc::new(RawFile::open(value.as_ref(), true)?),
                geometry: None,
                model: "P2V HARDDISK".into(),
                serial: format!("P2V{:05}", config.disks.len() + 1),
            }),
            "--iso" => config.cdrom = CdromConfig::Disc(Arc::new(RawFile::open(value.as_ref(), false)?)),
            "--boot" => {
                config.boot = if value == "cdrom" {
                    BootOrder::CdromFirst
                } else {
                    BootOrder::DiskFirst
                };
            }
            "--serial" if value == "stdio" => config.serial = SerialConfig::Stdio,
            "--serial" => config.serial = SerialConfig::File(value.into()),
            "--control" => config.control_socket = Some(value.into()),
            "--bios" => config.bios = std::fs::read(value)?,
            other => anyhow::bail!("unknown option {other}"),
        }
    }
    println!("{:?}", run(config)?);
    Ok(())
}
