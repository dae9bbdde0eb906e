//! Two display adapters in lockstep: ours, and that of a QEMU driven through its qtest protocol.

use crate::modes::{EGA_PALETTE, Mode};
use runner::control::{Client, ClientError};
use runner::device::{MemoryDevice, PortDevice, TestClock};
use runner::pci::PciFunction;
use runner::video::{Frame, Vga};
use serde_json::json;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Where the test puts QEMU's base address registers.
const BAR0: u64 = 0xE000_0000;
const BAR2: u64 = 0xE100_0000;
const BAR1: u64 = 0xE400_0000;

pub(crate) struct Pair {
    ours: Vga,
    qemu: Child,
    qtest: BufReader<UnixStream>,
    qmp: Client,
    dir: tempfile::TempDir,
}

impl Drop for Pair {
    fn drop(&mut self) {
        let _ = self.qemu.kill();
        let _ = self.qemu.wait();
    }
}

impl Pair {
    pub(crate) fn start() -> Self {
        let ours = Vga::new(Arc::new(TestClock::default()), &[]).unwrap();
        Self::start_with(ours, "std")
    }

    pub(crate) fn start_cirrus() -> Self {
        let ours = Vga::cirrus(Arc::new(TestClock::default()), &[]).unwrap();
        Self::start_with(ours, "cirrus")
    }

