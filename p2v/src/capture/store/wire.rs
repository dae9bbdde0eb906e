//! What the computer that copies and the one that stores say to each other, over one connection: records in both
//! directions ([`frame`]). The one that stores speaks first.

use super::frame;
use super::journal::Record;
use crate::capture::fingerprint::Fingerprint;
use crate::capture::rescue::map::Status;
use crate::error::{Exit, Failure};
use crossbeam_channel::{Receiver, bounded, unbounded};
use serde::{Deserialize, Serialize};
use std::io::{self, BufReader, Read, Write};
use std::thread;
use std::time::Duration;

/// Another number means that messages have changed.
pub(super) const VERSION: u32 = 2;
/// How often the one that copies says that it is there, when it has nothing else to say.
pub(super) const ALIVE: Duration = Duration::from_secs(10);
/// After so long without a word the connection is dead, whatever the network says.
pub(super) const DEAD: Duration = Duration::from_secs(60);

/// From the one that copies.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Order {
    /// What is in the place that is meant?
    Ask(Wish),
    /// Begin a capture there, of what [`Known`](Order::Known) records say.
    Create { size: u64, compression: Compression },
    /// Some of the records with which its journal begins.
    Known(Record),
    /// Go on with what is there.
    Resume { compression: Compression },
    /// What the old PC's firmware says of it: names and lengths. The files follow.
    Firmware(Vec<(String, u32)>),
    /// A chunk: number, bytes read, checksum; each cluster's number, whether it is compressed, and its length. The
    /// clusters follow.
    Append {
        index: u64,
        read: u64,
        hash: Option<[u8; 32]>,
        clusters: Vec<(u64, bool, u32)>,
    },
    /// Ranges that are left for later.
    Leave(Vec<(u64, u64)>),
    /// Some of the ranges that will be read late.
    Late(Vec<(u64, u64)>),
    /// There are no more of those.
    BeginLate,
    /// Bytes that were read late, at this offset, follow.
    Keep(u64),
    /// What became of a range: first byte, length, status.
    Note(u64, u64, Status),
    /// Make everything safe.
    Suspend,
    /// Everything that the image holds: some of the ranges.
    Used(Vec<(u64, u64)>),
    /// What of it could not be read: some of the ranges.
    Map(Vec<(u64, u64, Status)>),
    /// There is no more of both: make it a machine.
    Conclude { sector: u32, machine: String },
    /// It is still there.
    Alive,
}

/// Which place is meant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Wish {
    /// The machine folder.
    pub(crate) folder: Option<String>,
    /// A name in the library.
    pub(crate) name: Option<String>,
    /// Names that it may have in the library if nothing else is said.
    pub(crate) names: Vec<String>,
    /// Whether an unfinished capture there is thrown away.
    pub(crate) restart: bool,
    /// The disk.
    pub(crate) disk: Fingerprint,
}

/// How the image is compressed; as `disk::qcow2::Compression`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Compression {
    None,
    Zlib,
    Zstd(i32),
}

impl From<disk::qcow2::Compression> for Compression {
    fn from(compression: disk::qcow2::Compression) -> Self {
        match compression {
            disk::qcow2::Compression::None => Compression::None,
            disk::qcow2::Compression::Zlib => Compression::Zlib,
            disk::qcow2::Compression::Zstd(level) => Compression::Zstd(level),
        }
    }
}

impl From<Compression> for disk::qcow2::Compression {
    fn from(compression: Compression) -> Self {
        match compression {
            Compression::None => disk::qcow2::Compression::None,
            Compression::Zlib => disk::qcow2::Compression::Zlib,
            Compression::Zstd(level) => disk::qcow2::Compression::Zstd(level),
        }
    }
}

/// From the one that stores.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Answer {
    /// The first word.
    Hello { version: u32, p2v: String },
    /// The place that was asked for: the folder, bytes free there, whether something there is to be thrown away, and
    /// whether records of an unfinished capture follow.
    Found {
        folder: String,
        free: u64,
        throw_away: bool,
        past: bool,
    },
    /// One of those records.
    Past(Record),
    /// There are no more.
    PastEnds,
    /// It can go on: the capture was begun, or the firmware's files are safe.
    Ready,
    /// So many bytes that were read have been taken.
    Taken(u64),
    /// Everything is safe; whether it is worth going on with.
    Safe(bool),
    /// It is a machine: the image's size, chunks with data, and what was lost, as JSON.
    Concluded {
        image_bytes: u64,
        chunks_with_data: u64,
        lost: String,
    },
    /// It did not work. Nothing follows, unless it is a refusal of the place that was asked for.
    Failed {
        exit: u8,
        what: String,
        advice: Option<String>,
    },
}

impl Answer {
    pub(super) fn failed(failure: &Failure) -> Self {
        Answer::Failed {
            exit: failure.exit as u8,
            what: failure.what().to_owned(),
            advice: failure.what_now().map(str::to_owned),
        }
    }
}

/// The failure that the other computer told.
pub(super) fn failure(exit: u8, what: &str, advice: Option<String>, host: &str) -> Failure {
    let exit = [Exit::Refused, Exit::TargetUnwritable]
        .into_iter()
        .find(|known| *known as u8 == exit)
        .unwrap_or(Exit::Failed);
    let failure = Failure::new(exit, what).told_there(host);
    match advice {
        Some(advice) => failure.advice(advice),
        None => failure,
    }
}

/// Sends one message.
pub(super) fn send(to: &mut impl Write, message: &impl Serialize, body: &[&[u8]]) -> io::Result<()> {
    to.write_all(&frame::encode(message, body)?)
}

/// Reads messages in a thread of their own, so that nobody hangs in a read; at most `waiting` of them wait to be taken. The
/// channel ends with the other side, be it in the middle of a word.
pub(super) fn messages<T: Send + 'static>(
    from: impl Read + Send + 'static,
    waiting: Option<usize>,
    understand: fn(Vec<u8>) -> io::Result<T>,
) -> Receiver<io::Result<T>> {
    let (found, messages) = waiting.map_or_else(unbounded, bounded);
    thread::spawn(move || {
        let mut from = BufReader::with_capacity(1 << 20, from);
        loop {
            let message = match frame::read(&mut from) {
                Ok(Some(bytes)) => understand(bytes),
                Ok(None) => return,
                Err(error) if error.kind() != io::ErrorKind::InvalidData => return,
                Err(error) => Err(error),
            };
            let last = message.is_err();
            if found.send(message).is_err() || last {
                return;
            }
        }
    });
    messages
}
