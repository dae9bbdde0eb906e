//! The control socket: a subset of QEMU's QMP, and the client that `p2v screenshot`, `type`, `shutdown` use.
//!
//! [`Server`] turns lines on a Unix socket into calls of [`Control`], which the machine implements; what happens in
//! the machine goes the other way through [`Events`]. [`Client`] is the other end; it speaks to QEMU as well.

mod client;
mod commands;
mod displays;
mod error;
mod events;
mod framing;
mod screendump;
mod server;
mod socket;
mod text;

pub use client::Client;
pub use error::{ClientError, ServerError};
pub use events::{Event, Events};
pub use server::Server;
pub(crate) use socket::listen;
pub use text::{Keystroke, UntypableChar, keystrokes};

use crate::display::DisplayStatus;
use crate::input::InputEvent;
use crate::video::Frame;

/// Whether the virtual processors run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunState {
    /// They do.
    Running,
    /// `stop` was asked for.
    Paused,
    /// The machine is ending.
    Shutdown,
}

/// What the control socket (and later the window and VNC) can ask of a machine. The machine implements it.
///
/// No method may block for long: they are called from the thread of one client, and [`Server::stop`] waits for it.
pub trait Control: Send + Sync {
    /// Running or paused.
    fn state(&self) -> RunState;
    /// The screen as it is now.
    fn screenshot(&self) -> Frame;
    /// Where the screen is offered to others, and who looks at it.
    fn displays(&self) -> Vec<DisplayStatus> {
        Vec::new()
    }
    /// Hands key, button and pointer events to the guest, in order.
    fn input(&self, events: &[InputEvent]);
    /// Presses the power button: the guest decides.
    fn power_button(&self);
    /// Presses the reset button.
    fn reset(&self);
    /// Halts the virtual processors; disks are flushed.
    fn pause(&self);
    /// Lets them run again.
    fn resume(&self);
    /// Ends the process after the disks are flushed.
    fn quit(&self);
}
