//! Remote screens judged by other people's viewers: gtk-vnc, TigerVNC in a virtual X server, noVNC in Chromium.
//! (Debian packages: nasm, seabios, gvncviewer, gir1.2-gtk-vnc-2.0, python3-gi, tigervnc-viewer, xvfb, xdotool, novnc,
//! chromium.)

mod browser;
mod clipboard;
#[allow(dead_code, unreachable_pub)]
#[path = "../common/mod.rs"]
mod common;
mod hostile;
mod picture;
mod signs;
mod viewers;
mod web;

use common::{Guest, PATIENCE};
use picture::{Picture, screendump};
use runner::MachineConfig;
use runner::config::DisplayAdapter;
use runner::control::{Client, ClientError};
use runner::display::vnc::Password;
use runner::display::{DisplayConfig, DisplayKind, ListenAddress};
use runner::input::Layout;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use viewers::{TigerVnc, gtk_vnc};

/// A guest with a screen for VNC clients and one for browsers.
struct Shown {
    guest: Guest,
    client: Client,
    /// Port for VNC clients.
    port: u16,
    /// Page for browsers.
    url: String,
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

impl Shown {
    fn boot(sector: &str, password: Option<&str>) -> Self {
        Self::boot_with(sector, password, "us")
    }

    /// With another keyboard layout in the guest.
    fn boot_with(sector: &str, password: Option<&str>, layout: &str) -> Self {
        Self::boot_as(sector, password, |config| {
            config.keyboard = Layout::named(layout).unwrap();
        })
    }

    /// With whatever else `prepare` changes.
    fn boot_as(sector: &str, password: Option<&str>, prepare: impl FnOnce(&mut MachineConfig)) -> Self {
        let password = password.map(|text| Password::new(text.as_bytes()).unwrap());
        let display = |kind| DisplayConfig {
            kind,
            address: "127.0.0.1:0".parse().unwrap(),
            password: password.clone(),
        };
        let web = DisplayKind::Web {
            files: "/usr/share/novnc".into(),
        };
        let guest = Guest::boot(sector, |_, config| {
            config.displays = vec![display(DisplayKind::Vnc), display(web)];
            prepare(config);
        });
        let mut client = connect(&guest.control());
        let displays = client.execute("query-vnc-servers", &json!({})).unwrap();
        Shown {
            port: displays[0]["server"][0]["service"].as_str().unwrap().parse().unwrap(),
            url: displays[1]["url"].as_str().unwrap().to_owned(),
            guest,
            client,
        }
    }

    fn screendump(&mut self) -> Picture {
        screendump(&mut self.client, self.guest.folder.path())
    }

    /// What gtk-vnc's tool sees.
    fn capture(&self) -> Picture {
        let path = self.guest.folder.path().join("capture.png");
        let display = i32::from(self.port) - 5900;
        let output = Command::new("gvnccapture")
            .args(["-q", &format!("127.0.0.1:{display}")])
            .arg(&path)
            .output()
            .expect("gvnccapture must be installed (Debian package gvncviewer)");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Picture::read(&path)
    }

    fn press(&mut self, key: &str) {
        self.client.send_keys(&[key], Duration::from_millis(20)).unwrap();
    }

    /// Lines of the serial port up to `last`, in one.
    fn bytes_until(&self, last: &str) -> String {
        let mut bytes = Vec::new();
        while bytes.last().is_none_or(|byte| byte != last) {
            bytes.push(self.guest.lines.recv_timeout(PATIENCE).expect("a byte"));
        }
        bytes.join(" ")
    }

