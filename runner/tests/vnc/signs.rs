//! What viewers show beside the picture: the keyboard's lamps, their own pointer, whether the screen can be resized.

use super::common::PATIENCE;
use super::viewers::{Staying, TigerVnc};
use super::{Shown, wait_for_viewers};
use runner::device::{PortDevice, TestClock};
use runner::display::{Console, DisplayConfig, DisplayKind, Hub, Place, Server};
use runner::input::{InputEvent, Layout};
use runner::kvm::Pages;
use runner::video::{Scene, Vga};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// A screen without a machine: its pointer becomes absolute when the test says so.
struct Machine {
    vga: Mutex<Vga>,
    absolute: AtomicBool,
}

impl Console for Machine {
    fn scene(&self) -> Scene {
        self.vga.lock().unwrap().scene()
    }
    fn written(&self) -> Pages {
        Pages::none()
    }
    fn input(&self, _: &[InputEvent]) {}
    fn has_absolute_pointer(&self) -> bool {
        self.absolute.load(Ordering::SeqCst)
    }
}

#[test]
fn there_is_one_pointer() {
    let mut vga = Vga::new(Arc::new(TestClock::default()), &[]).unwrap();
    for (index, value) in [(4, 0), (1, 640), (2, 480), (3, 32), (4, 0x41)] {
        PortDevice::write(&mut vga, 0x1CE, 2, index);
        PortDevice::write(&mut vga, 0x1CF, 2, value);
    }
    let machine = Arc::new(Machine {
        vga: Mutex::new(vga),
        absolute: AtomicBool::new(false),
    });
    let hub = Hub::new(machine.clone(), Layout::default());
    let drawing = hub.clone();
    let thread = std::thread::spawn(move || drawing.run());
    let config = DisplayConfig {
        kind: DisplayKind::Vnc,
        address: "127.0.0.1:0".parse().unwrap(),
        password: None,
    };
    let server = Server::start(Place::take(&config).unwrap(), "test", hub.clone()).unwrap();
    let port = server.handle().status().address.unwrap().port();
    let viewer = Staying::start(port, "RICH_CURSOR,POINTER_CHANGE,RAW", &[]);
    viewer.wait_for("absolute pointer False");
    // A driver for the tablet is loaded, and later the guest restarts; the picture stays the same.
    machine.absolute.store(true, Ordering::SeqCst);
    viewer.wait_for("pointer is now absolute");
    viewer.wait_for("cursor 1 1");
    machine.absolute.store(false, Ordering::SeqCst);
    viewer.wait_for("pointer is now relative");
    viewer.wait_for("cursor 8 12");
    drop(viewer);
    drop(server);
    hub.end();
    thread.join().unwrap();
}

#[test]
fn the_keyboards_lamps_are_the_guests() {
    // The firmware sets the lamps when it is asked for the next key.
    let mut shown = Shown::boot("keyboard", None);
    shown.guest.wait_for("READY");
    let viewer = Staying::start(shown.port, "LED_STATE,RAW", &[]);
    wait_for_viewers(&mut shown.client, 1);
    for (key, lamps) in [("caps_lock", "leds 4"), ("num_lock", "leds 6"), ("caps_lock", "leds 2")] {
        shown.press(key);
        shown.press("a");
        viewer.wait_for(lamps);
    }
    drop(viewer);
    shown.end();
}

#[test]
fn the_speakers_beep_rings_the_viewers_bell() {
    let shown = Shown::boot("speaker", None);
    shown.guest.wait_for("READY");
    let viewer = Staying::start(shown.port, "RAW", &[]);
    viewer.wait_for("bell");
    viewer.wait_for("bell");
    drop(viewer);
    shown.end();
}

#[test]
fn tigervnc_takes_no_for_an_answer() {
    let mut shown = Shown::boot("video-vbe", None);
    shown.guest.wait_for("DRAWN");
    let expected = shown.screendump();
    // Its window is smaller than the screen, so it wishes for a smaller one.
    let viewer = TigerVnc::start_with(
        shown.port,
        "Tight",
        &["-RemoteResize=1", "-geometry=640x480", "-Log=*:stderr:30"],
    );
    // Status 1: prohibited by the server.
    viewer.wait_to_say("SetDesktopSize failed: 1", PATIENCE);
    drop(viewer);
    // One that came after it sees the same screen.
    assert_eq!(shown.capture().differences(&expected), 0);
    shown.end();
}
