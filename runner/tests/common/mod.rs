//! Machines for tests: a boot sector from `tests/fixtures/realmode`, its serial output, its end.

use disk::RawFile;
use runner::config::{BootOrder, CdromConfig, DiskConfig, DisplayAdapter, OldPc, RtcBase, SerialConfig};
use runner::input::Layout;
use runner::{MachineConfig, Outcome, RunError, run};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::Duration;
use tempfile::TempDir;

/// Far more than any test takes, even on a busy machine with KVM in software: then something hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(180);

/// A machine that runs in a thread of this process.
pub(crate) struct Guest {
    pub(crate) folder: TempDir,
    thread: JoinHandle<Result<Outcome, RunError>>,
    pub lines: Receiver<String>,
    ended: Receiver<()>,
}

/// Assembles `tests/fixtures/realmode/NAME.asm` into a 1 MiB disk image at `path`.
pub(crate) fn make_disk(name: &str, path: &Path) {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/realmode");
    let output = Command::new("nasm")
        .args(["-f", "bin", "-I"])
        .arg(format!("{}/", sources.display()))
        .arg("-o")
        .arg(path)
        .arg(sources.join(format!("{name}.asm")))
        .output()
        .expect("nasm must be installed (Debian package nasm)");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    OpenOptions::new()
        .write(true)
        .open(path)
        .unwrap()
        .set_len(1 << 20)
        .unwrap();
}

/// The firmware from Debian's package `seabios`.
pub(crate) fn firmware(name: &str) -> Vec<u8> {
    std::fs::read(Path::new("/usr/share/seabios").join(name)).expect("Debian package seabios must be installed")
}

/// A configuration without drives.
pub(crate) fn bare(folder: &Path) -> MachineConfig {
    MachineConfig {
        name: "test".into(),
        memory: 32 << 20,
        cpus: 1,
        disks: Vec::new(),
        cdrom: CdromConfig::Absent,
        boot: BootOrder::DiskFirst,
        rtc: RtcBase::Utc,
        serial: SerialConfig::File(folder.join("serial")),
        bios: firmware("bios-256k.bin"),
        display: DisplayAdapter::Standard,
        vga_bios: firmware("vgabios-stdvga.bin"),
        keyboard: Layout::default(),
        old_pc: OldPc::default(),
        window: None,
        displays: Vec::new(),
        sockets: None,
        sandbox: false,
        control_socket: Some(folder.join("control.sock")),
        firmware_log: None,
    }
}

impl Guest {
    /// Boots the sector `name`; `prepare` may change disk image and configuration first.
    pub(crate) fn boot(name: &str, prepare: impl FnOnce(&File, &mut MachineConfig)) -> Self {
        let folder = TempDir::new().unwrap();
        let image = folder.path().join("disk.img");
        make_disk(name, &image);
        let mut config = bare(folder.path());
        prepare(&OpenOptions::new().write(true).open(&image).unwrap(), &mut config);
        config.disks.insert(
            0,
            DiskConfig {
                backend: Arc::new(RawFile::open(&image, true).unwrap()),
                geometry: None,
                model: "TEST DISK".into(),
                serial: "1".into(),
            },
        );
        Self::start(folder, config)
    }

    /// Runs `config`, whose serial port is the file `serial` in `folder`.
    pub(crate) fn start(folder: TempDir, config: MachineConfig) -> Self {
        // A pipe instead of a file: its reader is woken by every line.
        let pipe = folder.path().join("serial");
        mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(File::open(pipe).unwrap()).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let (done, ended) = channel();
        let thread = std::thread::spawn(move || {
            let result = run(config);
            drop(done);
            result
        });
        Guest {
            folder,
            thread,
            lines,
            ended,
        }
    }

    /// Waits for a line on the serial port that contains `text`.
    pub(crate) fn wait_for(&self, text: &str) {
        let mut seen = Vec::new();
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) if line.contains(text) => return,
                Ok(line) => seen.push(line),
                Err(error) => panic!("no {text:?} on the serial port ({error}), but {seen:?}"),
            }
        }
    }

    /// Where its control socket is.
    pub(crate) fn control(&self) -> PathBuf {
        self.folder.path().join("control.sock")
    }

    /// Waits for its end. Returns how it ended and what its disk holds at `offset`.
    pub(crate) fn end(self) -> (Result<Outcome, RunError>, File, TempDir) {
        let waited = self.ended.recv_timeout(PATIENCE);
        assert_eq!(
            waited,
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected),
            "the machine does not end"
        );
        let result = self.thread.join().unwrap();
        let image = File::open(self.folder.path().join("disk.img")).unwrap();
        (result, image, self.folder)
    }
}

/// Sector `number` of a disk image.
pub(crate) fn sector(image: &File, number: u64) -> Vec<u8> {
    let mut bytes = vec![0; 512];
    image.read_exact_at(&mut bytes, number * 512).unwrap();
    bytes
}
