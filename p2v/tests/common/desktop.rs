//! A desktop of its own for a test: an X server whose screen lies in a file, a window manager, hands.

use super::running::{Running, until};
use super::*;
use p2v_tests::picture::Picture;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

/// An X server with a window manager; both end with it.
pub(crate) struct Desktop {
    // Ends first.
    _manager: Running,
    server: Running,
    display: String,
    folder: tempfile::TempDir,
}

/// Where a window's inside is on the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) x: usize,
    pub(crate) y: usize,
    pub(crate) width: usize,
    pub(crate) height: usize,
}

impl Desktop {
    pub(crate) const SIZE: (usize, usize) = (1600, 1200);

    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (width, height) = Self::SIZE;
        let mut server = Command::new("Xvfb")
            .args(["-displayfd", "1", "-nolisten", "tcp", "-screen", "0"])
            .arg(format!("{width}x{height}x24"))
            .arg("-fbdir")
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
        let manager = || {
            let mut command = Command::new("openbox");
            command
                .env("DISPLAY", &display)
                .env("HOME", folder.path())
                .stderr(Stdio::null());
            Running(
                command
                    .spawn()
                    .expect("openbox must be installed (Debian package openbox)"),
            )
        };
        let mut running = manager();
        until("the window manager does not start", || {
            // It gives up if the server takes too long to answer.
            if running.0.try_wait().unwrap().is_some() {
                running = manager();
            }
            let mut ask = Command::new("xprop");
            let answer = start(ask.args(["-display", &display, "-root", "_NET_SUPPORTING_WM_CHECK"]));
            String::from_utf8_lossy(&answer.stdout).contains("window id #")
        });
        let desktop = Desktop {
            _manager: running,
            server,
            display,
            folder,
        };
        // The pointer is drawn on the screen: out of the windows' way.
        let (x, y) = ((width - 1).to_string(), (height - 1).to_string());
        desktop.hands(&["mousemove", &x, &y]);
        desktop
    }

    /// A command on this desktop.
    pub(crate) fn on(&self, mut command: Command) -> Command {
        command.env("DISPLAY", &self.display).env_remove("WAYLAND_DISPLAY");
        command
    }

    /// Kills the X server, and everything on it with that.
    pub(crate) fn go_away(&mut self) {
        self.server.0.kill().unwrap();
    }

    /// Runs xdotool; what it prints.
    pub(crate) fn hands(&self, arguments: &[&str]) -> String {
        let mut command = self.on(Command::new("xdotool"));
        run(command.args(arguments)).trim().to_owned()
    }

    /// The window of this class, once it is there and has the focus.
    pub(crate) fn window(&self, class: &str) -> String {
        let mut id = String::new();
        until("no window opens", || {
            let output = start(
                self.on(Command::new("xdotool"))
                    .args(["search", "--onlyvisible", "--class", class]),
            );
            id = String::from_utf8(output.stdout).unwrap().trim().to_owned();
            !id.is_empty()
        });
        self.hands(&["windowactivate", "--sync", &id]);
        id
    }

    /// Clicks the window's close button, or as good as.
    pub(crate) fn close(&self, window: &str) {
        run(self.on(Command::new("wmctrl")).args(["-i", "-c", window]));
    }

    pub(crate) fn title(&self, window: &str) -> String {
        self.hands(&["getwindowname", window])
    }

    pub(crate) fn place(&self, window: &str) -> Place {
        let text = run(self.on(Command::new("xwininfo")).args(["-id", window]));
        let value = |name: &str| {
            let line = text
                .lines()
                .find_map(|line| line.trim().strip_prefix(name)?.strip_prefix(':'));
            line.unwrap().trim().parse().unwrap()
        };
        Place {
            x: value("Absolute upper-left X"),
            y: value("Absolute upper-left Y"),
            width: value("Width"),
            height: value("Height"),
        }
    }

    /// What a window shows.
    pub(crate) fn picture(&self, window: &str) -> Picture {
        let place = self.place(window);
        let screen = Picture::read(&self.folder.path().join("Xvfb_screen0")).unwrap();
        screen.part(place.x, place.y, place.width, place.height)
    }
}