    fn end(mut self) {
        self.client.quit().unwrap();
        self.guest.end().0.unwrap();
    }
}

fn same_picture(sector: &str, size: (u32, u32)) {
    let mut shown = Shown::boot(sector, None);
    shown.guest.wait_for("DRAWN");
    let expected = shown.screendump();
    assert_eq!((expected.width, expected.height), size);
    assert_eq!(shown.capture().differences(&expected), 0, "{sector}");
    shown.end();
}

#[test]
fn gtk_vnc_sees_text() {
    same_picture("video-text", (720, 400));
}

#[test]
fn gtk_vnc_sees_true_colour() {
    same_picture("video-vbe", (800, 600));
}

/// Three viewers at once, one an encoding, through three modes; the keys that change modes are pressed in a viewer.
#[test]
fn tigervnc_follows_mode_changes_in_every_encoding() {
    let mut shown = Shown::boot("modes", None);
    shown.guest.wait_for("D");
    let viewers: Vec<TigerVnc> = ["Raw", "Tight", "ZRLE"]
        .into_iter()
        .map(|encoding| TigerVnc::start(shown.port, encoding))
        .collect();
    for (said, size) in [
        ("D", (720, 400)),
        ("T", (640, 400)),
        ("S", (640, 480)),
        ("D", (720, 400)),
    ] {
        let expected = shown.screendump();
        assert_eq!((expected.width, expected.height), size, "mode {said}");
        for viewer in &viewers {
            viewer.wait_to_show(&expected);
        }
        if said == "S" {
            let info = shown.client.execute("query-vnc", &json!({})).unwrap();
            assert_eq!(info["clients"].as_array().map(Vec::len), Some(3), "{info}");
        }
        let next = match said {
            "D" => "T",
            "T" => "S",
            _ => "D",
        };
        viewers[1].press("space");
        shown.guest.wait_for(next);
    }
    drop(viewers);
    shown.end();
}

/// The viewer is there before anything is drawn: through banks, by the blitter, with a hardware cursor.
#[test]
fn tigervnc_follows_the_blitter_of_a_cirrus() {
    let mut shown = Shown::boot_as("cirrus-blit", None, |config| {
        config.display = DisplayAdapter::Cirrus;
        config.vga_bios = common::firmware("vgabios-cirrus.bin");
    });
    let viewer = TigerVnc::start(shown.port, "ZRLE");
    shown.guest.wait_for("DRAWN");
    let expected = shown.screendump();
    assert_eq!((expected.width, expected.height), (640, 480));
    viewer.wait_to_show(&expected);
    drop(viewer);
    shown.end();
}

/// What the guest's keyboard sends if the keys are pressed by QMP.
fn expected_bytes(shown: &mut Shown, keys: &[(&str, bool)]) -> String {
    let event = |(code, down): &(&str, bool)| json!({ "type": "key", "data": { "down": down, "key": { "type": "qcode", "data": code } } });
    let events: Vec<Value> = keys.iter().map(event).collect();
    shown
        .client
        .execute("input-send-event", &json!({ "events": events }))
        .unwrap();
    shown.press("f12");
    shown.bytes_until("D8")
}

#[test]
fn keys_arrive_with_scan_codes_and_without() {
    let mut shown = Shown::boot("scancodes", None);
    shown.guest.wait_for("READY");
    // Keysym, scan code, down; then what a US keyboard does.
    type Case<'a> = (&'a str, &'a [&'a str], &'a [(&'a str, bool)]);
    let extended: &[Case<'_>] = &[
        // The key counts, not the character: a French "a" is where "q" is here.
        (
            "EXT_KEY_EVENT",
            &["key:61:10:1", "key:61:10:0"],
            &[("q", true), ("q", false)],
        ),
        (
            "EXT_KEY_EVENT",
            &["key:ff0d:9c:1", "key:ff0d:9c:0"],
            &[("kp_enter", true), ("kp_enter", false)],
        ),
        (
            "EXT_KEY_EVENT",
            &["key:fe03:b8:1", "key:fe03:b8:0"],
            &[("alt_r", true), ("alt_r", false)],
        ),
        (
            "EXT_KEY_EVENT",
            &["key:41:1e:1", "key:41:1e:0"],
            &[("a", true), ("a", false)],
        ),
        // Whatever the client does not release is released when it goes.
        ("EXT_KEY_EVENT", &["key:61:1e:1"], &[("a", true), ("a", false)]),
        // Characters: shift is pressed or released around them as needed.
        ("COPY_RECT", &["key:61:0:1", "key:61:0:0"], &[("a", true), ("a", false)]),
        (
            "COPY_RECT",
            &["key:41:0:1", "key:41:0:0"],
            &[("shift", true), ("a", true), ("a", false), ("shift", false)],
        ),
        (
            "COPY_RECT",
            &["key:ffe1:0:1", "key:2f:0:1", "key:2f:0:0", "key:ffe1:0:0"],
            &[
                ("shift", true),
                ("shift", false),
                ("slash", true),
                ("slash", false),
                ("shift", true),
                ("shift", false),
            ],
        ),
        (
            "COPY_RECT",
            &["key:ffe1:0:1", "key:7e:0:1", "key:ffe1:0:0", "key:60:0:0"],
            &[
                ("shift", true),
                ("grave_accent", true),
                ("shift", false),
                ("grave_accent", false),
            ],
        ),
        (
            "COPY_RECT",
            &["key:ff52:0:1", "key:ff52:0:0"],
            &[("up", true), ("up", false)],
        ),
        (
            "COPY_RECT",
            &[
                "key:ffe3:0:1",
                "key:ffe9:0:1",
                "key:ffff:0:1",
                "key:ffff:0:0",
                "key:ffe9:0:0",
                "key:ffe3:0:0",
            ],
            &[
                ("ctrl", true),
                ("alt", true),
                ("delete", true),
                ("delete", false),
                ("alt", false),
                ("ctrl", false),
            ],
        ),
    ];
    for (encodings, actions, keys) in extended {
        let expected = expected_bytes(&mut shown, keys);
        let said = gtk_vnc(shown.port, "-", encodings, actions);
        let knows = format!(
            "extended keys {}",
            if *encodings == "COPY_RECT" { "False" } else { "True" }
        );
        assert!(said.contains(&knows), "{said}");
        // The keys above come before this one: the viewer has gone, so the server has let go of its keys.
        wait_for_viewers(&mut shown.client, 0);
        shown.press("f12");
        assert_eq!(shown.bytes_until("D8"), expected, "{encodings} {actions:?}");
    }
    shown.end();
}

