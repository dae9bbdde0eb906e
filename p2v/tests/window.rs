//! The window, on an X server of the test's own: what it shows, what it takes, how it is left.

mod common;

use common::desktop::Desktop;
use common::running::{self, Running, until};
use common::*;
use p2v_tests::picture::Picture;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);

/// A machine that runs one of the real-mode sectors, in a window.
struct Pc {
    desktop: Desktop,
    running: Running,
    window: String,
    folder: tempfile::TempDir,
}

impl Pc {
    /// Starts it, and waits until the sector says `ready`.
    fn start(sector: &str, ready: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let disk = folder.path().join("disk.img");
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/realmode/");
        let mut nasm = Command::new("nasm");
        nasm.arg("-I").arg(&sources).arg("-o").arg(&disk);
        run(nasm.arg(sources.join(format!("{sector}.asm"))));
        File::options()
            .write(true)
            .open(&disk)
            .unwrap()
            .set_len(8 * MIB)
            .unwrap();
        let machine = folder.path().join("oldpc");
        capture(&disk, &machine, &[]);
        let desktop = Desktop::start();
        let mut command = desktop.on(p2v("launch"));
        command
            .arg(&machine)
            .args(["--memory", "64", "--serial"])
            .arg(folder.path().join("serial"));
        let running = Running(command.stdin(Stdio::null()).spawn().unwrap());
        let window = desktop.window("p2v-oldpc");
        let pc = Pc {
            desktop,
            running,
            window,
            folder,
        };
        pc.says(ready);
        pc
    }

    fn serial(&self) -> String {
        fs::read_to_string(self.folder.path().join("serial")).unwrap_or_default()
    }

