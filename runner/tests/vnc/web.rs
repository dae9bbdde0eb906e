//! The small HTTP server, and noVNC in a real browser.

use super::browser::Browser;
use super::common::PATIENCE;
use super::picture::Picture;
use super::{Shown, wait_for_viewers};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// Status and body of the answer to a request for `path`.
fn get(address: &str, path: &str) -> (u16, Vec<u8>) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(answer[..end].to_vec()).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, answer.split_off(end + 4))
}

#[test]
fn only_those_with_the_address_get_files_and_only_those_of_novnc() {
    let shown = Shown::boot("idle", None);
    let (address, path) = shown.url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let token = path.split('/').next().unwrap();
    assert_eq!(token.len(), 32);
    for file in ["vnc.html", "core/rfb.js", "app/styles/base.css"] {
        let expected = std::fs::read(format!("/usr/share/novnc/{file}")).expect("Debian package novnc");
        assert_eq!(
            get(address, &format!("/{token}/{file}?any=query")),
            (200, expected),
            "{file}"
        );
    }
    for wrong in [
        "/",
        "/vnc.html",
        "/websockify",
        &format!("/{}/vnc.html", &token[1..]),
        &format!("//{token}/vnc.html"),
    ] {
        assert_eq!(get(address, wrong).0, 404, "{wrong}");
    }
    for outside in [
        "../../../etc/passwd",
        "/etc/passwd",
        "app/../../novnc/vnc.html",
        "%2e%2e/%2e%2e/etc/passwd",
        "app",
        "",
    ] {
        assert_eq!(get(address, &format!("/{token}/{outside}")).0, 404, "{outside}");
    }
    assert_eq!(get(address, &format!("/{token}/websockify")).0, 426);
    shown.end();
}

#[test]
fn a_browser_shows_the_screen_and_types() {
    let mut shown = Shown::boot("modes", None);
    shown.guest.wait_for("D");
    let mut browser = Browser::start();
    browser.open(&shown.url);
    for (next, size) in [("T", (720, 400)), ("S", (640, 400)), ("D", (640, 480))] {
        let expected = shown.screendump();
        assert_eq!((expected.width, expected.height), size);
        let deadline = Instant::now() + PATIENCE;
        loop {
            // noVNC's own copy of the screen, before it is scaled.
            let script = "document.querySelector('#noVNC_container canvas')?.toDataURL('image/png') ?? ''";
            let url = browser.evaluate(script);
            let url = url.as_str().unwrap_or_default();
            let png = url
                .strip_prefix("data:image/png;base64,")
                .map(decode_base64)
                .unwrap_or_default();
            let differences = if png.is_empty() {
                usize::MAX
            } else {
                Picture::decode(std::io::Cursor::new(png)).differences(&expected)
            };
            if differences == 0 {
                break;
            }
            assert!(Instant::now() < deadline, "{differences} pixels differ");
            std::thread::sleep(Duration::from_millis(100));
        }
        wait_for_viewers_of_all(&mut shown);
        browser.press("Space", " ", 32);
        shown.guest.wait_for(next);
    }
    drop(browser);
    wait_for_viewers(&mut shown.client, 0);
    shown.end();
}

/// The browser is listed as a client of its own server.
fn wait_for_viewers_of_all(shown: &mut Shown) {
    let displays = shown
        .client
        .execute("query-vnc-servers", &serde_json::json!({}))
        .unwrap();
    let web = &displays[1];
    assert_eq!(web["clients"].as_array().map(Vec::len), Some(1), "{web}");
    assert_eq!(web["clients"][0]["websocket"], true);
}

fn decode_base64(text: &str) -> Vec<u8> {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bytes = Vec::new();
    for group in text.trim_end_matches('=').as_bytes().chunks(4) {
        let value = group.iter().fold(0u32, |value, digit| {
            value << 6 | DIGITS.iter().position(|known| known == digit).unwrap() as u32
        });
        let value = value << (6 * (4 - group.len()));
        bytes.extend(&value.to_be_bytes()[1..group.len()]);
    }
    bytes
}
