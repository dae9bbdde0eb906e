//! The VNC server: RFB 3.8 (RFC 6143), with the extensions of the community's rfbproto document that a virtual
//! machine's screen needs.
//!
//! [`Session`] is the protocol without any input or output: bytes in, bytes out. `display::client` moves the bytes.

mod auth;
mod clipboard;
mod cursor;
mod encode;
mod handshake;
mod keys;
mod messages;
mod pixel;
mod running;
mod session;

#[cfg(test)]
mod tests;

pub use auth::{Challenge, Password, PasswordError};
pub use session::Session;

/// What a client did wrong: the end of its session, and of nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    /// It does not speak RFB.
    #[error("not an RFB client")]
    Version,
    /// A security type that was not offered.
    #[error("security type {0} was not offered")]
    Security(u8),
    /// A wrong password.
    #[error("wrong password")]
    Password,
    /// Colour maps are not offered.
    #[error("the client wants a colour map")]
    ColorMap,
    /// A pixel format that makes no sense.
    #[error("the pixel format makes no sense")]
    PixelFormat,
    /// Too many encodings.
    #[error("the client names {0} encodings")]
    Encodings(u16),
    /// A message that is unknown or was not offered.
    #[error("unknown message {0}")]
    Message(u8),
}
