//! What a machine is made of, as plain values: the plan that `p2v launch` resolves and the runner carries out.

use crate::acpi::AcpiTable;
use crate::display::DisplayConfig;
use crate::input::Layout;
use crate::smbios::PcIdentity;
use disk::{BlockDevice, ReadAt};
use std::path::PathBuf;
use std::sync::Arc;

/// Cylinders, heads, sectors as the old PC's firmware reported them (INT 13h, after translation).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// Cylinders.
    pub cylinders: u32,
    /// Heads, 1–255.
    pub heads: u32,
    /// Sectors a track, 1–63.
    pub sectors: u32,
}

/// A hard disk on the IDE controller.
#[derive(Clone)]
pub struct DiskConfig {
    /// Where its bytes are.
    pub backend: Arc<dyn BlockDevice>,
    /// The geometry to force on the firmware; `None` leaves it to SeaBIOS.
    pub geometry: Option<Geometry>,
    /// IDENTIFY model, at most 40 characters.
    pub model: String,
    /// IDENTIFY serial number, at most 20 characters.
    pub serial: String,
}

/// What the CD-ROM drive holds.
#[derive(Clone)]
pub enum CdromConfig {
    /// No drive at all.
    Absent,
    /// A drive with an empty tray.
    Empty,
    /// A drive with this disc (2048-byte sectors).
    Disc(Arc<dyn ReadAt>),
}

/// Which device the firmware starts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BootOrder {
    /// Hard disk, then CD-ROM.
    DiskFirst,
    /// CD-ROM, then hard disk.
    CdromFirst,
}

/// What the hardware clock shows when the machine starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RtcBase {
    /// Coordinated universal time (Linux).
    Utc,
    /// The host's local time (Windows, DOS).
    LocalTime,
}

/// Where the first serial port goes.
#[derive(Debug)]
pub enum SerialConfig {
    /// Nowhere: the port is there and its output is dropped.
    Null,
    /// This process's standard input and output.
    Stdio,
    /// Output is appended to a file.
    File(PathBuf),
}

/// A window on this computer's desktop.
#[derive(Clone, Debug)]
pub struct WindowConfig {
    /// By this the desktop knows whose window it is: the name of the desktop entry, without `.desktop`.
    pub id: String,
}

/// The display adapter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DisplayAdapter {
    /// QEMU's standard VGA with the Bochs VBE registers: up to 2560x1600.
    #[default]
    Standard,
    /// Cirrus Logic GD5446: Windows 95 to XP have a driver for it.
    Cirrus,
}

/// What of the old PC the guest is shown. Without it the firmware describes a PC of its own.
#[derive(Clone, Debug, Default)]
pub struct OldPc {
    /// Which PC it is (SMBIOS).
    pub smbios: Option<PcIdentity>,
    /// ACPI tables in addition to the firmware's; a SLIC's names are given to those.
    pub acpi: Vec<AcpiTable>,
}

/// Everything the runner needs. All of it was opened and checked by the caller.
pub struct MachineConfig {
    /// The machine's name, for messages and window titles.
    pub name: String,
    /// Guest memory in bytes, a multiple of 1 MiB.
    pub memory: u64,
    /// Virtual processors, 1–8.
    pub cpus: u8,
    /// Up to 4 hard disks, less one if there is a CD-ROM drive: primary master, primary slave, …
    pub disks: Vec<DiskConfig>,
    /// The CD-ROM drive (secondary master).
    pub cdrom: CdromConfig,
    /// The order of boot devices.
    pub boot: BootOrder,
    /// What the clock shows.
    pub rtc: RtcBase,
    /// First serial port.
    pub serial: SerialConfig,
    /// SeaBIOS, the 256 KiB build.
    pub bios: Vec<u8>,
    /// The display adapter.
    pub display: DisplayAdapter,
    /// SeaBIOS's VGA BIOS for this display adapter.
    pub vga_bios: Vec<u8>,
    /// The guest's keyboard, on which copied text is typed.
    pub keyboard: Layout,
    /// What of the old PC the guest is shown.
    pub old_pc: OldPc,
    /// The window on this computer's desktop, if there is to be one.
    pub window: Option<WindowConfig>,
    /// Remote screens.
    pub displays: Vec<DisplayConfig>,
    /// Where the control socket is made; `None` for none.
    pub control_socket: Option<PathBuf>,
    /// A folder for sockets, which is made if it is not there, and removed with the last of them.
    pub sockets: Option<PathBuf>,
    /// Whether the machine is kept from everything that it does not need (see [`crate::sandbox`]).
    pub sandbox: bool,
    /// Where the firmware's debug output (port 402h) is written; `None` switches the port off.
    pub firmware_log: Option<PathBuf>,
}

/// How a machine ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The guest powered itself off (ACPI S5 or APM).
    PoweredOff,
    /// `quit` on the control socket, SIGTERM or SIGINT.
    Quit,
}

/// Why a machine could not start or go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// There is no usable KVM: what is missing, and what to do about it.
    #[error("{problem}\n{advice}")]
    NoKvm {
        /// What is missing.
        problem: String,
        /// What to do.
        advice: String,
    },
    /// No window can be opened on this computer's desktop, or there is no desktop.
    #[error("{problem}")]
    NoWindow {
        /// What is missing.
        problem: String,
    },
    /// The machine cannot be kept in its sandbox.
    #[error("{problem}")]
    Sandbox {
        /// What the kernel refused.
        problem: String,
    },
    /// A system call failed while the machine was built or run.
    #[error("{what}: {source}")]
    System {
        /// What was being done.
        what: String,
        /// The system's error.
        #[source]
        source: std::io::Error,
    },
    /// The configuration cannot be carried out.
    #[error("{0}")]
    Config(String),
    /// The virtual processor stopped in a way that cannot be continued.
    #[error("the virtual processor stopped: {0}")]
    Vcpu(String),
}
