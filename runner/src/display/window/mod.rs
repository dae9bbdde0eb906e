//! A window on the new computer's desktop, X11 or Wayland: one more viewer, on the program's main thread.
//!
//! ```text
//! Hub ──waker──> event loop ──> Viewer::take ──> scale ──> canvas ──> surface      (only what has changed)
//!  ↑ keys, buttons, places          view: where the picture lies      ↑ overlay ← menu
//!  └──────────────── app ←── winit: keys by their place, pointer, focus, close button
//! ```

mod app;
mod keys;
mod menu;
mod overlay;
mod paste;
mod pointer;
mod scale;
mod surface;
mod view;
mod xlib;

use super::{Hub, Viewer};
use crate::config::WindowConfig;
use crate::control::Control;
use app::App;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use winit::event_loop::{EventLoop, EventLoopProxy};

/// Why there is no window, or no longer one.
#[derive(Debug, thiserror::Error)]
pub enum WindowError {
    /// There is no desktop to open one on.
    #[error("no window can be opened: {0}")]
    NoDesktop(String),
    /// It could not be drawn on, or the desktop went away.
    #[error("the window was lost: {0}")]
    Lost(String),
}

/// What other threads tell the event loop.
#[derive(Clone, Copy, Debug)]
enum Message {
    /// There is something new to see.
    Picture,
    /// The machine has ended.
    Ended,
    /// The desktop has gone away.
    Lost,
}

/// A connection to the desktop, before there is a window.
pub struct Window {
    events: EventLoop<Message>,
}

/// Ends the event loop of a window, from any thread.
#[derive(Clone)]
pub struct Closer(EventLoopProxy<Message>);

impl Closer {
    /// The machine has ended: so does [`Window::run`].
    pub fn close(&self) {
        // If nobody listens, it has ended already.
        let _ = self.0.send_event(Message::Ended);
    }
}

impl Window {
    /// Connects to the desktop. Must be called on the program's main thread.
    ///
    /// # Errors
    /// If there is no desktop: neither `$WAYLAND_DISPLAY` nor `$DISPLAY` leads to one.
    pub fn connect() -> Result<Self, WindowError> {
        let events = EventLoop::with_user_event()
            .build()
            .map_err(|error| WindowError::NoDesktop(error.to_string()))?;
        xlib::survive(&events, events.create_proxy());
        Ok(Window { events })
    }

    /// What ends it.
    pub fn closer(&self) -> Closer {
        Closer(self.events.create_proxy())
    }

    /// Shows the machine until it ends. `name` is for the title.
    ///
    /// # Errors
    /// If the desktop goes away.
    pub fn run(
        self,
        name: String,
        config: WindowConfig,
        hub: &Hub,
        control: Arc<dyn Control>,
    ) -> Result<(), WindowError> {
        let pending = Arc::new(AtomicBool::new(false));
        let viewer = subscribe(hub, &self.events, pending.clone());
        let mut app = App::new(name, config, viewer, pending, control);
        self.events
            .run_app(&mut app)
            .map_err(|error| WindowError::Lost(error.to_string()))?;
        app.finish().map_err(WindowError::Lost)
    }
}

/// Takes a seat whose waker sends one message, however often it is called before that is looked at.
fn subscribe(hub: &Hub, events: &EventLoop<Message>, pending: Arc<AtomicBool>) -> Viewer {
    let proxy = events.create_proxy();
    hub.subscribe(Arc::new(move || {
        if !pending.swap(true, Ordering::SeqCst) {
            let _ = proxy.send_event(Message::Picture);
        }
    }))
}
