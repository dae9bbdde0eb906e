//! The controller: two channels with their workers, and the ports through which the board reaches them.

use super::Drive;
use super::ata::Disk;
use super::ata::identify::Position;
use super::atapi::Cdrom;
use super::channel::Channel;
use super::device::{Device, Unit};
use super::medium::Medium;
use super::tray::CdromHandle;
use super::worker;
use crate::config::CdromConfig;
use crate::device::{GuestMemory, IrqLine, PortDevice};
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;

/// First port of the command block of each channel (8 ports).
pub const COMMAND_PORTS: [u16; 2] = [0x1F0, 0x170];
/// The control port of each channel: alternate status and device control.
pub const CONTROL_PORTS: [u16; 2] = [0x3F6, 0x376];
/// Size of the bus master's port range (BAR 4), in ports.
pub const BUS_MASTER_PORTS: u16 = 16;

/// The PIIX3's IDE function with its drives. Clones are handles to the same controller; the workers end with the
/// last one.
#[derive(Clone)]
pub struct IdeController {
    channels: Arc<[Running; 2]>,
}

/// A channel and its worker's thread.
struct Running {
    channel: Arc<Channel>,
    /// What to flush, in the order of the drives.
    disks: Vec<Arc<Medium>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.channel.quit();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl IdeController {
    /// Puts `drives` (primary master and slave, secondary master and slave) on the cables and starts the workers.
    ///
    /// `irqs` are the lines of the two channels (IRQ 14 and 15), `memory` is what the bus masters see.
    ///
    /// # Errors
    /// A thread cannot be started.
    pub fn new(
        drives: [[Option<Drive>; 2]; 2],
        irqs: [Arc<dyn IrqLine>; 2],
        memory: Arc<dyn GuestMemory>,
    ) -> io::Result<Self> {
        let [primary, secondary] = drives;
        let [irq14, irq15] = irqs;
        Ok(IdeController {
            channels: Arc::new([
                Running::start(primary, "ide0", irq14, memory.clone())?,
                Running::start(secondary, "ide1", irq15, memory)?,
            ]),
        })
    }

    /// The device behind [`COMMAND_PORTS`] and [`CONTROL_PORTS`].
    pub fn command_ports(&self) -> CommandPorts {
        CommandPorts { ide: self.clone() }
    }

    /// The device behind the bus master's [`BUS_MASTER_PORTS`] ports, wherever BAR 4 puts them: only the low
    /// four bits of the port number are looked at.
    pub fn bus_master_ports(&self) -> BusMasterPorts {
        BusMasterPorts { ide: self.clone() }
    }

    /// The first CD-ROM drive, if there is one.
    pub fn cdrom(&self) -> Option<CdromHandle> {
        self.channels.iter().find_map(|running| {
            let is_cdrom = |device: &Device| matches!(device.unit, Unit::Cdrom(_));
            let device = running.channel.lock().devices.iter().position(is_cdrom)?;
            Some(CdromHandle::new(&running.channel, device))
        })
    }

    /// The reset line: whatever runs is cancelled, and every register is as at power-on when this returns.
    pub fn reset(&self) {
        for running in self.channels.iter() {
            running.channel.reset();
        }
    }

    /// Waits for the commands that are running now, then makes everything the guest wrote durable. Stop the
    /// virtual processors first, or new commands may follow.
    ///
    /// # Errors
    /// The first flush that failed; the other disks are flushed all the same.
    pub fn drain_and_flush(&self) -> io::Result<()> {
        let mut result = Ok(());
        for running in self.channels.iter() {
            running.channel.drain();
            for disk in &running.disks {
                result = result.and(disk.flush());
            }
        }
        result
    }

    pub(super) fn channel(&self, index: usize) -> &Channel {
        &self.channels[index].channel
    }
}

impl Running {
    fn start(
        drives: [Option<Drive>; 2],
        name: &str,
        irq: Arc<dyn IrqLine>,
        memory: Arc<dyn GuestMemory>,
    ) -> io::Result<Self> {
        let alone = drives.iter().filter(|drive| is_present(drive.as_ref())).count() == 1;
        let mut disks = Vec::new();
        let mut index = 0;
        let devices = drives.map(|drive| {
            let position = match (index, alone) {
                (0, true) => Position::MasterAlone,
                (0, false) => Position::Master,
                _ => Position::Slave,
            };
            let name = format!("{name}-{index}");
            index += 1;
            Device::new(make_unit(drive, name, position, &mut disks))
        });
        let channel = Channel::new(devices, irq, memory);
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn({
            let channel = channel.clone();
            move || worker::run(&channel)
        })?;
        Ok(Running {
            channel,
            disks,
            thread: Some(thread),
        })
    }
}

fn is_present(drive: Option<&Drive>) -> bool {
    !matches!(drive, None | Some(Drive::Cdrom(CdromConfig::Absent)))
}

fn make_unit(drive: Option<Drive>, name: String, position: Position, disks: &mut Vec<Arc<Medium>>) -> Unit {
    match drive {
        None | Some(Drive::Cdrom(CdromConfig::Absent)) => Unit::Absent,
        Some(Drive::Disk(config)) => {
            let medium = Medium::disk(name, config.backend);
            disks.push(medium.clone());
            Unit::Disk(Box::new(Disk::new(medium, config.model, config.serial, position)))
        }
        Some(Drive::Cdrom(CdromConfig::Empty)) => Unit::Cdrom(Box::new(Cdrom::new(None, position))),
        Some(Drive::Cdrom(CdromConfig::Disc(disc))) => {
            let disc = Medium::disc(name, disc);
            Unit::Cdrom(Box::new(Cdrom::new(Some(disc), position)))
        }
    }
}

/// Command and control blocks of both channels.
pub struct CommandPorts {
    ide: IdeController,
}

/// What a port number means.
enum Port {
    Data,
    Register(u16),
    Control,
}

fn decode(port: u16) -> Option<(usize, Port)> {
    (0..2).find_map(|channel| {
        if port == CONTROL_PORTS[channel] {
            return Some((channel, Port::Control));
        }
        match port.wrapping_sub(COMMAND_PORTS[channel]) {
            0 => Some((channel, Port::Data)),
            register @ 1..=7 => Some((channel, Port::Register(register))),
            _ => None,
        }
    })
}

impl CommandPorts {
    fn read_byte(&self, port: u16) -> u8 {
        match decode(port) {
            Some((channel, Port::Register(register))) => self.ide.channel(channel).read_register(register),
            Some((channel, Port::Control)) => self.ide.channel(channel).read_alternate_status(),
            _ => 0xFF,
        }
    }

