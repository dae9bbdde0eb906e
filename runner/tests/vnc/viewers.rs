//! Viewers that are not ours.

use super::common::PATIENCE;
use super::picture::Picture;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Runs the client made of gtk-vnc's library to its end; what it says.
pub(crate) fn gtk_vnc(port: u16, password: &str, encodings: &str, actions: &[&str]) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vnc/viewer.py");
    // Debian's own Python, which has Debian's packages.
    let output = Command::new("/usr/bin/python3")
        .arg(script)
        .args([&port.to_string(), password, encodings])
        .args(actions)
        .output()
        .expect("python3 must be installed (Debian package python3-gi)");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "the viewer failed (it needs Debian's packages python3-gi and gir1.2-gtk-vnc-2.0): {errors}"
    );
    String::from_utf8(output.stdout).unwrap()
}

/// The same client, which stays until it is dropped; its lines can be waited for.
pub(crate) struct Staying {
    lines: Receiver<String>,
    _viewer: Running,
}

impl Staying {
    pub(crate) fn start(port: u16, encodings: &str, actions: &[&str]) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vnc/viewer.py");
        let mut viewer = Command::new("/usr/bin/python3")
            .arg(script)
            .args([&port.to_string(), "-", encodings])
            .args(actions)
            .arg("stay")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 must be installed (Debian package python3-gi)");
        let (sender, lines) = channel();
        let output = BufReader::new(viewer.stdout.take().unwrap());
        std::thread::spawn(move || {
            output
                .lines()
                .map_while(Result::ok)
                .try_for_each(|line| sender.send(line))
        });
        Staying {
            lines,
            _viewer: Running(viewer),
        }
    }

    /// Waits for a line.
    pub(crate) fn wait_for(&self, expected: &str) {
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) if line == expected => return,
                Ok(_) => {}
                Err(error) => panic!("the viewer did not say {expected:?}: {error}"),
            }
        }
    }
}

/// Ends a process with the test.
pub(crate) struct Running(pub(crate) Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// TigerVNC's viewer on an X server of its own, whose screen lies in a file.
pub(crate) struct TigerVnc {
    // Ends first.
    _viewer: Running,
    _server: Running,
    display: String,
    folder: TempDir,
    encoding: String,
}

impl TigerVnc {
    pub(crate) fn start(port: u16, encoding: &str) -> Self {
        Self::start_with(port, encoding, &["-RemoteResize=0"])
    }

    pub(crate) fn start_with(port: u16, encoding: &str, options: &[&str]) -> Self {
        let folder = TempDir::new().unwrap();
        let mut server = Command::new("Xvfb")
            .args([
                "-displayfd",
                "1",
                "-screen",
                "0",
                "1280x1024x24",
                "-nolisten",
                "tcp",
                "-fbdir",
            ])
            .arg(folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("Xvfb must be installed (Debian package xvfb)");
        let mut number = String::new();
        BufReader::new(server.stdout.as_mut().unwrap())
            .read_line(&mut number)
            .unwrap();
        let server = Running(server);
        let display = format!(":{}", number.trim());
        let viewer = Command::new("xtigervncviewer")
            // Without these, it draws hints over the picture, or picks another encoding.
            .args(["-MenuKey=", "-AutoSelect=0", "-NoJPEG=1", "-AlertOnFatalError=0"])
            .args([
                "-SecurityTypes=None",
                &format!("-PreferredEncoding={encoding}"),
                &format!("127.0.0.1::{port}"),
            ])
            .args(options)
            .env("DISPLAY", &display)
            .env("HOME", folder.path())
            .stderr(File::create(folder.path().join("log")).unwrap())
            .spawn()
            .expect("xtigervncviewer must be installed (Debian package tigervnc-viewer)");
        TigerVnc {
            _viewer: Running(viewer),
            _server: server,
            display,
            folder,
            encoding: encoding.to_owned(),
        }
    }

    /// Waits until its messages hold `text`.
    pub(crate) fn wait_to_say(&self, text: &str, patience: Duration) {
        let deadline = Instant::now() + patience;
        loop {
            let log = std::fs::read(self.folder.path().join("log")).unwrap();
            let log = String::from_utf8_lossy(&log);
            if log.contains(text) {
                return;
            }
            assert!(Instant::now() < deadline, "{log}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn screen(&self) -> PathBuf {
        self.folder.path().join("Xvfb_screen0")
    }

    /// The X server's screen, from its XWD file (`X11/XWDFile.h`): a header and a colour map, then rows of pixels.
    fn look(&self) -> Picture {
        let mut file = Vec::new();
        File::open(self.screen()).unwrap().read_to_end(&mut file).unwrap();
        let number = |at: usize| u32::from_be_bytes(file[at * 4..at * 4 + 4].try_into().unwrap());
        let (header, width, height) = (number(0), number(4), number(5));
        let (bits, row_bytes, colors) = (number(11), number(12), number(19));
        assert_eq!(bits, 32);
        let pixels = &file[(header + colors * 12) as usize..];
        let rows = pixels.chunks_exact(row_bytes as usize).take(height as usize);
        let pixels = rows.flat_map(|row| {
            let row = row[..width as usize * 4].chunks_exact(4);
            row.map(|pixel| u32::from_le_bytes(pixel.try_into().unwrap()) & 0x00FF_FFFF)
        });
        Picture {
            width,
            height,
            pixels: pixels.collect(),
        }
    }

    /// Waits until its window shows `expected`, pixel for pixel.
    pub(crate) fn wait_to_show(&self, expected: &Picture) {
        let deadline = Instant::now() + PATIENCE;
        let mut fewest = usize::MAX;
        loop {
            // Without a window manager the window is at the left edge, perhaps a pixel in, at a height of its choice.
            let screen = self.look();
            for (x, y) in (0..2).flat_map(|x| (0..32).map(move |y| (x, y))) {
                let first_row = screen.part(x, y, expected.width, 1);
                if first_row.pixels != expected.pixels[..expected.width as usize] {
                    continue;
                }
                let seen = screen.part(x, y, expected.width, expected.height);
                fewest = fewest.min(seen.differences(expected));
                if fewest == 0 {
                    return;
                }
            }
            assert!(
                Instant::now() < deadline,
                "{}: {fewest} pixels differ at best",
                self.encoding
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Copies a text on the X server.
    pub(crate) fn copy(&self, text: &str) {
        let mut xclip = Command::new("xclip")
            .args(["-selection", "clipboard", "-in"])
            .env("DISPLAY", &self.display)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("xclip must be installed (Debian package xclip)");
        // It stays in the background for as long as the X server does.
        xclip.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        assert!(xclip.wait().unwrap().success());
    }

    /// Presses a key on the X server's keyboard.
    pub(crate) fn press(&self, key: &str) {
        let status = Command::new("xdotool")
            // Without a window manager nobody else gives the window the keyboard.
            .args([
                "search",
                "--sync",
                "--name",
                "TigerVNC",
                "windowfocus",
                "key",
                "--delay",
                "50",
                key,
            ])
            .env("DISPLAY", &self.display)
            .status()
            .expect("xdotool must be installed (Debian package xdotool)");
        assert!(status.success());
    }
}
