//! Sockets that remote screens come through: one thread accepts, one serves each client.

use super::client::{self, Terms};
use super::transport::Plain;
use super::vnc::Password;
use super::wake::Wake;
use super::web::{self, Site};
use super::{DisplayConfig, DisplayKind, DisplayStatus, Hub, ListenAddress};
use crate::bus::lock;
use crate::control;
use rustix::event::PollFlags;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

/// Clients that see the screen at a time; more are turned away.
const MAX_CLIENTS: usize = 16;
/// Connections whose handshake is not over; the oldest goes when another comes.
const MAX_STRANGERS: usize = 32;
/// The nice value of a thread that serves a client.
const LOWER: i32 = 5;
/// Ports tried, from the first wanted one on.
const PORTS: u16 = 100;

/// Why a remote screen could not be offered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DisplayError {
    /// Others could see and use the machine.
    #[error("{0} can be reached from other computers: set a password, or use 127.0.0.1 and an SSH tunnel")]
    Unprotected(ListenAddress),
    /// The address cannot be had.
    #[error("cannot listen at {address}: {source}")]
    Listen {
        /// The address.
        address: ListenAddress,
        /// The system's error.
        #[source]
        source: io::Error,
    },
    /// A Unix socket cannot be made.
    #[error("cannot offer the screen: {0}")]
    Socket(#[from] control::ServerError),
    /// A browser speaks HTTP.
    #[error("a browser cannot reach the Unix socket {}: give an address such as 127.0.0.1", .0.display())]
    WebOnUnix(PathBuf),
    /// noVNC is not installed.
    #[error("{}: there is no noVNC; it is in Debian's package `novnc`: `apt-get install novnc`", .0.display())]
    NoVnc(PathBuf),
    /// A system call failed.
    #[error("cannot offer the screen: {0}")]
    System(#[from] io::Error),
}

enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

enum Stream {
    Tcp(TcpStream, SocketAddr),
    Unix(UnixStream),
}

impl Listener {
    fn fd(&self) -> BorrowedFd<'_> {
        match self {
            Listener::Tcp(listener) => listener.as_fd(),
            Listener::Unix(listener) => listener.as_fd(),
        }
    }

    fn accept(&self) -> io::Result<Stream> {
        match self {
            Listener::Tcp(listener) => {
                let (stream, peer) = listener.accept()?;
                // Small updates must not wait for the answer to the one before.
                stream.set_nodelay(true)?;
                // A client that has vanished without a word is noticed some day.
                rustix::net::sockopt::set_socket_keepalive(&stream, true)?;
                stream.set_nonblocking(true)?;
                Ok(Stream::Tcp(stream, peer))
            }
            Listener::Unix(listener) => {
                let (stream, _) = listener.accept()?;
                stream.set_nonblocking(true)?;
                Ok(Stream::Unix(stream))
            }
        }
    }
}

/// A remote screen while it is offered. Dropping it ends all of its sessions.
pub struct Server {
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
    /// The file of a Unix socket.
    socket: Option<PathBuf>,
}

/// What can be asked about a [`Server`] as long as anybody wants to know.
#[derive(Clone)]
pub struct Handle(Arc<Shared>);

struct Shared {
    terms: Terms,
    kind: Kind,
    status: DisplayStatus,
    ending: Wake,
    clients: Mutex<Vec<Client>>,
}

enum Kind {
    Vnc,
    Web(Site),
}

struct Client {
    peer: Option<SocketAddr>,
    open: Arc<AtomicBool>,
    wake: Wake,
    thread: JoinHandle<()>,
}

/// A remote screen's place, before there is anything to see: clients that come already wait.
pub struct Place {
    kind: Kind,
    listener: Listener,
    bound: Option<SocketAddr>,
    socket: Option<PathBuf>,
    password: Option<Password>,
}

impl Place {
    /// Takes the address.
    pub fn take(config: &DisplayConfig) -> Result<Self, DisplayError> {
        if config.address.is_public() && config.password.is_none() {
            return Err(DisplayError::Unprotected(config.address.clone()));
        }
        let kind = match (&config.kind, &config.address) {
            (DisplayKind::Vnc, _) => Kind::Vnc,
            (DisplayKind::Web { .. }, ListenAddress::Unix(path)) => return Err(DisplayError::WebOnUnix(path.clone())),
            (DisplayKind::Web { files }, _) => {
                Kind::Web(Site::open(files)?.ok_or_else(|| DisplayError::NoVnc(files.clone()))?)
            }
        };
        let usual = match kind {
            Kind::Vnc => 5900,
            Kind::Web(_) => 5800,
        };
        let (listener, bound, socket) = match &config.address {
            ListenAddress::Unix(path) => {
                let listener = control::listen(path)?;
                listener.set_nonblocking(true)?;
                (Listener::Unix(listener), None, Some(path.clone()))
            }
            ListenAddress::Tcp { host, port } => {
                let listener = bind(*host, port.unwrap_or(usual)).map_err(|source| DisplayError::Listen {
                    address: config.address.clone(),
                    source,
                })?;
                let bound = listener.local_addr()?;
                (Listener::Tcp(listener), Some(bound), None)
            }
        };
        Ok(Place {
            kind,
            listener,
            bound,
            socket,
            password: config.password.clone(),
        })
    }
}

