//! Which remote screens a machine has.

use super::ListenAddress;
use super::vnc::Password;
use std::net::SocketAddr;
use std::path::PathBuf;

/// A remote screen.
#[derive(Clone, Debug)]
pub struct DisplayConfig {
    /// For whom it is.
    pub kind: DisplayKind,
    /// Where it is offered.
    pub address: ListenAddress,
    /// What clients must know; needed if other computers can reach the address.
    pub password: Option<Password>,
}

/// For whom a remote screen is.
#[derive(Clone, Debug)]
pub enum DisplayKind {
    /// VNC clients.
    Vnc,
    /// Browsers.
    Web {
        /// The folder with noVNC: `/usr/share/novnc` on Debian.
        files: PathBuf,
    },
}

/// A remote screen as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DisplayStatus {
    /// The TCP address it is offered at.
    pub address: Option<SocketAddr>,
    /// The Unix socket it is offered at.
    pub socket: Option<PathBuf>,
    /// The page to open in a browser. Who knows it needs no more than the password, if there is one.
    pub url: Option<String>,
    /// Whether a password is asked for.
    pub password: bool,
    /// Who looks: addresses, `None` for clients of a Unix socket.
    pub clients: Vec<Option<SocketAddr>>,
}

impl std::fmt::Display for DisplayStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.url, &self.address, &self.socket) {
            (Some(url), ..) => write!(f, "screen in a browser: {url}"),
            (None, Some(address), _) => write!(f, "screen by VNC: {address}"),
            (None, None, Some(path)) => write!(f, "screen by VNC: unix:{}", path.display()),
            (None, None, None) => Ok(()),
        }
    }
}
