//! Real-mode sectors on our machine and on QEMU's: the same pictures, the same bytes from the keyboard.
//! (Debian packages: nasm, seabios, qemu-system-x86.)

#[allow(dead_code, unreachable_pub)]
mod common;

use common::{Guest, PATIENCE, firmware, make_disk};
use runner::config::DisplayAdapter;
use runner::control::{Client, ClientError};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use serde_json::{Value, json};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A QEMU with the same devices, which ends with the test.
struct Qemu {
    child: Child,
    lines: Receiver<String>,
    folder: TempDir,
}

impl Drop for Qemu {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Qemu {
    fn boot(sector: &str) -> Self {
        Self::boot_with(sector, "std")
    }

    fn boot_with(sector: &str, adapter: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let path = |name: &str| folder.path().join(name);
        make_disk(sector, &path("disk.img"));
        mknodat(CWD, path("serial"), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        let child = Command::new("qemu-system-x86_64")
            .args([
                "-machine",
                "pc,accel=tcg",
                "-m",
                "32",
                "-display",
                "none",
                "-nodefaults",
                "-vga",
                adapter,
            ])
            .arg("-drive")
            .arg(format!("file={},format=raw,if=ide", path("disk.img").display()))
            .arg("-serial")
            .arg(format!("file:{}", path("serial").display()))
            .arg("-qmp")
            .arg(format!("unix:{},server=on,wait=off", path("control.sock").display()))
            .stdin(Stdio::null())
            .spawn()
            .expect("qemu-system-x86_64 must be installed (Debian package qemu-system-x86)");
        let (sender, lines) = channel();
        let pipe = path("serial");
        std::thread::spawn(move || {
            for line in BufReader::new(File::open(pipe).unwrap()).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Qemu { child, lines, folder }
    }

    fn wait_for(&self, text: &str) {
        while !self
            .lines
            .recv_timeout(PATIENCE)
            .expect("a line from QEMU's guest")
            .contains(text)
        {}
    }
}

fn connect(socket: &Path) -> Client {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match Client::connect(socket) {
            Ok(client) => return client,
            Err(ClientError::NotRunning { .. }) if Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(20));
            }
            Err(error) => panic!("{error}"),
        }
    }
}

/// Width, height and RGB bytes of the screen, from a PNG the machine writes.
fn picture(client: &mut Client, folder: &Path) -> (u32, u32, Vec<u8>) {
    let path = folder.join("screen.png");
    client.screenshot(&path).unwrap();
    let mut reader = png::Decoder::new(BufReader::new(File::open(&path).unwrap()))
        .read_info()
        .unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    assert_eq!(info.color_type, png::ColorType::Rgb);
    (info.width, info.height, pixels)
}

fn same_picture(sector: &str, size: (u32, u32)) {
    compare(sector, size, Guest::boot(sector, |_, _| {}), &Qemu::boot(sector), 0xFF);
}

/// The same on a Cirrus GD5446. With 16 bits a pixel QEMU 7 leaves the lowest bits of a colour 0, where we (and QEMU 10)
/// repeat the highest: `held` are the bits that are compared.
fn same_picture_on_cirrus(sector: &str, size: (u32, u32), held: u8) {
    let ours = Guest::boot(sector, |_, config| {
        config.display = DisplayAdapter::Cirrus;
        config.vga_bios = firmware("vgabios-cirrus.bin");
    });
    compare(sector, size, ours, &Qemu::boot_with(sector, "cirrus"), held);
}

fn compare(sector: &str, size: (u32, u32), ours: Guest, theirs: &Qemu, held: u8) {
    ours.wait_for("DRAWN");
    theirs.wait_for("DRAWN");
    let mut our_client = connect(&ours.control());
    let (width, height, our_pixels) = picture(&mut our_client, ours.folder.path());
    let mut their_client = connect(&theirs.folder.path().join("control.sock"));
    let (their_width, their_height, their_pixels) = picture(&mut their_client, theirs.folder.path());
    assert_eq!((width, height), size);
    assert_eq!((their_width, their_height), size);
    let differ = our_pixels
        .chunks(3)
        .zip(their_pixels.chunks(3))
        .filter(|(a, b)| a.iter().zip(*b).any(|(a, b)| (a ^ b) & held != 0))
        .count();
    assert_eq!(differ, 0, "{sector}: pixels that differ from QEMU's");
    let colours: std::collections::HashSet<&[u8]> = our_pixels.chunks(3).collect();
    assert!(colours.len() >= 16, "{sector}: only {} colours", colours.len());
    our_client.quit().unwrap();
    ours.end().0.unwrap();
}

#[test]
fn text_looks_as_in_qemu() {
    same_picture("video-text", (720, 400));
}

#[test]
fn sixteen_colours_look_as_in_qemu() {
    same_picture("video-12h", (640, 480));
}

#[test]
fn two_hundred_and_fifty_six_colours_look_as_in_qemu() {
    same_picture("video-13h", (640, 400));
}

#[test]
fn true_colour_looks_as_in_qemu() {
    same_picture("video-vbe", (800, 600));
}

#[test]
fn what_a_cirrus_draws_looks_as_in_qemu() {
    same_picture_on_cirrus("video-cirrus", (640, 480), 0xFF);
}

#[test]
fn high_colour_of_a_cirrus_looks_as_in_qemu() {
    same_picture_on_cirrus("cirrus-vbe", (1024, 768), 0xF8);
}

#[test]
fn the_blitter_of_a_cirrus_draws_as_in_qemu() {
    same_picture_on_cirrus("cirrus-blit", (640, 480), 0xFF);
}

#[test]
fn the_framebuffer_of_a_cirrus_is_mapped_and_leads_to_its_blitter_as_in_qemu() {
    same_picture_on_cirrus("cirrus-linear", (640, 480), 0xF8);
}

fn press(client: &mut Client, keys: &[&str]) {
    let event = |key: &&str, down: bool| json!({ "type": "key", "data": { "down": down, "key": { "type": "qcode", "data": key } } });
    let presses = keys.iter().map(|key| event(key, true));
    let releases = keys.iter().rev().map(|key| event(key, false));
    let events: Vec<Value> = presses.chain(releases).collect();
    client
        .execute("input-send-event", &json!({ "events": events }))
        .unwrap();
}

/// QEMU's own list of key names.
fn qkeycodes(client: &mut Client) -> Vec<String> {
    let schema = client.execute("query-qmp-schema", &json!({})).unwrap();
    let types = schema.as_array().unwrap();
    // The schema hides the type's name: it is the enumeration with these members.
    let names = |of: &Value| -> Vec<String> {
        let members = of["values"].as_array().into_iter().flatten();
        members.map(|name| name.as_str().unwrap().to_owned()).collect()
    };
    types
        .iter()
        .map(names)
        .find(|names| names.iter().any(|name| name == "kp_multiply"))
        .expect("QKeyCode in the schema")
}

#[test]
fn every_key_sends_the_bytes_it_sends_in_qemu() {
    let (ours, theirs) = (Guest::boot("scancodes", |_, _| {}), Qemu::boot("scancodes"));
    ours.wait_for("READY");
    theirs.wait_for("READY");
    let mut our_client = connect(&ours.control());
    let mut their_client = connect(&theirs.folder.path().join("control.sock"));
    let names = qkeycodes(&mut their_client);
    assert!(names.len() > 130, "{names:?}");
    let mut chords: Vec<Vec<&str>> = names.iter().map(|name| vec![name.as_str()]).collect();
    // F12 ends each answer. The menu key has a code here, as on a keyboard, but none in QEMU.
    chords.retain(|chord| !["f12", "menu"].contains(&chord[0]));
    chords.extend([
        vec!["shift", "a"],
        vec!["ctrl", "alt", "delete"],
        vec!["alt", "print"],
        vec!["ctrl", "print"],
        vec!["ctrl", "pause"],
    ]);
    let mut wrong = Vec::new();
    for chord in chords {
        press(&mut our_client, &chord);
        press(&mut our_client, &["f12"]);
        press(&mut their_client, &chord);
        press(&mut their_client, &["f12"]);
        let until_f12 = |lines: &Receiver<String>| {
            let mut bytes = Vec::new();
            while bytes.last().is_none_or(|last| last != "D8") {
                bytes.push(lines.recv_timeout(PATIENCE).expect("a byte"));
            }
            bytes.join(" ")
        };
        let (our_bytes, their_bytes) = (until_f12(&ours.lines), until_f12(&theirs.lines));
        if our_bytes != their_bytes {
            wrong.push(format!("{chord:?}: {our_bytes}, in QEMU {their_bytes}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    our_client.quit().unwrap();
    ours.end().0.unwrap();
}

fn button(name: &str, down: bool) -> Value {
    json!([{ "type": "btn", "data": { "button": name, "down": down } }])
}

/// The buttons and the wheel, after the left button was pressed and the pointer moved.
fn presses() -> [Value; 7] {
    [
        button("right", true),
        button("left", false),
        button("right", false),
        button("middle", true),
        button("middle", false),
        button("wheel-up", true),
        button("wheel-down", true),
    ]
}

/// Sends the same to both machines.
fn send(clients: [&mut Client; 2], events: &Value) {
    let arguments = json!({ "events": events });
    for client in clients {
        client.execute("input-send-event", &arguments).unwrap();
    }
}

#[test]
fn the_mouse_sends_the_packets_it_sends_in_qemu() {
    let (ours, theirs) = (Guest::boot("mouse", |_, _| {}), Qemu::boot("mouse"));
    ours.wait_for("READY");
    theirs.wait_for("READY");
    let mut our_client = connect(&ours.control());
    let mut their_client = connect(&theirs.folder.path().join("control.sock"));
    let movement = |axis: &str, value: i32| json!([{ "type": "rel", "data": { "axis": axis, "value": value } }]);
    let steps = [
        movement("x", 5),
        movement("y", 100),
        movement("x", -7),
        button("left", true),
        movement("y", -1),
    ];
    for step in steps.into_iter().chain(presses()) {
        send([&mut our_client, &mut their_client], &step);
        let packet = |lines: &Receiver<String>| -> Vec<String> {
            (0..4).map(|_| lines.recv_timeout(PATIENCE).expect("a byte")).collect()
        };
        assert_eq!(packet(&ours.lines), packet(&theirs.lines), "{step}: our packet, QEMU's");
    }
    our_client.quit().unwrap();
    ours.end().0.unwrap();
}

#[test]
fn vmwares_pointer_tells_what_it_tells_in_qemu() {
    let (ours, theirs) = (Guest::boot("vmmouse", |_, _| {}), Qemu::boot("vmmouse"));
    let line = |lines: &Receiver<String>| lines.recv_timeout(PATIENCE).expect("a line");
    let both = |what: &Value| {
        let (our_line, their_line) = (line(&ours.lines), line(&theirs.lines));
        assert_eq!(our_line, their_line, "{what}: our answer, QEMU's");
        our_line
    };
    // Version; status and identity.
    both(&json!("version"));
    both(&json!("identity"));
    assert_eq!(both(&json!("on")), "READY");
    let mut our_client = connect(&ours.control());
    let mut their_client = connect(&theirs.folder.path().join("control.sock"));
    let place = |x: u16, y: u16| {
        json!([
            { "type": "abs", "data": { "axis": "x", "value": x } },
            { "type": "abs", "data": { "axis": "y", "value": y } },
        ])
    };
    // QEMU doubles the places: beyond the middle it is one less, and never gets to the edge.
    let steps = [
        place(1000, 2000),
        place(16000, 16383),
        button("left", true),
        place(0, 12345),
    ];
    for step in steps.into_iter().chain(presses()) {
        send([&mut our_client, &mut their_client], &step);
        both(&step);
        if step[0]["data"]["button"]
            .as_str()
            .is_some_and(|name| name.starts_with("wheel"))
        {
            // QEMU says afterwards that the wheel stands still.
            assert!(line(&theirs.lines).ends_with("00000000 "));
        }
    }
    our_client.quit().unwrap();
    ours.end().0.unwrap();
}
