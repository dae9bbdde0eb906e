//! A bare machine for trying things: `pc [--memory MIB] [--cpus N] [--display cirrus] [--log FILE] [--disk RAW]… [--scratch RAW]… [--iso FILE] [--serial stdio|FILE]
//! [--control SOCKET] [--vnc ADDRESS] [--web ADDRESS] [--bios FILE]`. Disks are raw files, written in place: use copies, or
//! `--scratch`, which keeps the changes in memory and forgets them.

use disk::{BlockDevice, RawFile, ReadAt};
use runner::config::{BootOrder, CdromConfig, DiskConfig, DisplayAdapter, OldPc, RtcBase, SerialConfig, WindowConfig};
use runner::display::{DisplayConfig, DisplayKind};
use runner::input::Layout;
use runner::{MachineConfig, run};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

/// A disk whose changes are kept in memory.
struct Scratch {
    base: RawFile,
    changed: Mutex<HashMap<u64, Vec<u8>>>,
}

const BLOCK: u64 = 4096;

impl Scratch {
    fn pieces(offset: u64, len: usize) -> impl Iterator<Item = (u64, usize, std::ops::Range<usize>)> {
        let mut done = 0;
        std::iter::from_fn(move || {
            let at = offset + done as u64;
            let inside = (at % BLOCK) as usize;
            let piece = (BLOCK as usize - inside).min(len - done);
            let range = done..done + piece;
            done += piece;
            (piece > 0).then_some((at / BLOCK, inside, range))
        })
    }
}

impl ReadAt for Scratch {
    fn size(&self) -> u64 {
        self.base.size()
    }
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.base.read_at(offset, buf)?;
        let changed = self.changed.lock().unwrap();
        for (block, inside, range) in Self::pieces(offset, buf.len()) {
            if let Some(bytes) = changed.get(&block) {
                let len = range.len();
                buf[range].copy_from_slice(&bytes[inside..inside + len]);
            }
        }
        Ok(())
    }
}

impl BlockDevice for Scratch {
    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut changed = self.changed.lock().unwrap();
        for (block, inside, range) in Self::pieces(offset, data.len()) {
            if let Entry::Vacant(entry) = changed.entry(block) {
                let mut bytes = vec![0; BLOCK as usize];
                let len = BLOCK.min(self.base.size() - block * BLOCK) as usize;
                self.base.read_at(block * BLOCK, &mut bytes[..len])?;
                entry.insert(bytes);
            }
            let len = range.len();
            changed.get_mut(&block).unwrap()[inside..inside + len].copy_from_slice(&data[range]);
        }
        Ok(())
    }
    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}

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
        display: DisplayAdapter::Standard,
        vga_bios: std::fs::read("/usr/share/seabios/vgabios-stdvga.bin")?,
        keyboard: Layout::default(),
        old_pc: OldPc::default(),
        window: None,
        displays: Vec::new(),
        control_socket: None,
        sockets: None,
        sandbox: false,
        firmware_log: None,
    };
    let mut args = std::env::args().skip(1);
    while let Some(option) = args.next() {
        let value = args.next().ok_or_else(|| anyhow::anyhow!("{option} needs a value"))?;
        match option.as_str() {
            "--memory" => config.memory = value.parse::<u64>()? << 20,
            "--display" if value == "cirrus" => {
                config.display = DisplayAdapter::Cirrus;
                config.vga_bios = std::fs::read("/usr/share/seabios/vgabios-cirrus.bin")?;
            }
            "--cpus" => config.cpus = value.parse()?,
            "--log" => config.firmware_log = Some(PathBuf::from(value)),
            "--disk" => config.disks.push(DiskConfig {
                backend: Arc::new(RawFile::open(value.as_ref(), true)?),
                geometry: None,
                model: "P2V HARDDISK".into(),
                serial: format!("P2V{:05}", config.disks.len() + 1),
            }),
            "--scratch" => config.disks.push(DiskConfig {
                backend: Arc::new(Scratch {
                    base: RawFile::open(value.as_ref(), false)?,
                    changed: Mutex::default(),
                }),
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
            "--window" => config.window = Some(WindowConfig { id: value }),
            "--vnc" => config.displays.push(DisplayConfig {
                kind: DisplayKind::Vnc,
                address: value.parse()?,
                password: None,
            }),
            "--web" => config.displays.push(DisplayConfig {
                kind: DisplayKind::Web {
                    files: "/usr/share/novnc".into(),
                },
                address: value.parse()?,
                password: None,
            }),
            "--bios" => config.bios = std::fs::read(value)?,
            other => anyhow::bail!("unknown option {other}"),
        }
    }
    println!("{:?}", run(config)?);
    Ok(())
}
