//! Text that was copied elsewhere, typed on the guest's keyboard: there is nobody in the guest who would take it in
//! another way.

use super::{InputEvent, Keystroke, Layout, UntypableChar};
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long a key is held, and how long after it the next one comes: slow enough for old systems.
const PACE: Duration = Duration::from_millis(20);
/// How many times [`PACE`] a guest may leave its keyboard unread before the rest of the text is given up: 20 s.
const PATIENCE: u32 = 1000;
/// Longer texts, in characters, are better copied by other means: at this pace it is typed in seven minutes.
pub const LONGEST_TEXT: usize = 10_000;

/// Why a text was not typed, not even in part.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TypingError {
    /// There is none.
    #[error("the text is empty")]
    Empty,
    /// It would take too long.
    #[error("the text has more than {LONGEST_TEXT} characters")]
    TooLong,
    /// Who copies a text does not see what is hidden in it.
    #[error("the text holds the control character U+{:04X}", u32::from(*.0))]
    Control(char),
    /// No key makes one of its characters.
    #[error(transparent)]
    Untypable(#[from] UntypableChar),
    /// There is no thread to type it.
    #[error("there is no thread to type it: {0}")]
    System(#[from] io::Error),
}

/// Where keys go.
pub trait KeySink: Send + Sync {
    /// Keys that go down or up, in order.
    fn input(&self, events: &[InputEvent]);
    /// Whether the guest has yet to read keys that went there before.
    fn is_behind(&self) -> bool;
}

/// A text that is being typed. Dropping it stops the typing; no key stays pressed.
pub struct Typing {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Typing {
    /// Begins to type on a keyboard with this layout, about 25 characters a second, and no faster than the guest reads
    /// them. Line ends of any kind are the return key.
    ///
    /// # Errors
    /// Nothing is typed unless all of it can be.
    pub fn start(text: &str, layout: &Layout, sink: impl KeySink + 'static) -> Result<Self, TypingError> {
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        if text.is_empty() {
            return Err(TypingError::Empty);
        }
        if text.chars().nth(LONGEST_TEXT).is_some() {
            return Err(TypingError::TooLong);
        }
        if let Some(hidden) = text.chars().find(|c| c.is_control() && !"\n\t".contains(*c)) {
            return Err(TypingError::Control(hidden));
        }
        let strokes = layout.keystrokes(&text)?;
        let (stop, stopped) = channel();
        let body = move || type_all(&strokes, &sink, &stopped);
        let thread = std::thread::Builder::new().name("typing".into()).spawn(body)?;
        Ok(Typing {
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Whether nothing is left to be typed.
    pub fn is_over(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }
}

impl Drop for Typing {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn type_all(strokes: &[Keystroke], sink: &impl KeySink, stopped: &Receiver<()>) {
    // The other end never says anything; it only goes.
    let goes_on = || stopped.recv_timeout(PACE) == Err(RecvTimeoutError::Timeout);
    for stroke in strokes {
        let mut patience = PATIENCE;
        while sink.is_behind() {
            patience -= 1;
            if patience == 0 || !goes_on() {
                return;
            }
        }
        sink.input(&events(stroke, true));
        let on = goes_on();
        sink.input(&events(stroke, false));
        if !on || !goes_on() {
            return;
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Condvar, Mutex};

    /// A keyboard whose guest reads on command.
    #[derive(Default)]
    struct Keyboard {
        events: Mutex<Vec<(String, bool)>>,
        behind: Mutex<bool>,
        changed: Condvar,
    }

    impl KeySink for Arc<Keyboard> {
        fn input(&self, events: &[InputEvent]) {
            let mut all = self.events.lock().unwrap();
            for event in events {
                if let InputEvent::Key { code, down } = event {
                    all.push((code.clone(), *down));
                }
            }
            self.changed.notify_all();
        }
        fn is_behind(&self) -> bool {
            *self.behind.lock().unwrap()
        }
    }

    impl Keyboard {
        fn wait_for(&self, count: usize) -> Vec<(String, bool)> {
            let all = self.events.lock().unwrap();
            self.changed.wait_while(all, |all| all.len() < count).unwrap().clone()
        }
    }

    fn start(text: &str, keyboard: &Arc<Keyboard>) -> Result<Typing, TypingError> {
        Typing::start(text, &Layout::default(), keyboard.clone())
    }

    #[test]
    fn keys_go_down_and_up_in_order() {
        let keyboard = Arc::new(Keyboard::default());
        let _typing = start("aB\r\n", &keyboard).unwrap();
        let expected = [
            ("a", true),
            ("a", false),
            ("shift", true),
            ("b", true),
            ("b", false),
            ("shift", false),
            ("ret", true),
            ("ret", false),
        ];
        assert_eq!(
            keyboard.wait_for(8),
            expected.map(|(code, down)| (code.to_owned(), down))
        );
    }

    #[test]
    fn whenever_it_is_stopped_no_key_stays_pressed() {
        let keyboard = Arc::new(Keyboard::default());
        let typing = start(&"X".repeat(LONGEST_TEXT), &keyboard).unwrap();
        keyboard.wait_for(3);
        drop(typing);
        let all = keyboard.events.lock().unwrap();
        let count = |wanted| all.iter().filter(|(_, down)| *down == wanted).count();
        assert_eq!(count(true), count(false));
        assert!(all.len() < 4 * LONGEST_TEXT, "it was stopped");
    }

    #[test]
    fn a_guest_that_does_not_read_is_waited_for() {
        let keyboard = Arc::new(Keyboard::default());
        *keyboard.behind.lock().unwrap() = true;
        let typing = start("a", &keyboard).unwrap();
        assert!(!typing.is_over());
        assert!(keyboard.events.lock().unwrap().is_empty());
        *keyboard.behind.lock().unwrap() = false;
        keyboard.wait_for(2);
    }

    #[test]
    fn all_of_a_text_or_nothing() {
        let keyboard = Arc::new(Keyboard::default());
        let refused = |text: &str| match start(text, &keyboard) {
            Ok(_) => panic!("{text:?}"),
            Err(error) => error.to_string(),
        };
        assert!(refused("").contains("empty"));
        assert!(refused(&"a".repeat(LONGEST_TEXT + 1)).contains("10000"));
        assert!(refused("ls\u{1b}").contains("U+001B"));
        assert!(refused("100 \u{20ac}").contains("us"));
        assert!(keyboard.events.lock().unwrap().is_empty());
    }
}
