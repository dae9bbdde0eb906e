//! `p2v launch`: resolves a machine folder into what the runner needs, and runs it.

mod old_pc;

use crate::cli::{BootFrom, LaunchArgs};
use crate::disc;
use crate::error::{Failure, Result};
use crate::launcher;
use crate::machine::sessions::{self, Session};
use crate::machine::{self, ADAPTED, Firmware, FolderLock, Graphics, Machine, NOW, Rtc, SOCKETS};
use disk::qcow2::{Overlay, OverlayOptions};
use disk::{BlockDevice, RawFile};
use runner::config::{
    BootOrder, CdromConfig, DiskConfig, DisplayAdapter, Geometry, MachineConfig, RtcBase, SerialConfig, WindowConfig,
};
use runner::display::vnc::Password;
use runner::display::{DisplayConfig, DisplayKind};
use runner::input::Layout;
use runner::{Outcome, RunError};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where Debian's `seabios` package puts its builds.
const BIOS: &str = "/usr/share/seabios/bios-256k.bin";
const VGA_BIOS: &str = "/usr/share/seabios/vgabios-stdvga.bin";
const CIRRUS_BIOS: &str = "/usr/share/seabios/vgabios-cirrus.bin";
/// Where Debian's `novnc` package puts its pages.
const NOVNC: &str = "/usr/share/novnc";

/// Runs the machine until it ends.
pub(crate) fn run(args: &LaunchArgs) -> Result<()> {
    let folder = machine::resolve(&args.folder)?;
    // Until the end: nobody renames, removes or resets a machine that runs.
    let _lock = FolderLock::shared(&folder)?;
    let session = if args.ephemeral {
        Session::Ephemeral(std::process::id())
    } else {
        Session::Main
    };
    // What killed sessions left behind is removed.
    let others = sessions::running(&folder)?;
    let config = resolve(args, &folder, session)?;
    if let Session::Ephemeral(pid) = session
        && !others.is_empty()
    {
        eprintln!("p2v: this session is not the only one: control it with --session {pid}");
    }
    match runner::run(config) {
        Ok(Outcome::PoweredOff | Outcome::Quit) => Ok(()),
        Err(error @ RunError::NoKvm { .. }) => Err(Failure::refused(error.to_string())),
        Err(error @ RunError::NoWindow { .. }) => Err(Failure::refused(error.to_string())
            .advice("Without a desktop, add `--headless`, and `--vnc` or `--web` to see the screen from elsewhere.")),
        Err(error @ RunError::Sandbox { .. }) => Err(Failure::refused(error.to_string())
            .advice("`--no-sandbox` runs the machine without it: only for systems that you trust.")),
        Err(error) => Err(Failure::failed(error.to_string())),
    }
}

/// Opens and checks all that the machine needs.
fn resolve(args: &LaunchArgs, folder: &Path, session: Session) -> Result<MachineConfig> {
    let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let machine = Machine::load(&folder)?;
    if machine.firmware == Firmware::Uefi {
        return Err(Failure::refused(format!(
            "{} starts with UEFI, which this version cannot run yet",
            machine.name
        ))
        .advice(
            "The capture is complete and stays good. QEMU can run it: \
                 `qemu-system-x86_64 -accel kvm -bios /usr/share/ovmf/OVMF.fd -snapshot -drive file=disk0.qcow2`.",
        ));
    }
    if machine.disks.len() > 1 {
        return Err(Failure::refused("machines with several disks cannot be run yet"));
    }
    let bios = read_firmware(BIOS)?;
    let (display, vga_bios) = match args.graphics.unwrap_or(machine.graphics) {
        Graphics::Vga => (DisplayAdapter::Standard, VGA_BIOS),
        Graphics::Cirrus => (DisplayAdapter::Cirrus, CIRRUS_BIOS),
    };
    let vga_bios = read_firmware(vga_bios)?;
    let cdrom = match &args.disc {
        Some(path) => open_disc(path, &folder)?,
        None => CdromConfig::Empty,
    };
    let memory = args.memory.unwrap_or(machine.memory);
    Ok(MachineConfig {
        memory: memory
            .checked_mul(1 << 20)
            .ok_or_else(|| Failure::refused("that is too much memory"))?,
        cpus: args.cpus.unwrap_or(machine.cpus),
        disks: vec![open_disk(&machine, &folder, args.ephemeral)?],
        cdrom,
        boot: match args.boot {
            BootFrom::Disk => BootOrder::DiskFirst,
            BootFrom::Disc => BootOrder::CdromFirst,
        },
        rtc: match machine.rtc {
            Rtc::Utc => RtcBase::Utc,
            Rtc::Localtime => RtcBase::LocalTime,
        },
        serial: match args.serial.as_deref() {
            None => SerialConfig::Null,
            Some(path) if path == Path::new("stdio") => SerialConfig::Stdio,
            Some(path) => SerialConfig::File(path.to_owned()),
        },
        bios,
        display,
        vga_bios,
        keyboard: keyboard(&machine.keyboard),
        old_pc: old_pc::load(&folder, &machine, args.identity),
        window: window(args, &folder)?,
        displays: displays(args)?,
        control_socket: Some(session.socket(&folder)),
        sockets: Some(folder.join(SOCKETS)),
        sandbox: !args.no_sandbox,
        firmware_log: args.firmware_log.clone(),
        name: machine.name,
    })
}