    /// Waits for a text on the serial port.
    fn says(&self, text: &str) {
        let begun = Instant::now();
        while !self.serial().contains(text) {
            let serial = self.serial();
            assert!(
                begun.elapsed() < PATIENCE,
                "no {text:?} on the serial port, but {serial:?}"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn machine(&self) -> PathBuf {
        self.folder.path().join("oldpc")
    }

    /// The guest's screen, by the control socket.
    fn screen(&self) -> Picture {
        let file = self.folder.path().join("screen.png");
        run(p2v("screenshot").arg(self.machine()).arg("-o").arg(&file));
        Picture::read(&file).unwrap()
    }

    fn key(&self, keys: &str) {
        self.desktop.hands(&["key", keys]);
    }

    /// The right Ctrl key, alone or with another one. By its number: xdotool presses the left one with it.
    fn host_key(&self, with: Option<&str>) {
        let with = with.map_or_else(Vec::new, |key| vec!["key", key]);
        let arguments = [&["keydown", "105"], &*with, &["keyup", "105"]].concat();
        self.desktop.hands(&arguments);
    }

    fn title(&self) -> String {
        self.desktop.title(&self.window)
    }

    /// Waits until the window shows the guest's screen in its middle, each pixel `factor` times as large, and nothing else.
    fn shows_screen(&self, factor: usize) {
        until("the window does not show the guest's screen", || {
            let expected = self.screen().enlarged(factor);
            let picture = self.desktop.picture(&self.window);
            if picture.width < expected.width || picture.height < expected.height {
                return false;
            }
            let (x, y) = (
                (picture.width - expected.width) / 2,
                (picture.height - expected.height) / 2,
            );
            picture.part(x, y, expected.width, expected.height) == expected && (x == 0 || picture.at(0, 0) == [0; 3])
        });
    }

    fn ends(mut self) {
        assert!(self.running.0.wait().unwrap().success());
    }
}

#[test]
fn it_shows_the_screen_at_any_size_and_takes_keys() {
    let pc = Pc::start("screen", "TEXT OK");
    assert_eq!(pc.title(), "oldpc \u{2014} Right Ctrl: menu");
    pc.shows_screen(1);
    let place = pc.desktop.place(&pc.window);
    assert_eq!((place.width, place.height), (720, 400));
    // A guest's other mode: the window follows.
    pc.key("space");
    pc.says("PICTURE OK");
    pc.shows_screen(1);
    let place = pc.desktop.place(&pc.window);
    let screen = pc.screen();
    assert_eq!((place.width, place.height), (screen.width, screen.height));
    // A person's other size.
    pc.desktop.hands(&["windowsize", "--sync", &pc.window, "1500", "1000"]);
    pc.shows_screen((1500 / screen.width).min(1000 / screen.height));
    // The whole screen, and back.
    let (width, height) = Desktop::SIZE;
    pc.host_key(Some("f"));
    until("it does not fill the screen", || {
        let place = pc.desktop.place(&pc.window);
        (place.x, place.y, place.width, place.height) == (0, 0, width, height)
    });
    pc.shows_screen((width / screen.width).min(height / screen.height));
    pc.host_key(Some("f"));
    until("it does not leave the whole screen", || {
        pc.desktop.place(&pc.window).width == 1500
    });
    // Smoothed, it fills the window.
    let sharp = pc.desktop.picture(&pc.window);
    pc.host_key(Some("s"));
    until("it is not smoothed", || {
        let smooth = pc.desktop.picture(&pc.window);
        smooth.differing(&sharp) > 0 && smooth.colours() > sharp.colours()
    });
    pc.key("space");
    pc.ends();
}

#[test]
fn keys_go_by_their_place_and_are_released_when_the_focus_goes() {
    let pc = Pc::start("scancodes", "READY");
    // A French keyboard: its A is where a US keyboard has its Q.
    run(pc.desktop.on(Command::new("setxkbmap")).arg("fr"));
    pc.desktop.hands(&["keydown", "a"]);
    pc.says("READY\n10\n");
    let other = Running(
        pc.desktop
            .on(Command::new("xmessage"))
            .arg("something else")
            .spawn()
            .expect("xmessage must be installed (Debian package x11-utils)"),
    );
    pc.desktop.window("Xmessage");
    // Its release, and no repetition by the host: the guest's keyboard repeats (10 again and again) until then.
    until("the key is not released", || {
        let serial = pc.serial();
        let codes: Vec<&str> = serial.lines().skip(1).collect();
        codes
            .split_last()
            .is_some_and(|(last, rest)| *last == "90" && rest.iter().all(|code| *code == "10"))
    });
    drop(other);
    pc.desktop.hands(&["keyup", "a"]);
    pc.desktop.window("p2v-oldpc");
    // By the menu: Ctrl, Alt and Delete, pressed and released in the other order.
    pc.host_key(None);
    until("no menu", || pc.title().ends_with("\u{2014} menu"));
    pc.key("d");
    pc.says("1D\n38\nE0\n53\nE0\nD3\nB8\n9D\n");
}

#[test]
fn the_pointer_is_taken_by_a_click_and_freed_by_the_key() {
    let pc = Pc::start("mouse", "READY");
    let place = pc.desktop.place(&pc.window);
    let (x, y) = ((place.x + 300).to_string(), (place.y + 200).to_string());
    pc.desktop.hands(&["mousemove", "--sync", &x, &y, "click", "1"]);
    until("the pointer is not taken", || {
        pc.title().ends_with("Right Ctrl frees the pointer")
    });
    // Buttons with bit 3 set, right, up.
    pc.desktop.hands(&["mousemove_relative", "--", "5", "-3"]);
    pc.says("08\n05\n03\n00\n");
    pc.desktop.hands(&["click", "3"]);
    pc.says("0A\n00\n00\n00\n08\n00\n00\n00\n");
    pc.host_key(None);
    until("the pointer is not freed", || pc.title().ends_with("Right Ctrl: menu"));
    // Free, it moves nothing; taken again, it goes on from there.
    let before = pc.serial();
    pc.desktop.hands(&["mousemove_relative", "--sync", "--", "40", "40"]);
    pc.desktop.hands(&["click", "1"]);
    until("the pointer is not taken again", || {
        pc.title().ends_with("frees the pointer")
    });
    pc.desktop.hands(&["mousemove_relative", "--", "2", "0"]);
    pc.says("08\n02\n00\n00\n");
    assert_eq!(pc.serial(), format!("{before}08\n02\n00\n00\n"));
}

#[test]
fn closing_it_asks_what_is_meant() {
    let pc = Pc::start("idle", "IDLE");
    let control = pc.machine().join("run/control.sock");
    let mut client = runner::control::Client::connect(&control).unwrap();
    let close = || {
        pc.desktop.close(&pc.window);
        until("no question", || {
            pc.title().ends_with("menu") && !pc.title().ends_with(": menu")
        });
    };
    close();
    pc.key("k");
    until("the question stays", || pc.title().ends_with(": menu"));
    close();
    pc.key("Return");
    client.wait_for_event("POWERDOWN", PATIENCE).unwrap();
    assert_eq!(run(p2v("status").arg(pc.machine())), "running\n");
    close();
    pc.key("c");
    pc.ends();
}

#[test]
fn without_a_desktop_it_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let machine = running::machine(folder.path());
    let mut command = p2v("launch");
    let output = start(
        command
            .arg(&machine)
            .env_remove("DISPLAY")
            .env_remove("WAYLAND_DISPLAY"),
    );
    assert_eq!(output.status.code(), Some(3));
    let message = errors(&output);
    assert!(message.contains("--headless") && message.contains("--vnc"), "{message}");
}

#[test]
fn if_the_desktop_goes_away_the_disks_are_flushed_and_it_ends() {
    let mut pc = Pc::start("idle", "IDLE");
    pc.desktop.go_away();
    let status = pc.running.0.wait().unwrap();
    assert_eq!(status.code(), Some(3));
    run(Command::new("qemu-img")
        .args(["check", "-q"])
        .arg(pc.machine().join("disk0.now.qcow2")));
}