impl Server {
    /// Offers the screen of the machine `name`.
    pub fn start(place: Place, name: &str, hub: Hub) -> Result<Self, DisplayError> {
        let Place {
            kind,
            listener,
            bound,
            socket,
            password,
        } = place;
        let url = match (&kind, bound) {
            (Kind::Web(site), Some(bound)) => Some(site.url(bound)),
            _ => None,
        };
        let shared = Arc::new(Shared {
            terms: Terms {
                hub,
                name: name.to_owned(),
                password: password.clone(),
            },
            kind,
            status: DisplayStatus {
                address: bound,
                socket: socket.clone(),
                url,
                password: password.is_some(),
                clients: Vec::new(),
            },
            ending: Wake::new()?,
            clients: Mutex::default(),
        });
        let accepting = shared.clone();
        let acceptor = Builder::new()
            .name("display".into())
            .spawn(move || accept(&listener, &accepting))?;
        Ok(Server {
            shared,
            acceptor: Some(acceptor),
            socket,
        })
    }

    /// For questions later.
    pub fn handle(&self) -> Handle {
        Handle(self.shared.clone())
    }
}

impl Handle {
    /// Where the screen is offered, and who looks at it.
    pub fn status(&self) -> DisplayStatus {
        let open = |client: &Client| client.open.load(Ordering::SeqCst) && !client.thread.is_finished();
        let clients = lock(&self.0.clients);
        DisplayStatus {
            clients: clients
                .iter()
                .filter(|client| open(client))
                .map(|client| client.peer)
                .collect(),
            ..self.0.status.clone()
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(path) = &self.socket {
            let _ = std::fs::remove_file(path);
        }
        self.shared.ending.end();
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
        let clients = std::mem::take(&mut *lock(&self.shared.clients));
        for client in &clients {
            client.wake.end();
        }
        for client in clients {
            let _ = client.thread.join();
        }
    }
}

/// The first free port from `port` on; whichever is free for port 0.
fn bind(host: IpAddr, port: u16) -> io::Result<TcpListener> {
    let last = if port == 0 { 0 } else { port.saturating_add(PORTS) };
    let mut result = Err(io::ErrorKind::AddrInUse.into());
    for port in port..=last {
        result = TcpListener::bind((host, port));
        match &result {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            _ => break,
        }
    }
    let listener = result?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn accept(listener: &Listener, shared: &Arc<Shared>) {
    while !shared.ending.ended() {
        match listener.accept() {
            // A client for which there is no thread is turned away: the connection closes.
            Ok(stream) => drop(welcome(stream, shared)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let _ = client::wait(
                    &[(listener.fd(), PollFlags::IN), (shared.ending.fd(), PollFlags::IN)],
                    None,
                );
            }
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            // Out of descriptors or memory: wait for some to come back.
            Err(_) => {
                let pause = Some(Duration::from_millis(100));
                let _ = client::wait(&[(shared.ending.fd(), PollFlags::IN)], pause);
            }
        }
    }
}

fn welcome(stream: Stream, shared: &Arc<Shared>) -> io::Result<()> {
    let mut clients = lock(&shared.clients);
    clients.retain(|client| !client.thread.is_finished());
    let is_open = |client: &&Client| client.open.load(Ordering::SeqCst);
    if clients.iter().filter(is_open).count() >= MAX_CLIENTS {
        return Ok(());
    }
    if clients.len() - clients.iter().filter(is_open).count() >= MAX_STRANGERS
        && let Some(oldest) = clients.iter().find(|client| !is_open(client))
    {
        oldest.wake.end();
        if clients.len() > MAX_CLIENTS + 2 * MAX_STRANGERS {
            return Ok(());
        }
    }
    let wake = Wake::new()?;
    let open = Arc::new(AtomicBool::new(false));
    let peer = match &stream {
        Stream::Tcp(_, peer) => Some(*peer),
        Stream::Unix(_) => None,
    };
    let (served, serving, opened) = (shared.clone(), wake.clone(), open.clone());
    let thread = Builder::new().name("display client".into()).spawn(move || {
        // On a computer with few processors the guest comes first: a client that gets fewer pictures still sees all.
        // (setpriority(2): on Linux this is the thread's own.)
        let _ = rustix::process::setpriority_process(None, LOWER);
        let opened = || opened.store(true, Ordering::SeqCst);
        // An error ends this client only.
        let _ = match (stream, &served.kind) {
            (Stream::Unix(stream), _) => client::serve(Plain(stream), &served.terms, &serving, opened),
            (Stream::Tcp(stream, _), Kind::Vnc) => client::serve(Plain(stream), &served.terms, &serving, opened),
            (Stream::Tcp(stream, _), Kind::Web(site)) => web::serve(stream, site, &served.terms, &serving, opened),
        };
    })?;
    clients.push(Client {
        peer,
        open,
        wake,
        thread,
    });
    Ok(())
}
