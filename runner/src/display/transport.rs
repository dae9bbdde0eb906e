//! How the bytes of a session travel: plainly, or in WebSocket messages. Nothing here ever waits.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};
use tungstenite::error::Error as WebSocketError;
use tungstenite::{Message, WebSocket};

/// Bytes read at a time.
const READ: usize = 16 << 10;
/// Bytes of a WebSocket message that is sent.
const MESSAGE: usize = 64 << 10;

/// What came of reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Received {
    /// Something; perhaps there is more.
    Some,
    /// Nothing is there now.
    Nothing,
    /// The client has gone.
    End,
}

/// A connection that never blocks.
pub(super) trait Transport: Send {
    /// To wait for input or output.
    fn fd(&self) -> BorrowedFd<'_>;
    /// Appends what has come.
    fn read(&mut self, into: &mut Vec<u8>) -> io::Result<Received>;
    /// Gives how many bytes were taken; 0 if there is no room now.
    fn write(&mut self, data: &[u8]) -> io::Result<usize>;
    /// Whether taken bytes still wait for room.
    fn is_waiting(&self) -> bool;
}

/// A socket as it is.
pub(super) struct Plain<S>(pub(super) S);

impl<S: Read + Write + AsFd + Send> Transport for Plain<S> {
    fn fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    fn read(&mut self, into: &mut Vec<u8>) -> io::Result<Received> {
        let mut buffer = [0; READ];
        match self.0.read(&mut buffer) {
            Ok(0) => Ok(Received::End),
            Ok(len) => {
                into.extend(&buffer[..len]);
                Ok(Received::Some)
            }
            Err(error) if is_passing(&error) => Ok(Received::Nothing),
            Err(error) => Err(error),
        }
    }

    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        match self.0.write(data) {
            Err(error) if is_passing(&error) => Ok(0),
            result => result,
        }
    }

    fn is_waiting(&self) -> bool {
        false
    }
}

fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

/// A socket on which the WebSocket handshake is over.
pub(super) struct Web {
    socket: WebSocket<TcpStream>,
    waiting: bool,
}

impl Web {
    pub(super) fn new(socket: WebSocket<TcpStream>) -> Self {
        Web { socket, waiting: false }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.waiting = match self.socket.flush() {
            Ok(()) => false,
            Err(WebSocketError::Io(error)) if is_passing(&error) => true,
            Err(error) => return Err(other(error)),
        };
        Ok(())
    }
}

fn other(error: WebSocketError) -> io::Error {
    match error {
        WebSocketError::Io(error) => error,
        error => io::Error::other(error),
    }
}

impl Transport for Web {
    fn fd(&self) -> BorrowedFd<'_> {
        self.socket.get_ref().as_fd()
    }

    fn read(&mut self, into: &mut Vec<u8>) -> io::Result<Received> {
        match self.socket.read() {
            Ok(Message::Binary(bytes)) => {
                into.extend(&bytes);
                Ok(Received::Some)
            }
            Ok(Message::Text(_)) => Err(io::Error::new(ErrorKind::InvalidData, "text where RFB is spoken")),
            // Pings are answered by the library; the end comes as an error after the closing message.
            Ok(_) => Ok(Received::Some),
            Err(WebSocketError::ConnectionClosed | WebSocketError::AlreadyClosed) => Ok(Received::End),
            Err(WebSocketError::Io(error)) if is_passing(&error) => Ok(Received::Nothing),
            Err(error) => Err(other(error)),
        }
    }

    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        if self.waiting {
            self.flush()?;
        }
        // One message at a time waits in the library.
        if self.waiting || data.is_empty() {
            return Ok(0);
        }
        let piece = &data[..data.len().min(MESSAGE)];
        match self.socket.write(Message::binary(piece.to_vec())) {
            Ok(()) => self.flush()?,
            Err(WebSocketError::Io(error)) if is_passing(&error) => self.waiting = true,
            Err(error) => return Err(other(error)),
        }
        Ok(piece.len())
    }

    fn is_waiting(&self) -> bool {
        self.waiting
    }
}
