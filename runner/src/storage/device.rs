//! One position on the cable: what the host sees of a drive, apart from what kind of drive it is.

use super::ata::Disk;
use super::atapi::Cdrom;
use super::registers::{TaskFile, error, status};
use super::worker::Work;

/// What the data port, or the bus master, is in the middle of.
pub(super) enum Transfer {
    /// Nothing.
    Idle,
    /// PIO, drive to host: a DRQ block and how much of it was fetched (bytes).
    ToHost { block: Vec<u8>, position: usize },
    /// PIO, host to drive: a DRQ block and how much of it has come (bytes).
    FromHost { block: Vec<u8>, position: usize },
    /// A DMA command waits for the bus master to be started.
    AwaitDma(Work),
    /// The worker has it.
    Working,
}

/// The registers, status and data port of one drive.
pub(super) struct Interface {
    pub(super) task: TaskFile,
    pub(super) status: u8,
    pub(super) error: u8,
    /// The drive's interrupt is pending; INTRQ follows while the drive is selected and nIEN is clear.
    pub(super) interrupt: bool,
    pub(super) transfer: Transfer,
}

impl Interface {
    pub(super) fn new() -> Self {
        Interface {
            task: TaskFile::default(),
            status: 0,
            error: 0,
            interrupt: false,
            transfer: Transfer::Idle,
        }
    }

    /// The state after a reset or diagnostic: signature, diagnostic code, no transfer.
    pub(super) fn reset(&mut self, packet: bool) {
        self.task = TaskFile::default();
        self.task.set_signature(packet);
        self.status = if packet { 0 } else { status::DRDY | status::DSC };
        self.error = error::PASSED;
        self.interrupt = false;
        self.transfer = Transfer::Idle;
    }

    /// Whether the drive cannot take register writes now.
    pub(super) fn is_busy(&self) -> bool {
        self.status & (status::BSY | status::DRQ) != 0
    }

    /// The command is done.
    pub(super) fn finish(&mut self) {
        self.status = status::DRDY | status::DSC;
        self.error = 0;
        self.interrupt = true;
        self.transfer = Transfer::Idle;
    }

    /// The command failed with these bits in the error register.
    pub(super) fn fail(&mut self, error: u8) {
        self.finish();
        self.status |= status::ERR;
        self.error = error;
    }

    /// The command failed because the drive itself does (the host cannot write its image).
    pub(super) fn fault(&mut self) {
        self.fail(error::ABRT);
        self.status |= status::DF;
    }

    /// Command aborted: not supported, or with parameters that make no sense.
    pub(super) fn abort(&mut self) {
        self.fail(error::ABRT);
    }

    /// Offers a DRQ block to the host and interrupts.
    pub(super) fn send(&mut self, block: Vec<u8>) {
        self.status = status::DRDY | status::DSC | status::DRQ;
        self.error = 0;
        self.interrupt = true;
        self.transfer = Transfer::ToHost { block, position: 0 };
    }

    /// Asks the host for a DRQ block of `len` bytes. The first block of a command comes without an interrupt.
    pub(super) fn receive(&mut self, len: usize, interrupt: bool) {
        self.status = status::DRDY | status::DSC | status::DRQ;
        self.error = 0;
        self.interrupt = interrupt;
        self.transfer = Transfer::FromHost {
            block: vec![0; len],
            position: 0,
        };
    }

    /// Waits for the bus master to carry out `work`.
    pub(super) fn await_dma(&mut self, work: Work) {
        self.status = status::DRDY | status::DSC | status::DRQ;
        self.error = 0;
        self.transfer = Transfer::AwaitDma(work);
    }

    /// Busy until the worker is done.
    pub(super) fn work(&mut self) {
        self.status = status::BSY | status::DRDY | status::DSC;
        self.error = 0;
        self.transfer = Transfer::Working;
    }
}

/// What kind of drive it is.
pub(super) enum Unit {
    /// Nothing on this connector.
    Absent,
    /// A hard disk.
    Disk(Box<Disk>),
    /// A CD-ROM drive.
    Cdrom(Box<Cdrom>),
}

/// A connector of the cable with what hangs on it.
pub(super) struct Device {
    pub(super) interface: Interface,
    pub(super) unit: Unit,
}

impl Device {
    pub(super) fn new(unit: Unit) -> Self {
        let mut device = Device {
            interface: Interface::new(),
            unit,
        };
        device.reset(true);
        device
    }

    pub(super) fn is_present(&self) -> bool {
        !matches!(self.unit, Unit::Absent)
    }

    /// Power-on or hardware reset (`hard`), or software reset.
    pub(super) fn reset(&mut self, hard: bool) {
        match &mut self.unit {
            Unit::Absent => self.interface = Interface::new(),
            Unit::Disk(disk) => {
                self.interface.reset(false);
                disk.reset(hard);
            }
            Unit::Cdrom(cdrom) => {
                self.interface.reset(true);
                cdrom.reset(hard);
            }
        }
    }

    /// The host wrote the command register. The answer is work for the worker, if any.
    pub(super) fn command(&mut self, command: u8) -> Option<Work> {
        self.interface.interrupt = false;
        match &mut self.unit {
            Unit::Absent => None,
            Unit::Disk(disk) => disk.command(&mut self.interface, command),
            Unit::Cdrom(cdrom) => cdrom.command(&mut self.interface, command),
        }
    }

    /// The host has fetched the whole DRQ block.
    pub(super) fn block_sent(&mut self) -> Option<Work> {
        match &mut self.unit {
            Unit::Absent => None,
            Unit::Disk(disk) => {
                disk.block_sent(&mut self.interface);
                None
            }
            Unit::Cdrom(cdrom) => {
                cdrom.block_sent(&mut self.interface);
                None
            }
        }
    }

    /// The host has delivered the whole DRQ block.
    pub(super) fn block_received(&mut self, block: &[u8]) -> Option<Work> {
        match &mut self.unit {
            Unit::Absent => None,
            Unit::Disk(disk) => disk.block_received(&mut self.interface, block),
            Unit::Cdrom(cdrom) => cdrom.block_received(&mut self.interface, block),
        }
    }

    /// The worker has finished what [`command`](Device::command) asked for.
    pub(super) fn work_done(&mut self, result: super::worker::Ending) {
        match &mut self.unit {
            Unit::Absent => {}
            Unit::Disk(disk) => disk.work_done(&mut self.interface, result),
            Unit::Cdrom(cdrom) => cdrom.work_done(&mut self.interface, result),
        }
    }
}