/// The window on this computer's desktop.
fn window(args: &LaunchArgs, folder: &Path) -> Result<Option<WindowConfig>> {
    if args.headless {
        return Ok(None);
    }
    let id = launcher::id(folder)?;
    Ok(Some(WindowConfig { id }))
}

/// The keyboard that the system in the machine expects.
fn keyboard(name: &str) -> Layout {
    Layout::named(name).unwrap_or_else(|error| {
        eprintln!("warning: {error}; text that is pasted is typed as on a US keyboard");
        Layout::default()
    })
}

/// The remote screens that were asked for.
fn displays(args: &LaunchArgs) -> Result<Vec<DisplayConfig>> {
    let password = args.vnc_password_file.as_deref().map(read_password).transpose()?;
    let web = DisplayKind::Web { files: NOVNC.into() };
    let wanted = [(DisplayKind::Vnc, &args.vnc), (web, &args.web)];
    let displays: Vec<DisplayConfig> = wanted
        .into_iter()
        .filter_map(|(kind, address)| {
            Some(DisplayConfig {
                kind,
                address: address.clone()?,
                password: password.clone(),
            })
        })
        .collect();
    if password.is_some() && displays.is_empty() {
        return Err(
            Failure::refused("--vnc-password-file protects nothing without --vnc or --web")
                .advice("Add `--vnc` or `--web`, or leave the password out."),
        );
    }
    if let Some(open) = displays.iter().find(|d| d.address.is_public() && d.password.is_none()) {
        let what = format!(
            "{} can be reached from other computers, and no password is set",
            open.address
        );
        return Err(Failure::refused(what).advice(
            "Add `--vnc-password-file FILE`, or use 127.0.0.1 and an SSH tunnel, which also encrypts: VNC does not.",
        ));
    }
    Ok(displays)
}

/// The first line of a file; nothing of it is ever printed.
fn read_password(path: &Path) -> Result<Password> {
    let unusable = |why: String| {
        Failure::refused(format!("no password in {}: {why}", path.display()))
            .advice("Its first line must be the password: 1 to 8 characters.")
    };
    let mut line = Vec::new();
    let file = File::open(path).map_err(|error| unusable(error.to_string()))?;
    BufReader::new(file.take(1024))
        .read_until(b'\n', &mut line)
        .map_err(|error| unusable(error.to_string()))?;
    while line.pop_if(|byte| matches!(*byte, b'\n' | b'\r')).is_some() {}
    Password::new(&line).map_err(|error| unusable(error.to_string()))
}

/// The first disk: an overlay on the capture, so that the capture never changes.
fn open_disk(machine: &Machine, folder: &Path, ephemeral: bool) -> Result<DiskConfig> {
    let capture = machine.capture_path(folder)?;
    let adapted = folder.join(ADAPTED);
    let now = folder.join(NOW);
    // A snapshot that was made before the machine was adapted lies on the capture, and stays there.
    let on_capture =
        now.exists() && machine::backing_name(&now)?.as_deref() == Some(machine.capture_name()?.as_bytes());
    let untouched = if adapted.exists() && !on_capture {
        adapted
    } else {
        capture
    };
    if !untouched.exists() {
        return Err(Failure::failed(format!("the disk {} is missing", untouched.display()))
            .advice("Was the folder copied completely?"));
    }
    // What an ephemeral session forgets is only what it writes itself.
    let (path, backing): (PathBuf, PathBuf) = if ephemeral && now.exists() {
        (folder.join("disk0.ephemeral.qcow2"), now)
    } else {
        (now, untouched)
    };
    let overlay = Overlay::open_or_create(&path, &backing, OverlayOptions { ephemeral })?;
    let disk = machine
        .disks
        .first()
        .ok_or_else(|| Failure::failed("machine.toml names no disk"))?;
    Ok(DiskConfig {
        backend: Arc::new(overlay) as Arc<dyn BlockDevice>,
        geometry: disk.geometry.map(geometry),
        model: disk.model.clone(),
        serial: disk.serial.clone(),
    })
}

fn geometry(geometry: machine::Geometry) -> Geometry {
    Geometry {
        cylinders: geometry.cylinders,
        heads: geometry.heads,
        sectors: geometry.sectors,
    }
}

fn open_disc(path: &Path, folder: &Path) -> Result<CdromConfig> {
    let file = disc::open(path, folder)?;
    let disc = RawFile::from_file(file, false)
        .map_err(|error| Failure::failed(format!("cannot read the disc {}: {error}", path.display())))?;
    Ok(CdromConfig::Disc(Arc::new(disc)))
}

fn read_firmware(path: &str) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|error| {
        Failure::refused(format!("cannot read the firmware {path}: {error}"))
            .advice("It belongs to Debian's package `seabios`: `apt-get install seabios`.")
    })
}