    fn start_with(ours: Vga, adapter: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (qtest_path, qmp_path) = (dir.path().join("qtest"), dir.path().join("qmp"));
        let listener = UnixListener::bind(&qtest_path).unwrap();
        let mut qemu = Command::new("qemu-system-x86_64")
            .args([
                "-machine",
                "pc,accel=tcg",
                "-S",
                "-display",
                "none",
                "-nodefaults",
                "-vga",
                adapter,
            ])
            .arg("-qtest")
            .arg(format!("unix:{}", qtest_path.display()))
            .args(["-qtest-log", "none", "-qmp"])
            .arg(format!("unix:{},server=on,wait=off", qmp_path.display()))
            .stdin(Stdio::null())
            .spawn()
            .expect("qemu-system-x86_64 must be installed (Debian package qemu-system-x86)");
        // QEMU connects before it does anything else; if it dies instead, say so.
        listener.set_nonblocking(true).unwrap();
        let deadline = Instant::now() + Duration::from_secs(60);
        let stream = loop {
            match listener.accept() {
                Ok((stream, _)) => break stream,
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    assert!(qemu.try_wait().unwrap().is_none(), "QEMU ended at once");
                    assert!(Instant::now() < deadline, "QEMU did not connect");
                    std::thread::sleep(Duration::from_millis(10));
                }
                Err(error) => panic!("{error}"),
            }
        };
        stream.set_nonblocking(false).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let qmp = loop {
            match Client::connect(&qmp_path) {
                Ok(client) => break client,
                Err(ClientError::NotRunning { .. }) if Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(10));
                }
                Err(error) => panic!("{error}"),
            }
        };
        Pair {
            ours,
            qemu,
            qtest: BufReader::new(stream),
            qmp,
            dir,
        }
    }

    fn tell(&mut self, command: &str) -> String {
        let stream = self.qtest.get_mut();
        stream.write_all(format!("{command}\n").as_bytes()).unwrap();
        let mut answer = String::new();
        self.qtest.read_line(&mut answer).unwrap();
        let rest = answer
            .strip_prefix("OK")
            .unwrap_or_else(|| panic!("{command}: {answer}"));
        rest.trim().trim_start_matches("0x").to_owned()
    }

    pub(crate) fn out8(&mut self, port: u16, value: u8) {
        self.tell(&format!("outb {port:#x} {value:#x}"));
        PortDevice::write(&mut self.ours, port, 1, value.into());
    }

    pub(crate) fn out16(&mut self, port: u16, value: u16) {
        self.tell(&format!("outw {port:#x} {value:#x}"));
        PortDevice::write(&mut self.ours, port, 2, value.into());
    }

    pub(crate) fn in8(&mut self, port: u16) -> u8 {
        let theirs = u8::from_str_radix(&self.tell(&format!("inb {port:#x}")), 16).unwrap();
        let ours = PortDevice::read(&mut self.ours, port, 1) as u8;
        assert_eq!(ours, theirs, "port {port:#x}: ours, QEMU's");
        ours
    }

    /// A read whose value is a matter of time.
    pub(crate) fn in8_unchecked(&mut self, port: u16) {
        self.tell(&format!("inb {port:#x}"));
        PortDevice::read(&mut self.ours, port, 1);
    }

    pub(crate) fn crtc(&mut self, index: u8, value: u8) {
        self.out8(0x3D4, index);
        self.out8(0x3D5, value);
    }

    pub(crate) fn dispi(&mut self, index: u16, value: u16) {
        self.out16(0x1CE, index);
        self.out16(0x1CF, value);
    }

    pub(crate) fn read_dispi(&mut self, index: u16) -> u16 {
        self.out16(0x1CE, index);
        let theirs = u16::from_str_radix(&self.tell("inw 0x1cf"), 16).unwrap();
        let ours = PortDevice::read(&mut self.ours, 0x1CF, 2) as u16;
        assert_eq!(ours, theirs, "DISPI register {index}: ours, QEMU's");
        ours
    }

    fn write_theirs(&mut self, address: u64, data: &[u8]) {
        for (chunk, address) in data.chunks(16384).zip((address..).step_by(16384)) {
            let mut hex = String::with_capacity(chunk.len() * 2);
            for byte in chunk {
                write!(hex, "{byte:02x}").unwrap();
            }
            self.tell(&format!("write {address:#x} {:#x} 0x{hex}", chunk.len()));
        }
    }

    fn read_theirs(&mut self, address: u64, count: usize) -> Vec<u8> {
        let hex = self.tell(&format!("read {address:#x} {count:#x}"));
        (0..hex.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
            .collect()
    }

    /// Writes to the legacy window, byte by byte as far as the devices can tell.
    pub(crate) fn write(&mut self, address: u64, data: &[u8]) {
        self.write_theirs(address, data);
        for (byte, offset) in data.iter().zip(address - 0xA_0000..) {
            MemoryDevice::write(&mut self.ours, offset, &[*byte]);
        }
    }

    pub(crate) fn read(&mut self, address: u64, count: usize) -> Vec<u8> {
        let theirs = self.read_theirs(address, count);
        let mut ours = vec![0; count];
        for (byte, offset) in ours.iter_mut().zip(address - 0xA_0000..) {
            MemoryDevice::read(&mut self.ours, offset, std::slice::from_mut(byte));
        }
        assert_eq!(ours, theirs, "memory at {address:#x}: ours, QEMU's");
        ours
    }

    fn pci_write(&mut self, offset: u32, value: u32) {
        // -nodefaults leaves the display adapter at device 2.
        self.tell(&format!("outl 0xcf8 {:#x}", 0x8000_0000 | 2 << 11 | offset));
        self.tell(&format!("outl 0xcfc {value:#x}"));
    }

    pub(crate) fn map_bars(&mut self) {
        self.pci_write(0x10, BAR0 as u32);
        self.pci_write(0x18, BAR2 as u32);
        self.pci_write(0x04, 3);
    }

    pub(crate) fn write_framebuffer(&mut self, offset: u64, data: &[u8]) {
        self.write_theirs(BAR0 + offset, data);
        self.ours.write_memory(0, offset, data);
    }

    /// The Cirrus' BARs are 0 and 1.
    pub(crate) fn map_cirrus(&mut self) {
        self.pci_write(0x10, BAR0 as u32);
        self.pci_write(0x14, BAR1 as u32);
        self.pci_write(0x04, 3);
    }

    /// Writes to a BAR of the Cirrus, a byte after the other.
    pub(crate) fn write_bar(&mut self, bar: usize, offset: u64, data: &[u8]) {
        self.write_theirs([BAR0, BAR1][bar] + offset, data);
        for (byte, offset) in data.iter().zip(offset..) {
            self.ours.write_memory(bar, offset, &[*byte]);
        }
    }

    pub(crate) fn read_bar(&mut self, bar: usize, offset: u64, count: usize) -> Vec<u8> {
        let theirs = self.read_theirs([BAR0, BAR1][bar] + offset, count);
        let mut ours = vec![0; count];
        for (byte, offset) in ours.iter_mut().zip(offset..) {
            self.ours.read_memory(bar, offset, std::slice::from_mut(byte));
        }
        if let Some(at) = (0..count).find(|at| ours[*at] != theirs[*at]) {
            panic!(
                "BAR {bar} at {:#x}: ours {:02x?}, QEMU's {:02x?}",
                offset + at as u64,
                &ours[at..count.min(at + 16)],
                &theirs[at..count.min(at + 16)]
            );
        }
        ours
    }

    pub(crate) fn read_bar2(&mut self, offset: u64, size: u8) -> u32 {
        let command = match size {
            1 => "readb",
            2 => "readw",
            _ => "readl",
        };
        let answer = self.tell(&format!("{command} {:#x}", BAR2 + offset));
        let theirs = u32::try_from(u64::from_str_radix(&answer, 16).unwrap()).unwrap();
        let mut bytes = [0; 4];
        self.ours.read_memory(2, offset, &mut bytes[..usize::from(size)]);
        let ours = u32::from_le_bytes(bytes);
        assert_eq!(ours, theirs, "BAR 2 at {offset:#x}: ours, QEMU's");
        ours
    }

    pub(crate) fn edids(&mut self) -> (Vec<u8>, Vec<u8>) {
        let theirs = self.read_theirs(BAR2, 128);
        let mut ours = vec![0; 128];
        self.ours.read_memory(2, 0, &mut ours);
        (ours, theirs)
    }

    /// Sets a mode and clears the 256 KiB.
    pub(crate) fn set_mode(&mut self, mode: &Mode) {
        // All planes at once, in sequential addresses.
        for (port, value) in [(0x3C4, 0x0F02), (0x3C4, 0x0604)] {
            self.out16(port, value);
        }
        for (index, value) in [0, 0, 0, 0, 0, 0, 0x05, 0x0F, 0xFF].into_iter().enumerate() {
            self.out16(0x3CE, index as u16 | value << 8);
        }
        self.write(0xA_0000, &vec![0; 0x1_0000]);
        self.set_mode_keeping_memory(mode);
    }

    pub(crate) fn set_mode_keeping_memory(&mut self, mode: &Mode) {
        self.out8(0x3C2, mode.misc);
        for (index, value) in (0u8..).zip(mode.sequencer) {
            self.out8(0x3C4, index);
            self.out8(0x3C5, value);
        }
        self.crtc(0x11, 0);
        for (index, value) in (0u8..).zip(mode.crtc) {
            self.crtc(index, value);
        }
        for (index, value) in (0u8..).zip(mode.graphics) {
            self.out8(0x3CE, index);
            self.out8(0x3CF, value);
        }
        self.in8_unchecked(0x3DA);
        let flat = mode.flat;
        let palette = (0u8..16).map(|index| if flat { index } else { EGA_PALETTE[usize::from(index)] });
        let attributes: Vec<u8> = palette.chain(mode.attribute).collect();
        for (index, value) in (0u8..).zip(attributes) {
            self.out8(0x3C0, index);
            self.out8(0x3C0, value);
        }
        self.out8(0x3C0, 0x20);
        self.out8(0x3C8, 0);
        for index in 0..=255u8 {
            for factor in [7, 23, 41] {
                self.out8(0x3C9, index.wrapping_mul(factor) & 0x3F);
            }
        }
    }

    pub(crate) fn set_linear_mode(&mut self, width: u16, height: u16, bits: u16) {
        // The VGA BIOS sets a graphics mode of the VGA first.
        self.dispi(4, 0);
        self.set_mode_keeping_memory(&crate::modes::PLANAR_640X480);
        for (index, value) in [(1, width), (2, height), (3, bits), (4, 0x41)] {
            self.dispi(index, value);
        }
    }

    /// Takes both pictures and compares them.
    pub(crate) fn same_picture(&mut self, what: &str) -> Frame {
        self.same_picture_of(what, 0xFF_FFFF)
    }

    /// The same for a format that holds only the bits in `held` of each pixel. We, and QEMU 10, fill the others with the
    /// upper bits again, so that white is white; QEMU 7 leaves them zero throughout.
    pub(crate) fn same_picture_of(&mut self, what: &str, held: u32) -> Frame {
        let path = self.dir.path().join("theirs.ppm");
        self.qmp.execute("screendump", &json!({ "filename": path })).unwrap();
        let theirs = read_ppm(&std::fs::read(&path).unwrap());
        let ours = self.ours.snapshot().render();
        let left_zero = theirs.pixels.iter().all(|pixel| pixel & !held == 0);
        let compared = if left_zero { held } else { 0xFF_FFFF };
        assert_eq!(
            (ours.width, ours.height),
            (theirs.width, theirs.height),
            "{what}: our size, QEMU's"
        );
        let wrong: Vec<usize> = (0..ours.pixels.len())
            .filter(|at| ours.pixels[*at] & compared != theirs.pixels[*at])
            .collect();
        if let Some(first) = wrong.first() {
            let width = ours.width as usize;
            panic!(
                "{what}: {} of {} pixels differ, the first at column {} of row {}: {:06x}, QEMU's is {:06x}",
                wrong.len(),
                ours.pixels.len(),
                first % width,
                first / width,
                ours.pixels[*first],
                theirs.pixels[*first],
            );
        }
        ours
    }
}

fn read_ppm(bytes: &[u8]) -> Frame {
    let mut fields = bytes.splitn(4, u8::is_ascii_whitespace);
    let mut field = || fields.next().expect("a field of the PPM header");
    assert_eq!(field(), b"P6");
    let number = |field: &[u8]| String::from_utf8_lossy(field).parse().expect("a size");
    let (width, height) = (number(field()), number(field()));
    let pixels = field().strip_prefix(b"255\n").expect("8 bits a channel");
    Frame {
        width,
        height,
        pixels: pixels
            .chunks_exact(3)
            .map(|p| u32::from_be_bytes([0, p[0], p[1], p[2]]))
            .collect(),
    }
}
