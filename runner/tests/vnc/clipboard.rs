//! Texts that were copied beside viewers, typed in the guest when the person asks for it.

use super::browser::Browser;
use super::viewers::{Staying, TigerVnc};
use super::{Shown, wait_for_viewers};
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

/// The chord by scan codes, with the key that the client's keyboard repeats.
const CHORD: [&str; 10] = [
    "key:ffe3:1d:1",
    "key:ffe9:38:1",
    "key:ffe1:2a:1",
    "key:56:2f:1",
    "key:56:2f:0",
    "key:56:2f:1",
    "key:56:2f:0",
    "key:ffe1:2a:0",
    "key:ffe9:38:0",
    "key:ffe3:1d:0",
];

#[test]
fn gtk_vnc_pastes_latin_1_and_hears_if_that_is_impossible() {
    let shown = Shown::boot("keyboard", None);
    shown.guest.wait_for("READY");
    // What was copied is not typed by itself: the key is first.
    let mut actions = vec!["copy:Hello, {World}! <~>\r\n", "key:78:2d:1", "key:78:2d:0"];
    actions.extend(CHORD);
    let mut impossible = vec!["copy:\u{b5}"];
    impossible.extend(CHORD);
    let viewer = Staying::start(shown.port, "EXT_KEY_EVENT,RAW", &impossible);
    viewer.wait_for("bell");
    drop(viewer);
    let viewer = Staying::start(shown.port, "EXT_KEY_EVENT,RAW", &actions);
    shown.guest.wait_for("xHello, {World}! <~>");
    shown.guest.wait_for("DONE");
    drop(viewer);
    shown.guest.end().0.unwrap();
}

/// The guest sees the keys of a Russian keyboard, and knows an American one.
const COPIED: &str = "\u{426}\u{444}\u{44b}\n";
const TYPED: &str = "Was";

/// Asks again until the text comes: viewers do not say when they have noticed that something was copied, and a bell
/// in the guest's place changes nothing.
fn ask_until_typed(shown: &Shown, mut ask: impl FnMut()) {
    for _ in 0..20 {
        ask();
        match shown.guest.lines.recv_timeout(Duration::from_secs(15)) {
            Ok(line) => {
                assert_eq!(line, TYPED);
                shown.guest.wait_for("DONE");
                return;
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(error) => panic!("{error}"),
        }
    }
    panic!("nothing was typed");
}

#[test]
fn tigervnc_pastes_what_latin_1_has_no_letters_for() {
    let mut shown = Shown::boot_with("keyboard", None, "ru");
    shown.guest.wait_for("READY");
    let viewer = TigerVnc::start(shown.port, "Tight");
    wait_for_viewers(&mut shown.client, 1);
    viewer.copy(COPIED);
    ask_until_typed(&shown, || viewer.press("ctrl+alt+shift+v"));
    drop(viewer);
    shown.guest.end().0.unwrap();
}

#[test]
fn the_clipboard_of_the_browser_page_is_typed() {
    let shown = Shown::boot_with("keyboard", None, "ru");
    shown.guest.wait_for("READY");
    let mut browser = Browser::start();
    browser.open(&shown.url);
    // Keys that are pressed before all go to the guest would go there in part.
    let ready = "document.documentElement.classList.contains('noVNC_connected') \
                 && document.activeElement.tagName === 'CANVAS'";
    while browser.evaluate(ready) != true {
        std::thread::sleep(Duration::from_millis(50));
    }
    ask_until_typed(&shown, || {
        // As if the person had put it into the page's clipboard.
        browser.evaluate(&format!(
            "{{ const text = document.getElementById('noVNC_clipboard_text'); text.value = {COPIED:?}; \
             text.dispatchEvent(new Event('change')) }}"
        ));
        let keys = [
            ("ControlLeft", "Control", 17),
            ("AltLeft", "Alt", 18),
            ("ShiftLeft", "Shift", 16),
            ("KeyV", "V", 86),
        ];
        for (code, key, number) in keys {
            browser.key(code, key, number, true);
        }
        for (code, key, number) in keys.into_iter().rev() {
            browser.key(code, key, number, false);
        }
    });
    drop(browser);
    shown.guest.end().0.unwrap();
}
