//! Keyboard and mouse: the i8042 controller, the events that front ends send, and the keys that type a text.

mod i8042;
mod keyboard;
pub mod keycodes;
mod layout;
mod mouse;
mod translate;
mod typing;
mod vmmouse;

#[cfg(test)]
mod tests;

pub use i8042::{I8042, I8042Lines};
pub use layout::{Keystroke, Layout, UnknownLayout, UntypableChar};
pub use typing::{KeySink, LONGEST_TEXT, Typing, TypingError};
pub use vmmouse::{BACKDOOR, VmMouse};

/// One event from a front end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InputEvent {
    /// A key by its QEMU QKeyCode name (`a`, `ret`, `shift`, `kp_5`, …), pressed or released.
    Key {
        /// QKeyCode name.
        code: String,
        /// Pressed (else released).
        down: bool,
    },
    /// A mouse button: `left`, `middle`, `right`, `side`, `extra`, `wheel-up`, `wheel-down`.
    Button {
        /// Name as in QMP's `InputButton`.
        name: String,
        /// Pressed (else released).
        down: bool,
    },
    /// A relative movement in mouse counts; positive is right and down.
    Move {
        /// Right.
        dx: i32,
        /// Down.
        dy: i32,
    },
    /// The pointer is at this place: 0 is the left or upper edge of the screen, 65535 the right or lower one; `None`
    /// where it was before. Only absolute pointing devices understand it.
    Point {
        /// Across.
        x: Option<u16>,
        /// Down.
        y: Option<u16>,
    },
}