fn wait_for_viewers(client: &mut Client, count: usize) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let info = client.execute("query-vnc", &json!({})).unwrap();
        if info["clients"].as_array().map(Vec::len) == Some(count) {
            return;
        }
        assert!(Instant::now() < deadline, "{info}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn the_pointer_moves_the_mouse() {
    let shown = Shown::boot("mouse", None);
    shown.guest.wait_for("READY");
    let packets = |count: usize| -> Vec<String> {
        (0..count)
            .map(|_| {
                (0..4)
                    .map(|_| shown.guest.lines.recv_timeout(PATIENCE).expect("a byte"))
                    .collect::<Vec<_>>()
                    .join(" ")
            })
            .collect()
    };
    // Places; the first only says where it is. Down is negative for a mouse. A mouse adds up movements that nobody
    // has fetched yet, so each is waited for.
    let steps: [(&[&str], &[&str]); 3] = [
        (&["pointer:0:100:100", "pointer:0:110:95"], &["08 0A 05 00"]),
        // The button is released because the viewer goes.
        (&["pointer:1:110:95"], &["09 00 00 00", "08 00 00 00"]),
        (&["pointer:8:110:95"], &["08 00 00 FF"]),
    ];
    for (actions, expected) in steps {
        let said = gtk_vnc(shown.port, "-", "RAW", actions);
        assert!(said.contains("absolute pointer True"), "{said}");
        assert_eq!(packets(expected.len()), expected);
    }
    // Movements, by QEMU's extension.
    let said = gtk_vnc(shown.port, "-", "POINTER_CHANGE,RAW", &["pointer:0:32774:32765"]);
    assert!(said.contains("absolute pointer False"), "{said}");
    assert_eq!(packets(1), ["08 07 02 00"]);
    shown.end();
}

#[test]
fn only_those_with_the_password_see_and_type() {
    let mut shown = Shown::boot("scancodes", Some("sesame"));
    shown.guest.wait_for("READY");
    let said = gtk_vnc(shown.port, "Sesame", "RAW", &["key:61:0:1"]);
    assert!(said.contains("refused: the password is wrong"), "{said}");
    assert!(!said.contains("size"), "{said}");
    let said = gtk_vnc(shown.port, "sesame", "RAW", &["key:62:0:1", "key:62:0:0"]);
    assert!(said.contains("size 720 400"), "{said}");
    wait_for_viewers(&mut shown.client, 0);
    shown.press("f12");
    assert_eq!(shown.bytes_until("D8"), "30 B0 58 D8");
    shown.end();
}

#[test]
fn others_are_let_in_only_by_password() {
    let guest = Guest::boot("idle", |_, config| {
        config.displays = vec![DisplayConfig {
            kind: DisplayKind::Vnc,
            address: "0.0.0.0:0".parse::<ListenAddress>().unwrap(),
            password: None,
        }];
    });
    let error = guest.end().0.unwrap_err().to_string();
    assert!(error.contains("set a password"), "{error}");
}
