//! Where a remote screen is offered.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

/// An address to listen at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenAddress {
    /// TCP: the first free port from `port` on, or from the usual one of the protocol.
    Tcp {
        /// Address of one of this computer's interfaces.
        host: IpAddr,
        /// Port; `None` for the usual one.
        port: Option<u16>,
    },
    /// A Unix socket at this path, for this user only.
    Unix(PathBuf),
}

impl ListenAddress {
    /// This computer only, the usual port.
    pub const LOOPBACK: ListenAddress = ListenAddress::Tcp {
        host: IpAddr::V4(Ipv4Addr::LOCALHOST),
        port: None,
    };

    /// Whether other computers, or other users by the network, can reach it.
    pub fn is_public(&self) -> bool {
        match self {
            ListenAddress::Tcp { host, .. } => !host.is_loopback(),
            ListenAddress::Unix(_) => false,
        }
    }
}

/// A text that is no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no address to listen at: write 127.0.0.1, 127.0.0.1:5900, [::1]:5900, a port, or unix:PATH")]
pub struct AddressError(String);

impl FromStr for ListenAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if let Some(path) = text.strip_prefix("unix:") {
            return if path.is_empty() {
                Err(AddressError(text.to_owned()))
            } else {
                Ok(ListenAddress::Unix(path.into()))
            };
        }
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let tcp = |host, port| Ok(ListenAddress::Tcp { host, port });
        if let Ok(port) = text.parse() {
            return tcp(loopback, Some(port));
        }
        if let Ok(address) = text.parse::<SocketAddr>() {
            return tcp(address.ip(), Some(address.port()));
        }
        if let Ok(host) = text.trim_start_matches('[').trim_end_matches(']').parse() {
            return tcp(host, None);
        }
        match text.strip_prefix("localhost") {
            Some("") => tcp(loopback, None),
            Some(rest) => match rest.strip_prefix(':').map(str::parse) {
                Some(Ok(port)) => tcp(loopback, Some(port)),
                _ => Err(AddressError(text.to_owned())),
            },
            None => Err(AddressError(text.to_owned())),
        }
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ListenAddress::Tcp { host, port: Some(port) } => SocketAddr::new(*host, *port).fmt(f),
            ListenAddress::Tcp { host, port: None } => host.fmt(f),
            ListenAddress::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_as_people_write_them() {
        let parse = |text: &str| text.parse::<ListenAddress>();
        let tcp = |host: &str, port| {
            Ok(ListenAddress::Tcp {
                host: host.parse().unwrap(),
                port,
            })
        };
        assert_eq!(parse("127.0.0.1:5901"), tcp("127.0.0.1", Some(5901)));
        assert_eq!(parse("0.0.0.0"), tcp("0.0.0.0", None));
        assert_eq!(parse("5902"), tcp("127.0.0.1", Some(5902)));
        assert_eq!(parse("localhost:1"), tcp("127.0.0.1", Some(1)));
        assert_eq!(parse("[::1]:5900"), tcp("::1", Some(5900)));
        assert_eq!(parse("::"), tcp("::", None));
        assert_eq!(parse("unix:/a b"), Ok(ListenAddress::Unix("/a b".into())));
        for wrong in [
            "",
            "unix:",
            "localhosts",
            "localhost:x",
            "example.org",
            "1.2.3.4:99999",
            ":5900",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        assert!(parse("0.0.0.0").unwrap().is_public());
        assert!(!parse("[::1]:1").unwrap().is_public());
    }
}
