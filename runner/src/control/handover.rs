//! Files that a client hands over with a message, as QMP has it: the machine needs no right to open them itself.
//! Source: unix(7), "Ancillary messages"; QEMU's QAPI reference, `add-fd`.

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
};
use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

/// Files that one client may have handed over and not taken back. What comes beyond is closed.
const MOST: usize = 8;

/// What a client has handed over.
#[derive(Debug, Default)]
pub(super) struct Files {
    /// Came with a message, not named yet.
    received: VecDeque<OwnedFd>,
    /// By the numbers that the client knows.
    sets: BTreeMap<u64, OwnedFd>,
}

impl Files {
    /// Gives the file that came first a number.
    pub(super) fn add(&mut self, wanted: Option<u64>) -> Result<u64, &'static str> {
        if wanted.is_some_and(|number| self.sets.contains_key(&number)) {
            return Err("this fdset has a file already");
        }
        let next = self.sets.keys().next_back().map_or(0, |last| last.saturating_add(1));
        let file = self
            .received
            .pop_front()
            .ok_or("No file descriptor supplied via SCM_RIGHTS")?;
        let number = wanted.unwrap_or(next);
        self.sets.insert(number, file);
        Ok(number)
    }

    /// Takes the file of this number out.
    pub(super) fn take(&mut self, number: u64) -> Option<File> {
        self.sets.remove(&number).map(File::from)
    }

    /// The number in a file name that refers to one: `/dev/fdset/N`.
    pub(super) fn number(name: &str) -> Option<u64> {
        name.strip_prefix("/dev/fdset/")?.parse().ok()
    }

    fn keep(&mut self, file: OwnedFd) {
        if self.received.len() + self.sets.len() < MOST {
            self.received.push_back(file);
        }
    }
}

/// Reads what has arrived, with the files that came along; 0 bytes at the end.
pub(super) fn receive(stream: &UnixStream, buffer: &mut [u8], files: &mut Files) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let received = loop {
        let into = &mut [IoSliceMut::new(buffer)];
        match rustix::net::recvmsg(stream, into, &mut ancillary, RecvFlags::CMSG_CLOEXEC) {
            Err(rustix::io::Errno::INTR) => {}
            other => break other?,
        }
    };
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(handed) = message {
            handed.for_each(|file| files.keep(file));
        }
    }
    Ok(received.bytes)
}

/// Sends a message together with a file.
pub(super) fn send(stream: &UnixStream, message: &[u8], file: BorrowedFd<'_>) -> io::Result<()> {
    let handed = [file];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !ancillary.push(SendAncillaryMessage::ScmRights(&handed)) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let sent = rustix::net::sendmsg(stream, &[IoSlice::new(message)], &mut ancillary, SendFlags::NOSIGNAL)?;
    // The file goes with the first byte; the rest follows without it.
    io::Write::write_all(&mut &*stream, message.get(sent..).unwrap_or_default())
}
