//! The terminal: taken over for the interface, and given back whatever happens.

use super::pages::Key;
use crate::error::{Failure, Result};
use ratatui::crossterm::cursor::{MoveTo, Show};
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use ratatui::prelude::CrosstermBackend;
use ratatui::{Frame, Terminal};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::io::{self, IsTerminal, Stdout};
use std::panic;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// Whether there is somebody to ask.
pub(crate) fn is_there() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal()
}

/// The screen while the interface has it.
pub(super) struct Screen {
    terminal: Terminal<CrosstermBackend<Stdout>>,
    /// What threads said when they panicked: for when the screen is given back.
    panics: Arc<Mutex<Vec<String>>>,
}

impl Screen {
    /// Takes the terminal over.
    pub(super) fn open() -> Result<Self> {
        let failed = |error| Failure::failed(format!("cannot use the terminal: {error}"));
        let panics = hook();
        let terminal = Terminal::new(CrosstermBackend::new(io::stdout())).map_err(failed)?;
        // From here on `drop` undoes it.
        let mut screen = Screen { terminal, panics };
        enable_raw_mode().map_err(failed)?;
        execute!(io::stdout(), EnterAlternateScreen).map_err(failed)?;
        // Linux's console has no alternate screen: what the start of the system printed is still there.
        screen.terminal.clear().map_err(failed)?;
        Ok(screen)
    }

    /// Draws what has changed.
    pub(super) fn draw(&mut self, draw: impl FnOnce(&mut Frame<'_>)) -> Result<()> {
        let drawn = self.terminal.draw(draw);
        drawn
            .map(drop)
            .map_err(|error| Failure::failed(format!("cannot write to the terminal: {error}")))
    }
}

/// Sends what is typed from a thread of its own, until the terminal is gone: `None` then. The library would read a terminal
/// that has hung up again and again, and never come back.
pub(super) fn keys(send: impl Fn(Option<Key>) -> bool + Send + 'static) {
    thread::spawn(move || {
        while !has_hung_up() {
            match event::poll(Duration::ZERO).and_then(|ready| ready.then(event::read).transpose()) {
                Ok(Some(Event::Key(key))) if key.kind != KeyEventKind::Release => {
                    if key_of(key).is_some_and(|key| !send(Some(key))) {
                        return;
                    }
                }
                Ok(_) => {}
                Err(_) => break,
            }
        }
        send(None);
    });
}

/// Waits a moment for something to read. The answer is whether nothing will ever come again.
fn has_hung_up() -> bool {
    let stdin = io::stdin();
    let mut wanted = [PollFd::new(&stdin, PollFlags::IN)];
    let moment = Timespec {
        tv_sec: 0,
        tv_nsec: 50_000_000,
    };
    match poll(&mut wanted, Some(&moment)) {
        Ok(_) => wanted[0]
            .revents()
            .intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL),
        // A signal, such as that of a new size.
        Err(error) => error != Errno::INTR,
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore();
        for text in self.panics.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            eprintln!("{text}");
        }
    }
}

/// Gives the terminal back. Twice does no harm.
fn restore() {
    let _ = disable_raw_mode();
    // Where there is no alternate screen, what comes next is not printed across the last page.
    let clean = execute!(io::stdout(), Clear(ClearType::All), MoveTo(0, 0));
    let _ = clean.and_then(|()| execute!(io::stdout(), LeaveAlternateScreen, Show));
}

/// A panic of this thread gives the terminal back before it prints; what others say waits until then, since the interface
/// goes on.
fn hook() -> Arc<Mutex<Vec<String>>> {
    let texts = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&texts);
    let own = thread::current().id();
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if thread::current().id() == own {
            restore();
            before(info);
        } else {
            kept.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(format!("p2v: {info}"));
        }
    }));
    texts
}

fn key_of(key: KeyEvent) -> Option<Key> {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    Some(match key.code {
        KeyCode::Char('c' | 'C') if control => Key::Interrupt,
        KeyCode::Char(c) if !control && !key.modifiers.contains(KeyModifiers::ALT) => Key::Char(c),
        KeyCode::Up => Key::Up,
        KeyCode::Down => Key::Down,
        KeyCode::PageUp => Key::PageUp,
        KeyCode::PageDown => Key::PageDown,
        KeyCode::Tab => Key::Tab,
        KeyCode::BackTab => Key::BackTab,
        KeyCode::Enter => Key::Enter,
        KeyCode::Esc => Key::Esc,
        KeyCode::Backspace => Key::Backspace,
        _ => return None,
    })
}