    fn write_byte(&self, port: u16, value: u8) {
        match decode(port) {
            Some((channel, Port::Register(register))) => self.ide.channel(channel).write_register(register, value),
            Some((channel, Port::Control)) => self.ide.channel(channel).write_control(value),
            _ => {}
        }
    }
}

impl PortDevice for CommandPorts {
    fn read(&mut self, port: u16, size: u8) -> u32 {
        let mut bytes = [0; 4];
        let len = usize::from(size).min(4);
        if let Some((channel, Port::Data)) = decode(port) {
            self.ide.channel(channel).read_data(&mut bytes[..len]);
        } else {
            for (index, byte) in (0..).zip(&mut bytes[..len]) {
                *byte = self.read_byte(port.wrapping_add(index));
            }
        }
        u32::from_le_bytes(bytes)
    }

    fn write(&mut self, port: u16, size: u8, value: u32) {
        let bytes = value.to_le_bytes();
        let bytes = &bytes[..usize::from(size).min(4)];
        if let Some((channel, Port::Data)) = decode(port) {
            self.ide.channel(channel).write_data(bytes);
        } else {
            for (index, byte) in (0..).zip(bytes) {
                self.write_byte(port.wrapping_add(index), *byte);
            }
        }
    }

    fn read_string(&mut self, port: u16, size: u8, data: &mut [u8]) {
        if let Some((channel, Port::Data)) = decode(port) {
            self.ide.channel(channel).read_data(data);
            return;
        }
        for item in data.chunks_mut(usize::from(size).max(1)) {
            let bytes = self.read(port, size).to_le_bytes();
            let len = item.len().min(4);
            item[..len].copy_from_slice(&bytes[..len]);
        }
    }

    fn write_string(&mut self, port: u16, size: u8, data: &[u8]) {
        if let Some((channel, Port::Data)) = decode(port) {
            self.ide.channel(channel).write_data(data);
            return;
        }
        for item in data.chunks(usize::from(size).max(1)) {
            let mut bytes = [0; 4];
            let len = item.len().min(4);
            bytes[..len].copy_from_slice(&item[..len]);
            self.write(port, size, u32::from_le_bytes(bytes));
        }
    }
}

/// The bus masters of both channels: 8 ports each.
pub struct BusMasterPorts {
    ide: IdeController,
}

impl PortDevice for BusMasterPorts {
    fn read(&mut self, port: u16, size: u8) -> u32 {
        let mut bytes = [0; 4];
        for (index, byte) in (0..).zip(&mut bytes[..usize::from(size).min(4)]) {
            let (channel, offset) = bus_master_register(port.wrapping_add(index));
            *byte = self.ide.channel(channel).read_bus_master(offset);
        }
        u32::from_le_bytes(bytes)
    }

    fn write(&mut self, port: u16, size: u8, value: u32) {
        for (index, byte) in (0..u16::from(size).min(4)).zip(value.to_le_bytes()) {
            let (channel, offset) = bus_master_register(port.wrapping_add(index));
            self.ide.channel(channel).write_bus_master(offset, byte);
        }
    }
}

fn bus_master_register(port: u16) -> (usize, u8) {
    let register = (port & 15) as u8;
    (usize::from(register >= 8), register & 7)
}
