//! The listening side: one thread accepts, two serve each client (one reads and obeys, one writes).

use super::commands::{self, Session};
use super::framing::{Framer, Piece};
use super::{Control, Events, ServerError};
use super::{handover, socket};
use crossbeam_channel::{Receiver, Sender, bounded};
use std::io::{self, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Clients served at a time; more are turned away.
const MAX_CLIENTS: usize = 16;
/// Lines that wait for a client which does not read. A client that lets more pile up gets no more events.
const OUTBOX_LINES: usize = 256;
/// Bytes read at a time.
const BUFFER: usize = 8192;
/// How long a client may leave a line unread before it is dropped.
const WRITE_TIMEOUT: Duration = Duration::from_secs(5);

/// The control socket while it is open. Dropping it closes the socket and removes its file.
pub struct Server {
    path: PathBuf,
    listener: Arc<UnixListener>,
    shared: Arc<Shared>,
    /// Dropped to say that the server stops.
    stopping: Option<Sender<()>>,
    acceptor: Option<JoinHandle<()>>,
}

struct Shared {
    control: Arc<dyn Control>,
    events: Events,
    stopped: Receiver<()>,
    clients: Mutex<Vec<ClientThread>>,
    active: AtomicUsize,
}

struct ClientThread {
    stream: UnixStream,
    thread: JoinHandle<()>,
}

impl Server {
    /// Opens the control socket at `path` (mode 0600) and serves it in threads of its own.
    ///
    /// A socket left over from a machine that ended is replaced; [`ServerError::InUse`] if one answers.
    pub fn start(path: &Path, control: Arc<dyn Control>, events: Events) -> Result<Self, ServerError> {
        let listener = Arc::new(socket::listen(path)?);
        let (stopping, stopped) = bounded(0);
        let shared = Arc::new(Shared {
            control,
            events,
            stopped,
            clients: Mutex::default(),
            active: AtomicUsize::new(0),
        });
        let mut server = Server {
            path: path.to_owned(),
            listener: Arc::clone(&listener),
            shared: Arc::clone(&shared),
            stopping: Some(stopping),
            acceptor: None,
        };
        let acceptor = thread::Builder::new()
            .name("control".to_owned())
            .spawn(move || accept(&listener, &shared))
            .map_err(|source| ServerError::System {
                path: path.to_owned(),
                source,
            })?;
        server.acceptor = Some(acceptor);
        Ok(server)
    }

    /// Closes the socket: commands under way are answered, events already emitted are delivered, then every
    /// connection ends and the file is removed.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
        drop(self.stopping.take());
        let _ = rustix::net::shutdown(&*self.listener, rustix::net::Shutdown::Both);
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
        let clients = std::mem::take(&mut *self.shared.clients.lock().unwrap_or_else(PoisonError::into_inner));
        for client in &clients {
            let _ = client.stream.shutdown(std::net::Shutdown::Read);
        }
        for client in clients {
            let _ = client.thread.join();
        }
    }
}

fn accept(listener: &UnixListener, shared: &Arc<Shared>) {
    loop {
        let accepted = listener.accept();
        // An empty channel is open: the server still runs.
        if shared.stopped.try_recv() == Err(crossbeam_channel::TryRecvError::Disconnected) {
            return;
        }
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted
                ) =>
            {
                continue;
            }
            // Out of descriptors or memory: wait for some to come back, but notice the end.
            Err(_) => {
                let _ = shared.stopped.recv_timeout(Duration::from_millis(100));
                continue;
            }
        };
        // Turned away (the connection closes) if there are too many or no thread can be made.
        let _ = serve_in_thread(stream, shared);
    }
}

fn serve_in_thread(stream: UnixStream, shared: &Arc<Shared>) -> io::Result<()> {
    let mut clients = shared.clients.lock().unwrap_or_else(PoisonError::into_inner);
    clients.retain(|client| !client.thread.is_finished());
    if shared.active.load(Ordering::SeqCst) >= MAX_CLIENTS {
        return Ok(());
    }
    stream.set_write_timeout(Some(WRITE_TIMEOUT))?;
    let handle = stream.try_clone()?;
    let shared_by_client = Arc::clone(shared);
    shared.active.fetch_add(1, Ordering::SeqCst);
    let spawned = thread::Builder::new().name("control client".to_owned()).spawn(move || {
        // An error ends this client only.
        let _ = serve(&stream, &shared_by_client);
        shared_by_client.active.fetch_sub(1, Ordering::SeqCst);
    });
    match spawned {
        Ok(thread) => clients.push(ClientThread { stream: handle, thread }),
        Err(error) => {
            shared.active.fetch_sub(1, Ordering::SeqCst);
            return Err(error);
        }
    }
    Ok(())
}

/// Serves one client until it leaves or the server stops.
fn serve(stream: &UnixStream, shared: &Shared) -> io::Result<()> {
    let (outbox, lines) = bounded::<String>(OUTBOX_LINES);
    let mut writing_end = stream.try_clone()?;
    let writer = thread::Builder::new()
        .name("control writer".to_owned())
        .spawn(move || {
            for mut line in lines {
                line.push_str("\r\n");
                if writing_end.write_all(line.as_bytes()).is_err() {
                    break;
                }
            }
            let _ = writing_end.shutdown(std::net::Shutdown::Both);
        })?;
    obey(stream, shared, &outbox);
    shared.events.unsubscribe(&outbox);
    drop(outbox);
    let _ = writer.join();
    Ok(())
}

/// Reads messages and answers them, until the stream ends or the client does not take its answers.
fn obey(stream: &UnixStream, shared: &Shared, outbox: &Sender<String>) {
    let send = |line: String| outbox.send_timeout(line, WRITE_TIMEOUT).is_ok();
    let mut session = Session::new(&*shared.control, &shared.stopped);
    let mut framer = Framer::default();
    let mut buffer = vec![0; BUFFER];
    let mut alive = send(commands::greeting());
    while alive {
        let received = match handover::receive(stream, &mut buffer, &mut session.files) {
            Ok(0) | Err(_) => return,
            Ok(received) => received,
        };
        for byte in &buffer[..received] {
            let answer = match framer.push(*byte) {
                Ok(None) => continue,
                Ok(Some(Piece::Object(message))) => {
                    let before = session.negotiated();
                    let answer = session.handle(&message);
                    if session.negotiated() && !before {
                        shared.events.subscribe(outbox.clone());
                    }
                    answer
                }
                Ok(Some(Piece::Garbage)) => commands::not_json(),
                Err(_) => {
                    send(commands::not_json());
                    return;
                }
            };
            alive &= send(answer);
        }
    }
}
