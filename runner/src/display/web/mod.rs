//! The screen in a browser: a small HTTP server that hands out Debian's noVNC, and sessions over WebSocket.
//!
//! Everything lies below a random path, which only those know who were told the address.

mod files;
mod http;

use super::client::{self, Terms};
use super::transport::Web;
use super::wake::Wake;
use files::Files;
use http::{Request, Response};
use rustix::event::PollFlags;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::path::Path;
use std::time::{Duration, Instant};
use tungstenite::WebSocket;
use tungstenite::handshake::derive_accept_key;
use tungstenite::protocol::{Role, WebSocketConfig};

/// How long a request, and how long its answer may take.
const REQUEST: Duration = Duration::from_secs(10);
const ANSWER: Duration = Duration::from_secs(60);
/// Longest head of a request.
const MAX_HEAD: usize = 16 << 10;
/// Longest WebSocket message taken: clients of RFB say little.
const MAX_MESSAGE: usize = 1 << 20;
/// Where sessions are, below the random path. noVNC's own name for it.
const SESSIONS: &str = "websockify";

/// What a browser can get.
pub(super) struct Site {
    files: Files,
    /// The random path, 32 hexadecimal digits.
    token: String,
}

impl Site {
    /// The site with noVNC's files from `folder`; `None` if they are not there.
    pub(super) fn open(folder: &Path) -> io::Result<Option<Self>> {
        let Some(files) = Files::open(folder) else {
            return Ok(None);
        };
        let token = client::random::<16>()?
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Ok(Some(Site { files, token }))
    }

    /// The page to open. An address of all interfaces becomes one that a browser here can use.
    pub(super) fn url(&self, bound: SocketAddr) -> String {
        let mut address = bound;
        match address.ip() {
            std::net::IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(std::net::Ipv4Addr::LOCALHOST.into()),
            std::net::IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(std::net::Ipv6Addr::LOCALHOST.into()),
            _ => {}
        }
        let token = &self.token;
        format!("http://{address}/{token}/vnc.html?path={token}/{SESSIONS}&autoconnect=true&resize=scale")
    }
}

/// Serves one connection: one file, or one session.
pub(super) fn serve(
    mut stream: TcpStream,
    site: &Site,
    terms: &Terms,
    wake: &Wake,
    opened: impl Fn(),
) -> io::Result<()> {
    let until = Instant::now() + REQUEST;
    let mut head = Vec::new();
    let end = loop {
        if let Some(end) = http::end_of_head(&head) {
            break end;
        }
        if head.len() > MAX_HEAD {
            return send(&mut stream, &Response::error(431), false, wake);
        }
        let mut buffer = [0; 4096];
        match stream.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(len) => head.extend(&buffer[..len]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => pause(&stream, PollFlags::IN, until, wake)?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    };
    let rest = head.split_off(end);
    let request = match Request::parse(&head) {
        Ok(request) => request,
        Err(status) => return send(&mut stream, &Response::error(status), false, wake),
    };
    // Who does not know the random path learns nothing.
    let inside = request
        .path
        .strip_prefix('/')
        .and_then(|path| path.strip_prefix(site.token.as_str()))
        .and_then(|path| path.strip_prefix('/'));
    let response = match inside {
        None => Response::error(404),
        Some(SESSIONS) => match request.websocket_key() {
            None => Response::error(426),
            Some(_) if !request.is_same_origin() => Response::error(403),
            Some(key) => {
                let accept = derive_accept_key(key.as_bytes());
                send(&mut stream, &Response::switch(&accept, &request), false, wake)?;
                let config = WebSocketConfig::default()
                    .max_message_size(Some(MAX_MESSAGE))
                    .max_frame_size(Some(MAX_MESSAGE));
                let socket = WebSocket::from_partially_read(stream, rest, Role::Server, Some(config));
                return client::serve(Web::new(socket), terms, wake, opened);
            }
        },
        Some(path) => site.files.get(path),
    };
    send(&mut stream, &response, request.head_only, wake)
}

fn send(stream: &mut TcpStream, response: &Response, head_only: bool, wake: &Wake) -> io::Result<()> {
    let until = Instant::now() + ANSWER;
    let bytes = response.bytes(head_only);
    let mut left = bytes.as_slice();
    while !left.is_empty() {
        match stream.write(left) {
            Ok(taken) => left = left.get(taken..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => pause(stream, PollFlags::OUT, until, wake)?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Waits for the connection; an error if the time is over or the server ends.
fn pause(stream: &TcpStream, flags: PollFlags, until: Instant, wake: &Wake) -> io::Result<()> {
    let left = until.saturating_duration_since(Instant::now());
    if left.is_zero() || wake.ended() {
        return Err(io::ErrorKind::TimedOut.into());
    }
    client::wait(&[(stream.as_fd(), flags), (wake.fd(), PollFlags::IN)], Some(left))?;
    wake.answer();
    Ok(())
}
