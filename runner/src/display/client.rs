//! The thread of one client: it moves bytes between a connection and a session.

use super::transport::{Received, Transport};
use super::vnc::{Challenge, ProtocolError, Session};
use super::wake::Wake;
use super::{Hub, vnc::Password};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a handshake may take, and how long if a person has to type a password.
const HANDSHAKE: Duration = Duration::from_secs(10);
const TYPING: Duration = Duration::from_secs(120);
/// How long a client may leave unread what it has asked for.
const STALLED: Duration = Duration::from_secs(300);
/// How long a wrong password is answered late: trying many takes long.
const WRONG_PASSWORD: Duration = Duration::from_secs(1);

/// What all clients of a server share.
#[derive(Clone)]
pub(super) struct Terms {
    pub(super) hub: Hub,
    pub(super) name: String,
    pub(super) password: Option<Password>,
}

/// Random bytes of the system.
pub(super) fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    let mut done = 0;
    while done < N {
        done += rustix::rand::getrandom(&mut bytes[done..], rustix::rand::GetRandomFlags::empty())?;
    }
    Ok(bytes)
}

/// Serves a client until it leaves, errs, or is told to go. `opened` is called when its handshake is over.
pub(super) fn serve(mut transport: impl Transport, terms: &Terms, wake: &Wake, opened: impl Fn()) -> io::Result<()> {
    let challenge: Challenge = random()?;
    let waker = wake.clone();
    let waker = Arc::new(move || waker.call());
    let mut session = Session::new(terms.hub.clone(), &terms.name, terms.password.clone(), challenge, waker);
    let mut pipe = Pipe::default();
    let mut input = Vec::new();
    let begun = Instant::now();
    let mut open = false;
    while !wake.ended() {
        let mut busy = false;
        if session.wants_input() {
            match transport.read(&mut input)? {
                Received::Some => busy = true,
                Received::Nothing => {}
                Received::End => return Ok(()),
            }
        }
        let received = session.receive(&input);
        input.clear();
        if let Err(error) = received {
            return say_goodbye(error, &mut session, pipe, transport, wake);
        }
        if session.is_open() && !open {
            open = true;
            opened();
        }
        // The next picture is made when the one before is on its way: a slow client gets fewer.
        if pipe.is_empty() && !transport.is_waiting() {
            session.produce(&mut pipe.data);
        }
        busy |= pipe.push(&mut transport)?;
        if busy {
            continue;
        }
        let writing = !pipe.is_empty() || transport.is_waiting();
        let limit = match () {
            () if !open && (session.waits_for_password() || !session.wants_input()) => Some((begun, TYPING)),
            () if !open => Some((begun, HANDSHAKE)),
            () if writing => Some((pipe.moved, STALLED)),
            () => None,
        };
        let left = match limit {
            None => None,
            Some((since, time)) => match time.checked_sub(since.elapsed()) {
                Some(left) => Some(left),
                None => return Err(io::ErrorKind::TimedOut.into()),
            },
        };
        let mut flags = PollFlags::empty();
        flags.set(PollFlags::IN, session.wants_input());
        flags.set(PollFlags::OUT, writing);
        wait(&[(transport.fd(), flags), (wake.fd(), PollFlags::IN)], left)?;
        wake.answer();
    }
    Ok(())
}

/// Bytes on their way to the client.
struct Pipe {
    data: Vec<u8>,
    sent: usize,
    /// When the client last took something.
    moved: Instant,
}

impl Default for Pipe {
    fn default() -> Self {
        Pipe {
            data: Vec::new(),
            sent: 0,
            moved: Instant::now(),
        }
    }
}

impl Pipe {
    fn is_empty(&self) -> bool {
        self.sent == self.data.len()
    }

    /// Sends what the connection takes. True if it took something.
    fn push(&mut self, transport: &mut impl Transport) -> io::Result<bool> {
        if self.is_empty() && !transport.is_waiting() {
            self.moved = Instant::now();
            return Ok(false);
        }
        let was_waiting = transport.is_waiting();
        let taken = transport.write(&self.data[self.sent..])?;
        self.sent += taken;
        if self.is_empty() {
            self.data.clear();
            self.sent = 0;
        }
        let progress = taken > 0 || was_waiting && !transport.is_waiting();
        if progress {
            self.moved = Instant::now();
        }
        Ok(progress)
    }
}

/// Waits for one of the descriptors.
pub(super) fn wait(fds: &[(BorrowedFd<'_>, PollFlags)], time: Option<Duration>) -> io::Result<()> {
    let mut fds: Vec<PollFd<'_>> = fds
        .iter()
        .map(|(fd, flags)| PollFd::from_borrowed_fd(*fd, *flags))
        .collect();
    let time = time.and_then(|time| Timespec::try_from(time).ok());
    match poll(&mut fds, time.as_ref()) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Tells the client why it ends, if the protocol has words for that.
fn say_goodbye(
    error: ProtocolError,
    session: &mut Session,
    mut pipe: Pipe,
    mut transport: impl Transport,
    wake: &Wake,
) -> io::Result<()> {
    let begun = Instant::now();
    if error == ProtocolError::Password {
        while !wake.ended()
            && let Some(left) = WRONG_PASSWORD.checked_sub(begun.elapsed())
        {
            wait(&[(wake.fd(), PollFlags::IN)], Some(left))?;
            wake.answer();
        }
    }
    if pipe.is_empty() {
        session.last_words(&mut pipe.data);
        pipe.push(&mut transport)?;
    }
    Err(io::Error::new(io::ErrorKind::InvalidData, error))
}
