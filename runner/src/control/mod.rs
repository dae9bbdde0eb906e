//! The control socket: a subset of QEMU's QMP, and the client that `p2v screenshot`, `type`, `shutdown` use.
//!
//! [`Server`] turns lines on a Unix socket into calls of [`Control`], which the machine implements; what happens in
//! the machine goes the other way through [`Events`]. [`Client`] is the other end; it speaks to QEMU as well.

mod client;
mod commands;
mod discs;
mod displays;
mod error;
mod events;
mod framing;
mod handover;
mod screendump;
mod server;
mod socket;

pub use client::Client;
pub use error::{ClientError, ServerError};
pub use events::{Event, Events};
pub use server::Server;
pub(crate) use socket::listen;

use crate::display::DisplayStatus;
use crate::input::InputEvent;
use crate::video::Frame;
use std::fs::File;
use std::io;

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

/// The state of the CD-ROM drive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiscStatus {
    /// There is a disc.
    pub inserted: bool,
    /// The guest has locked the tray.
    pub locked: bool,
}

/// Why a disc could not be changed.
#[derive(Debug, thiserror::Error)]
pub enum DiscError {
    /// The machine has no drive.
    #[error("the machine has no CD-ROM drive")]
    NoDrive,
    /// The guest uses the disc.
    #[error(
        "the system in the machine has locked the tray, and was told that the button was pressed: wait for it to open the \
         tray and try again, or use force"
    )]
    Locked,
    /// The file is no disc.
    #[error("this is no disc image: {0} bytes are not a multiple of 2048, the size of a sector")]
    NoDisc(u64),
    /// The file cannot be used.
    #[error("the disc cannot be read: {0}")]
    System(#[from] io::Error),
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
    /// Whether the guest listens to a device that tells where the pointer is.
    fn has_absolute_pointer(&self) -> bool;
    /// The CD-ROM drive; `None` if there is none.
    fn disc(&self) -> Option<DiscStatus>;
    /// Puts a disc (an image, or a block device) into the CD-ROM drive, or takes it out. A guest that has locked the
    /// tray is told of it, as by the drive's button, and the disc stays, unless `force`.
    fn set_disc(&self, disc: Option<File>, force: bool) -> Result<(), DiscError>;
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
