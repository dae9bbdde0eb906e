//! Text that was copied on this computer, typed on the guest's keyboard.

use crate::control::Control;
use crate::input::{InputEvent, Keystroke, Layout};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long a key is held, and how long after it the next one comes: slow enough for old systems.
const PACE: Duration = Duration::from_millis(20);
/// Longer texts are better copied by other means: at this pace it is typed in seven minutes.
const LONGEST: usize = 10_000;

/// A text that is being typed. Dropping it stops the typing; no key stays pressed.
pub(super) struct Typing {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// The text that was copied on this computer.
///
/// # Errors
/// If there is none, in words.
pub(super) fn copied() -> Result<String, String> {
    let text = arboard::Clipboard::new().and_then(|mut clipboard| clipboard.get_text());
    text.map_err(|error| format!("No text was copied on this computer ({error})."))
}

/// Begins to type on a keyboard with this layout. Nothing is typed if a character has no key there.
///
/// # Errors
/// Why it cannot be typed, in words.
pub(super) fn start(text: &str, layout: &Layout, control: Arc<dyn Control>) -> Result<Typing, String> {
    let text = text.replace("\r\n", "\n");
    if text.chars().count() > LONGEST {
        return Err(format!(
            "The text is too long to be typed: more than {LONGEST} characters."
        ));
    }
    let strokes = layout
        .keystrokes(&text)
        .map_err(|error| format!("Nothing was typed: {error}"))?;
    let (stop, stopped) = channel();
    let body = move || {
        for stroke in strokes {
            control.input(&events(&stroke, true));
            let ended = stopped.recv_timeout(PACE);
            control.input(&events(&stroke, false));
            if ended != Err(RecvTimeoutError::Timeout) || stopped.recv_timeout(PACE) != Err(RecvTimeoutError::Timeout) {
                return;
            }
        }
    };
    let thread = std::thread::Builder::new().name("paste".into()).spawn(body);
    Ok(Typing {
        stop: Some(stop),
        thread: Some(thread.map_err(|error| format!("Nothing was typed: {error}"))?),
    })
}

/// A stroke's keys, pressed in their order or released in the other one.
fn events(stroke: &Keystroke, down: bool) -> Vec<InputEvent> {
    let key = |code: &str| InputEvent::Key {
        code: code.to_owned(),
        down,
    };
    let mut events: Vec<InputEvent> = stroke.keys().into_iter().map(key).collect();
    if !down {
        events.reverse();
    }
    events
}

impl Drop for Typing {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
